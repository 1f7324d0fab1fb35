"""Whatever a file says, loading it gives a forecaster that works, or a ValueError that names it."""

from __future__ import annotations

import copy
import json
import os
import resource
import struct
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import forecast
from forecast.forecasters import saving
from tests.forecasters.forgery import (
    BUILD,
    JUNK,
    SALES,
    answers,
    forged,
    places,
    raw_file,
    same,
    taken_apart,
)

each_family = pytest.mark.parametrize(
    "family",
    [pytest.param(name, marks=[pytest.mark.slow] if name != "naive" else []) for name in BUILD],
)
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("family", "every"),
    [("naive", 5), *(pytest.param(name, 1, marks=pytest.mark.slow) for name in BUILD)],
)
def test_junk_at_every_place_of_the_text(
    family: str, every: int, saved: dict[str, Path], tmp_path: Path
) -> None:
    """Of the quick family, one of five pairs of place and junk is tried."""
    about, arrays = taken_apart(saved[family])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for place, junk in list(product(places(about), JUNK))[::every]:
        changed = inner = copy.deepcopy(about)
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = junk
        refused += answers(forged(tmp_path / "a.model", changed, arrays)) is None
    assert refused > 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def misshapen(array: np.ndarray) -> Iterator[np.ndarray]:
    yield array[None]
    yield array.reshape(-1)[:1]
    yield np.zeros(())
    yield np.concatenate([array.reshape(-1)] * 2)
    if array.ndim:
        yield array[:0]
        yield array[:-1]
    for dtype in (np.float16, np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_):
        yield np.nan_to_num(array).astype(dtype)
    for number in (np.nan, np.inf, 1e300) if array.dtype.kind == "f" else (99, -1, 2**62):
        yield np.full_like(array, number)
        last = array.copy()
        last.reshape(-1)[-1:] = number
        yield last


@each_family
def test_arrays_of_any_shape_and_content(
    family: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    about, arrays = taken_apart(saved[family])
    for name, array in arrays.items():
        for bad in misshapen(array):
            answers(forged(tmp_path / "a.model", about, arrays | {name: bad}))
        lacking = {other: a for other, a in arrays.items() if other != name}
        answers(forged(tmp_path / "a.model", about, lacking))


@pytest.mark.parametrize(
    "claim",
    [
        {"hidden_size": 10**9},
        {"n_estimators": 10**9},
        {"window": 10**9},
        {"scale_window": 10**9},
        {"lags": [10**9]},
        {"patch": 10**9, "stride": 10**9, "block": 10**9},
        {"block": 10**9},
        {"stride": 0},
    ],
    ids=str,
)
def test_sizes_beyond_the_file_are_not_allocated(
    claim: dict[str, Any], saved: dict[str, Path], tmp_path: Path
) -> None:
    about, arrays = taken_apart(saved["lstm"])
    about["learned"]["dict"]["recipe"]["dict"] |= claim
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert answers(forged(tmp_path / "a.model", about, arrays)) is None
    about["params"]["num_layers"] = 10**9
    assert answers(forged(tmp_path / "a.model", about, arrays)) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "has format version 2, .* reads up to 1. Install a newer one."),
        ({"format_version": "1"}, "is no saved forecaster, or it is damaged"),
        ({"format_version": True}, "is no saved forecaster, or it is damaged"),
        ({"class": "os.system"}, "holds a 'os.system', which is no known .* Import your own class"),
        ({"class": "NeuralForecaster"}, "holds a 'NeuralForecaster', which is no known forecaster"),
        ({"class": ["NaiveForecaster"]}, "holds a .* which is no known forecaster"),
        ({"params": {"evil": 1}}, "is damaged: .*evil.* Save the model again."),
        ({"horizon": 0}, "is damaged: .*`horizon` must be a positive integer"),
        ({"horizon": 10**9}, "is damaged: .*1000000000 steps is none that anybody forecasts"),
    ],
)
def test_what_is_refused_is_said(
    changes: dict[str, Any], message: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    about, arrays = taken_apart(saved["naive"])
    with pytest.raises(ValueError, match=f"a.model' {message}"):
        forecast.load(forged(tmp_path / "a.model", about | changes, arrays))


@pytest.mark.parametrize(
    "zone",
    ["dateutil/dateutil//etc/passwd", "dateutil//etc/passwd", "/etc/passwd", "../../etc/passwd"]
    + ["Europe", "tzlocal()", "Mars/Base", "UTC+99:99", "\x00", "a" * 5000],
)
def test_no_time_zone_opens_a_file(zone: str, saved: dict[str, Path], tmp_path: Path) -> None:
    about, arrays = taken_apart(saved["theta"])
    assert about["panel"]["grid"]["tz"] == "Europe/Berlin"
    about["panel"]["grid"]["tz"] = zone
    path = forged(tmp_path / "a.model", about, arrays)
    opened: list[str] = []
    listening = True

    def hear(event: str, given: tuple[Any, ...]) -> None:
        if listening and event == "open":
            opened.append(str(given[0]))

    sys.addaudithook(hear)
    with pytest.raises(ValueError, match="is damaged"):
        forecast.load(path)
    listening = False
    assert not [name for name in opened if name.endswith("passwd")]


@pytest.mark.parametrize(
    ("family", "array", "number"),
    [("naive", "slope", 1e308), ("theta", "trend", 1e305), ("markov", "constant", 1e250)]
    + [("theta", "damping", 1e40)],
)
def test_a_forecast_that_overflows_is_refused(
    family: str, array: str, number: float, saved: dict[str, Path], tmp_path: Path
) -> None:
    about, arrays = taken_apart(saved[family])
    name = f"learned/{array}"
    changed = arrays | {name: np.full_like(arrays[name], number)}
    if array == "damping":
        changed["learned/trend"] = np.ones_like(arrays["learned/trend"])
    with pytest.raises(ValueError, match="is damaged"):
        forecast.load(forged(tmp_path / "a.model", about, changed))


@pytest.mark.parametrize(
    ("array", "number"),
    [("noise_factor", 1e30), ("residual_size", -1.0), ("own_share", -1.0), ("naive_share", 2.0)]
    + [("network.members.0.layers.0.weight", 1e20)],
)
def test_weights_that_no_training_leads_to_are_refused(
    array: str, number: float, saved: dict[str, Path], tmp_path: Path
) -> None:
    about, arrays = taken_apart(saved["mlp"])
    name = f"learned/{array}"
    changed = arrays | {name: np.full_like(arrays[name], number)}
    with pytest.raises(ValueError, match=f"is damaged: .*{array}.* must have numbers from"):
        forecast.load(forged(tmp_path / "a.model", about, changed))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_an_infinite_number_is_refused_in_any_precision(
    dtype: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    about, arrays = taken_apart(saved["naive"])
    arrays["learned/slope"] = np.array([np.nan, -np.inf], dtype)
    with pytest.raises(ValueError, match="no history leads to"):
        forecast.load(forged(tmp_path / "a.model", about, arrays))


def peak() -> int:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.parametrize("kind", ["hole", "arrays", "lists", "text"])
def test_what_would_cost_is_refused_before(kind: str, tmp_path: Path) -> None:
    path, bare = tmp_path / "a.model", {"dtype": "F64", "shape": [0], "data_offsets": [0, 0]}
    if kind == "hole":
        entry = {"a": {"dtype": "U8", "shape": [20 << 30], "data_offsets": [0, 20 << 30]}}
        path.write_bytes(raw_file(json.dumps(entry).encode()))
        os.truncate(path, path.stat().st_size + (20 << 30))
    else:
        about = {"arrays": {f"a{k}": bare for k in range(20_000)}}.get(kind, {})
        said = {"lists": "[]," * 2_100_000, "text": "a" * (33 << 20)}
        text = said.get(kind, "{}")
        path.write_bytes(
            raw_file(json.dumps({"__metadata__": {"forecast": text}} | about).encode())
        )
    began, before = time.process_time(), peak()
    with pytest.raises(ValueError, match=r"damaged: .*[\d,]+ .* are the most"):
        forecast.load(path)
    assert time.process_time() - began < 2 and peak() - before < 500


def test_what_would_not_be_read_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("MOST_BYTES", "MOST_TEXT"):
        with monkeypatch.context() as patch:
            patch.setattr(saving, limit, 100)
            with pytest.raises(ValueError, match=r"a model must have at most .* joblib"):
                forecast.NaiveForecaster().fit(SALES).save(tmp_path / "a.model")
    assert not list(tmp_path.iterdir())


def test_a_change_without_a_new_checksum_is_noticed(saved: dict[str, Path], tmp_path: Path) -> None:
    about, arrays = taken_apart(saved["naive"])
    path = forged(tmp_path / "a.model", about, arrays)
    arrays["learned/slope"] += 1
    text = json.dumps(about | {"sha256": saving.checksum(*taken_apart(path))})
    save_file(arrays, path, metadata={"forecast": text})
    with pytest.raises(ValueError, match="is damaged: it is not what was written. Save the model"):
        forecast.load(path)


@given(data=st.data())
@settings(max_examples=100)
def test_a_flipped_bit_is_noticed(
    data: Any, saved: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    family = data.draw(st.sampled_from(sorted(BUILD)))
    content = bytearray(saved[family].read_bytes())
    header = 8 + struct.unpack("<Q", content[:8])[0]
    where = st.one_of(
        st.integers(0, 7), st.integers(8, header - 1), st.integers(header, len(content) - 1)
    )
    content[data.draw(where)] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.getbasetemp() / "flipped.model"
    path.write_bytes(content)
    said = answers(path)
    assert said is None or same(said, answers(saved[family]))


@each_family
def test_a_truncated_file_is_refused(family: str, saved: dict[str, Path], tmp_path: Path) -> None:
    whole = saved[family].read_bytes()
    path = tmp_path / "a.model"
    for size in [*range(64), *range(64, len(whole) - 64, 97), *range(len(whole) - 64, len(whole))]:
        path.write_bytes(whole[:size])
        assert answers(path) is None
    path.write_bytes(whole + b"\0")
    assert answers(path) is None


def entry(dtype: str, shape: list[int], size: int) -> bytes:
    about = {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}
    return raw_file(json.dumps(about).encode(), b"\0" * size)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95" + b"a" * 100,
        raw_file(b"{}", length=2**64 - 1),
        raw_file(b"{}", length=90_000_000),
        raw_file(b"[]"),
        raw_file(b'{"a": '),
        raw_file(b"\xff" * 20),
        raw_file(json.dumps({"__metadata__": {"forecast": "[" * 100_000}}).encode()),
        raw_file(json.dumps({"__metadata__": {"forecast": "9" * 10_000}}).encode()),
        raw_file(json.dumps({"__metadata__": {"forecast": "null"}}).encode()),
        raw_file(json.dumps({"__metadata__": {"forecast": '{"format_version": 1}'}}).encode()),
        raw_file(json.dumps({"__metadata__": {"forecast": '{"format_version": -1}'}}).encode()),
        raw_file(json.dumps({"__metadata__": {"forecast": '{"format_version": 1e999}'}}).encode()),
        entry("F64", [2**62, 2**62], 8),
        entry("F64", [0, 2**40], 0),
        entry("BF16", [1], 2),
        entry("F8_E4M3", [1], 1),
    ],
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a.model' is no saved forecaster, or it is damaged: .*"):
        forecast.load(path)
