"""Units that go on: each new step costs one call of the cell, and answers as the whole would."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.sequences.classifier import SequenceClassifier
from forecast.sequences.regressor import SequenceRegressor
from tests.sequences.toys import BRIEF, by_step, long_frame, units


@pytest.fixture
def monitor() -> SequenceClassifier:
    X, _ = units()
    return SequenceClassifier(each_step=True, n_estimators=2, **BRIEF).fit(X, by_step(X))


@pytest.mark.mission("M22", "M32")
def test_step_by_step_equals_the_whole(monitor: SequenceClassifier) -> None:
    X = np.random.default_rng(0).normal(size=(3, 20, 2))
    whole = monitor.predict_proba(X)
    pieces = [monitor.update(part) for part in np.split(X, [1, 2, 9], axis=1)]
    np.testing.assert_allclose(np.concatenate(pieces, 1), whole, rtol=1e-10)
    assert (monitor.restart().update(X[:, :1]) == pieces[0]).all()


def test_a_unit_so_far_is_answered_for_as_a_whole_unit() -> None:
    X, y = units()
    model = SequenceRegressor(**BRIEF).fit(X, y)
    so_far = model.update([X[0]])[0]
    np.testing.assert_allclose(
        so_far, [model.predict([X[0][:T]])[0] for T in range(1, len(X[0]) + 1)]
    )


def test_units_of_a_long_frame_come_and_go(monitor: SequenceClassifier) -> None:
    X, _ = units()
    frame = long_frame(X)
    whole = monitor.predict_proba(frame)
    moments = [part for _, part in frame.groupby("ds")]  # units begin together and end apart
    streamed = pd.concat([monitor.update(part) for part in moments])
    pd.testing.assert_frame_equal(streamed.loc[whole.index], whole, rtol=1e-10)
    late = frame[frame["unique_id"] == "u03"].assign(unique_id="late")
    np.testing.assert_allclose(monitor.update(late), whole[frame["unique_id"] == "u03"], rtol=1e-10)


def test_several_new_steps_at_once_differ_in_number(monitor: SequenceClassifier) -> None:
    X, _ = units()
    whole = monitor.predict_proba(X)
    begun, rest = (monitor.update([one[part] for one in X]) for part in (slice(2), slice(2, None)))
    for first, later, one in zip(begun, rest, whole, strict=True):
        np.testing.assert_allclose(np.concatenate([first, later]), one, rtol=1e-10)


@pytest.mark.mission("M22")
def test_an_update_is_one_cell_call_whatever_came_before(
    monitor: SequenceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    layer = type(monitor.model_.network.members[0].layers[0])
    monkeypatch.setattr(layer, "_cell", spy(layer._cell, calls))
    monkeypatch.setattr(layer, "forward", None)
    for _ in range(4):
        monitor.update(np.ones((1, 1, 2)))
    assert len(calls) == 4 * 2  # of each network one


def spy(cell, calls):
    def called(self, *arguments):
        calls.append(1)
        return cell(self, *arguments)

    return called


def test_a_failed_update_leaves_the_units_where_they_were(monitor: SequenceClassifier) -> None:
    X = np.random.default_rng(0).normal(size=(1, 3, 2))
    whole = monitor.predict_proba(X)
    monitor.update(X[:, :2])
    for wrong in (X[:, :, :1], np.full((1, 1, 2), np.inf), X * np.nan):
        with pytest.raises(ValueError):
            monitor.update(wrong)
    np.testing.assert_allclose(monitor.update(X[:, 2:]), whole[:, 2:], rtol=1e-10)


@pytest.mark.slow
@pytest.mark.mission("M32")
def test_a_hundred_thousand_values_streamed_equal_the_batch() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 50, 1))
    model = SequenceClassifier(each_step=True, **BRIEF).fit(
        X, (X[..., 0].cumsum(1) > 0).astype(int)
    )
    values = rng.normal(size=(1, 100_000, 1))
    streamed = np.concatenate([model.update(values[:, [t]]) for t in range(100_000)], 1)
    np.testing.assert_allclose(streamed, model.predict_proba(values), atol=1e-6)
