"""One pass tells what many tell: past forecasts are those made at the time, weighed as by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.pretrained.calibration import normal_scores
from forecast.pretrained.network import LEVELS
from forecast.pretrained.sweep import (
    FEWEST,
    LIKE_PANEL,
    NEWEST,
    ORIGINS,
    TRUST,
    View,
    absorb,
    begin,
    believed,
    blend,
    judged,
    mix,
    next_quantiles,
    panel_share,
    past_origins,
    pooled,
    quantiles,
    spaced,
    steps_ago,
    sweep,
    what_came,
)
from forecast.pretrained.weights import load_network

VIEWS = (View(12), View(1), View(4, 12))


@pytest.fixture(scope="module")
def network():
    return load_network().double()


@pytest.fixture(scope="module")
def histories():
    """Return three seasonal walks (3, 90), one with a gap, one that begins late."""
    rng, t = np.random.default_rng(0), np.arange(90)
    y = rng.normal(size=(3, 90)).cumsum(1) + 5 * np.sin(2 * np.pi * t / 12)
    y[1, 40:44] = np.nan
    y[2, :50] = np.nan
    return torch.from_numpy(y)


def anywhere(n):
    return torch.full((n,), -torch.inf)


@pytest.fixture(scope="module")
def found(network, histories):
    with torch.inference_mode():
        return sweep(network, histories, VIEWS, 6, anywhere(3))


def slow_tables(network, histories, origins, horizon):
    """Forecast anew from every origin, as if nothing later were there: (V, B, K, h, Q)."""
    tables = []
    for view in VIEWS:
        rows = []
        for origin in origins:
            y, one = histories[:, : origin + 1], torch.ones(len(histories), dtype=torch.long)
            rows.append(network.quantiles(y, view.season * one, view.second * one, horizon))
        tables.append(torch.stack(rows, 1))
    return torch.stack(tables)


def pinball(table, value):
    """Return the mean pinball loss of one forecast (Q,), by its definition."""
    pairs = zip(table.tolist(), LEVELS, strict=True)
    return np.mean([max(q * (value - y), (q - 1) * (value - y)) for y, q in pairs])


def test_one_sweep_equals_forecasts_made_at_the_time(network, histories, found):
    origins = past_origins(90, 24)
    with torch.inference_mode():
        tables = slow_tables(network, histories, origins.tolist(), 6)
    for b in range(3):
        y = histories[b].numpy()
        first = int(np.flatnonzero(~np.isnan(y))[0])
        losses, kept = np.zeros(3), []
        for k, origin in enumerate(origins.tolist()):
            before = np.isfinite(y[: origin + 1]).sum()
            counts = before >= max(np.isfinite(y).sum() / 2, FEWEST) and origin >= first
            for j in range(6):
                at = origin + 1 + j
                if counts and at < 90 and np.isfinite(y[at]):
                    losses += [pinball(tables[v, b, k, j], y[at]) for v in range(3)]
                    kept.append((k, j))
        weights = np.exp(-TRUST * (losses / losses.min() - 1))
        weights /= weights.sum()
        np.testing.assert_allclose(found.weights[b], weights, rtol=1e-3)
        known = torch.isfinite(found.scores[b])
        assert [tuple(pair) for pair in known.nonzero().tolist()] == kept
        mixed = sum(w * table for w, table in zip(weights, tables[:, b].numpy(), strict=True))
        for k, j in kept[::5]:
            score = normal_scores(mixed[k, j], y[origins[k] + 1 + j])
            assert found.scores[b, k, j].item() == pytest.approx(float(score), abs=1e-3)


def test_past_origins_are_asked_for_little_that_has_not_come(network, histories, monkeypatch):
    pairs, forecast = [], network.forecast

    def counted(reading, origins, steps):
        pairs.append(len(origins) * len(steps))
        assert origins[0] + steps[-1] < 90
        return forecast(reading, origins, steps)

    monkeypatch.setattr(network, "forecast", counted)
    with torch.inference_mode():
        sweep(network, histories, VIEWS[:1], 24, anywhere(3))
    came = int((past_origins(90, 24)[:, None] + torch.from_numpy(judged(24)) < 90).sum())
    assert came <= sum(pairs) < 1.25 * came


def test_a_sweep_ends_where_reading_ends(network, histories, found):
    with torch.inference_mode():
        for place, view in enumerate(VIEWS):
            alone = begin(network, histories, (view,)).features[:, 0]
            torch.testing.assert_close(found.live.features[:, place], alone)


def test_of_each_history_as_much_is_absorbed_as_is_said(network, histories):
    newest = torch.tensor([30, 60, 90])
    with torch.inference_mode():
        together = begin(network, histories, VIEWS, newest).features
        for b in range(3):
            alone = begin(network, histories[b : b + 1], VIEWS, newest[b : b + 1]).features
            torch.testing.assert_close(together[b], alone[0])


@pytest.mark.parametrize("first", [0.0, 0.3])
def test_one_value_more_is_absorbed_as_if_it_had_been_there(network, histories, first):
    y = histories.clone()
    y[0, 0] = first  # zero has no size of its own
    with torch.inference_mode():
        live = begin(network, y[:, :-1], VIEWS)
        after, whole = absorb(network, y, VIEWS, live), begin(network, y, VIEWS)
    torch.testing.assert_close(after.features, whole.features)
    torch.testing.assert_close(after.outlook, whole.outlook)
    torch.testing.assert_close(after.unit, whole.unit)


def test_the_next_step_is_forecast_without_looking_at_the_past(network, histories):
    y = torch.cat([histories, torch.full((1, 90), 7.0)])  # and what never moves
    with torch.inference_mode():
        live = begin(network, y, VIEWS)
        alone, first = next_quantiles(network, VIEWS, live), quantiles(network, y, VIEWS, live, 3)
    torch.testing.assert_close(alone, first[:, :, :1])


def test_the_season_that_is_there_is_believed(network):
    t = np.arange(120)
    shape = np.random.default_rng(1).normal(size=12)
    noise = 0.1 * np.random.default_rng(2).normal(size=120)
    y = torch.from_numpy(shape[t % 12] + noise)[None]
    with torch.inference_mode():
        weights = sweep(network, y, (View(1), View(7), View(12)), 12, anywhere(1)).weights[0]
    assert weights[2] > 0.8


def test_a_view_is_not_heard_before_its_season_was_seen_twice():
    values = torch.zeros(2, 30)
    values[1, :10] = torch.nan  # 20 values
    truth = torch.ones(2, 1, 1)
    tables = [torch.full((2, 1, 1, 15), 5.0), torch.ones(2, 1, 1, 15), torch.ones(2, 1, 1, 15)]
    weights = believed(tables, truth, values, (View(1), View(12), View(4, 15)))
    assert weights[0, 1] == weights[0, 2] == pytest.approx(0.5, abs=1e-4)
    assert weights[1].tolist() == [1, 0, 0]


def test_without_evidence_the_first_view_and_its_equals_are_heard():
    values, unknown = torch.zeros(1, 30), torch.full((1, 1, 1), torch.nan)
    tables = [torch.zeros(1, 1, 1, 15)] * 2
    assert believed(tables, unknown, values, (View(1), View(7))).tolist() == [[0.5, 0.5]]
    assert believed(tables, unknown, values[:, :3], (View(12), View(7))).tolist() == [[1, 0]]


def test_perfect_views_share(found):
    tables = [torch.ones(1, 2, 3, 15)] * 2
    weights = believed(tables, torch.ones(1, 2, 3), torch.zeros(1, 30), (View(1), View(7)))
    assert weights.tolist() == [[0.5, 0.5]]
    assert torch.allclose(found.weights.sum(1), torch.ones(3).double())


def test_the_mean_of_quantile_functions_is_taken_series_by_series():
    low, high = torch.zeros(2, 3, 15), torch.ones(2, 3, 15)
    mixed = mix(torch.tensor([[0.25, 0.75], [1.0, 0.0]]), [low, high])
    assert mixed[0].unique().tolist() == [0.75] and mixed[1].unique().tolist() == [0]


def test_what_came_is_neither_unknown_nor_from_too_little():
    y = torch.arange(20.0)[None]
    y[0, 15] = torch.nan
    came = what_came(y, torch.tensor([7, 9, 12, 18]), torch.tensor([1, 3]))[0]
    assert came[0].isnan().all()  # fewer than half of the values lie before it
    assert came[1].tolist() == [10, 12]
    assert came[2, 0] == 13 and came[2, 1].isnan()  # a gap
    assert came[3, 0] == 19 and came[3, 1].isnan()  # not there yet


@pytest.mark.parametrize(("length", "back"), [(200, 24), (200, 60), (10, 24), (1, 24)])
def test_past_origins_rise_and_leave_a_step_to_judge(length, back):
    origins = past_origins(length, back)
    assert len(origins) == min(ORIGINS, back)
    assert (origins.diff() >= 0).all() and origins.min() >= 0
    assert origins.max() == max(length - 2, 0)
    assert origins.min() == max(length - 1 - back, 0)


@pytest.mark.parametrize("last", [1, 5, 16, 17, 300])
def test_steps_that_are_judged_reach_from_the_first_to_the_last(last):
    steps = judged(last)
    assert steps[0] == 1 and steps[-1] == last and (np.diff(steps) > 0).all()
    assert spaced(last, 4)[-1] == last


def test_what_a_panel_had_of_late_is_seen_at_every_origin_and_no_later():
    values = np.arange(120.0).reshape(3, 40)
    values[1, 5] = np.nan
    found = pooled(values, steps_ago(24))
    for row, ago in zip(found, steps_ago(24), strict=True):
        late = values[:, 40 - ago - NEWEST : 40 - ago]
        np.testing.assert_allclose(row, np.nanquantile(late, LEVELS))
    assert pooled(values[:, :20], (30,))[0, 7] == np.nanmedian(values[:, :20])  # nothing was there


def test_a_panel_is_believed_as_it_did_for_the_series_and_for_all():
    truth = torch.zeros(3, 8, 1)
    truth[2] = torch.nan  # nothing is known of it
    found = panel_share(torch.tensor([0.2, -0.2, torch.nan]), truth, usual=0.1)
    own = 8 / (8 + LIKE_PANEL)
    shrunken = np.array([0.2 * own + 0.1 * (1 - own), -0.2 * own + 0.1 * (1 - own), 0.1])
    np.testing.assert_allclose(found, 1 / (1 + np.exp(TRUST * shrunken)), rtol=1e-5)


def test_scores_are_those_of_what_is_forecast_with_the_panel(network, histories):
    pool = np.tile(np.linspace(-3, 3, 15), (ORIGINS, 1))
    options = (network, histories, VIEWS, 6, anywhere(3))
    with torch.inference_mode():
        alone, both = sweep(*options), sweep(*options, pool=pool, usual=-0.1)
        tables = torch.from_numpy(slow_tables(network, histories, past_origins(90, 24), 6).numpy())
    torch.testing.assert_close(alone.weights, both.weights)
    assert (alone.share == 0).all() and ((both.share > 0) & (both.share < 1)).all()
    said = torch.from_numpy(pool)[:, None].expand(3, -1, 6, -1)
    table = blend(both.share, said, mix(both.weights, tables.unbind(0)))[0, -1, 0].numpy()
    truth = what_came(histories, past_origins(90, 24), torch.arange(1, 7))[0, -1, 0].numpy()
    assert both.scores[0, -1, 0].item() == pytest.approx(normal_scores(table, truth), abs=1e-3)
