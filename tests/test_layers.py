"""The order of the rooms, read off the imports of every file (docs/architecture.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("forecast/**/*.py"))

# Who may import whom inside the package. Beside these, a room imports itself, and all _checks.
ROOMS = {
    "data": set(),
    "networks": set(),
    "engine": {"data", "networks"},
    "pretrained": {"networks"},
    "evaluation": {"data"},
    "forecasters": {"data", "networks", "engine", "pretrained", "evaluation"},
    "contest": {"data", "evaluation", "forecasters"},
    "partitions": {"data", "evaluation", "forecasters"},
    "sequences": {"data", "networks", "engine", "evaluation", "forecasters"},
    "inspection": {
        *("data", "networks", "engine", "pretrained", "evaluation", "forecasters", "sequences"),
    },
    "teaching": {"data", "networks", "engine"},
    "generated": set(),
    "adapters": {"data", "evaluation", "forecasters"},
}
PRODUCTION = set(ROOMS) - {"teaching", "generated"}
ABOVE = {
    "cli": {*PRODUCTION, "forecast"},
    "__main__": {"cli"},
    "__init__": PRODUCTION,
}
ALLOWED = {"_checks": set()} | ROOMS | ABOVE
STRANGERS = {
    "data": {"torch"},
    "networks": {"pandas"},
    "pretrained": {"pandas"},
    "evaluation": {"torch"},
}
CATALOGUE = "forecast/forecasters/registry.py"
EMPTY_NAMES = {"utils", "util", "common", "core", "helpers", "helper", "misc", "manager", "handler"}


def imported(path: PurePosixPath, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the full dotted name of everything a file imports, lazily or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.parts[: len(path.parent.parts) - node.level + 1]
            stem = ".".join((*(package if node.level else ()), *filter(None, [node.module])))
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def neighbour(name: str) -> str | None:
    """Return the room or top file of a dotted name; "forecast" for the front door itself.

    `from forecast import LSTMForecaster` goes through the front door: it would hide from which
    room the name comes.
    """
    first, *rest = name.split(".")
    if first != "forecast":
        return None
    return rest[0] if rest and rest[0] in ALLOWED else "forecast"


def broken_rules(file: str, source: str) -> list[str]:
    """Return one sentence for every rule of the house that a file breaks."""
    path, tree = PurePosixPath(file), ast.parse(source)
    home = path.parts[1] if len(path.parts) > 2 else path.stem
    parts = {*path.parts[1:-1], path.stem}
    faults = [f"{file}: '{part}' says nothing" for part in parts & EMPTY_NAMES]
    if home not in ALLOWED:
        return [*faults, f"{file}: '{home}' is no room and no known file above the rooms"]
    if path.parts[1] in ROOMS and path.name == "__init__.py" and not is_one_docstring_line(tree):
        faults.append(f"{file}: a room's __init__ is one docstring line and imports nothing")
    for line, name in imported(path, tree):
        target = neighbour(name)
        if target is not None and target not in ALLOWED[home] | {home, "_checks"}:
            faults.append(f"{file}:{line}: {home} must not import {name}")
        if name.split(".")[0] in STRANGERS.get(home, ()):
            faults.append(f"{file}:{line}: {home} must not import {name}")
    return faults


def is_one_docstring_line(tree: ast.Module) -> bool:
    text = ast.get_docstring(tree)
    return len(tree.body) == 1 and text is not None and "\n" not in text


@pytest.mark.parametrize("file", FILES)
def test_file_keeps_the_order_of_the_rooms(file):
    assert broken_rules(file, (ROOT / file).read_text(encoding="utf-8")) == []


def modules(files):
    """Return the dotted name of every file, and the file."""
    stems = {file: ".".join(PurePosixPath(file).with_suffix("").parts) for file in files}
    return {stem.removesuffix(".__init__"): file for file, stem in stems.items()}


def is_for_type_checkers(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def arrows(sources):
    """Return which modules each module imports: at its top, inside functions, for types.

    The catalogue alone names classes for type checkers only: it is what all of them are listed in,
    and it loads a file when its class is asked for.
    """
    found = {}
    for module, (file, source) in sources.items():
        tree = ast.parse(source)
        if file == CATALOGUE:
            tree.body = [node for node in tree.body if not is_for_type_checkers(node)]
        found[module] = set()
        for _, name in imported(PurePosixPath(file), tree):
            while name and name not in sources:
                name = name.rpartition(".")[0]
            found[module] |= {name} - {module, ""}
    return found


def circle(sources):
    """Return modules that import each other in a ring, or nothing."""
    try:
        TopologicalSorter(arrows(sources)).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_file_imports_itself_over_others():
    sources = {module: (file, (ROOT / file).read_text()) for module, file in modules(FILES).items()}
    assert circle(sources) == []


@pytest.mark.parametrize(
    "back",
    [
        "from forecast.forecasters import base",
        "from forecast.forecasters.base import BaseForecaster as Base",
        "def save():\n    import forecast.forecasters.base",
        "if TYPE_CHECKING:\n    from forecast.forecasters.base import BaseForecaster",
        "from . import base",
    ],
)
def test_checker_reports_a_circle(back):
    base, saving = "forecast/forecasters/base.py", "forecast/forecasters/saving.py"
    sources = {
        "forecast.forecasters.base": (base, "from forecast.forecasters.saving import save"),
        "forecast.forecasters.saving": (saving, back),
    }
    assert set(circle(sources)) == set(sources)
    sources["forecast.forecasters.saving"] = (saving, "import json")
    assert circle(sources) == []


def test_every_room_is_there():
    assert {f"forecast/{room}/__init__.py" for room in ROOMS} <= set(FILES)


@pytest.mark.parametrize(
    ("file", "source", "fault"),
    [
        ("forecast/data/frames.py", "import torch", "data must not import torch"),
        ("forecast/data/frames.py", "from ..engine import stream", "import forecast.engine.stream"),
        ("forecast/data/frames.py", "from .. import engine", "import forecast.engine"),
        ("forecast/data/frames.py", "def f():\n    import forecast.engine.stream", "py:2: data"),
        ("forecast/networks/base.py", "import pandas as pd", "must not import pandas"),
        ("forecast/networks/base.py", "import forecast.data.frames", "networks must not import"),
        ("forecast/engine/training.py", "from forecast.forecasters import base", "engine must not"),
        ("forecast/engine/training.py", "from forecast.evaluation import plots", "engine must not"),
        ("forecast/evaluation/plots.py", "from torch import nn", "must not import torch.nn"),
        ("forecast/evaluation/plots.py", "from forecast.networks import heads", "evaluation must"),
        ("forecast/forecasters/base.py", "from forecast import contest", "forecasters must not"),
        ("forecast/forecasters/base.py", "from forecast import compare", "forecasters must not"),
        ("forecast/forecasters/base.py", "import forecast", "forecasters must not import forecast"),
        ("forecast/contest/compare.py", "from forecast.cli import app", "contest must not import"),
        ("forecast/networks/base.py", "import forecast.teaching.tasks", "networks must not import"),
        ("forecast/cli/work.py", "import forecast.teaching.tasks", "cli must not import"),
        ("forecast/_checks.py", "from forecast.data import frames", "_checks must not import"),
        ("forecast/data/__init__.py", '"""Room."""\nimport numpy', "one docstring line"),
        ("forecast/data/__init__.py", "", "one docstring line"),
        ("forecast/data/utils.py", "", "'utils' says nothing"),
        ("forecast/common/frames.py", "", "'common' says nothing"),
        ("forecast/magic.py", "", "'magic' is no room"),
    ],
)
def test_checker_reports_a_broken_rule(file, source, fault):
    assert any(fault in sentence for sentence in broken_rules(file, source))


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("forecast/data/frames.py", "from forecast._checks import short\nfrom . import calendar"),
        ("forecast/engine/reader.py", "import torch\nfrom forecast.data.frames import Panel"),
        ("forecast/evaluation/backtest.py", "from ..data.frames import Panel\nimport pandas"),
        ("forecast/forecasters/base.py", "from forecast.evaluation.metrics import mase"),
        (
            "forecast/contest/compare.py",
            "from forecast.forecasters.classical.naive import NaiveForecaster",
        ),
        ("forecast/cli.py", "from forecast import load_dataset"),
    ],
)
def test_checker_accepts_what_the_order_allows(file, source):
    assert broken_rules(file, source) == []
