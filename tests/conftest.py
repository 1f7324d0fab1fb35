"""What every test shares: fixed seeds, no windows on the screen, one thread."""

from __future__ import annotations

import gc
import os
import random
import sys
import zlib
from collections.abc import Iterator

# Before numpy and torch are loaded: they read the thread count once. One thread keeps the order of
# sums, and therefore the last digits, the same on every machine.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
os.environ["MPLBACKEND"] = "Agg"

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def seeds() -> Iterator[None]:
    """Fix the global random states, and close the figures a test leaves open.

    A module that no test has loaded has no state to fix: torch takes seconds to import.
    """
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - statsmodels and scipy draw from the global state
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--sample N`: run one of N of the tests that were selected."""
    parser.addoption("--sample", type=int, default=1, metavar="N", help="run one test of N")


def pytest_collection_finish() -> None:
    """Tell the garbage collector that thousands of collected tests are none."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests whose name falls into the sample: the same ones until they are renamed."""
    share = config.getoption("sample")
    taken = [item for item in items if zlib.crc32(item.nodeid.encode()) % share == 0]
    if len(taken) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(taken)])
        items[:] = taken


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs CUDA")
