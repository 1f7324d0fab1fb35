"""Whole units with labels: spoken vowels of nine speakers, patients under watch.

Generated ones have the shape of data that cannot be shipped: the first of JapaneseVowels (Kudo,
Toyama and Shimbo, 1999, "Multidimensional curve classification using passing-through regions"),
which is loaded where somebody has it, the second of bedside monitors.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast._checks import one_of

SPEAKERS, COEFFICIENTS, FRAMES = 9, 12, (7, 29)


class Utterances(NamedTuple):
    """Frames (T, 12) of each utterance, T from 7 to 29, and who spoke, 1 to 9."""

    X: list[np.ndarray]
    y: np.ndarray


def utterances(each: int = 30, *, seed: int, speakers: int = 0) -> Utterances:
    """Say two vowels in a row: every speaker glides from one target to another, at any pace.

    Speakers 1 and 2, 3 and 4, 5 and 6, 7 and 8 have the same two targets in reverse order, so that
    the mean frame tells them apart only by chance: what came first must be remembered.

    Parameters
    ----------
    each
        Utterances of each speaker.
    seed
        Of the utterances.
    speakers
        Seed of the speakers, the same for those to learn from and those to recognise.

    Examples
    --------
    >>> X, y = utterances(2, seed=0)
    >>> len(X), X[0].shape[1], sorted(set(y.tolist()))
    (18, 12, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    first, last = np.random.default_rng(speakers).normal(size=(2, SPEAKERS, COEFFICIENTS))
    first[1:8:2], last[1:8:2] = last[0:8:2].copy(), first[0:8:2].copy()
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(1, SPEAKERS + 1), each)
    X = []
    for speaker in y - 1:
        T = rng.integers(FRAMES[0], FRAMES[1] + 1)
        glide = 1 / (
            1 + np.exp(-(np.linspace(-6, 6, T) - rng.normal(0, 1.5)) * rng.uniform(0.7, 2))
        )
        path = first[speaker] + glide[:, None] * (last[speaker] - first[speaker])
        # a day's voice is the same in all frames, noise is not
        X.append(path + rng.normal(0, 0.3, COEFFICIENTS) + rng.normal(0, 1.0, path.shape))
    return Utterances(X, y)


def load_japanese_vowels(split: str) -> Utterances:
    """Load the recorded utterances of nine men, from the folder that FORECAST_DATA names.

    Parameters
    ----------
    split
        "train" (270 utterances, 30 of each speaker) or "test" (370).

    Raises
    ------
    ValueError
        If the split is neither.
    FileNotFoundError
        If there is no such file.

    Notes
    -----
    The files JapaneseVowels_TRAIN.ts and JapaneseVowels_TEST.ts are those of the archive of
    timeseriesclassification.com, which the packages aeon and sktime ship. A line is an utterance:
    its coefficients, each over all frames, and who spoke, set apart by colons.
    """
    name = f"JapaneseVowels_{str(one_of('split', split, ('train', 'test'))).upper()}.ts"
    path = Path(os.environ.get("FORECAST_DATA", "")) / name
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {name} in the folder that FORECAST_DATA names. Put it there, or take "
            "generated utterances of its shape: `utterances`."
        )
    lines = path.read_text(encoding="utf-8").partition("@data\n")[2].splitlines()
    told = [line.split(":") for line in lines]
    X = [np.array([one.split(",") for one in parts], dtype=np.float64).T for *parts, _ in told]
    return Utterances(X, np.array([int(speaker) for *_, speaker in told]))


def patients(n: int = 60, length: int = 240, *, seed: int) -> pd.DataFrame:
    """Watch patients by the minute, and say whether an episode goes on.

    Each has a heart rate of its own, 55 to 95 a minute, which an episode raises by 15 over some
    minutes; so the rate alone says little, and the rate compared with what it was says much. Three
    in ten values are missing.

    Returns
    -------
    DataFrame
        `unique_id`, `ds` (minutes), `heart_rate`, `saturation`, and `episode`, 0 or 1, which a
        monitor has to say at every minute.

    Examples
    --------
    >>> patients(2, 3, seed=0).columns.tolist()
    ['unique_id', 'ds', 'heart_rate', 'saturation', 'episode']
    """
    rng = np.random.default_rng(seed)
    watched = []
    for i in range(n):
        # begins and ends by chance, after a quiet first half hour
        change = rng.random(length) < 1 / 60
        change[:30] = False
        episode = change.cumsum() % 2
        effect, level = np.empty(length), 0.0
        for t, goes_on in enumerate(episode):
            effect[t] = level = level + 0.2 * (goes_on - level)
        rate = rng.uniform(55, 95) + 15 * effect + rng.normal(0, 4, length)
        saturation = rng.uniform(94, 98) - 1.5 * effect + rng.normal(0, 1, length)
        columns = {"unique_id": f"patient{i + 1:02d}", "ds": np.arange(1, length + 1)}
        columns |= {"heart_rate": rate.round(), "saturation": saturation.round(1)}
        watched.append(pd.DataFrame(columns | {"episode": episode}))
    table = pd.concat(watched, ignore_index=True)
    seen = ["heart_rate", "saturation"]
    return table.assign(**table[seen].mask(rng.random((len(table), 2)) < 0.3))
