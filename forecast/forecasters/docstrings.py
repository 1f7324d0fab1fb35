"""Docstrings of subclasses: the parameters they share are described once, by the parent."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

_SECTION = re.compile(r"Parameters\n-+\n(?P<entries>(?:(?!\w+\n-+\n).*\n?)*)")
_HEADING = re.compile(r"^\w+\n-+\n|\Z", re.MULTILINE)
_ENTRY = re.compile(r"^(?P<names>[\w*, ]+)(?: : .*)?\n(?:[ \t]+.*\n|\n(?=[ \t]))*", re.MULTILINE)


def inherit_parameters(own: str, parent: str, names: Iterable[str]) -> str:
    r"""Return a docstring whose parameters are followed by those that only the parent describes.

    Parameters
    ----------
    own, parent
        Docstrings as numpy writes them.
    names
        The parameters there are.

    Examples
    --------
    >>> parent = "A parent.\n\nParameters\n----------\na, b\n    Two.\nc\n    Gone."
    >>> inherit_parameters("A child.", parent, ["a", "b"]).splitlines()[2:]
    ['Parameters', '----------', 'a, b', '    Two.']
    """
    text, wanted = inspect.cleandoc(own) + "\n", set(names)
    for entry_names, entry in _entries(text):
        wanted -= entry_names
        if not entry_names & set(names):  # "**parameters: those of the parent"
            text = text.replace(entry, "")
    found = [entry for told, entry in _entries(inspect.cleandoc(parent) + "\n") if told & wanted]
    if not found:
        return own
    section = _SECTION.search(text)
    if section is None:
        heading = _HEADING.search(text)
        place = heading.start() if heading else len(text)
        told, rest = text[:place].rstrip(), text[place:]
        return f"{told}\n\nParameters\n----------\n{''.join(found)}\n{rest}".rstrip()
    entries = section["entries"].rstrip() + "\n"
    end = section.end("entries")
    return f"{text[: section.start('entries')]}{entries}{''.join(found)}\n{text[end:]}".rstrip()


def _entries(text: str) -> list[tuple[set[str], str]]:
    """Return the names and the text of every entry of the section of parameters."""
    section = _SECTION.search(text)
    found = _ENTRY.finditer(section["entries"]) if section else ()
    return [(set(re.findall(r"\w+", one["names"])), one.group().rstrip() + "\n") for one in found]
