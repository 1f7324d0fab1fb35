"""Counting what follows a context."""

from __future__ import annotations

import numpy as np
import pytest

from forecast import NGramForecaster
from forecast.teaching.symbols import embedded_reber, even_process, even_process_floor


@pytest.mark.parametrize("order", [1, 3, 5, 9])
@pytest.mark.mission("M04")
def test_counts_meet_the_floor_of_their_order(order: int) -> None:
    y = even_process(60_000, seed=order)
    model = NGramForecaster(order=order).fit(y[:40_000])
    assert -model.score(y[40_000:]) == pytest.approx(even_process_floor(order), abs=0.01)


def test_probabilities_are_those_of_witten_and_bell() -> None:
    model = NGramForecaster(order=2).fit([list("abab"), list("abb")])
    # of the four kinds that are possible (unknown, a, b; no end) counted: a 3, b 4
    unigram = {"<unknown>": (0 + 2 / 3) / 9, "a": (3 + 2 / 3) / 9, "b": (4 + 2 / 3) / 9}
    counts = np.array([0, 1, 1])  # the same after "b" and after "a b"
    after_b = (counts + 2 * np.array(list(unigram.values()))) / 4
    after_ab = (counts + 2 * after_b) / 4
    found = model.apply([list("ab"), list("xb")]).predict_proba()
    np.testing.assert_allclose(found.iloc[0], after_ab)
    np.testing.assert_allclose(found.iloc[1], after_b)  # never seen: one symbol less


def test_a_missing_symbol_is_counted_nowhere() -> None:
    counts = [
        NGramForecaster(order=1).fit([one]).ngrams_.counts.sum()
        for one in (["a", "b", "a"], ["a", None, "a"])
    ]
    assert counts == [3, 2]


def test_order_zero_is_the_share_of_each_symbol() -> None:
    model = NGramForecaster(order=0).fit([list("aaab") * 1000])
    assert model.predict_proba()["a"].iloc[0] == pytest.approx(0.75, abs=0.001)
    assert model.update([["b"]]).predict_proba()["a"].iloc[0] == pytest.approx(0.75, abs=0.001)


@pytest.mark.mission("M42")
def test_counts_do_not_know_a_far_agreement() -> None:
    strings = [[*embedded_reber(seed=seed)[:-1], "."] for seed in range(2500)]
    model = NGramForecaster(order=3, end=".").fit(strings[:2000])
    begun = model.apply([one[:-2] for one in strings[2000:]]).predict_proba()[["T", "P"]]
    right = (begun["T"] > begun["P"]).to_numpy() == [one[1] == "T" for one in strings[2000:]]
    assert np.mean(right) == pytest.approx(0.5, abs=0.05)
