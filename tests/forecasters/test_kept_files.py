"""Files that an older version wrote forecast as they did then."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.forecasters.saving import FORMAT_VERSION

SAVED = Path(__file__).parent / "saved"
CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
spec = importlib.util.spec_from_file_location("write_saved", SAVED / "write.py")
assert spec is not None and spec.loader is not None
write = importlib.util.module_from_spec(spec)
spec.loader.exec_module(write)


@pytest.mark.parametrize("name", sorted(path.stem for path in SAVED.glob("*.model")))
def test_a_kept_file_forecasts_as_it_did(name: str) -> None:
    then = pd.read_csv(SAVED / f"{name}.csv", index_col="step")
    y = write.series(name.partition("-")[2])
    now = write.forecasts(forecast.load(SAVED / f"{name}.model"), y)
    pd.testing.assert_frame_equal(now, then, rtol=1e-5)


def test_every_forecaster_is_kept_when_it_is_released() -> None:
    unreleased = re.split(r"^## ", CHANGELOG.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    if "\n- " in unreleased:
        pytest.skip("until then what it saves may change")
    kept = {path.stem for path in SAVED.glob("*.model")}
    missing = {f"v{FORMAT_VERSION}-{name}" for name in write.models()} - kept
    assert not missing, "run tests/forecasters/saved/write.py, and commit what it writes"
