"""Model files changed at random: each is refused, or works; none takes long, or much memory.

A seed makes the same files again: `mutants(saved, seed)`.
"""

from __future__ import annotations

import copy
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from forecast.forecasters import saving
from tests.forecasters.forgery import JUNK, answers, places, taken_apart

pytestmark = pytest.mark.filterwarnings("ignore")

NUMBERS = [0, 1, -1, 2, 7, 100, 2**31, 2**63 - 1, -(2**63), 1e-310, 1e155, 1e308, -1e308]
NUMBERS += [float("nan"), float("inf"), 0.5]
DTYPES = [np.float16, np.float32, np.float64, np.int8, np.int32, np.int64, np.uint64, np.bool_]


def change_text(about: Any, rng: np.random.Generator) -> None:
    """Put another thing at a place of the text: junk, a number, or what stands elsewhere in it."""
    known = list(places(about))
    *way, last = known[rng.integers(len(known))]
    inner = about
    for key in way:
        inner = inner[key]
    source = about
    for key in known[rng.integers(len(known))]:
        source = source[key]
    choices = [JUNK[rng.integers(len(JUNK))], NUMBERS[rng.integers(len(NUMBERS))], source]
    if rng.random() < 0.15:
        del inner[last]
    elif isinstance(inner[last], list) and rng.random() < 0.3:
        inner[last] = inner[last] * int(rng.integers(0, 4))
    else:
        inner[last] = copy.deepcopy(choices[rng.integers(3)])


def change_array(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Change a number, the shape, the type or the name of an array."""
    name, other = rng.choice(sorted(arrays), 2)
    array = arrays[name]
    kind = rng.integers(6)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[name], arrays[other] = arrays[other], array
    elif kind == 2:
        with np.errstate(all="ignore"):
            arrays[name] = np.nan_to_num(array).astype(DTYPES[rng.integers(len(DTYPES))])
    elif kind == 3:
        arrays[name] = np.resize(array, rng.integers(0, 3, size=rng.integers(0, 4)))
    elif array.size:
        changed = array.copy().reshape(-1)
        places = slice(None) if kind == 4 else rng.integers(array.size)
        with np.errstate(all="ignore"):
            number = np.array(NUMBERS[rng.integers(len(NUMBERS))]).astype(array.dtype)
        changed[places] = number
        arrays[name] = changed.reshape(array.shape)


def change_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, drop or repeat bytes."""
    start = int(rng.integers(len(content)))
    end = start + int(rng.integers(1, 40))
    flipped = bytes(byte ^ int(rng.integers(256)) for byte in content[start:end])
    part = [flipped, b"", content[start:end] * 3][rng.integers(3)]
    return content[:start] + part + content[end:]


def mutants(saved: dict[str, Path], seed: int) -> Iterator[bytes]:
    """Yield the content of changed files without end; most have a right checksum."""
    rng = np.random.default_rng(seed)
    families = {name: taken_apart(path) for name, path in saved.items()}
    while True:
        about, arrays = copy.deepcopy(families[rng.choice(list(families))])
        for _ in range(rng.integers(1, 4)):
            if rng.random() < 0.6:
                change_text(about, rng)
            else:
                change_array(arrays, rng)
        arrays = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
        signed = json.dumps(about | {"sha256": saving.checksum(about, arrays)})
        content = save(arrays, metadata={"forecast": signed})
        yield change_bytes(content, rng) if rng.random() < 0.1 else content


def check(saved: dict[str, Path], path: Path, seed: int, count: int) -> None:
    before, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for number, content in zip(range(count), mutants(saved, seed), strict=False):
        path.write_bytes(content)
        began = time.process_time()
        try:
            refused += answers(path) is None
        except Exception as error:
            error.add_note(f"file {number} of seed {seed}")
            raise
        assert time.process_time() - began < 4, f"file {number} of seed {seed}: reads and forecasts"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert refused > 0.3 * count and grown < 500_000  # kB


def test_mutated_files_are_refused_or_work(saved: dict[str, Path], tmp_path: Path) -> None:
    check(saved, tmp_path / "a.model", seed=0, count=60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_many_mutated_files_are_refused_or_work(
    seed: int, saved: dict[str, Path], tmp_path: Path
) -> None:
    check(saved, tmp_path / "a.model", seed, count=500)
