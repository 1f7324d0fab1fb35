"""Symbols: their entropies by counting, and the strings of a grammar."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from forecast.teaching.symbols import (
    embedded_reber,
    even_process,
    even_process_floor,
    reber_choices,
)


def counted_loss(symbols: np.ndarray, order: int) -> float:
    """Return the log loss of a model that counts what follows each window."""
    text = "".join(map(str, symbols))
    half = len(text) // 2
    counts = Counter(text[t - order : t + 1] for t in range(order, half))
    losses = []
    for t in range(half, len(text)):
        window = text[t - order : t]
        ones, zeros = counts[window + "1"] + 0.5, counts[window + "0"] + 0.5
        losses.append(-np.log((ones if text[t] == "1" else zeros) / (ones + zeros)))
    return float(np.mean(losses))


@pytest.mark.parametrize(
    ("order", "loss"), [(0, 0.6365), (1, 0.6059), (3, 0.5340), (5, 0.4981), (9, 0.4711)]
)
@pytest.mark.mission("M04")
def test_counting_meets_the_floor_of_its_window(order: int, loss: float) -> None:
    assert even_process_floor(order) == pytest.approx(loss, abs=5e-5)
    y = even_process(100_000, seed=order).to_numpy()
    assert counted_loss(y, order) == pytest.approx(loss, abs=0.01)


@pytest.mark.mission("M04")
def test_no_window_is_enough_and_one_bit_of_state_is() -> None:
    floors = [even_process_floor(n) for n in range(40)]
    y = even_process(100_000, seed=0)
    rate = y.attrs["floor"]
    assert (np.diff(floors) < 0).all()
    assert min(floors) > rate
    assert rate == pytest.approx(0.46210, abs=1e-5)
    losses, odd = [], None  # whether the ones since the last zero are odd: the state
    for symbol in y:
        if odd is not None:
            losses.append(0.0 if odd else np.log(2))
            assert symbol == 1 or not odd
        odd = False if symbol == 0 else None if odd is None else not odd
    assert np.mean(losses) == pytest.approx(rate, rel=0.01)


def test_the_even_process_starts_stationary() -> None:
    firsts = [even_process(1, seed=seed).iloc[0] for seed in range(3000)]
    assert np.mean(firsts) == pytest.approx(2 / 3, abs=0.03)


def test_reber_strings_agree_across_any_distance() -> None:
    strings = [embedded_reber(seed=seed) for seed in range(400)]
    for string in strings:
        assert string[0] == "B" and string[-1] == "E" and string[1] == string[-2]
        assert all(
            symbol in some for symbol, some in zip(string, reber_choices(string), strict=True)
        )
    assert np.mean([string[1] == "T" for string in strings]) == pytest.approx(0.5, abs=0.08)
    assert min(map(len, strings)) == 9
    assert all(len(embedded_reber(min_length=30, seed=seed)) >= 30 for seed in range(20))


def test_reber_choices_are_equally_likely() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for seed in range(1000):
        string = embedded_reber(seed=seed)
        seen.update(
            (some, symbol) for symbol, some in zip(string, reber_choices(string), strict=True)
        )
    for some in ("TP", "SX", "TV", "XS", "PV"):
        assert seen[some, some[0]] / (seen[some, some[0]] + seen[some, some[1]]) == pytest.approx(
            0.5, abs=0.06
        )
