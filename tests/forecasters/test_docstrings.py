"""Docstrings: every parameter of every forecaster is described where it is looked up."""

from __future__ import annotations

import inspect
import re

import pytest

import forecast
from forecast.forecasters.docstrings import inherit_parameters
from forecast.forecasters.registry import HOMES

PARENT = """A parent.

    Parameters
    ----------
    a : int
        First.

        Second paragraph.
    b, c
        Both.
    gone
        No more.

    Examples
    --------
    >>> 1
    1
    """


@pytest.mark.parametrize("name", HOMES)
def test_every_parameter_is_described(name):
    found = getattr(forecast, name)
    described = re.findall(r"^([\w, ]+?)(?: : .*)?\n {4}\S", inspect.getdoc(found), re.MULTILINE)
    told = {one for names in described for one in names.split(", ")}
    assert set(inspect.signature(found).parameters) <= told


def test_what_the_child_says_stays_and_what_only_the_parent_says_follows():
    child = """A child.

    Prose.

    Parameters
    ----------
    d
        Own.
    a
        Told anew.
    **parameters
        Those of the parent.

    Returns
    -------
    nothing
    """
    found = inherit_parameters(child, PARENT, ["a", "b", "c", "d"])
    assert found == inspect.cleandoc(
        """A child.

        Prose.

        Parameters
        ----------
        d
            Own.
        a
            Told anew.
        b, c
            Both.

        Returns
        -------
        nothing
        """
    )


def test_a_docstring_without_parameters_gets_them_before_its_first_section():
    found = inherit_parameters("A child.\n\nExamples\n--------\n>>> 2\n2", PARENT, ["a"])
    lines = found.splitlines()
    assert lines[:6] == ["A child.", "", "Parameters", "----------", "a : int", "    First."]
    assert lines[6:8] == ["", "    Second paragraph."]
    assert lines[-4:] == ["Examples", "--------", ">>> 2", "2"]


def test_with_nothing_to_add_nothing_changes():
    assert inherit_parameters("A child.", PARENT, ["d"]) == "A child."
