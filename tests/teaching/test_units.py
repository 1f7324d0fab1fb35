"""Generated units are of the shape they say, and ask for memory as they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from forecast.teaching.units import load_japanese_vowels, patients, utterances


def test_utterances_have_the_shape_of_japanese_vowels() -> None:
    X, y = utterances(30, seed=0)
    lengths = [len(one) for one in X]
    assert (len(X), min(lengths), max(lengths)) == (270, 7, 29)
    assert {one.shape[1] for one in X} == {12} and np.unique(y).tolist() == [*range(1, 10)]


def test_the_mean_frame_tells_only_the_pair_of_speakers() -> None:
    train, test = utterances(30, seed=0), utterances(30, seed=1)
    means = [np.array([one.mean(0) for one in X]) for X in (train.X, test.X)]
    guess = LinearDiscriminantAnalysis().fit(means[0], train.y).predict(means[1])
    pair = [(one - 1) // 2 for one in (guess, test.y)]
    assert (pair[0] == pair[1]).mean() > 0.85 and (guess == test.y).mean() < 0.65


def test_an_episode_is_a_rise_over_the_patients_own_rate() -> None:
    table = patients(seed=0)
    by_patient = table.groupby(["unique_id", "episode"])["heart_rate"].mean().unstack()
    rises = (by_patient[1] - by_patient[0]).dropna()
    assert rises.between(5, 18).mean() > 0.95 and by_patient[0].std() > 8
    assert table["heart_rate"].isna().mean().round(1) == 0.3


@pytest.mark.mission("M50")
def test_recorded_utterances_are_read_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="JapaneseVowels_TEST.ts .*`utterances`"):
        load_japanese_vowels("test")
    lines = "#says what it is\n@problemName JapaneseVowels\n@data\n1,2,3:4,5,6:9\n7,8:9,0:1\n"
    (tmp_path / "JapaneseVowels_TEST.ts").write_text(lines)
    X, y = load_japanese_vowels("test")
    assert [one.tolist() for one in X] == [[[1, 4], [2, 5], [3, 6]], [[7, 9], [8, 0]]]
    assert y.tolist() == [9, 1]
    with pytest.raises(ValueError, match="`split` must be one of"):
        load_japanese_vowels("all")
