"""Whole units and every step: what is read, what is not, and in which form answers come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.utils import compute_class_weight

from forecast.networks.recurrent import CELLS
from forecast.sequences.batches import Units
from forecast.sequences.classifier import SequenceClassifier
from forecast.sequences.learning import reader_of
from forecast.sequences.reading import read_array, read_frame, read_list
from forecast.sequences.regressor import SequenceRegressor
from forecast.teaching.tasks import latch
from tests.sequences.toys import BRIEF, by_step, long_frame, units

ESTIMATORS = (SequenceRegressor, SequenceClassifier)


@pytest.fixture(scope="module")
def classifier() -> SequenceClassifier:
    X, y = units()
    return SequenceClassifier(**BRIEF).fit(X, y)


@pytest.fixture(scope="module")
def monitor() -> SequenceClassifier:
    X, _ = units()
    return SequenceClassifier(each_step=True, num_layers=2, **BRIEF).fit(X, by_step(X))


@pytest.mark.mission("M31")
def test_the_last_valid_step_is_read_and_no_padding(classifier: SequenceClassifier) -> None:
    X, _ = units(40, seed=1)
    together = classifier.predict_proba(X)
    alone = np.concatenate([classifier.predict_proba([one]) for one in X])
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    changed = [np.concatenate([one[:-1], one[-1:] + 1]) for one in X]
    assert (classifier.predict_proba(changed) != together).all()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.mission("M31")
def test_the_loss_of_a_unit_reaches_its_first_step(cell: str) -> None:
    X, y = units()
    model = SequenceRegressor(cell=cell, **BRIEF).fit(X, y)
    values = torch.tensor(X[0][None], requires_grad=True)
    outputs, _ = model.model_(values, model.model_.network.initial_state(1))
    outputs[:, -1].sum().backward()
    assert (values.grad[0].abs().sum(1) > 0).all()


@pytest.mark.mission("M32")
def test_every_step_has_an_answer_whatever_the_length(monitor: SequenceClassifier) -> None:
    rng = np.random.default_rng(0)
    short, long = rng.normal(size=(3, 2)), rng.normal(size=(10, 2))
    assert [one.shape for one in monitor.predict([short, long])] == [(3,), (10,)]
    assert monitor.predict_proba(np.stack([long, long])).shape == (2, 10, 2)


@pytest.mark.mission("M32")
def test_what_comes_later_changes_no_bit_of_an_answer(monitor: SequenceClassifier) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1, 30, 2))
    later = X.copy()
    later[:, 12:] = rng.normal(size=(1, 18, 2))
    before, after = (monitor.predict_proba(one) for one in (X, later))
    assert (before[:, :12] == after[:, :12]).all() and (before[:, 12:] != after[:, 12:]).any()


@pytest.mark.slow
@pytest.mark.mission("M32")
def test_a_latch_is_followed_at_every_step() -> None:
    scores = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        train, test = (latch(n, 60, rng) for n in (300, 200))
        model = SequenceClassifier(each_step=True, max_epochs=12, random_state=seed)
        model.set_params(learning_rate=0.01).fit(train.inputs, train.targets[..., 0])
        scores.append((model.predict(test.inputs) == test.targets[..., 0]).mean())
    assert sorted(scores)[1] >= 0.99, scores


def test_forms_of_the_same_units_have_the_same_answers(classifier: SequenceClassifier) -> None:
    X, _ = units()
    frame, listed = long_frame(X), classifier.predict_proba(X)
    framed = classifier.predict_proba(frame)
    np.testing.assert_allclose(framed, listed, rtol=1e-12)
    assert framed.index.tolist() == sorted(frame["unique_id"].unique())
    assert framed.columns.tolist() == [0, 1]
    stacked = classifier.predict_proba(np.stack([one[:3] for one in X]))
    np.testing.assert_allclose(stacked, classifier.predict_proba([one[:3] for one in X]))


def test_answers_at_every_step_lie_beside_their_rows(monitor: SequenceClassifier) -> None:
    X, _ = units()
    frame = long_frame(X)
    risk = monitor.predict_proba(frame)[1]
    assert risk.index.equals(frame.index)
    for i, one in enumerate(monitor.predict_proba(X)):
        own = frame["unique_id"] == f"u{i:02d}"
        in_order = risk[own].iloc[frame.loc[own, "ds"].argsort()]
        np.testing.assert_allclose(in_order, one[:, 1], rtol=1e-12)


def test_labels_of_a_long_frame_are_matched_by_unit_and_by_row() -> None:
    X, y = units()
    frame, ids = long_frame(X), [f"u{i:02d}" for i in range(len(X))]
    model = SequenceRegressor(**BRIEF)
    listed = clone(model).fit(X, y).predict(X)
    framed = clone(model).fit(frame, pd.Series(y, ids)[::-1]).predict(frame)
    np.testing.assert_allclose(framed, listed, rtol=1e-12)
    steps = pd.Series(np.concatenate(by_step(X)), long_frame(X).sort_index().index)
    model.set_params(each_step=True)
    listed = np.concatenate(clone(model).fit(X, by_step(X)).predict(X))
    framed = clone(model).fit(frame, steps[frame.index]).predict(frame)
    np.testing.assert_allclose(framed.sort_index(), listed, rtol=1e-12)


def test_a_row_of_a_table_is_a_sequence_of_one_feature() -> None:
    table = np.random.default_rng(0).normal(size=(20, 5))
    y = table.sum(1)
    model = SequenceRegressor(**BRIEF)
    rows = clone(model).fit(table, y)
    assert rows.n_features_in_ == 5 and rows.n_inputs_ == 1
    np.testing.assert_array_equal(
        rows.predict(table), clone(model).fit(table[..., None], y).predict(table[..., None])
    )


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_same_seed_same_bits(kind: Any) -> None:
    X, y = units()
    one, two = (kind(**BRIEF).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one._answers(X), two._answers(X))
    other = kind(**BRIEF).set_params(random_state=1).fit(X, y)
    assert (one._answers(X) != other._answers(X)).any()


def test_steps_without_a_label_count_for_nothing() -> None:
    X, _ = units()
    y = [one.astype(float) for one in by_step(X)]
    y[0][:] = np.nan
    model = SequenceRegressor(each_step=True, **BRIEF).fit(X, y)
    assert model.model_.head.mean == pytest.approx(np.nanmean(np.concatenate(y)))
    assert model.history_.training_loss.notna().all()
    words = [np.where(np.isnan(one), None, np.where(one == 1, "yes", "no")) for one in y]
    named = SequenceClassifier(each_step=True, **BRIEF).fit(X, words)
    assert named.classes_.tolist() == ["no", "yes"]
    with pytest.raises(ValueError, match="a label at one step"):
        model.fit(X, [one * np.nan for one in y])
    with pytest.raises(ValueError, match="finite, NaN where there is no label"):
        model.fit(X, [one + np.inf for one in y])
    with pytest.raises(ValueError, match="one label for each unit, .* set each_step=True"):
        SequenceRegressor(**BRIEF).fit(X, np.zeros((len(X), 2)))


def test_what_is_missing_among_words_is_no_class() -> None:
    form = read_list([[1.0, 2.0], [3.0]]).form
    assert pd.isna(form.step_labels([["yes", np.nan], [np.nan]])).tolist() == [False, True, True]
    assert pd.isna(form.step_labels([["yes", "no"], [np.nan]])).tolist() == [False, False, True]
    assert form.step_labels([["yes", "no"], ["no"]]).dtype.kind == "U"
    table = read_array([[1.0, 2.0]]).form
    assert pd.isna(table.step_labels([["yes", np.nan]])).tolist() == [False, True]
    rows = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": 0.5})
    long = read_frame(rows, "unique_id", "ds").form
    assert pd.isna(long.step_labels(["yes", np.nan])).tolist() == [False, True]
    for missing in (["yes", np.nan], ["yes", None], pd.array(["yes", pd.NA], "string")):
        with pytest.raises(ValueError, match="label for every unit, got none for 1. Leave such"):
            form.unit_labels(missing)


def test_labels_are_words_or_numbers() -> None:
    X, _ = units()
    whole = SequenceClassifier(**BRIEF)
    steps = clone(whole).set_params(each_step=True)
    numbers = np.ones(len(X) - 1, dtype=int)
    for mixed in (["a", *numbers.tolist()], np.array(["a", *numbers], object)):
        with pytest.raises(ValueError, match="not both, got 'a' and 1. Write all as words"):
            whole.fit(X, mixed)
    with pytest.raises(ValueError, match="not both, got 'a' and 1"):
        steps.fit(X, [["a", *[1] * (len(one) - 1)] for one in X])
    pairs = pd.Series([(1, 2)] * len(X)).to_numpy()
    with pytest.raises(ValueError, match="Sequence of sequences are no longer supported"):
        whole.fit(X, pairs)
    some = [[None, *(np.arange(1, len(one)) % 2 == 0)] for one in X]
    assert steps.fit(X, some).classes_.dtype == bool


def test_text_is_refused_where_numbers_are_wanted() -> None:
    with pytest.raises(ValueError, match=r"numbers, got \['b', 'c'\] for unit 1"):
        read_list([["1.5"], ["b", "c"]])
    with pytest.raises(ValueError, match="`y` must hold numbers, .* take a SequenceClassifier"):
        SequenceRegressor(**BRIEF).fit([[1.0], [2.0, 3.0]], ["yes", "no"])


def test_frames_in_a_list_have_their_columns_in_any_order() -> None:
    X, y = units()
    frames = [pd.DataFrame({"a": one.ravel(), "b": 0.5 * one.ravel() ** 2}) for one in X]
    model = SequenceClassifier(**BRIEF).fit(frames, y)
    turned = [one[["b", "a"]] for one in frames]
    np.testing.assert_array_equal(model.predict_proba(turned), model.predict_proba(frames))
    pl = pytest.importorskip("polars")
    of_polars = [pl.from_pandas(one) for one in turned]
    np.testing.assert_array_equal(model.predict_proba(of_polars), model.predict_proba(frames))
    with pytest.raises(ValueError, match=r"columns of different names, got \['a', 'a'\]"):
        model.predict([one.set_axis(["a", "a"], axis=1) for one in frames])
    with pytest.raises(ValueError, match=r"same features .* missing \['b'\], unknown \['c'\]"):
        model.predict([*frames, turned[0].rename(columns={"b": "c"})])


def test_class_weights_are_those_of_scikit_learn() -> None:
    X, y = units(30)
    y[:] = 0
    y[:6] = 1
    model = SequenceClassifier(class_weight="balanced", early_stopping=False, **BRIEF).fit(X, y)
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=y)
    weights = model.model_.head.weights.numpy()
    np.testing.assert_allclose(weights[1] / weights[0], expected[1] / expected[0])
    assert weights[y].mean() == pytest.approx(1)
    plain = clone(model).set_params(class_weight=None).fit(X, y)
    assert model.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.1


def test_held_out_units_stop_the_training_and_are_not_learned_from() -> None:
    X, y = units(40)
    noise = np.random.default_rng(1).integers(0, 2, 40)
    settings = BRIEF | {"max_epochs": 12, "learning_rate": 0.05}
    model = SequenceClassifier(n_iter_no_change=2, **settings).fit(X, noise)
    assert model.history_.validation_loss.notna().all() and len(model.history_) < 12
    model = SequenceClassifier(early_stopping=False, **BRIEF).fit(X, y)
    assert model.history_.validation_loss.isna().all()


def test_stretches_of_a_truncation_read_as_the_whole(monitor: SequenceClassifier) -> None:
    X, _ = units(5)
    targets = np.concatenate(by_step(X)).astype(float)
    read = Units(read_list(X), targets, torch.device("cpu"))
    stretches = read.draw(torch.tensor([3]), 32, 2, torch.Generator())
    whole = monitor.model_.losses(read.batch(torch.tensor([3]), torch.tensor([0]), len(X[3])))[0]
    for _ in range(2):  # the unit begins anew after its end
        losses, fresh, state = [], [], None
        for _ in range(-(-len(X[3]) // 2)):
            batch = next(stretches)
            loss, asked, state = monitor.model_.losses(batch, carried=state)
            losses.append(loss[asked])
            fresh += batch.fresh.tolist()
        torch.testing.assert_close(torch.cat(losses), whole.flatten())
        assert fresh == [True] + [False] * (len(fresh) - 1)


def test_a_lag_within_the_carried_state_is_learned_in_stretches() -> None:
    X = np.random.default_rng(0).normal(size=(60, 8, 1))
    y = np.repeat(X[:, :1, 0] > 0, 8, axis=1).astype(int)  # the sign of the first value
    model = SequenceClassifier(each_step=True, truncation=3, **BRIEF | {"max_epochs": 4})
    assert (model.fit(X, y).predict(X) == y).mean() > 0.9


def test_several_networks_answer_with_their_mean() -> None:
    X, y = units()
    model = SequenceRegressor(n_estimators=2, **BRIEF).fit(X, y)
    values = torch.tensor(X[0][None])
    outputs, _ = model.model_(values, model.model_.network.initial_state(1))
    head = model.model_.head
    each = (outputs[0, -1, :, 0] * head.spread + head.mean).detach().numpy()
    assert each[0] != each[1]
    np.testing.assert_allclose(model.predict([X[0]]), each.mean())


def test_missing_values_are_told_by_a_mask() -> None:
    X, y = units(40)
    rng = np.random.default_rng(0)
    gappy = [np.where(rng.random(one.shape) < 0.3, np.nan, one) for one in X]
    model = SequenceRegressor(**BRIEF).fit(gappy, y)
    assert model.model_.reader.input_size == 4 and np.isfinite(model.predict(gappy)).all()
    with pytest.raises(ValueError, match="no missing values"):
        SequenceRegressor(**BRIEF).fit(X, y).predict(gappy)


def test_infinities_are_refused(classifier: SequenceClassifier) -> None:
    X = np.zeros((2, 3, classifier.n_inputs_))
    X[0, 1], X[1, 0] = np.inf, -np.inf
    for wrong in (X, list(X)):
        with pytest.raises(ValueError, match="has an infinity. Replace it by NaN"):
            classifier.predict(wrong)


@pytest.mark.slow
def test_scikit_learns_searches_split_by_unit() -> None:
    X, y = units(24)
    search = GridSearchCV(SequenceRegressor(**BRIEF), {"cell": ["tanh", "gru"]}, cv=2)
    assert search.fit(X, y).best_params_["cell"] in ("tanh", "gru")
    frame = long_frame(X)
    steps = (frame["a"] > 0).astype(int)
    model = SequenceClassifier(each_step=True, **BRIEF | {"max_epochs": 4})
    scores = cross_val_score(model, frame, steps, cv=GroupKFold(2), groups=frame["unique_id"])
    assert (scores > 0.8).all()


def test_a_feature_of_equal_tenths_has_a_spread_of_one() -> None:
    assert reader_of(np.full((3, 1), 0.1)).spread.tolist() == [1.0]
