"""What training, rollout and stream must agree on, for every network."""

from __future__ import annotations

import functools
import itertools

import pytest
import torch

from forecast.engine import stream
from forecast.engine.reader import Memory
from forecast.engine.rollout import greedy, paths, rollout, sampled
from forecast.networks.base import leaves, pick
from forecast.networks.heads.base import normal_scores
from forecast.networks.seq2seq import AttentiveDecoder
from forecast.teaching import textbook
from tests.checks import (
    LOCATION_HEADS,
    SIZES,
    as_windows,
    build_model,
    encode_last,
    gappy_data,
    network_cases,
    one_of_each,
    reads,
    same,
)

# a decoder is asked through the network that hands over to it
CASES = [case for case in network_cases() if case.kind is not AttentiveDecoder]
FEW = [(1, 6, 6), (4, 12, 8), (4, 10, 4)]
EVERY_SIZE = "Recurrent-lstm-2-True"


def pairs():
    """Yield every network with some sizes, and every size with the last variant of each fast one.

    Sizes are the engine's concern, options and cells the network's: a bug of either shows without
    the whole product. Quick are every kind of network with one size, of the textbook's none, and
    one with every size.
    """
    last = {case.kind: case for case in CASES if case.kind.__module__ != textbook.__name__}
    for case in CASES:
        newest = case is last.get(case.kind)
        for sizes in SIZES if newest else FEW:
            quick = (newest and sizes == FEW[1]) or str(case) == EVERY_SIZE
            marks = [] if quick else [pytest.mark.slow]
            yield pytest.param(case, sizes, id=f"{case}-{sizes}", marks=marks)


every_network = pytest.mark.parametrize("case", one_of_each(CASES))
every_model = pytest.mark.parametrize(("case", "sizes"), list(pairs()))

X, KNOWN = gappy_data()


@functools.cache
def built(name, sizes):
    """Return a model, which no test may change, and its stream after 150 values."""
    model = build_model(next(case for case in CASES if str(case) == name), sizes)
    return model, history(model)


def history(model, T=150, phases=False):
    windows = as_windows(X[:, :T], KNOWN[:, :T])
    read = stream.encode_phases if phases else stream.encode
    with torch.no_grad():
        return read(model, windows, torch.arange(len(X)), torch.full((len(X),), T))


def takeover(model, step=1):
    """Return the step at which a decoder takes over, if there is one."""
    return step if model.network.hands_over else None


def written(model, live, horizon, choose=None, **options):
    ahead = KNOWN[: len(live.features), 150 : 150 + horizon]
    with torch.no_grad():
        return rollout(model, live, ahead, choose or greedy(model), **options)


@every_model
@pytest.mark.mission("M22")
def test_stream_equals_sweep_equals_reading_anew(case, sizes):
    model, _ = built(str(case), sizes)
    P = model.reader.patch
    empty = stream.begin(model, 5, torch.float64)
    live, singles = [empty], []
    with torch.no_grad():
        for t in range(101):
            feature, after = stream.absorb(model, X[:, t : t + 1], live[-1], KNOWN[:, t : t + 1])
            singles.append(feature)
            live.append(after)
        for T in (101, 100, 3):
            features, swept = stream.absorb(model, X[:, :T], empty, KNOWN[:, :T])
            first, middle = stream.absorb(model, X[:, : T // 2], empty, KNOWN[:, : T // 2])
            second, halves = stream.absorb(model, X[:, T // 2 : T], middle, KNOWN[:, T // 2 : T])
            same(features, torch.cat(singles[:T], 1))
            same(features, torch.cat([first, second], 1))
            for other in (live[T], halves, history(model, T, phases=True)):
                assert len(other.phases) == P
                same(swept.phases, other.phases)
                same(swept.features, other.features)
                for name, mine, its in zip(Memory._fields, swept.memory, other.memory, strict=True):
                    # all but the mean so far, whose sums begin elsewhere, to the last bit
                    assert name == "mean" or torch.equal(mine.nan_to_num(), its.nan_to_num())
                    torch.testing.assert_close(mine, its, rtol=1e-12, atol=0, equal_nan=True)


@every_model
@pytest.mark.mission("M09")
def test_the_future_changes_nothing_earlier(case, sizes):
    model, _ = built(str(case), sizes)
    changed = X.clone()
    changed[:, 90:] = changed[:, 90:] * 3 + 5
    with torch.no_grad():
        before, _ = stream.absorb(model, X[:, :150], stream.begin(model, 5, torch.float64))
        after, _ = stream.absorb(model, changed[:, :150], stream.begin(model, 5, torch.float64))
    assert torch.equal(before[:, :90], after[:, :90])
    assert (before[:, 90:] - after[:, 90:]).abs().max() > 1e-6


@every_model
def test_a_short_forecast_is_the_beginning_of_a_long_one(case, sizes):
    model, live = built(str(case), sizes)
    block, longest = model.reader.block, min(2 * model.reader.block + 7, 55)
    whole = written(model, live, longest)
    drawn = written(model, live, longest, sampled(model, torch.Generator().manual_seed(3)))
    for horizon in {1, max(block - 1, 1), block, block + 1, longest - 1}:
        seeded = sampled(model, torch.Generator().manual_seed(3))
        same(whole[:, :horizon], written(model, live, horizon))
        same(drawn[:, :horizon], written(model, live, horizon, seeded))


@every_model
def test_batch_equals_singles(case, sizes):
    model, live = built(str(case), sizes)
    horizon = 2 * model.stride + 3
    whole = written(model, live, horizon)
    for row in range(5):
        alone = as_windows(X[row : row + 1, :150], KNOWN[row : row + 1, :150])
        with torch.no_grad():
            single = stream.encode(model, alone, torch.tensor([0]), torch.tensor([150]))
            ahead = KNOWN[:1, 150 : 150 + horizon]
            same(whole[row : row + 1], rollout(model, single, ahead, greedy(model)))


LENGTHS = (150, 3, 41, 90, 1)


def loud(row):
    """Return the ragged windows with 1e9 for all but a series: they lie next to it in memory."""
    x, known = torch.full_like(X, 1e9), torch.full_like(KNOWN, 1e9)
    x[row], known[row] = X[row], KNOWN[row]
    return as_windows(x, known, LENGTHS)


@every_model
@pytest.mark.mission("M36")
def test_series_of_unequal_lengths_equal_one_by_one(case, sizes):
    model, _ = built(str(case), sizes)
    horizon, rows, ends = 2 * model.stride + 3, torch.arange(5), torch.tensor(LENGTHS)
    ahead = torch.stack([KNOWN[0, end : end + horizon] for end in LENGTHS])

    def forecast(windows, rows, ends, ahead):
        with torch.no_grad():
            live = stream.encode(model, windows, rows, ends)
            return live, rollout(model, live, ahead, greedy(model))

    live, whole = forecast(as_windows(X, KNOWN, LENGTHS), rows, ends, ahead)
    for row, end in enumerate(LENGTHS):
        alone = as_windows(X[row : row + 1, :end], KNOWN[row : row + 1, :end])
        own, single = forecast(alone, rows[:1], ends[row : row + 1], ahead[row : row + 1])
        same(whole[row : row + 1], single, 1e-10 * single.abs().max().item())
        same(pick((live.features, live.phases), slice(row, row + 1)), (own.features, own.phases))
        beside = forecast(loud(row), rows, ends, ahead)[1]
        assert torch.equal(beside[row], whole[row])


@every_model
@pytest.mark.mission("M36")
def test_gradients_of_a_ragged_batch_are_the_sum_of_its_rows(case, sizes):
    model = build_model(case, sizes)
    # a window in the middle, one past the end of its series, one before its beginning
    rows, start = torch.arange(5), torch.tensor([60, 0, 1 - model.reader.patch, 70, 0])
    weights = [one for one in model.parameters() if one.requires_grad]

    def gradients(windows, rows, start, ends):
        batch = windows.batch(rows, start, ends, n_steps=12, reader=model.reader)
        loss, observed, *_ = model.losses(batch._replace(takeover=takeover(model)), min_observed=1)
        total = (loss * observed).sum()
        return total, *torch.autograd.grad(total, weights, materialize_grads=True)

    ends = torch.tensor(LENGTHS)
    together = gradients(as_windows(X, KNOWN, LENGTHS), rows, start, ends)
    assert together[0] > 0
    apart = [torch.zeros_like(one) for one in together]
    for row, end in enumerate(LENGTHS):
        alone = as_windows(X[row : row + 1, :end], KNOWN[row : row + 1, :end])
        one = slice(row, row + 1)
        single = gradients(alone, rows[:1], start[one], ends[one])
        padded = gradients(loud(row), rows[one], start[one], ends[one])
        assert all(torch.equal(a, b) for a, b in zip(single, padded, strict=True))
        apart = [total + one for total, one in zip(apart, single, strict=True)]
    scale = max(one.abs().max().item() for one in together)
    same(tuple(together), tuple(apart), 1e-10 * max(scale, 1))


def taught(model, n_steps, first, read):
    """Return training's raw numbers, merged, and targets for windows that begin at `first`.

    They are those of all steps from the one on at which `read` have been read.
    """
    windows = as_windows(X, KNOWN)
    rows, start = torch.arange(5), torch.full((5,), first)
    batch = windows.batch(rows, start, windows.lengths, n_steps=n_steps, reader=model.reader)
    batch = batch._replace(takeover=takeover(model, read - 1))
    with torch.no_grad():
        _, _, params, z, _ = model.losses(batch, min_observed=8)
    return model.head.merge(params)[:, read - 1 :], z[:, read - 1 :, 0]


@every_model
def test_rollout_along_the_truth_gives_trainings_raw_numbers(case, sizes):
    model = built(str(case), sizes)[0]
    P, stride = model.reader.patch, model.stride
    first, read, n_steps = 20, 4, 9
    params, _ = taught(model, n_steps, first, read)
    origin = first + read * P
    seen = []

    def truth(numbers, block):
        seen.append(numbers)
        start = origin + block * stride
        future = X[:, start : start + numbers.shape[1]]
        # the rollout scales what it is given back, so hand it over in the scale it will use
        return numbers[..., 0] * 0 + future

    windows, rows = as_windows(X, KNOWN), torch.arange(5)
    with torch.no_grad():
        live = encode_last(model, windows, rows, torch.full((5,), origin), read)
        horizon = (n_steps - read) * P + stride
        live_known = KNOWN[:, origin : origin + horizon]
        follow(model, live, live_known, truth)
    checked = 0
    for block, numbers in enumerate(seen):
        step = block * stride // P
        if read + step <= n_steps:
            same(params[:, step, : numbers.shape[1]], numbers)
            checked += 1
    assert checked >= 2 or n_steps - read <= stride // P


def follow(model, live, known, truth):
    """Roll out with params values chosen instead of scaled ones."""
    scales, blocks = [], itertools.count()
    original = model.reader.__class__.absorb

    def choose(numbers, typical):
        level, spread = scales[-1] if scales else origin_scale
        return (truth(numbers, next(blocks)) - level) / spread

    scale = model.reader.newest(live.memory).scale
    origin_scale = (scale.level, scale.spread)

    def spy(self, values, state, drivers, **options):
        reading, state = original(self, values, state, drivers, **options)
        scales.append((reading.scale.level[:, -1:], reading.scale.spread[:, -1:]))
        return reading, state

    model.reader.__class__.absorb = spy
    try:
        rollout(model, live, known, choose, hold_spread=False)
    finally:
        model.reader.__class__.absorb = original


@every_model
def test_trainings_targets_through_the_rollout_give_the_truth(case, sizes):
    # catches targets in the scale of a later step: that scale contains the answer
    model = built(str(case), sizes)[0]
    P, stride = model.reader.patch, model.stride
    first, read, n_steps = 20, 4, 9
    _, z = taught(model, n_steps, first, read)
    origin = first + read * P

    turns = itertools.count()

    def oracle(numbers, typical):
        return z[:, next(turns) * stride // P, : numbers.shape[1]]

    blocks = (n_steps - read) // max(1, stride // P) + 1
    blocks = min(blocks, (n_steps - read) * P // stride + 1)
    horizon = blocks * stride
    whole = ~X.isnan().any(1)
    with torch.no_grad():
        windows, rows = as_windows(X, KNOWN), torch.arange(5)
        live = encode_last(model, windows, rows, torch.full((5,), origin), read)
        known = KNOWN[:, origin : origin + horizon]
        forecast = rollout(model, live, known, oracle, hold_spread=False)
    truth = X[:, origin : origin + horizon]
    assert whole.sum() >= 1
    assert torch.allclose(forecast[whole], truth[whole], rtol=1e-9)


@every_network
def test_gradients_are_finite_with_gaps_in_target_and_scale(case):
    model = build_model(case, (4, 12, 8))
    windows = as_windows(X, KNOWN)
    rows, start = torch.arange(5), torch.tensor([20, 25, -3, 100, 190])
    batch = windows.batch(rows, start, windows.lengths, n_steps=5, reader=model.reader)
    loss, observed, *_ = model.losses(batch._replace(takeover=takeover(model)), min_observed=8)
    assert not observed.all()
    ((loss * observed).sum() / observed.sum()).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name
            # nothing is told of these series
            if not any(part in name for part in ("initial", "s0", "from_real", "from_category")):
                assert parameter.grad is not None, name


@every_network
def test_loss_counts_only_scales_of_eight_values(case):
    model = build_model(case, (1, 6, 6))
    windows = as_windows(X, KNOWN)
    rows = torch.arange(5)
    batch = windows.batch(rows, rows * 0, windows.lengths, n_steps=12, reader=model.reader)
    _, observed, *_ = model.losses(batch, min_observed=8)
    assert not observed[0, :7].any()
    assert observed[0, 7:].all()
    assert not observed[2, :14].any()  # its first seven values are missing


@pytest.mark.parametrize("head", LOCATION_HEADS)
def test_the_own_width_and_that_of_residuals_are_averaged(head):
    case, levels = next(iter(CASES)), (0.1, 0.5, 0.9)
    model = build_model(case, (1, 6, 6), head=head)
    params = torch.randn(3, 6, model.head.n_params, dtype=torch.float64)
    typical = torch.tensor([1.0, 4.0, 0.0]).double()  # of a flat past the spread is none
    spread = torch.linalg.vector_norm(model.noise_factor, dim=1)
    own = model.head.icdf(params[:, None], normal_scores(levels)[:, None] * spread).movedim(1, -1)
    sizes = torch.arange(1.0, 7.0).double()
    model.residual_size.copy_(sizes)
    assert torch.equal(
        model.quantiles(params, levels, typical), own
    )  # by default that alone counts
    model.own_share.fill_(0.25)
    unit = torch.tensor([1.0, 4**0.75, 0.1**0.75]).double()[:, None, None]
    residual = own[..., 1:2] + unit * (spread * sizes)[:, None] * normal_scores(levels)
    found = model.quantiles(params, levels, typical)
    assert torch.allclose(found, 0.25 * own + 0.75 * residual)
    assert torch.allclose(found[..., 1], own[..., 1])


@pytest.mark.parametrize("sizes", [(1, 6, 6), (4, 12, 8)], ids=str)
@pytest.mark.parametrize("head", LOCATION_HEADS)
def test_paths_follow_the_heads_distribution(head, sizes):
    case = next(case for case in CASES if str(case) == "Recurrent-tanh-2-True")
    model = build_model(case, sizes, head=head)
    widths = torch.linspace(0.5, 2, model.reader.block, dtype=torch.float64)
    model.noise_factor.mul_(widths[:, None])
    model.residual_size.copy_(widths)
    model.own_share.fill_(0.6)
    live = history(model)
    known = KNOWN[:, 150:156]
    with torch.no_grad():
        drawn = paths(model, live, known, 4000, torch.Generator().manual_seed(0))
        reading = model.reader.newest(live.memory)
        params = model.read_out(live.features, known, reading, live.static)
        levels = (0.1, 0.5, 0.9)
        z = model.quantiles(params, levels, reading.typical_spread)
        expected = reading.scale.invert(z[:, None])[:, 0]
    assert drawn.shape == (5, 4000, 6)
    found = drawn.quantile(torch.tensor(levels, dtype=torch.float64), dim=1).permute(1, 2, 0)
    width = (expected[..., 2] - expected[..., 0])[..., None]
    assert ((found - expected) / width).abs().max() < 0.08


def test_steps_of_a_block_are_drawn_jointly():
    case = next(case for case in CASES if str(case) == "Recurrent-tanh-2-True")
    model = build_model(case, (1, 6, 6), head="normal")
    factor = model.noise_factor
    live = pick(history(model), slice(0, 1))
    with torch.no_grad():
        drawn = paths(model, live, KNOWN[:1, 150:156], 20_000, torch.Generator().manual_seed(0))
    correlation = torch.corrcoef(drawn[0].T)
    assert (correlation - factor @ factor.T).abs().max() < 0.03


@every_network
def test_paths_do_not_explode_far_beyond_the_block(case):
    model = build_model(case, (4, 12, 8), scale_window=24)
    live = history(model)
    far = KNOWN[:, :240]
    with torch.no_grad():
        drawn = paths(model, live, far, 50, torch.Generator().manual_seed(0))
    spread = X[:, :150].nan_to_num().std(1)
    assert torch.isfinite(drawn).all()
    # an untrained correction may drift; the held spread keeps it from multiplying
    late = drawn[:, :, -24:].std(1).mean(1)
    early = drawn[:, :, 12:36].std(1).mean(1)
    assert (late < 20 * early.clamp(min=1e-9) + 3 * spread).all()


def test_an_update_shares_the_states_it_does_not_touch():
    case = next(case for case in CASES if str(case) == "Recurrent-lstm-2-True")
    model = build_model(case, (4, 12, 8))
    live = history(model, phases=True)
    with torch.no_grad():
        _, after = stream.absorb(model, X[:, 150:151], live, KNOWN[:, 150:151])
    for old, new in zip(live.phases[1:], after.phases[:-1], strict=True):
        assert old is new


@pytest.mark.parametrize("together", [64, 10_000])
def test_series_are_read_some_at_a_time(together, monkeypatch):
    case = next(case for case in CASES if str(case) == "Recurrent-lstm-2-True")
    model = build_model(case, (4, 12, 8))
    monkeypatch.setattr(stream, "STEPS_AT_ONCE", together)
    whole = stream.encode_all(model, as_windows(X[:, :150], KNOWN[:, :150]), phases=True)
    for into, part in zip(leaves(whole), leaves(history(model, phases=True)), strict=True):
        torch.testing.assert_close(into, part, rtol=0, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("seen", [10, 10_000])
@pytest.mark.mission("M22")
def test_an_update_is_one_cell_call_whatever_the_history(seen):
    case = next(case for case in CASES if str(case) == "Recurrent-lstm-2-True")
    model = build_model(case, (4, 12, 8))
    windows = as_windows(
        torch.randn(1, seen, dtype=torch.float64), torch.zeros(1, seen, 2).double()
    )
    with torch.no_grad():
        live = stream.encode_phases(model, windows, torch.tensor([0]), torch.tensor([seen]))
    calls = [reads(layer) for layer in model.network.members[0].layers]
    with torch.no_grad():
        _, after = stream.absorb(model, torch.ones(1, 1, dtype=torch.float64), live)
    assert calls == [[(1, 1)]] * len(model.network.members[0].layers)
    assert [part.shape for part in after.memory] == [part.shape for part in live.memory]
    same(pick(after.phases, slice(0, 0)), pick(live.phases, slice(0, 0)))
