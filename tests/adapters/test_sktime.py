"""sktime's own checks of its forecasters, and that the numbers are those of our forecasters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import MarkovForecaster

pytest.importorskip("sktime", reason="`make check-neighbours` installs it")

from sktime.utils.estimator_checks import check_estimator

from forecast.adapters.sktime import SktimeForecaster

# What fails, and why: nothing.
FAILING: dict[str, str] = {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # sktime's checks provoke warnings, of its own and of others
def test_sktime_finds_nothing():
    results = check_estimator(SktimeForecaster, verbose=False)
    failing = {name: str(said) for name, said in results.items() if said != "PASSED"}
    assert failing.keys() == FAILING.keys(), failing
    assert len(results) > 500


def panel():
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [["a", "b"], pd.period_range("2020-01", periods=48, freq="M")], names=["shop", "month"]
    )
    y = pd.DataFrame({"sales": rng.normal(9, 1, 96)}, index=index)
    return y, pd.DataFrame({"price": rng.normal(2, 1, 96)}, index=index)


@pytest.mark.filterwarnings("ignore:.*remember_data:FutureWarning")
def test_numbers_are_ours():
    y, X = panel()
    past = y.index.get_level_values("month") < pd.Period("2023-06")
    theirs = SktimeForecaster(MarkovForecaster()).fit(y[past], X[past])
    ours = MarkovForecaster().fit(y[past], X[past])

    pd.testing.assert_frame_equal(
        theirs.predict([1, 3], X[~past]),
        ours.predict(3, X[~past].groupby("shop").head(3)).iloc[[0, 2, 3, 5]],
    )
    asked = theirs.predict_quantiles([1, 2, 3], X[~past], alpha=[0.9, 0.5])
    told = ours.predict_quantiles(3, X[~past].groupby("shop").head(3), levels=[0.5, 0.9])
    np.testing.assert_array_equal(asked, told.to_numpy()[:, ::-1])

    new = y.index.get_level_values("month") == pd.Period("2023-06")
    theirs.update(y[past | new], X[past | new], update_params=False)  # the old rows are left out
    ours.update(y[new], X[new])
    later = X[~past & ~new]
    pd.testing.assert_frame_equal(
        theirs.predict([1], later), ours.predict(1, later.groupby("shop").head(1))
    )
