"""Random windows: where they lie, where they go on, and what they lose."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from forecast.engine import drawing
from forecast.engine.drawing import Draw, draw_gaps, lose
from forecast.engine.reader import Memory, Reader
from forecast.engine.scale import at_steps
from forecast.networks.base import leaves
from tests.checks import as_windows
from tests.engine.test_batches import ALL, LENGTHS, OFFSETS, READERS, STARTS, every_reader


def draw(reader, n_steps, ends=LENGTHS, size=2000, own=ALL):
    generator = torch.Generator().manual_seed(0)
    ends = torch.as_tensor(np.asarray(ends))
    return next(iter(Draw(own, size, ends, n_steps=n_steps, reader=reader, generator=generator)))


def series_of(values: torch.Tensor) -> np.ndarray:
    return np.searchsorted(OFFSETS, values.numpy(), side="right") - 1


@every_reader
@pytest.mark.parametrize("n_steps", [1, 3, 12])
@pytest.mark.mission("M01")
def test_no_drawn_window_crosses_a_border_or_its_end(reader, n_steps):
    ends = np.array([20, 7, 1, 50, 9])
    batch = draw(reader, n_steps, ends)
    everything = torch.cat([batch.past.values, batch.targets.flatten(1)], 1)
    for row in everything:
        seen = row[~row.isnan()]
        owner = series_of(seen)
        assert len(seen)
        assert (owner == owner[0]).all()
        assert seen.max() < OFFSETS[owner[0]] + ends[owner[0]]
    # consecutive columns are consecutive steps, and targets follow the step that is read
    steps = batch.past.values.diff(dim=1)
    assert (steps[~steps.isnan()] == 1).all()
    ahead = batch.targets - at_steps(batch.past.values, batch.steps)[..., None]
    expected = torch.arange(1.0, reader.block + 1).double().expand_as(ahead)
    assert torch.equal(ahead[~ahead.isnan()], expected[~ahead.isnan()])


@every_reader
@pytest.mark.parametrize("n_steps", [1, 3])
def test_windows_are_drawn_from_all_series_and_all_places(reader, n_steps):
    P, M = reader.patch, reader.n_values
    batch = draw(reader, n_steps)
    newest = batch.past.values[:, M:].nan_to_num(-1).max(1).values
    owner = series_of(newest)
    counts = np.bincount(owner, minlength=5)
    assert (np.abs(counts / 2000 - 0.2) < 0.04).all()  # every series equally often
    for i, length in enumerate(LENGTHS):
        last = newest[owner == i] - OFFSETS[i]
        T = n_steps * P
        if length > T:
            # the first patch may hold one value; one target at least follows the last step
            assert set(last.tolist()) == set(range(T - P, length - 1))
            assert (~batch.targets[owner == i][:, -1, 0].isnan()).all()
        else:
            assert last.max() == min(T, length) - 1


@every_reader
def test_every_third_step_of_a_window_is_an_origin_from_any_of_the_first_on(reader):
    begun, ends = set(), torch.as_tensor(LENGTHS)

    def drawn(every, seed):
        generator = torch.Generator().manual_seed(seed)
        options = {"n_steps": 7, "reader": reader, "generator": generator}
        return next(iter(Draw(ALL, 20, ends, every=every, **options)))

    for seed in range(12):
        whole, some = drawn(1, seed), drawn(3, seed)
        first = some.origins[0]
        assert some.origins == range(first, 7, 3)
        assert some.steps == whole.steps  # all are read
        for part, its in ((whole.targets, some.targets), (whole.known, some.known)):
            assert torch.equal(its.nan_to_num(-1), at_steps(part, some.origins).nan_to_num(-1))
        begun.add(first)
    assert begun == {0, 1, 2}


def test_known_of_drawn_windows_belongs_to_their_targets():
    batch = draw(READERS[2], 3)
    there = ~batch.targets.isnan()
    assert torch.equal(batch.known[..., 2].double()[there], 1000 + batch.targets[there])
    owner = series_of(batch.targets[there])
    local = batch.targets[there].numpy() - OFFSETS[owner]
    assert np.array_equal(batch.known[..., 0][there].numpy(), STARTS[owner] + local)


@every_reader
@pytest.mark.parametrize(
    ("n_steps", "pieces"),
    [(2, 3), *(pytest.param(*p, marks=pytest.mark.slow) for p in ((1, 5), (4, 100)))],
)
@pytest.mark.mission("M18")
def test_rows_walk_on_where_their_last_window_ended(reader, n_steps, pieces):
    M, generator = reader.n_values, torch.Generator().manual_seed(0)
    ends = torch.tensor([20, 7, 1, 50, 9])
    options = {"n_steps": n_steps, "reader": reader, "generator": generator, "pieces": pieces}
    walk = iter(Draw(ALL, 300, ends, **options))
    before, walked, starts = next(walk), torch.ones(300), []
    assert before.fresh.all()
    for _ in range(60):
        batch = next(walk)
        owner = series_of(batch.past.values.nan_to_num(-1).max(1).values)
        for row in (~batch.fresh).nonzero().flatten().tolist():
            # the values that the reader of the old window saw last are those before the new one
            old, new = before.past.values[row, -M:], batch.past.values[row, :M]
            assert np.array_equal(old.numpy(), new.numpy(), equal_nan=True)
        walked = torch.where(batch.fresh, 1, walked + 1)
        assert (walked <= pieces).all()
        assert (~batch.targets.isnan()).flatten(1).any(1)[torch.as_tensor(owner != 2)].all()
        before = batch
        starts.append(batch.fresh.double().mean())
    # rows change places at different times, and not before they must
    assert max(starts) < 0.9
    assert walked.max() > 1


def test_drawing_repeats_with_the_seed():
    first, second = draw(READERS[2], 3), draw(READERS[2], 3)
    assert (first.steps, first.origins) == (second.steps, second.origins)
    pair = (leaves((drawn.past, *drawn[2:4], *drawn[5:-3])) for drawn in (first, second))
    for a, b in zip(*pair, strict=True):
        assert torch.equal(a.nan_to_num(), b.nan_to_num())


def test_half_of_the_windows_begin_before_a_series_where_that_is_learned():
    windows = as_windows(torch.arange(400.0, dtype=torch.float64)[None])
    reader = Reader(patch=4, window=4, block=4, scale_window=8, prior=(0.0, 1.0))
    generator, ends = torch.Generator().manual_seed(0), torch.tensor([400])
    batch = next(iter(Draw(windows, 2000, ends, n_steps=3, reader=reader, generator=generator)))
    before = batch.past.values[:, -12:].isnan().sum(1)  # of 12 values
    begun = before >= 4
    assert begun.float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert sorted(set(before[begun].tolist())) == [4, 5, 6, 7]


@every_reader
@pytest.mark.parametrize("pieces", [1, 3])
def test_batches_are_the_same_however_many_are_read_at_once(reader, pieces, monkeypatch):
    def drawn(at_once):
        monkeypatch.setattr(drawing, "MOST", at_once)
        generator = torch.Generator().manual_seed(0)
        options = {"n_steps": 4, "pieces": pieces, "every": 2, "mask_fraction": 0.5}
        options |= {"reader": reader, "generator": generator, "takes_over": True}
        return list(islice(iter(Draw(ALL, 6, torch.as_tensor(LENGTHS), **options)), 7))

    for one, other in zip(drawn(1), drawn(3), strict=True):
        assert (one.steps, one.origins, one.takeover) == (
            other.steps,
            other.origins,
            other.takeover,
        )
        parts = (leaves((each.past, each.inputs, each.scale, *each[5:-3])) for each in (one, other))
        for a, b in zip(*parts, strict=True):
            assert torch.equal(a.nan_to_num(), b.nan_to_num())


def test_a_decoder_takes_over_at_random_before_the_last_step():
    generator, ends = torch.Generator().manual_seed(0), torch.as_tensor(LENGTHS)
    options = {"n_steps": 5, "reader": READERS[0], "generator": generator}
    some = islice(iter(Draw(ALL, 2, ends, takes_over=True, **options)), 200)
    assert {batch.takeover for batch in some} == set(range(4))
    assert next(iter(Draw(ALL, 2, ends, **options))).takeover is None


# Gaps


def machine(**options):
    return Reader(patch=1, window=2, block=1, scale_window=4, **options)


def with_gaps(fraction, values, reader, drivers=None):
    """Return a memory of values (B, N) that has lost what is drawn for it."""
    drivers = torch.zeros(len(values), 1, 0) if drivers is None else drivers
    older = values.new_full((4, len(values)), 7.0)  # mean, number, spread, last value
    past = Memory(values, drivers, *older)
    width, generator = values.shape[1] - reader.n_values, torch.Generator().manual_seed(0)
    return lose(past, [draw_gaps(len(values), width, fraction, reader, generator)], reader)


def test_a_tenth_of_the_values_of_a_share_of_the_windows_is_lost():
    past = torch.arange(400 * 200, dtype=torch.float64).view(400, 200)
    hidden = with_gaps(0.25, past, machine()).values
    lost = hidden.isnan()
    assert torch.equal(hidden[~lost], past[~lost])
    touched = lost.any(1)
    assert 0.18 < touched.double().mean() < 0.32
    assert lost[touched].double().mean() == pytest.approx(0.1, abs=0.01)
    assert not past.isnan().any()  # what was read stays whole
    kept = with_gaps(1.0, past, machine(mean=True))
    assert (kept.mean == 7).all() and (kept.n_observed == 7).all()
    assert kept.values.isnan().double().mean() == pytest.approx(0.1, abs=0.01)


def test_gaps_that_are_there_stay():
    past = torch.full((3, 50), torch.nan)
    assert with_gaps(1.0, past, machine()).values.isnan().all()


def test_a_window_loses_what_a_forecast_will_not_know():
    reader = machine(n_known=1, n_past=2)
    lost = with_gaps(0.25, torch.zeros(400, 8), reader, torch.ones(400, 20, 3)).drivers.isnan()
    assert not lost[..., 0].any()  # its future is known
    rows = lost[..., 1:].flatten(1)
    assert torch.equal(rows.any(1), rows.all(1))
    assert 0.18 < rows.all(1).double().mean() < 0.32


def test_targets_are_never_lost():
    ends = torch.as_tensor(LENGTHS)

    def drawn(fraction):
        # places are drawn before gaps
        generator = torch.Generator().manual_seed(0)
        options = {"n_steps": 4, "reader": READERS[2], "generator": generator}
        return next(iter(Draw(ALL, 60, ends, mask_fraction=fraction, **options)))

    whole, some = drawn(0.0), drawn(1.0)
    assert some.past.values.isnan().sum() > whole.past.values.isnan().sum() + 20
    assert not torch.equal(some.inputs, whole.inputs)
    assert torch.equal(some.targets.nan_to_num(), whole.targets.nan_to_num())
