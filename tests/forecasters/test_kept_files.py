"""Files that an older version wrote forecast as they did then."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast.forecasters.saving import FORMAT_VERSION

SAVED = Path(__file__).parent / "saved"
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


def test_every_family_is_kept_in_every_version() -> None:
    kept = {path.stem for path in SAVED.glob("*.model")}
    assert {f"v{FORMAT_VERSION}-{family}" for family in write.models()} <= kept
    kinds = {type(model).__name__ for model in write.models().values()}
    assert kinds >= {name for name in forecast.__all__ if name.endswith("Forecaster")}
