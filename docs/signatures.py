"""Prepare the package for the reference: whole signatures, and prose where the style allows it."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from griffe import Class, Extension, Function, Module, Object, ParameterKind, Parameters

SHOWN = ("Forecaster", "Classifier", "Regressor")  # their constructors pass parameters on
PROSE = re.compile(r"(?<=^Returns\n-------\n)(\S+ .*(?:\n\S.*)*)(?=\n\n|\Z)", re.M)


class Complete(Extension):
    """Fill in what a reader of the source would look up."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Go through a package once all of it is read."""
        for one in objects(pkg):
            if isinstance(one, Class) and one.name.endswith(SHOWN):
                own = Function("__init__", parameters=Parameters(*parameters(one)))
                one.set_member("__init__", own)
                # an adapter is read as it stands where its library is not installed
                with contextlib.suppress(ModuleNotFoundError):
                    one.docstring.value = inspect.cleandoc(str(imported(one).__doc__))
            elif isinstance(one, Function) and one.docstring:
                one.docstring.value = readable(one)


def objects(parent: Object) -> Iterator[Object]:
    """Yield everything that a module or class defines."""
    for member in list(parent.members.values()):
        if not member.is_alias:
            yield member
            yield from objects(member)


def parameters(one: Class) -> list[Any]:
    """Return the parameters of a class, those that it passes on to its parents included."""
    taken: dict[str, Any] = {}
    for level in (one, *one.mro()):
        init = level.members.get("__init__")
        if init is None:
            continue
        for each in init.parameters:
            if each.kind is not ParameterKind.var_keyword:
                taken.setdefault(each.name, each)
        if all(each.kind is not ParameterKind.var_keyword for each in init.parameters):
            break
    return sorted(taken.values(), key=lambda each: each.kind is ParameterKind.keyword_only)


def imported(one: Class) -> Any:
    """Return the class itself, whose docstring describes the parameters of its parents, too."""
    return getattr(importlib.import_module(one.module.path), one.name)


def readable(one: Function) -> str:
    """Return a docstring whose results in prose have a type."""
    text = one.docstring.value  # type: ignore[union-attr]
    return PROSE.sub(lambda found: f"{one.returns}\n    " + found[1].replace("\n", "\n    "), text)
