"""Files and functions of the package stay short enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("forecast/**/*.py"))
LONGEST = 400  # lines of a file
MEDIAN, MOST = 6, 20  # lines of a function's body: half, and nine tenths, have at most so many


def body_lengths(source: str) -> Iterator[int]:
    """Yield how many lines the statements of each function take.

    Counted are the lines from the first to the last of every statement, comments and blank lines
    within one too; not the signature, the docstring, nor what stands between two statements.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[ast.get_docstring(node) is not None :]
            yield sum(part.end_lineno - part.lineno + 1 for part in body)


@pytest.mark.parametrize("file", FILES)
def test_no_file_is_long(file):
    assert len((ROOT / file).read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_most_functions_are_short():
    sources = [(ROOT / file).read_text(encoding="utf-8") for file in FILES]
    lengths = [length for source in sources for length in body_lengths(source)]
    assert np.median(lengths) <= MEDIAN
    assert np.quantile(lengths, 0.9) <= MOST


def test_docstring_signature_and_gaps_are_not_counted():
    source = '''
def one(
    a,
):
    """Say
    something."""

    b = a

    # why
    return [
        b,
    ]
'''
    assert list(body_lengths(source)) == [4]
    assert list(body_lengths('def none():\n    """Nothing."""')) == [0]
