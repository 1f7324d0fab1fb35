"""The recurrent network of symbols learns what there is to know."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chisquare

import forecast
from forecast import SymbolForecaster
from forecast.data.vocabulary import UNKNOWN
from forecast.forecasters.symbols.recurrent import split
from forecast.teaching.symbols import embedded_reber, even_process, reber_choices

SHARES = {"上学 迟到": 180, "跑步": 100, "吃饭": 60, "睡觉": 60}
SENTENCES = [f"我 昨天 {verb} 了 e".split() for verb, n in SHARES.items() for _ in range(n)]
PLAN: dict[str, Any] = {"cell": "tanh", "max_epochs": 6, "early_stopping": False, "random_state": 0}


@pytest.fixture(scope="module")
def sentences() -> SymbolForecaster:
    return SymbolForecaster(end="e", **PLAN).fit(SENTENCES)


@pytest.mark.mission("M41")
def test_the_probabilities_of_the_articles_are_recovered(sentences: SymbolForecaster) -> None:
    chances = sentences.apply([["我", "昨天"]]).predict_proba().iloc[0]
    for verb, share in zip(("上学", "跑步", "吃饭", "睡觉"), (0.45, 0.25, 0.15, 0.15), strict=True):
        assert chances[verb] == pytest.approx(share, abs=0.02)


@pytest.mark.mission("M41")
def test_the_greedy_sentence_stops_at_its_end(sentences: SymbolForecaster) -> None:
    new = sentences.apply([[]])
    assert new.predict() == [["我", "昨天", "上学", "迟到", "了", "e"]]
    assert new.predict(3) == [["我", "昨天", "上学"]]
    assert max(map(len, new.sample(n_samples=300, random_state=0)[0])) <= sentences.horizon_ == 12


@pytest.mark.mission("M41")
def test_samples_are_as_frequent_as_the_model_says(sentences: SymbolForecaster) -> None:
    new = sentences.apply([[]])
    drawn = new.sample(20, n_samples=5000, random_state=0)[0]
    found = Counter(map(tuple, drawn))
    known = sorted({tuple(one) for one in SENTENCES})
    chances = [np.exp(len(one) * sentences.score([list(one)])) for one in known]
    assert agree([found[one] for one in known], chances) > 0.01
    ends = new.predict_proba(20, n_samples=20_000, random_state=1)["e"].to_numpy()
    lengths = Counter(len(one) for one in drawn if one[-1] == "e")
    usual = np.flatnonzero(5000 * ends > 5)  # step 1 is at place 0
    assert agree([lengths[step + 1] for step in usual], ends[usual]) > 0.01


def agree(observed: Any, chances: Any) -> float:
    """Return the p-value of counts among 5000, all others in one class, under their chances."""
    counts, expected = np.array(observed), 5000 * np.array(chances)
    rest = [5000 - counts.sum()], [5000 - expected.sum()]
    return float(chisquare(np.append(counts, rest[0]), np.append(expected, rest[1])).pvalue)


def test_the_same_seed_gives_the_same_bits() -> None:
    first, second = (
        SymbolForecaster(end="e", **PLAN | {"max_epochs": 1}).fit(SENTENCES) for _ in "ab"
    )
    assert first.predict_proba().equals(second.predict_proba())


def test_early_stopping_keeps_the_best_weights() -> None:
    y = pd.Series(np.random.default_rng(0).choice(list("abcd"), size=300))  # nothing to learn
    model = SymbolForecaster(
        hidden_size=8, context_length=15, max_epochs=30, n_iter_no_change=2, random_state=0
    ).fit(y)
    losses = model.history_["validation_loss"]
    assert len(losses) < 30 and losses.idxmin() == len(losses) - 3
    assert losses.min() < losses.iloc[-1]


def test_something_is_learned_from_and_missing_symbols_judge_nothing() -> None:
    learned, held_out = split([np.array([3])] * 20, 0.99, 0)
    assert (len(learned), len(held_out)) == (1, 19)
    model = SymbolForecaster(max_epochs=1, hidden_size=2).fit([[*"ababababa", None]])
    assert model.history_["validation_loss"].isna().all()


def test_an_unknown_symbol_reads_as_those_that_were_read_and_the_end_never_was() -> None:
    model = SymbolForecaster(end="e", max_epochs=1, hidden_size=2).fit([["a", "b", "e"]] * 2)
    U = model.model_.embedding.weight.detach()
    a, b = model.vocabulary_.encode(["a", "b"])
    assert U[UNKNOWN].numpy() == pytest.approx((U[a] + U[b]).numpy() / 2)
    nothing_read = SymbolForecaster(max_epochs=1, hidden_size=2).fit([["a"], ["b"]])
    assert nothing_read.model_.embedding.weight.isfinite().all()


def test_a_restored_network_silences_no_units_and_draws_no_numbers(tmp_path: Path) -> None:
    model = SymbolForecaster(max_epochs=1, hidden_size=8, num_layers=2, dropout=0.9)
    model.fit([list("abcabc")]).save(tmp_path / "model")
    drawn = torch.get_rng_state()
    restored = forecast.load(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), drawn)
    assert restored.score([list("abca")]) == model.score([list("abca")])


def test_what_sequences_left_behind_must_be_finite(tmp_path: Path) -> None:
    model = SymbolForecaster(max_epochs=1, hidden_size=2).fit([list("abcabc")])
    model.live_.features.fill_(torch.nan)
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="weights must be finite"):
        forecast.load(tmp_path / "model")


def test_a_progress_bar_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    SymbolForecaster(max_epochs=1, hidden_size=2, verbose=True).fit([list("abc")])
    assert "SymbolForecaster, validation" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lstn"}, "`cell` must be one of"),
        ({"hidden_size": 0}, "`hidden_size` must be a positive integer"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"dropout": 1.0}, "`dropout` must be a number in"),
        ({"random_state": -1}, "`random_state` must be an integer of at least 0"),
        ({"verbose": -1}, "`verbose` must be an integer of at least 0"),
        ({"min_count": 0}, "`min_count` must be a positive integer"),
        ({"horizon": 0}, "`horizon` must be a positive integer"),
    ],
)
def test_parameters_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SymbolForecaster(**options).fit([list("abc")])


@pytest.mark.slow
@pytest.mark.mission("M04")
def test_a_state_reaches_the_rate_that_no_window_does() -> None:
    y = even_process(60_000, seed=1)
    model = SymbolForecaster(max_epochs=20, random_state=0).fit(y[:40_000])
    assert -model.score(y[40_000:]) == pytest.approx(2 / 3 * np.log(2), abs=0.01)


@pytest.mark.slow
@pytest.mark.mission("M42")
@pytest.mark.parametrize("seed", range(3))
def test_an_lstm_keeps_a_far_agreement(seed: int) -> None:
    strings = [[*embedded_reber(seed=10_000 * seed + i)[:-1], "."] for i in range(1200)]
    model = SymbolForecaster(end=".", max_epochs=30, random_state=seed).fit(strings[:1000])
    legal = []
    for one in strings[1000:1020]:
        chances = model.apply([one[:t] for t in range(len(one))]).predict_proba()
        choices = reber_choices("".join([*one[:-1], "E"]))
        sums = [
            row[list(some)].sum() for row, some in zip(chances.iloc, choices[:-1], strict=False)
        ]
        legal += [*sums, chances.iloc[-1]["."]]
    assert np.mean(legal) >= 0.99
    begun = model.apply([one[:-2] for one in strings[1000:]]).predict_proba()[["T", "P"]]
    right = (begun["T"] > begun["P"]).to_numpy() == [one[1] == "T" for one in strings[1000:]]
    assert np.mean(right) >= 0.95
    drawn = model.apply([[]]).sample(200, n_samples=500, random_state=0)[0]
    assert np.mean([is_grammatical(one) for one in drawn]) >= 0.95


def is_grammatical(symbols: list[str]) -> bool:
    string = "".join([*symbols[:-1], "E"])
    try:
        choices = reber_choices(string)
    except (KeyError, IndexError):
        return False
    fits = all(one in some for one, some in zip(string, choices, strict=True))
    return symbols[-1] == "." and len(string) > 8 and string[-3] == "E" and fits


@pytest.mark.slow
def test_datasets_of_words_are_learned_beyond_their_shares() -> None:
    y = forecast.load_dataset("shop_clicks")
    model = SymbolForecaster(max_epochs=3, hidden_size=8, context_length=40, random_state=0).fit(
        y[:2000]
    )
    shares = y[:2000].value_counts(normalize=True)
    alone = float(np.exp(-np.log(y[2000:2500].astype(object).map(shares)).mean()))
    assert model.perplexity(y[2000:2500]) < 0.6 * alone
