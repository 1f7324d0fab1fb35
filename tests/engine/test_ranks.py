"""Ranks: two processes learn what one would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from forecast import load
from forecast.engine import ranks

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]

FIT = """
import sys
import numpy as np, pandas as pd, torch
from torch.distributed import is_initialized
from forecast import LSTMForecaster
import os

rng = np.random.default_rng(0)
y = pd.DataFrame(np.sin(np.arange(80.0)[:, None] / 4 + np.arange(6)) + rng.normal(0, 0.1, (80, 6)))
y.iloc[10:14, 2] = np.nan  # rows differ in how many values count
model = LSTMForecaster(max_epochs=1, n_estimators=1, batch_size=7, horizon=4, random_state=SEED)
model.fit(y)
assert not is_initialized()
torch.save(model.model_.state_dict(), sys.argv[1] + os.environ.get("RANK", "alone"))
"""


def run(command: list[str], seed: str, place: Path) -> None:
    script = place / "fit.py"
    script.write_text(FIT.replace("SEED", seed))
    done = subprocess.run(
        [*command, str(script), f"{place}/"], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_ranks_have_the_weights_of_one_process(tmp_path):
    run([sys.executable], "0", tmp_path)
    run(TORCHRUN, "0", tmp_path)
    alone, *both = (torch.load(tmp_path / name) for name in ("alone", "0", "1"))
    for name, weights in alone.items():
        assert torch.equal(both[0][name], both[1][name])
        torch.testing.assert_close(both[0][name], weights, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_ranks_agree_on_a_seed_that_nobody_gave(tmp_path):
    run(TORCHRUN, "None", tmp_path)
    both = [torch.load(tmp_path / name) for name in ("0", "1")]
    assert all(torch.equal(both[0][name], both[1][name]) for name in both[0])


def test_a_process_alone_is_the_only_rank():
    total = [torch.ones(2)]
    ranks.add_up(total)
    assert total[0].tolist() == [1, 1]
    assert (ranks.count(), ranks.rank(), ranks.agreed(3.0)) == (1, 0, 3.0)


@pytest.mark.parametrize("n", [3, 7, 64])
def test_every_row_has_one_rank(n, monkeypatch):
    monkeypatch.setattr(ranks, "count", lambda: 3)
    rows = []
    for rank in range(3):
        monkeypatch.setattr(ranks, "rank", lambda rank=rank: rank)
        rows += list(range(n))[ranks.own_rows(n)]
    assert rows == list(range(n))
    with pytest.raises(ValueError, match="at least the number of processes, 3, got 2"):
        ranks.own_rows(2)


DYING = """
import os, signal, sys
import numpy as np, pandas as pd
from forecast import LSTMForecaster
from forecast.engine import ranks

agreed, calls = ranks.agreed, iter(range(4))  # the seed, and three epochs

def until_then(value):
    if os.environ["RANK"] == "1" and next(calls, None) is None:
        open(sys.argv[1] + "died", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return agreed(value)

ranks.agreed = until_then
y = pd.DataFrame(np.sin(np.arange(80.0)[:, None] / 4 + np.arange(6)))
size = {"hidden_size": 4, "n_estimators": 1, "batch_size": 4, "horizon": 4, "random_state": 0}
LSTMForecaster(checkpoint=sys.argv[1] + "best", max_epochs=60, **size).fit(y)
"""


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_run_and_leaves_the_best_weights(tmp_path):
    (script := tmp_path / "fit.py").write_text(DYING)
    done = subprocess.run(
        [*TORCHRUN, str(script), f"{tmp_path}/"], capture_output=True, text=True, timeout=400
    )
    assert done.returncode != 0 and (tmp_path / "died").exists()
    left = load(tmp_path / "best")
    assert 1 <= len(left.history_) <= 3
    assert left.predict().notna().all(axis=None)
    assert not list(tmp_path.glob("best?*"))  # no draft


@pytest.mark.slow
def test_the_command_line_trains_in_two_processes(tmp_path):
    asked = "-m forecast fit elnino --model lstm --set max_epochs=1 --model-file".split()
    done = subprocess.run(
        [*TORCHRUN, *asked, tmp_path / "a.model"], capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the model is in") == 1
    assert len(load(tmp_path / "a.model").history_) == 1
