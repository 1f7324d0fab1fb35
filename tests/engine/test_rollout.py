"""Paths of a trained model: they hold the truth, do not explode, and cost what they should."""

from __future__ import annotations

import dataclasses
import functools
import math

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from forecast.engine.drawing import Draw
from forecast.engine.model import Model
from forecast.engine.reader import Reader
from forecast.engine.rollout import greedy, paths, rollout
from forecast.engine.stream import Stream, encode, encode_phases
from forecast.engine.training import Settings, train
from forecast.engine.validation import Validation
from forecast.networks.base import state_map
from forecast.networks.ensemble import Ensemble, EnsembleReadout
from forecast.networks.heads.normal import NormalHead
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.readout import Readout
from forecast.networks.recurrent import Recurrent
from forecast.networks.window import MLP
from tests.checks import NetworkCase, as_windows, build_model, gappy_data, tensors

PHI, ROWS, LENGTH, SEEN, W = 0.9, 128, 420, 300, 48
LSTM = NetworkCase(Recurrent, {"cell": "lstm", "num_layers": 2})


def autoregression() -> torch.Tensor:
    """Return stationary AR(.9) series of many sizes and levels, (ROWS, LENGTH)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, LENGTH, generator=generator)
    x[:, 0] /= math.sqrt(1 - PHI**2)
    for t in range(1, LENGTH):
        x[:, t] += PHI * x[:, t - 1]
    return x * torch.logspace(-1, 2, ROWS)[:, None] + torch.linspace(-50, 50, ROWS)[:, None]


Y = autoregression()


@functools.cache
def trained(kind: str) -> Model:
    """Return a model trained for some seconds on the first 300 values of every series."""
    torch.manual_seed(0)
    if kind == "mlp":
        reader = Reader(1, W, 24, W, drift=False)
        network, head = MLP(reader.input_size, 32), QuantileHead()
    else:
        reader = Reader(4, 4, 8, W)
        network, head = Recurrent(reader.input_size, 24, cell="gru"), NormalHead()
    readout = Readout(network.width, reader.block, 0, reader.n_templates, head.n_params)
    model = Model(reader, Ensemble([network]), EnsembleReadout([readout]), head, reader.block)
    windows = as_windows(Y[:, :SEEN])
    windows.error_scales = Y.std(1).double()
    held_out = torch.full((ROWS,), 240)
    generator = torch.Generator().manual_seed(0)
    judge = Validation(model, windows, held_out, 24, 1)
    epochs = 8 if kind == "mlp" else 4  # its paths stay within bounds later
    settings = Settings(1e-2, epochs, None, 1e-2, 1.0, None, 8)

    batches = Draw(
        windows,
        64,
        held_out,
        n_steps=1 if kind == "mlp" else 16,
        reader=model.reader,
        generator=generator,
        mask_fraction=0.1,
    )
    for _ in train(model, iter(batches), judge.loss, settings):
        pass
    judge.calibrate(model)
    return model


def origins():
    """Return rows and origins beyond what training and calibration have seen."""
    rows = torch.arange(ROWS).repeat(4)
    ends = torch.tensor([305, 335, 365, 395]).repeat_interleave(ROWS)
    return rows, ends


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_the_sum_of_24_steps_is_covered(kind):
    # independent draws within a block make the sum's band a third of what it must be
    model, windows = trained(kind), as_windows(Y)
    rows, ends = origins()
    truth = windows.take(rows, ends, 24, torch.full_like(ends, LENGTH)).sum(1)

    def coverage():
        with torch.no_grad():
            live = encode(model, windows, rows, ends)
            known = torch.zeros(len(rows), 24, 0)
            drawn = paths(model, live, known, 100, torch.Generator().manual_seed(0)).sum(-1)
        low, high = drawn.quantile(torch.tensor([0.1, 0.9], dtype=torch.float64), dim=1)
        return ((low <= truth) & (truth <= high)).float().mean().item()

    assert 0.68 < coverage() < 0.92
    if kind == "mlp":  # one block: all dependence is the matrix's
        factor = model.noise_factor.clone()
        try:
            model.noise_factor.copy_(torch.eye(len(factor)))
            assert coverage() < 0.5
        finally:
            model.noise_factor.copy_(factor)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("mlp", marks=pytest.mark.slow), "gru"])
def test_single_steps_are_covered(kind):
    model, windows = trained(kind), as_windows(Y)
    rows, ends = origins()
    truth = windows.take(rows, ends, 24, torch.full_like(ends, LENGTH))
    with torch.no_grad():
        live = encode(model, windows, rows, ends)
        known = torch.zeros(len(rows), 24, 0)
        drawn = paths(model, live, known, 100, torch.Generator().manual_seed(0))
    low, high = drawn.quantile(torch.tensor([0.1, 0.9], dtype=torch.float64), dim=1)
    covered = ((low <= truth) & (truth <= high)).float().mean(0)
    assert 0.72 < covered.mean() < 0.88
    assert (covered > 0.6).all()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "bound"), [("mlp", 3), ("gru", 3)])
def test_paths_on_stationary_data_do_not_widen_without_end(kind, bound):
    model, windows = trained(kind), as_windows(Y)
    rows, ends = torch.arange(ROWS), torch.full((ROWS,), LENGTH)
    with torch.no_grad():
        live = encode(model, windows, rows, ends)
        known = torch.zeros(ROWS, 10 * W, 0)
        drawn = paths(model, live, known, 16, torch.Generator().manual_seed(0))
    ratio = drawn[..., -W:].std((1, 2)) / Y.std(1)
    assert torch.isfinite(drawn).all()
    assert 0.3 < ratio.median() < bound
    # the level follows the path, so paths wander: as the root of the time, not by multiplying
    early = drawn[..., 4 * W : 5 * W].std((1, 2)) / Y.std(1)
    assert (ratio / early).median() < 1.7


# What a rollout costs


X, KNOWN = gappy_data()


def live_stream(read=encode) -> tuple[Model, Stream]:
    model = build_model(LSTM, (4, 12, 8))
    with torch.no_grad():
        live = read(model, as_windows(X, KNOWN), torch.arange(5), torch.full((5,), 150))
    return model, live


class Largest(TorchDispatchMode):
    """Keep the size of the largest tensor that is made."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.numbers = max(self.numbers, out.untyped_storage().nbytes() // out.element_size())
        return out


def test_memory_of_many_paths_is_bounded():
    model, live = live_stream()
    S, M, steps = 200, model.reader.n_values, model.stride
    with torch.no_grad(), Largest() as largest:
        paths(model, live, KNOWN[:, 150:190], S, torch.Generator().manual_seed(0))
    # a path needs its memory, in pairs of blocks of W for the scale, and nothing of the history
    room = 4 * (M + steps + model.reader.scale_window)
    assert largest.numbers <= 5 * S * room


@pytest.mark.parametrize("n_samples", [1, 200])
def test_the_history_is_read_once_however_many_paths(n_samples):
    model, live = live_stream(encode_phases)
    calls = []
    model.network.members[0].layers[0].register_forward_hook(
        lambda module, given, _: calls.append(tuple(given[0].shape[:2]))
    )
    with torch.no_grad():
        paths(model, live, KNOWN[:, 150:190], n_samples, torch.Generator().manual_seed(0))
    # 40 steps are five blocks of 8; each but the last is read back as two patches of 4
    assert calls == [(5 * n_samples, 2)] * 4


def test_paths_are_one_row_until_their_first_values_are_chosen():
    model, live = live_stream()
    rows = []
    model.readout.register_forward_hook(lambda module, given, _: rows.append(len(given[0])))
    with torch.no_grad():
        paths(model, live, KNOWN[:, 150:166], 7, torch.Generator().manual_seed(0))  # two blocks
    assert rows == [5, 35]


def test_a_rollout_writes_nothing_into_the_stream():
    model, live = live_stream()
    before = [tensor.clone() for tensor in tensors(tuple(live))]
    with torch.no_grad():
        first = rollout(model, live, KNOWN[:, 150:190], greedy(model))
        paths(model, live, KNOWN[:, 150:190], 3, torch.Generator().manual_seed(0))
        again = rollout(model, live, KNOWN[:, 150:190], greedy(model))
    assert torch.equal(first, again)
    for old, now in zip(before, tensors(tuple(live)), strict=True):
        assert torch.equal(old.nan_to_num(), now.nan_to_num())


def test_paths_of_a_row_stand_together():
    model, live = live_stream()
    generator = torch.Generator().manual_seed(0)
    model.noise_factor.mul_(1e-9)  # without noise every path is the row's own forecast
    with torch.no_grad():
        drawn = paths(model, live, KNOWN[:, 150:190], 3, generator)
        alone = rollout(model, live, KNOWN[:, 150:190], greedy(model))
    assert drawn.shape == (5, 3, 40)
    assert torch.allclose(drawn, alone[:, None].expand_as(drawn), rtol=1e-5)


def test_values_come_back_in_the_precision_they_had():
    model, live = live_stream()
    model = model.float()
    model.reader = dataclasses.replace(model.reader, dtype=torch.float32)
    state = state_map(Tensor.float, live.phases[-1])
    memory = live.memory
    lifted = {name: getattr(memory, name) + 1e9 for name in ("values", "mean", "last")}
    memory = memory._replace(**lifted)
    mixed = live._replace(memory=memory, features=live.features.float(), phases=(state,))
    with torch.no_grad():
        written = rollout(model, mixed, KNOWN[:, 150:190].float(), greedy(model))
    assert written.dtype == torch.float64
    seen = torch.tensor([0, 1, 2, 4])  # the newest W values of row 3 are missing
    assert (written - 1e9)[seen].abs().max() < 1e5
    single = written[seen].float().double()
    assert not torch.equal(single, written[seen])
