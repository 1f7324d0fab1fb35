"""The page of held rows and the markers of the tests say the same."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "mission.md"
ROW = re.compile(r"^\| (M\d\d) \| .+ \| (.+) \|$", re.MULTILINE)


def ids_of(function: ast.FunctionDef) -> list[str]:
    """Return the ids that the markers of a test name."""
    calls = [mark for mark in function.decorator_list if isinstance(mark, ast.Call)]
    return [
        argument.value
        for call in calls
        if ast.unparse(call.func) == "pytest.mark.mission"
        for argument in call.args
    ]


def held() -> dict[str, list[str]]:
    """Return what the last column must hold: for every id, its tests by file."""
    found = defaultdict(lambda: defaultdict(list))
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for name in ids_of(node) if isinstance(node, ast.FunctionDef) else ():
                found[name][path.relative_to(ROOT / "tests").as_posix()].append(node.name)
    return {name: cell(files) for name, files in sorted(found.items())}


def cell(files: dict[str, list[str]]) -> str:
    """Return the tests of one row as the page shows them."""
    parts = [
        f"{file}: " + ", ".join(f"`{test.removeprefix('test_')}`" for test in tests)
        for file, tests in files.items()
    ]
    return "<br>".join(parts)


def test_page_names_the_tests_that_hold_each_row():
    shown, expected = dict(ROW.findall(PAGE.read_text(encoding="utf-8"))), held()
    assert list(shown) == list(expected), "a row per id, in order"
    wrong = {name: expected[name] for name in expected if shown[name] != expected[name]}
    assert not wrong, "\n".join(f"the last cell of {name} must be\n{wrong[name]}" for name in wrong)


def test_names_of_tests_hold_no_ids():
    for path in ROOT.glob("tests/**/test_*.py"):
        names = re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
        assert [name for name in names if re.match(r"test_[mw]\d\d_", name)] == [], path
