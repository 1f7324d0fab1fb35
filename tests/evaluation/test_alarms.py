"""Thresholds and lead times against counts by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.evaluation.alarms import alarm_threshold, lead_times


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.5, 1.0])
@pytest.mark.mission("M48")
def test_no_lower_threshold_keeps_the_rate_of_false_alarms(rate: float) -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(500) < 0.2
    scores = (labels + rng.normal(size=500)).round(1)  # with ties
    threshold = alarm_threshold(labels, scores, false_alarm_rate=rate)
    healthy = scores[~labels]
    assert (healthy >= threshold).mean() <= rate
    lower = scores[scores < threshold]
    assert not len(lower) or (healthy >= lower.max()).mean() > rate


@pytest.mark.mission("M48")
def test_lead_counts_from_the_first_true_alarm_to_the_end() -> None:
    frame = pd.DataFrame(
        {
            "unit": [*"aaaaaa", *"bbb", *"cc"],
            "label": [0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1],
            "score": [0.9, 0.1, 0.1, 0.8, 0.1, 0.9, 0.1, 0.1, 0.6, 0.1, 0.2],
        }
    )
    table = lead_times(frame["label"], frame["score"], frame["unit"], threshold=0.5)
    assert table["lead"].tolist()[:2] == [2.0, 0.0] and np.isnan(table["lead"]["c"])
    assert table["false_alarms"].tolist() == [pytest.approx(1 / 3), 0.0, 0.0]


def test_labels_of_one_kind_have_no_threshold() -> None:
    with pytest.raises(ValueError, match="both 0 and 1"):
        alarm_threshold([1, 1], [0.2, 0.3])
