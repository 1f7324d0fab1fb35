"""The only autoregressive loop: forecast a block, read it back as if observed, go on.

Every forecast of a network comes from here: the median path, sampled paths and the rollouts of
validation differ only in how a value is chosen from the distribution of its step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from forecast.engine.model import Model
from forecast.engine.reader import ReaderOutput
from forecast.engine.stream import Stream
from forecast.networks.base import State, tile

# params (B, r, n_params) of a block, typical spread (B,) -> scaled values (B, r)
Choose = Callable[[Tensor, Tensor], Tensor]


def rollout(
    model: Model,
    stream: Stream,
    known: Tensor,
    choose: Choose,
    *,
    hold_spread: bool = True,
    n_samples: int = 1,
    on_block: Callable[[State], None] | None = None,
) -> Tensor:
    """Forecast the H steps after a stream.

    Parameters
    ----------
    model : Model
    stream : Stream
        The forecast goes on from its newest phase. Nothing in it is changed.
    known : Tensor (B, H, K)
        Covariates of the steps ahead whose future is known.
    choose : callable
        Turns a block's parameters into scaled values: `greedy` or `sampled`.
    hold_spread : bool
        Keep the spread of the origin while the level follows the forecast. A spread computed from
        sampled values would widen the next samples, and so on: paths would grow without bound.
    n_samples : int
        S, futures of every row. They are one row until the first of their values are chosen.
    on_block : callable, optional
        Called with the state that each block is read off.

    Returns
    -------
    Tensor (B S, H)
        In target units, in the precision of the values read; the futures of a row stand together.
    """
    horizon, P = known.shape[1], model.reader.patch
    memory, static = stream.memory, stream.static
    reading = model.reader.newest(memory, min(model.stride, horizon), stream.scale or None)
    writer, features, state = model.network.begin(stream.features, stream.state)
    written = []
    # The stride is never cut to the horizon, so that a longer forecast begins like a shorter one.
    for start in range(0, horizon, model.stride):
        r = min(model.stride, horizon - start)
        now = slice(start, start + r)
        params = model.read_out(features, known[:, now], reading, static)
        params, scale, typical = tile((params, reading.scale, reading.typical_spread), n_samples)
        values = model.values(scale, choose(params, typical))  # (B S, r)
        written.append(values)
        if on_block is not None:
            on_block(state)
        if start + r < horizon:
            # here r is the stride, a multiple of P: only the last block is cut, and not read back
            memory, static, state, known = tile((memory, static, state, known), n_samples)
            n_samples = 1  # from here on a future is a row
            held = scale.spread if hold_spread else None
            drivers = model.drivers(known[:, now])
            read_back, memory = model.reader.absorb(values, memory, drivers, every=P, spread=held)
            read, state = writer.absorb(read_back.inputs, state)
            features, reading = read[:, -1], read_back.newest()
    return written[0] if len(written) == 1 else torch.cat(written, 1)


def first_block(model: Model, stream: Stream, known: Tensor) -> tuple[ReaderOutput, Tensor]:
    """Return what the origin read and the parameters (B, r, n_params) of the first r <= R steps."""
    reading = model.reader.newest(stream.memory, known.shape[1], stream.scale or None)
    _, features, _ = model.network.begin(stream.features, stream.state)
    return reading, model.read_out(features, known, reading, stream.static)


def greedy(model: Model, point: str = "median") -> Choose:
    """Return the rule that chooses the median of each step, or its mean."""
    if point == "mean":
        return lambda params, typical: model.head.mean(params)
    # whatever width `fit` calibrated, the median stays
    return lambda params, typical: model.head.quantile(params, 0.5)


def sampled(model: Model, generator: torch.Generator) -> Choose:
    """Return the rule that draws each block jointly.

    Noise is drawn for whole blocks and cut, so that a shorter horizon draws the same paths.
    """

    def choose(params: Tensor, typical: Tensor) -> Tensor:
        factor = model.noise_factor
        noise = torch.randn(len(params), len(factor), generator=generator, dtype=factor.dtype)
        dependent = noise.to(factor.device) @ factor.T  # (B, R)
        return model.icdf(params, dependent[:, : params.shape[1]].to(params), typical)

    return choose


def paths(
    model: Model, stream: Stream, known: Tensor, n_samples: int, generator: torch.Generator
) -> Tensor:
    """Draw S joint futures of every row, (B, S, H): the history is read once."""
    choose = sampled(model, generator)
    futures = rollout(model, stream, known, choose, n_samples=n_samples)
    return futures.unflatten(0, (-1, n_samples))
