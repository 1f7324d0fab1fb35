"""Many origins from one pass: the stream as it was at each, to be written on all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from forecast.engine.model import Model
from forecast.engine.stream import Stream
from forecast.networks.base import State, pick, read_on, stack

VALUES = 2**14  # read at once: an origin may follow each, and keeps its own window


def phases_needed(moments: Sequence[int], patch: int) -> list[int]:
    """Return which phases of a stream are the newest after so many values, in rising order.

    Phase p, the oldest is 0, is completed by values p + 1, p + 1 + P, ...

    Examples
    --------
    >>> phases_needed([0, 12, 24], patch=12), phases_needed([0, 1, 14], patch=12)
    ([11], [0, 1, 11])
    """
    return sorted({(moment - 1) % patch for moment in moments})


def sweep(
    model: Model,
    values: Tensor,
    start: Stream,
    drivers: Tensor,
    moments: Sequence[int],
    *,
    one_block: bool = False,
) -> Iterator[Stream]:
    """Yield the streams of B series after the first values that follow a start, some at a time.

    Each phase that is the newest at some moment reads every value once; the others none.

    Parameters
    ----------
    model : Model
    values : Tensor (B, T)
        What follows the start, NaN = unobserved.
    start : Stream
        With its newest phase alone, if no other is needed.
    drivers : Tensor (B, T, C)
        The covariates of the values.
    moments : sequence of int
        Numbers of values, 0 to T, in rising order.
    one_block : bool
        Nothing that is written will be read: states between the steps of a call are not kept, so
        that all steps are one call.

    Yields
    ------
    Stream
        Of its newest phase alone, or of none if only `one_block` is to be written; the rows of a
        moment stand together, B each, in the order of the moments.
    """
    reader, P = model.reader, model.reader.patch
    memory, used = start.memory, phases_needed(moments, P)
    state = stack([start.phases[phase - P] for phase in used])
    width = max(VALUES // (P * len(values)), 1) * P
    if moments[0] == 0:
        yield start._replace(phases=start.phases[-1:])
    for first in range(0, moments[-1], width):
        some = slice(first, min(first + width, moments[-1]))
        part, beside = _whole_patches(values[:, some], P), _whole_patches(drivers[:, some], P)
        past = reader.extend(memory, part, beside)
        within = [moment - first for moment in moments if first < moment <= first + width]
        steps = range(reader.n_values, past.values.shape[1])
        # step k of phase p is step k P + p: (B, T, F) -> (phases B, T / P, F)
        inputs = reader.inputs(past, steps).unflatten(1, (-1, P))[:, :, used]
        inputs = inputs.permute(2, 0, 1, 3).flatten(0, 1)
        capture = _features_at if one_block else _captured
        kept, state = capture(model, inputs, state, within, used)
        memory = reader.forget(past, part.shape[1])
        if within:
            static = start.static.repeat(len(within), 1)
            features, states = zip(*kept, strict=True)
            then = reader.remember(past, torch.tensor(within, device=values.device))
            phases = () if one_block else (stack(states),)
            yield Stream(then, static, torch.cat(features), phases)


def _captured(
    model: Model, inputs: Tensor, state: State, moments: Sequence[int], used: list[int]
) -> tuple[list[tuple[Tensor, State]], State]:
    """Return features and state of the newest phase at each moment, and the state after all."""
    P, B, done = model.reader.patch, len(inputs) // len(used), 0
    kept = []
    for step, group in groupby(moments, key=lambda moment: (moment - 1) // P):
        features, state = read_on(model.network, inputs[:, done : step + 1], state)
        done = step + 1
        for moment in group:
            place = used.index((moment - 1) % P)
            rows = slice(place * B, (place + 1) * B)
            kept.append((features[rows, -1], pick(state, rows)))
    if done < inputs.shape[1]:
        _, state = read_on(model.network, inputs[:, done:], state)
    return kept, state


def _features_at(
    model: Model, inputs: Tensor, state: State, moments: Sequence[int], used: list[int]
) -> tuple[list[tuple[Tensor, State]], State]:
    """Return what `_captured` does, but for the states at the moments: all steps in one call."""
    P, B = model.reader.patch, len(inputs) // len(used)
    features, state = read_on(model.network, inputs, state)
    by_phase = features.unflatten(0, (-1, B))
    places = [(used.index((moment - 1) % P), (moment - 1) // P) for moment in moments]
    return [(by_phase[place, :, step], ()) for place, step in places], state


def _whole_patches(values: Tensor, patch: int) -> Tensor:
    """Fill up the last patch (B, T, ...) with unobserved values; nothing is read off them."""
    lacking = -values.shape[1] % patch
    filler = values.new_full((len(values), lacking, *values.shape[2:]), torch.nan)
    return torch.cat([values, filler], 1)
