"""A GPU and a CPU answer alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import forecast
from forecast.inspection.diagnostics import gates
from forecast.sequences.classifier import SequenceClassifier
from tests.sequences.toys import BRIEF, by_step, units


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_and_a_cpu_agree(tmp_path: Path) -> None:
    X, _ = units()
    model = SequenceClassifier(each_step=True, device="cuda", **BRIEF).fit(X, by_step(X))
    model.save(tmp_path / "a.model")
    twin = forecast.load(tmp_path / "a.model")
    twin.model_.cpu()
    for one, other in zip(model.predict_proba(X), twin.predict_proba(X), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)
    begun = [one[:1] for one in X]
    np.testing.assert_allclose(np.stack(model.update(begun)), np.stack(twin.update(begun)))
    assert gates(model, series=X[0]).shape == gates(twin, series=X[0]).shape
