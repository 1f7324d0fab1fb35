"""Bugs planted on purpose: the suite is only worth what it catches.

Each mutant is a copy of the package with one classic mistake of a forecasting engine in it, and
the part of the suite that must fail on it. Source that has changed makes a mutant fail to
apply: then translate it, do not drop it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ENGINE = "tests/engine/test_engine.py"
READER = "tests/engine/test_reader.py"
BATCHES = "tests/engine/test_batches.py"
DRAWING = "tests/engine/test_drawing.py"
NETWORKS = "tests/networks/test_networks.py"
VALIDATION = "tests/engine/test_validation.py"
FOLDS = "tests/engine/test_folds.py"
TRAINING = "tests/engine/test_training.py"
HEADS = "tests/networks/test_heads.py"
RECURRENT = "tests/forecasters/neural/test_recurrent.py"
SEQ2SEQ = "tests/networks/test_seq2seq.py"

pytestmark = pytest.mark.slow


class Mutant(NamedTuple):
    """A file, what to replace in it, and the tests (file, expression) that must notice."""

    file: str
    edits: list[tuple[str, str]]
    tests: str
    chosen: str


MUTANTS = {
    "attention to slots that hold nothing": Mutant(
        "networks/seq2seq.py",
        [
            ("scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min)", "scores"),
            ("scores.softmax(-1) * mask", "scores.softmax(-1)"),
        ],
        SEQ2SEQ,
        "empty_slots",
    ),
    "a decoder that does not read its context": Mutant(
        "networks/seq2seq.py",
        [
            (
                "both = torch.cat([inputs, context], -1)",
                "both = torch.cat([inputs, torch.zeros_like(context)], -1)",
            )
        ],
        SEQ2SEQ,
        "equations",
    ),
    "the decoder takes over one step late in training": Mutant(
        "engine/model.py",
        [("tensor_split([origin + 1], 1)", "tensor_split([origin + 2], 1)")],
        ENGINE,
        "trainings_raw_numbers",
    ),
    "target in the scale of a later step": Mutant(
        "engine/model.py",
        [
            (
                "z = reading.scale.apply(batch.targets)",
                "later = type(reading.scale)(*(part.roll(-1, 1) for part in reading.scale))\n"
                "        z = later.apply(batch.targets)",
            )
        ],
        ENGINE,
        "trainings_targets",
    ),
    "the mean so far knows the next value": Mutant(
        "engine/reader.py",
        [("at_steps(mean, steps)", "at_steps(mean.roll(-1, 1), steps)")],
        READER,
        "mean_of_all or future_changes",
    ),
    "known covariates off by one in training": Mutant(
        "engine/batches.py",
        [("self.known(series, first, T + R)", "self.known(series, first - 1, T + R)")],
        ENGINE,
        "trainings_raw_numbers",
    ),
    "covariates beside the values off by one in training": Mutant(
        "engine/batches.py",
        [
            (
                "past = lose(self.read(series, first, T, ends, reader))",
                "past = lose(self.read(series, first, T, ends, reader))\n"
                "        past = past._replace(drivers=past.drivers.roll(1, 1))",
            )
        ],
        ENGINE,
        "trainings_raw_numbers",
    ),
    "target off by one": Mutant(
        "engine/batches.py",
        [("self.take(series, first, T + R, ends)", "self.take(series, first - 1, T + R, ends)")],
        ENGINE,
        "trainings_targets",
    ),
    "template one step late": Mutant(
        "engine/reader.py",
        [("lag - 1 - ahead % lag", "lag - ahead % lag")],
        READER,
        "templates",
    ),
    "state not carried to the next window": Mutant(
        "engine/training.py",
        [
            (
                "carried = None if batch.fresh.all() else self._carried",
                "carried = None",
            )
        ],
        RECURRENT,
        "state_passes",
    ),
    "trend one step short": Mutant(
        "engine/reader.py",
        [("= 1 + ahead[:, None] + back", "= ahead[:, None] + back")],
        READER,
        "along_the_trend",
    ),
    "phases not rotated": Mutant(
        "engine/stream.py",
        [("(*stream.phases[1:], state)", "(state, *stream.phases[1:])")],
        ENGINE,
        "stream_equals_sweep",
    ),
    "recurrent state with the batch second": Mutant(
        "networks/recurrent.py",
        [
            (
                "return self.arranged(self.initial.expand(batch_size, -1, -1, -1))",
                "state = self.arranged(self.initial.expand(batch_size, -1, -1, -1))\n"
                "        return state_map(lambda part: part.transpose(0, 1), state)",
            ),
            ("part.unbind(1) for part in state", "part.unbind(0) for part in state"),
            ("torch.stack(parts, 1)", "torch.stack(parts, 0)"),
        ],
        NETWORKS,
        "batch_equals_singles",
    ),
    "noise drawn for the short block alone": Mutant(
        "engine/rollout.py",
        [
            ("torch.randn(len(params), len(factor),", "torch.randn(len(params), params.shape[1],"),
            ("@ factor.T", "@ factor[: params.shape[1], : params.shape[1]].T"),
        ],
        ENGINE,
        "short_forecast",
    ),
    "stride depends on the horizon": Mutant(
        "engine/rollout.py",
        [
            (
                "for start in range(0, horizon, model.stride):",
                "stride = model.reader.block if horizon <= model.reader.block else P\n"
                "    for start in range(0, horizon, stride):",
            ),
            ("r = min(model.stride, horizon - start)", "r = min(stride, horizon - start)"),
        ],
        ENGINE,
        "short_forecast",
    ),
    "scale of the whole window": Mutant(
        "engine/scale.py",
        [
            (
                "observed_mask, window, 0.0).sum(-1) / present",
                "observed_mask, window, 0.0).sum(-1).mean(1, True).expand_as(count) / present",
            )
        ],
        READER,
        "future_changes or slow_twin",
    ),
    "level frozen at the origin in the rollout": Mutant(
        "engine/rollout.py",
        [("read_back.newest()", "read_back.newest()._replace(scale=reading.scale)")],
        ENGINE,
        "trainings_targets",
    ),
    "rollout reads the wrong phase of the patch": Mutant(
        "engine/rollout.py",
        [
            ("drivers, every=P, spread=held)", "drivers, spread=held)"),
            (
                "absorb(read_back.inputs, state)",
                "absorb(read_back.inputs[:, max(P - 2, 0) :: P], state)",
            ),
        ],
        ENGINE,
        "trainings_raw_numbers",
    ),
    "validation sees one value too many": Mutant(
        "engine/validation.py",
        [
            (
                "list(shown(model, windows, self.series, self.origins, limit, fewest))",
                "list(shown(model, windows, self.series, self.origins + 1, limit, fewest))",
            )
        ],
        VALIDATION,
        "one_by_one",
    ),
    "a member learns from a past that it is judged by": Mutant(
        "engine/folds.py",
        [("~(held | held[..., :1])", "~held")],
        FOLDS,
        "slow_twin",
    ),
    "members of an ensemble clipped together": Mutant(
        "engine/training.py",
        [
            (
                "gradient = FlatGradient(model.parts())",
                "gradient = FlatGradient([[one for own in model.parts() for one in own]])",
            )
        ],
        TRAINING,
        "as_if_alone",
    ),
    "the newest weights judged, not their average": Mutant(
        "engine/training.py",
        [("validate(averaged)", "validate(model)")],
        TRAINING,
        "exponential_average",
    ),
    "parameters of members averaged, not their quantiles": Mutant(
        "networks/heads/base.py",
        [
            (
                "softplus(params[..., 1:] - self.softplus_shift).mean(-3)",
                "softplus(params[..., 1:].mean(-3) - self.softplus_shift)",
            )
        ],
        HEADS,
        "quantile_functions",
    ),
    "changes across the border of two series": Mutant(
        "engine/batches.py",
        [("(owner == numbers[:-season_length]) & ", "")],
        BATCHES,
        "slow_twins",
    ),
    "values of the next series": Mutant(
        "engine/batches.py",
        [("(local < ends[:, None])", "(local <= ends[:, None])")],
        DRAWING,
        "border",
    ),
}


def copied(folder: Path) -> Path:
    """Return a copy of what a run of the tests needs."""
    for name in ("forecast", "tests"):
        ignore = shutil.ignore_patterns("__pycache__", "*.csv", "*.parquet")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def plant(folder: Path, mutant: Mutant) -> None:
    """Write a mutant's edits into a copy."""
    path = folder / "forecast" / mutant.file
    text = path.read_text()
    for old, new in mutant.edits:
        assert text.count(old) == 1, f"{mutant.file} holds {text.count(old)} times: {old}"
        text = text.replace(old, new)
    path.write_text(text)


def outcome(folder: Path, tests: str, chosen: str) -> subprocess.CompletedProcess[str]:
    """Run some tests in a copy until the first failure."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not experiment", "-k", chosen]
    return subprocess.run(
        [sys.executable, "-m", "pytest", tests, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", MUTANTS)
def test_the_suite_catches(name, tmp_path):
    mutant = MUTANTS[name]
    plant(copied(tmp_path), mutant)
    run = outcome(tmp_path, mutant.tests, mutant.chosen)
    assert run.returncode == 1, run.stdout + run.stderr  # tests ran, and some failed
    assert "\nFAILED tests/" in run.stdout


@pytest.mark.parametrize("tests", sorted({mutant.tests for mutant in MUTANTS.values()}))
def test_the_suite_passes_without_a_mutant(tests, tmp_path):
    chosen = sorted({mutant.chosen for mutant in MUTANTS.values() if mutant.tests == tests})
    run = outcome(copied(tmp_path), tests, " or ".join(chosen))
    assert run.returncode == 0, run.stdout + run.stderr
