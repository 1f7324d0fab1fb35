"""What is saved is what is loaded; a file that claims what it does not hold is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import forecast
from forecast.networks.recurrent import CELLS
from forecast.sequences.classifier import SequenceClassifier
from forecast.sequences.regressor import SequenceRegressor
from tests.forecasters.forgery import forged, taken_apart
from tests.sequences.toys import BRIEF, by_step, long_frame, units


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    X, y = units()
    words = np.where(y == 1, "fails", "runs")
    path = tmp_path_factory.mktemp("models") / "a.model"
    SequenceClassifier(class_weight={"fails": 3.0, "runs": 1.0}, **BRIEF).fit(X, words).save(path)
    return path


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, marks=[pytest.mark.slow] * (cell not in ("lstm", "mgu")))
        for cell in CELLS
    ],
)
@pytest.mark.mission("M43")
def test_a_loaded_estimator_answers_and_goes_on_as_the_saved_one(cell: str, tmp_path: Path) -> None:
    X, _ = units()
    frame = long_frame(X)
    early, late = frame[frame["ds"] < 2], frame[frame["ds"] >= 2]
    model = SequenceRegressor(each_step=True, cell=cell, num_layers=2, n_estimators=2, **BRIEF)
    model.fit(frame, frame["a"] - frame["b"]).update(early)
    model.save(tmp_path / "a.model")
    twin = forecast.load(tmp_path / "a.model")
    assert type(twin) is SequenceRegressor and twin.get_params() == model.get_params()
    assert twin.feature_names_in_.tolist() == ["a", "b"] and twin.n_features_in_ == 2
    assert twin.history_.equals(model.history_)
    np.testing.assert_array_equal(twin.predict(frame), model.predict(frame))
    np.testing.assert_array_equal(twin.update(late), model.update(late))
    twin.save(tmp_path / "b.model")
    model.save(tmp_path / "c.model")
    assert (tmp_path / "b.model").read_bytes() == (tmp_path / "c.model").read_bytes()


@pytest.mark.parametrize(
    "names", [["runs", "fails"], [3, 7], [False, True], np.array(["a", "b"], dtype=object)]
)
def test_classes_come_back_with_their_type(names: Any, tmp_path: Path) -> None:
    X, y = units()
    model = SequenceClassifier(class_weight=dict.fromkeys(names, 2.0), **BRIEF)
    model.fit(X, np.asarray(names)[y]).save(tmp_path / "a.model")
    twin = forecast.load(tmp_path / "a.model")
    assert twin.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_copies_by_pickle_live_apart() -> None:
    X, _ = units()
    model = SequenceClassifier(each_step=True, **BRIEF).fit(X, by_step(X))
    twin = pickle.loads(pickle.dumps(model))
    whole = model.predict_proba(X[:1])[0]
    for t in range(3):
        for one in (model, twin):
            np.testing.assert_allclose(one.update([X[0][[t]]])[0][0], whole[t], rtol=1e-10)


FORGERIES: dict[str, Any] = {
    "more features": lambda about, arrays: about["learned"]["dict"].update(n_inputs=3),
    "more units": lambda about, arrays: about["params"].update(hidden_size=10**9),
    "many layers": lambda about, arrays: about["params"].update(num_layers=10**9),
    "no such cell": lambda about, arrays: about["params"].update(cell="transformer"),
    "another class": lambda about, arrays: about["learned"]["dict"]["classes"]["dict"].update(
        values=["a", "b", "c"]
    ),
    "wide text": lambda about, arrays: about["learned"]["dict"]["classes"]["dict"].update(
        dtype="S999999999"
    ),
    "followed units": lambda about, arrays: about["learned"]["dict"].update(units=["a"]),
    "no weights": lambda about, arrays: arrays.pop("model.readouts.0.weight"),
    "not finite": lambda about, arrays: arrays["model.readouts.0.weight"].fill(np.nan),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_file_is_refused(forge: Any, saved: Path, tmp_path: Path) -> None:
    about, arrays = taken_apart(saved)
    forge(about, arrays)
    with pytest.raises(ValueError, match="is damaged"):
        forecast.load(forged(tmp_path / "forged.model", about, arrays))


def test_what_cannot_be_text_is_said(tmp_path: Path) -> None:
    X, y = units()
    model = SequenceRegressor(**BRIEF).set_params(random_state=np.random.RandomState(0))
    with pytest.raises(ValueError, match="`random_state` must be numbers and text"):
        model.fit(X, y).save(tmp_path / "a.model")
