"""What every forecaster makes of what it is given: any kind of frame, any size, bad data."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.checks import ForecasterCase, forecaster_cases, numbers_of, same_frames, slow_variants

pytestmark = [
    pytest.mark.filterwarnings("ignore::forecast._checks.ForecastWarning"),
    pytest.mark.usefixtures("little_effort"),
]
CASES = forecaster_cases()
# how a table is read is the parent's matter: of each room some classes are quick
LATER = (
    "ARIMAForecaster",
    "ETSForecaster",
    "MLPForecaster",
    "MedianForecaster",
    "RNNForecaster",
    "Seq2SeqForecaster",
)
every_forecaster = pytest.mark.parametrize("case", slow_variants(CASES, LATER))
SIZE, AHEAD = 60, 9


# closed in the history and in the forecast
OPEN = pd.offsets.CustomBusinessDay(holidays=["2024-01-15", "2024-03-28"])
INDEXES: dict[str, Callable[[int], pd.Index]] = {
    "months": lambda n: pd.date_range("2020-01-31", periods=n, freq="ME", name="when"),
    # the clocks of Berlin go forward two hours before the origin, and no hour is missed
    "summer": lambda n: pd.date_range("2024-03-29 16:00", periods=n, freq="h", tz="Europe/Berlin")[
        -n:
    ],
    "winter": lambda n: pd.date_range("2024-10-25", periods=n, freq="D", tz="America/New_York"),
    "business": lambda n: pd.date_range("2024-01-01", periods=n, freq="B"),
    "holidays": lambda n: pd.date_range("2024-01-01", periods=n, freq=OPEN),
    "autumn": lambda n: pd.date_range("2024-10-24 12:00", periods=n, freq="h", tz="Europe/Berlin"),
    "leap days": lambda n: pd.date_range("2023-12-28", periods=n, freq="D"),
    "no freq": lambda n: pd.DatetimeIndex(np.array(pd.date_range("2024", periods=n, freq="30min"))),
    "quarters": lambda n: pd.period_range("2010Q1", periods=n, freq="Q"),
    "integers": lambda n: pd.RangeIndex(5, 5 + 3 * n, 3),
}
# the clock that skips an hour, a closed day, no frequency, spans and numbers; the rest when slow
QUICK_INDEXES = {"summer", "holidays", "no freq", "quarters", "integers"}
SOME_QUICK = [
    pytest.param(kind, marks=[pytest.mark.slow] * (kind not in QUICK_INDEXES)) for kind in INDEXES
]


def values(size: int = SIZE) -> np.ndarray:
    rng = np.random.default_rng(0)
    return 50 + 10 * np.sin(2 * np.pi * np.arange(size) / 12) + rng.normal(size=size)


def series(kind: str = "months", size: int = SIZE) -> pd.Series:
    return pd.Series(values(size), INDEXES[kind](size), name="sales")


def long_frame() -> pd.DataFrame:
    frames = [
        pd.DataFrame({"shop": name, "day": INDEXES["months"](size), "sold": values(size)})
        for name, size in (("b", 60), ("a", 40), ("c", 55))
    ]
    return pd.concat(frames, ignore_index=True)


LONG = {"id_col": "shop", "time_col": "day", "target_col": "sold"}


def small(case: ForecasterCase, **changes: Any) -> Any:
    return case.build(**({"horizon": AHEAD, "max_epochs": 1} if case.neural else {}) | changes)


@functools.cache
def trained(name: str) -> Any:
    """Return a fitted forecaster that no test may change."""
    return small(next(case for case in CASES if str(case) == name)).fit(series())


# What goes in comes out


@every_forecaster
@pytest.mark.parametrize("kind", SOME_QUICK)
def test_any_index_goes_on(case: ForecasterCase, kind: str) -> None:
    model = small(case).fit(series(kind))
    future = INDEXES[kind](SIZE + AHEAD)[SIZE:]
    for forecast in (model.predict(AHEAD), model.predict_interval(AHEAD)):
        assert type(forecast.index) is type(future)
        assert forecast.index.tolist() == future.tolist()
        assert forecast.index.name == future.name
        assert np.isfinite(forecast.to_numpy()).all()
    assert model.predict(AHEAD).name == "sales"
    later = pd.Series(values(SIZE + AHEAD)[SIZE:], future, name="sales")
    assert model.score(later) <= 0
    expected = INDEXES[kind](SIZE + AHEAD + 1)[-1]
    assert model.update(later).predict(1).index[0] == expected


@every_forecaster
@pytest.mark.mission("M01")
def test_any_kind_of_table_comes_back(case: ForecasterCase) -> None:
    future = INDEXES["months"](SIZE + AHEAD)[SIZE:]
    long = long_frame().sample(frac=1, random_state=0)
    owner = {"b": 60, "a": 40, "c": 55}
    tall = small(case, **LONG).fit(long).predict(AHEAD)
    assert tall.columns.tolist() == ["shop", "day", "sold"]
    assert set(tall["shop"]) == set(owner) and len(tall) == 3 * AHEAD
    for name, size in owner.items():
        expected = INDEXES["months"](size + AHEAD)[size:]
        assert tall.loc[tall["shop"] == name, "day"].tolist() == expected.tolist()
    keys = long.set_index(["shop", "day"])
    multi = small(case).fit(keys["sold"]).predict(AHEAD)
    assert isinstance(multi, pd.Series) and multi.index.names == ["shop", "day"]
    same_frames(multi, tall.set_index(["shop", "day"])["sold"])
    frame = small(case, target_col="sold").fit(keys).predict(AHEAD)
    assert frame.columns.tolist() == ["sold"]
    same_frames(frame["sold"], multi)
    parts = [part.set_index("day")["sold"].rename(name) for name, part in long.groupby("shop")]
    listed = small(case).fit(parts).predict(AHEAD)
    assert [part.name for part in listed] == ["a", "b", "c"]
    assert all(len(part) == AHEAD for part in listed)
    wide = pd.DataFrame({"x": series(), 3: 2 * series()}).rename_axis(columns="store")
    broad = small(case).fit(wide).predict(AHEAD)
    assert broad.columns.tolist() == ["x", 3] and broad.columns.name == "store"
    assert broad.index.equals(future)


@every_forecaster
@pytest.mark.mission("M01")
def test_order_of_rows_and_precision_do_not_matter(case: ForecasterCase) -> None:
    expected = trained(str(case)).predict(AHEAD)
    shuffled = series().sample(frac=1, random_state=3)
    same_frames(small(case).fit(shuffled).predict(AHEAD), expected)
    for dtype, tolerance in (("float32", 2e-3), ("Float64", 0.0), ("int16", 0.05), ("Int64", 0.05)):
        rounded = series().round() if "nt" in dtype else series()
        forecast = small(case).fit(rounded.astype(dtype)).predict(AHEAD)
        assert forecast.dtype == np.float64 or dtype == "float32"
        same_frames(forecast.astype("float64"), expected, tolerance)


# Covariates


@every_forecaster
def test_covariates_known_ahead(case: ForecasterCase) -> None:
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"price": rng.normal(size=90) * 1e4, "promo": 1.0}, INDEXES["months"](90))
    y = series() + X["price"].iloc[:SIZE] / 1e3
    model = small(case).fit(y, X[:SIZE])
    assert model.n_features_in_ == 2
    forecast = model.predict(AHEAD, X)
    same_frames(model.predict(AHEAD, X.sample(frac=1, random_state=1)), forecast)
    same_frames(model.predict(AHEAD, X[["promo", "price"]]), forecast)
    assert model.predict(AHEAD, X + 1e3).equals(forecast) is not case.kind.tags.covariates
    beyond = X.copy()
    beyond.iloc[SIZE + AHEAD :] = np.nan
    beyond.iloc[: SIZE - 1] = 1e9
    same_frames(model.predict(AHEAD, beyond), forecast)
    with pytest.raises(ValueError, match=r"`X` must be given to forecast.*'price'.*next 9 steps"):
        model.predict(AHEAD)
    with pytest.raises(ValueError, match=r"2 missing, the first at 2025-08-31"):
        model.predict(AHEAD, X[: SIZE + 7])
    with pytest.raises(ValueError, match=r"covariate 'price' must be finite, got nan"):
        model.predict(AHEAD + 1, beyond)
    with pytest.raises(ValueError, match=r"missing \['promo'\], unknown \[\]"):
        model.predict(AHEAD, X[["price"]])
    with pytest.raises(ValueError, match="`X` was given to forecast, but `fit` had none"):
        trained(str(case)).predict(AHEAD, X)
    later = pd.Series(values(70)[SIZE:], INDEXES["months"](70)[SIZE:], name="sales")
    with pytest.raises(ValueError, match="`X` must have the columns of the history"):
        model.update(later)
    assert len(model.update(later, X).predict(20, X)) == 20


# Sizes and units


@every_forecaster
@pytest.mark.parametrize("value", [0.0, 7.0, -3.5, 1e9, -1e-9])
def test_a_constant_series_goes_on(case: ForecasterCase, value: float) -> None:
    if case.options.get("variant") == "sba":
        pytest.skip("it takes off half its gain, whatever it reads (Syntetos and Boylan)")
    forecast = small(case).fit(pd.Series(np.full(40, value))).predict(20)
    if case.neural:  # so few steps of training leave a correction of this size
        assert abs(forecast - value).max() <= 0.02 * (abs(value) or 1)
    else:
        np.testing.assert_allclose(forecast, value, rtol=1e-12)


@every_forecaster
@pytest.mark.parametrize(("unit", "level"), [(1e9, 0), (1e-9, 0), (2.0, 1e4), (1e-3, -1.0)])
def test_the_unit_does_not_matter(case: ForecasterCase, unit: float, level: float) -> None:
    tags = case.kind.tags
    if not tags.scale_equivariant or (level and not tags.shift_equivariant):
        pytest.skip("its tags do not promise it")
    expected = trained(str(case)).predict(AHEAD)
    found = small(case).fit(unit * series() + level).predict(AHEAD)
    np.testing.assert_allclose((found - level) / unit, expected, rtol=1e-3)


@every_forecaster
def test_series_of_other_sizes_change_nothing_for_one(case: ForecasterCase) -> None:
    wide = pd.DataFrame({"A": series(), "B": 1e6 * series() - 3e6})
    same = pd.DataFrame({"A": series(), "B": series()})
    left, right = (small(case).fit(frame).predict(AHEAD)["A"] for frame in (wide, same))
    np.testing.assert_allclose(left, right, rtol=2e-3)


@every_forecaster
def test_few_values_are_forecast_or_refused_in_words(case: ForecasterCase) -> None:
    for size in (1, 2, 3, 5, 8, 13):
        y = series(size=size).rename("tiny")
        y.index = y.index if size % 2 else pd.RangeIndex(size)
        try:
            forecast = case.build(freq="ME" if size == 1 else None).fit(y).predict(5)
        except ValueError as error:
            assert "'tiny'" in str(error) and any(sign.isdigit() for sign in str(error)), error
            assert size < 3, error
        else:
            assert np.isfinite(forecast).all() and len(forecast) == 5


@every_forecaster
def test_a_very_short_series_beside_long_ones(case: ForecasterCase) -> None:
    parts = [
        series()[first:].rename(name) for first, name in ((0, "old"), (57, "new"), (59, "one"))
    ]
    forecast = small(case).fit(parts).predict(AHEAD)
    assert np.isfinite(numbers_of(forecast)).all()
    for part in forecast[1:]:
        assert part.between(-300, 400).all()  # hardly trained, but not wild


@every_forecaster
def test_gaps_anywhere_are_no_obstacle(case: ForecasterCase) -> None:
    rng = np.random.default_rng(4)
    for lost in (rng.random(SIZE) < 0.3, np.arange(SIZE) >= 54, np.arange(SIZE) % 3 == 1):
        y = series().mask(lost)
        model = small(case).fit(y)
        assert np.isfinite(numbers_of(model.predict(20))).all()
        assert np.isfinite(numbers_of(model.sample(20, n_samples=3))).all()
        assert model.missing_["n_missing"].sum() == lost[np.argmin(lost) :].sum()


# Bad data

ODD = pd.DatetimeIndex([*pd.date_range("2024", periods=8), pd.Timestamp("2024-01-09 05:00")])
HALVES = np.arange(SIZE) / 2
BAD: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "empty": (series()[:0], {}, ValueError, "at least one row"),
    "nothing seen": (series() * np.nan, {}, ValueError, "'sales'.*at least one observed value"),
    "infinite": (series().replace(series().iloc[3], np.inf), {}, ValueError, "'sales'.*2020-04-30"),
    "twice": (pd.concat([series(), series()[5:6]]), {}, ValueError, "'sales'.*2020-06-30"),
    "text": (series().astype(str), {}, TypeError, "'sales' must hold real numbers"),
    "complex": (series() * 1j, {}, TypeError, "'sales' must hold real numbers"),
    "array": (values(), {}, TypeError, "pandas Series.*ndarray"),
    "freq": (series(), {"freq": "MS"}, ValueError, "`freq`='MS'.*2020-01-31.*freq='ME'"),
    "no times": (
        series().set_axis(HALVES),
        {},
        TypeError,
        "datetimes, periods or whole",
    ),
    "irregular": (series("winter").iloc[:9].set_axis(ODD), {}, ValueError, "2024-01-09 05:00"),
    "columns": (long_frame(), LONG | {"id_col": "store"}, ValueError, "'store'"),
}


@every_forecaster
@pytest.mark.parametrize("bad", BAD)
def test_bad_data_is_named_and_leaves_the_old_model(case: ForecasterCase, bad: str) -> None:
    y, options, error, message = BAD[bad]
    model = small(case).fit(series()) if bad == "twice" else small(case)
    kept = dict(vars(model))
    with pytest.raises(error, match=message):
        model.set_params(**options).fit(y)
    assert set(vars(model)) == set(kept)
    if bad == "twice":
        same_frames(model.predict(AHEAD), trained(str(case)).predict(AHEAD))
        with pytest.raises(ValueError, match="'sales' ends at 2024-12-31"):
            model.update(series()[50:])
        same_frames(model.predict(AHEAD), trained(str(case)).predict(AHEAD))
