from __future__ import annotations

import pytest
import torch

from forecast.engine import stream, sweep
from forecast.engine.rollout import greedy, rollout
from forecast.networks.base import pick
from forecast.networks.seq2seq import AttentiveDecoder
from tests.checks import (
    as_windows,
    build_model,
    gappy_data,
    network_cases,
    one_of_each,
    reads,
    same,
)

CASES = [case for case in network_cases() if case.kind is not AttentiveDecoder]
ALIKE = [case for case in CASES if not case.kind.hands_over]  # a decoder begins from a state
X, KNOWN = gappy_data()
B, T0 = len(X), 60


def read_to(model, length, read=stream.encode_phases):
    windows = as_windows(X[:, :length], KNOWN[:, :length])
    return read(model, windows, torch.arange(B), torch.full((B,), length))


def swept(model, start, moments, **options):
    last = T0 + moments[-1]
    return list(sweep.sweep(model, X[:, T0:last], start, KNOWN[:, T0:last], moments, **options))


@pytest.mark.parametrize("at_once", [2**14, 1], ids=["one stretch", "many"])
@pytest.mark.parametrize("case", one_of_each(CASES))
def test_the_streams_of_a_sweep_are_those_of_updates(case, at_once, monkeypatch):
    monkeypatch.setattr(sweep, "VALUES", at_once)
    model, moments = build_model(case, (4, 12, 8)), [0, 1, 2, 7, 8, 24, 25, 41]
    with torch.no_grad():
        start = read_to(model, T0)
        parts = swept(model, start, moments)
        rows = [
            pick(part, slice(k, k + B)) for part in parts for k in range(0, len(part.features), B)
        ]
        assert len(rows) == len(moments)
        for moment, ours in zip(moments, rows, strict=True):
            new = slice(T0, T0 + moment)
            theirs = start
            if moment:
                _, theirs = stream.absorb(model, X[:, new], start, KNOWN[:, new])
            same(ours.features, theirs.features)
            same(ours.phases, theirs.phases[-1:])
            same(ours.static, theirs.static)
            for mine, its in zip(ours.memory, theirs.memory, strict=True):
                torch.testing.assert_close(mine, its, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("case", ALIKE, ids=str)
def test_one_block_is_written_without_the_states_between(case):
    model, moments = build_model(case, (4, 12, 8)), [1, 2, 7, 8, 24, 41]
    ahead = torch.zeros(len(moments) * B, model.stride, KNOWN.shape[2], dtype=KNOWN.dtype)
    with torch.no_grad():
        start = read_to(model, T0)
        (kept,) = swept(model, start, moments)
        (alone,) = swept(model, start, moments, one_block=True)
        written = [rollout(model, live, ahead, greedy(model)) for live in (alone, kept)]
    assert alone.phases == ()
    torch.testing.assert_close(*written)


@pytest.mark.parametrize(
    ("moments", "n_phases"), [([0, 4, 8, 40], 1), ([8, 12, 30], 2), (list(range(41)), 4)]
)
def test_each_phase_that_is_needed_reads_every_value_once(moments, n_phases):
    case = next(case for case in CASES if str(case) == "Recurrent-lstm-2-True")
    model = build_model(case, (4, 12, 8))
    with torch.no_grad():
        start = read_to(model, T0, stream.encode if n_phases == 1 else stream.encode_phases)
        seen = reads(model.network.members[0].layers[0])
        swept(model, start, moments)
    assert {rows for rows, _ in seen} == {n_phases * B}
    patches = -(-moments[-1] // 4)
    assert sum(steps for _, steps in seen) == patches


def test_one_block_reads_all_steps_in_one_call():
    case = next(case for case in CASES if str(case) == "Recurrent-lstm-2-True")
    model = build_model(case, (4, 12, 8))
    with torch.no_grad():
        start = read_to(model, T0, stream.encode)
        seen = reads(model.network.members[0].layers[0])
        swept(model, start, [4, 8, 40], one_block=True)
    assert seen == [(B, 10)]


def test_all_phases_are_read_as_rows_of_one_batch():
    case = next(case for case in CASES if str(case) == "Recurrent-lstm-2-True")
    model = build_model(case, (4, 12, 8))
    seen = reads(model.network.members[0].layers[0])
    with torch.no_grad():
        read_to(model, T0)
    assert seen == [(4 * B, T0 // 4)]
