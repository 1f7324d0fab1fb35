"""What every forecaster of symbols keeps, the network and the counts alike."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import forecast
from forecast import NGramForecaster, SymbolForecaster
from forecast.data.symbols import as_numbers, coded

RNG = np.random.default_rng(0)
DAYS = pd.date_range("2024-01-01", periods=130, name="day")
# from a: b or c; from b: c; from c: a, rarely b
FOLLOW = {"a": "bc", "b": "c", "c": "aaab"}


def walk(length: int, rng: np.random.Generator) -> list[str]:
    symbols = ["a"]
    while len(symbols) < length:
        symbols.append(str(rng.choice(list(FOLLOW[symbols[-1]]))))
    return symbols


ONE = pd.Series(walk(130, RNG), DAYS, name="state")
WIDE = pd.DataFrame({"p": walk(130, RNG), 7: walk(130, RNG)}, DAYS)
LONG = pd.concat(
    [
        pd.DataFrame({"unique_id": name, "ds": range(1, n + 1), "y": walk(n, RNG)})
        for name, n in {"p": 90, "q": 60, "r": 31}.items()
    ],
    ignore_index=True,
)
BARE = [[*walk(int(n), RNG), "end"] for n in RNG.integers(1, 12, size=60)]
TINY: dict[str, Any] = {"hidden_size": 8, "max_epochs": 1, "context_length": 20, "random_state": 0}
MODELS: dict[str, Any] = {
    "symbols": lambda **options: SymbolForecaster(**TINY, **options),
    "n-grams": lambda **options: NGramForecaster(**options),
}


@pytest.fixture(scope="module", params=MODELS)
def make(request: pytest.FixtureRequest) -> Any:
    return MODELS[request.param]


@pytest.fixture(scope="module")
def states(make: Any) -> Any:
    """Return a forecaster of states with times."""
    return make().fit(ONE[:100])


@pytest.fixture(scope="module")
def sentences(make: Any) -> Any:
    """Return a forecaster of sequences that end."""
    return make(end="end").fit(BARE)


def table(model: Any, y: Any) -> pd.DataFrame:
    return model.apply(y).predict_proba()


def test_it_is_an_estimator(make: Any) -> None:
    model = make(end="end", min_count=2)
    assert clone(model).get_params() == model.get_params()
    assert {"horizon", "end", "id_col"} <= set(model.get_params())
    for method in (model.predict, model.predict_proba, model.sample):
        with pytest.raises(NotFittedError):
            method()
    with pytest.raises(NotFittedError):
        model.save("a.model")


@pytest.mark.parametrize(("y", "n"), [(ONE, 1), (WIDE, 2), (LONG, 3)], ids=["one", "wide", "long"])
def test_tables_come_back_as_they_came(make: Any, y: Any, n: int) -> None:
    model = make().fit(y)
    ahead = model.predict(4)
    assert type(ahead) is type(y)
    assert np.isin(coded(ahead, model.vocabulary_), [3.0, 4.0, 5.0]).any()
    if y is LONG:
        assert ahead.columns.tolist() == LONG.columns.tolist() and len(ahead) == 4 * n
        assert ahead["ds"].tolist() == [91, 92, 93, 94, 61, 62, 63, 64, 32, 33, 34, 35]
    else:
        assert ahead.index.equals(pd.date_range(DAYS[-1], periods=5, name=ahead.index.name)[1:])
    rows = 3 * n if y is LONG else 3
    assert len(model.predict_proba(3)) == len(model.sample(3, n_samples=2)) == rows


def test_probabilities_sum_to_one(states: Any, sentences: Any) -> None:
    np.testing.assert_allclose(states.predict_proba(5, random_state=0).sum(axis=1), 1, atol=1e-6)
    new = sentences.apply([[], ["a"]]).predict_proba(30, random_state=0).sum(axis=1)
    np.testing.assert_allclose(new.xs(1, level="step"), 1, atol=1e-6)
    assert (new.groupby("sequence").diff().dropna() <= 1e-6).all()  # more and more have ended
    assert not states.predict_proba().columns.isin(["<start>", "<end>"]).any()
    assert "end" in sentences.apply([[]]).predict_proba()


def test_more_steps_begin_like_fewer(states: Any) -> None:
    assert states.predict(9)[:4].equals(states.predict(4))
    paths = [states.sample(h, n_samples=30, random_state=0) for h in (4, 9)]
    assert paths[1][:4].equals(paths[0])
    chances = [states.predict_proba(h, n_samples=30, random_state=0) for h in (4, 9)]
    pd.testing.assert_frame_equal(chances[1][:4], chances[0], check_freq=False)


def test_predict_is_greedy(states: Any) -> None:
    copy = pickle.loads(pickle.dumps(states))
    for symbol in states.predict(5):
        assert copy.predict_proba().iloc[0].idxmax() == symbol
        last = copy.panel_.future(1).times
        copy.update(pd.Series([symbol], last, name="state"))


def test_samples_follow_the_joint_distribution(states: Any) -> None:
    """Pairs of the first two steps, against p(first) p(second | first)."""
    first = states.predict_proba().iloc[0]
    time = states.panel_.future(1).times
    expected = {}
    for symbol, chance in first.items():
        later = pickle.loads(pickle.dumps(states)).update(pd.Series([symbol], time, name="state"))
        for other, conditional in later.predict_proba().iloc[0].items():
            expected[symbol, other] = chance * conditional
    drawn = states.sample(2, n_samples=4000, random_state=1).T.value_counts()
    likely = {pair: 4000 * chance for pair, chance in expected.items() if 4000 * chance > 5}
    counts = np.array([drawn.get(pair, 0) for pair in likely])
    rest = 4000 - counts.sum(), 4000 - sum(likely.values())
    observed, wanted = [*counts, rest[0]], np.array([*likely.values(), rest[1]])
    assert chisquare(observed, wanted * 4000 / wanted.sum()).pvalue > 1e-3


def test_temperature_and_top_k_prefer_the_probable(states: Any) -> None:
    best = states.predict(1).iloc[0]

    def share(**options: Any) -> float:
        paths = states.sample(1, n_samples=500, random_state=0, **options)
        return float((paths == best).to_numpy().mean())

    usual = share()
    assert share(temperature=0.3) > usual > share(temperature=5.0)
    assert share(top_k=1) == 1.0
    two = states.predict_proba().iloc[0].nlargest(2).index
    paths = states.sample(1, n_samples=500, top_k=2, random_state=0)
    assert set(paths.iloc[0]) == set(two)


def test_updating_equals_reading_it_all(make: Any) -> None:
    model = make().fit(ONE[:100])
    whole = model.apply(ONE)
    for t in range(100, 130):
        model.update(ONE[t : t + 1])
    pd.testing.assert_frame_equal(
        model.predict_proba(), whole.predict_proba(), rtol=1e-5, check_freq=False
    )
    assert model.predict(5).index.equals(whole.predict(5).index)


def test_series_of_a_panel_do_not_see_each_other(make: Any) -> None:
    model = make().fit(WIDE)
    alone = table(model, WIDE[["p"]])["p"]
    pd.testing.assert_frame_equal(model.predict_proba()["p"], alone, rtol=1e-5)


def test_what_comes_later_changes_nothing_earlier(sentences: Any) -> None:
    before = sentences._read([as_numbers(np.array([3.0, 4.0]))], sentences._begin(1))[0][0]
    after = sentences._read([as_numbers(np.array([3.0, 4.0, 5.0]))], sentences._begin(1))[0][0]
    np.testing.assert_allclose(before, after[:2], rtol=1e-6)


def test_score_is_the_mean_log_probability(states: Any, sentences: Any) -> None:
    now = states.predict_proba().iloc[0]
    assert states.score(ONE[100:101]) == pytest.approx(np.log(now[ONE.iloc[100]]), rel=1e-5)
    # of whole sequences, by the product of what was said at each place
    logs = []
    for one in BARE[:5]:
        for t, symbol in enumerate(one):
            logs.append(np.log(table(sentences, [one[:t]]).iloc[0][symbol]))
    assert sentences.score(BARE[:5]) == pytest.approx(np.mean(logs), rel=1e-4)
    assert sentences.perplexity(BARE[:5]) == pytest.approx(np.exp(-np.mean(logs)), rel=1e-4)


def test_what_was_learned_is_better_than_chance(sentences: Any) -> None:
    assert sentences.perplexity(BARE) < 4.0  # there are four symbols


def test_nothing_follows_the_end(sentences: Any) -> None:
    begun = sentences.apply([["a"], ["a", "end"], []])
    for path in begun.sample(50, n_samples=20, random_state=0)[0]:
        assert "end" not in path[:-1]
    assert begun.predict()[1] == [] and begun.sample(n_samples=2)[1] == [[], []]
    assert (begun.predict_proba().loc[1] == 0).all(axis=None)
    with pytest.raises(ValueError, match=r"the end 'end': sequence 1 has ended, and new symbols"):
        begun.update([[], ["a"], []])
    assert begun.update([["end"], [], ["a"]]).ended_.tolist() == [True, True, False]


def test_the_end_of_a_series_with_times(make: Any) -> None:
    y = LONG.copy()
    last = y.groupby("unique_id").tail(1).index[:2]
    y.loc[last, "y"] = "end"
    model = make(end="end").fit(y)
    ahead = model.predict(3).set_index("unique_id")["y"]
    assert ahead[["p", "q"]].isna().all() and ahead["r"].notna().any()
    again = pd.concat([y, pd.DataFrame({"unique_id": ["p"], "ds": [91], "y": ["a"]})])
    with pytest.raises(ValueError, match="nothing may follow the end 'end': sequence 'p' goes on"):
        make(end="end").fit(again)


def test_unseen_and_missing_symbols_are_read(make: Any) -> None:
    gaps = ONE[:100].copy()
    gaps.iloc[[5, 50]] = None
    model = make().fit(gaps.drop(gaps.index[20]))
    assert model.panel_.lengths.tolist() == [100]
    later = pd.Series(["a", "never", None], DAYS[100:103], name="state")
    chances = model.update(later).predict_proba()
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-6)
    assert "<unknown>" not in set(model.sample(20, n_samples=50, random_state=0).to_numpy().ravel())


def test_rare_symbols_teach_what_unknown_ones_do(make: Any) -> None:
    y = ONE.copy()
    y.iloc[[10, 40, 70]] = ["x", "y", "z"]
    model = make(min_count=2).fit(y[:100])
    assert model.vocabulary_.symbols.tolist() == ["a", "b", "c"]
    assert 0 < model.predict_proba()["<unknown>"].iloc[0] < 0.5
    assert np.isfinite(model.score(pd.Series(["new"], DAYS[100:101], name="state")))


def test_values_in_intervals(make: Any) -> None:
    y = pd.Series(np.sin(np.arange(130)), DAYS)
    bins = pd.cut(y, [-np.inf, -0.5, 0.5, np.inf])
    model = make().fit(bins[:120])
    chances = model.update(y[120:]).predict_proba()  # plain values fall into their intervals
    assert [interval.left for interval in chances.columns[-3:]] == [-np.inf, -0.5, 0.5]
    assert isinstance(model.predict(2).iloc[0], pd.Interval)


def test_files_give_the_same_forecasts(states: Any, sentences: Any, tmp_path: Path) -> None:
    for model in (states, sentences.apply([["a"], [], ["b", "end"]])):
        model.save(tmp_path / "a.model")
        again = forecast.load(tmp_path / "a.model")
        assert again.get_params() == model.get_params()
        assert again.predict_proba().equals(model.predict_proba())
        one, other = (m.sample(4, n_samples=9, random_state=0) for m in (model, again))
        assert one.equals(other) if isinstance(one, pd.DataFrame) else one == other
    again = forecast.load(tmp_path / "a.model").update([["b"], ["a"], []])
    assert again.predict_proba().shape == (3, len(again.predict_proba().columns))


def test_intervals_are_saved(make: Any, tmp_path: Path) -> None:
    model = make().fit(pd.cut(pd.Series(np.sin(np.arange(60.0))), 3))
    model.save(tmp_path / "a.model")
    assert forecast.load(tmp_path / "a.model").predict(3).equals(model.predict(3))


def test_a_failure_leaves_the_old_model(make: Any) -> None:
    model = make(end="c").fit([["a", "b", "c"]])
    before = model.apply([["a"]]).predict()
    with pytest.raises(ValueError, match="nothing may follow the end"):
        model.fit([["a", "c", "b"]])
    with pytest.raises(ValueError, match="must hold the 1 sequences of the history, got 2"):
        model.update([["a"], ["b"]])
    assert model.apply([["a"]]).predict() == before


def test_what_is_wrong_is_said(make: Any, states: Any, sentences: Any) -> None:
    with pytest.raises(TypeError, match="`X` must be None: symbols have no covariates"):
        make().fit(ONE, pd.DataFrame({"x": 1.0}, DAYS))
    with pytest.raises(TypeError, match="`y` must be a table with times, as in `fit`"):
        states.update([["a"]])
    with pytest.raises(TypeError, match="`y` must be a list of sequences, as in `fit`"):
        sentences.update(ONE)
    with pytest.raises(ValueError, match="`temperature` must be a number in"):
        states.sample(temperature=0)
    with pytest.raises(ValueError, match="`top_k` must be a positive integer"):
        states.sample(top_k=0)
    with pytest.raises(TypeError, match="Put a single sequence into a list"):
        make().fit(["a", "b"])
    with pytest.raises(ValueError, match="must start after the history"):
        states.update(ONE[99:101])
    with pytest.raises(TypeError, match="`y` must be a pandas Series"):
        make().fit(np.array(["a", "b"]))
    with pytest.raises(ValueError, match="at least one symbol to learn, got none"):
        make().fit([[]])
    with pytest.raises(ValueError, match="`y` must hold a symbol to be scored"):
        sentences.score([[None]])
