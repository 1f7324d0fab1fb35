"""The reader of fixed width: causal, blind to units, right about its windows."""

from __future__ import annotations

import pytest
import torch

from forecast.generated.series import draw_series
from forecast.pretrained.reader import INPUTS, TEMPLATES, look_back, marks, read, templates


@pytest.fixture
def drawn():
    d = draw_series(0, 24, 70)
    return tuple(torch.from_numpy(part) for part in d)


def everything(values, season, second):
    past = read(values, season, second)
    steps = torch.arange(values.shape[1])
    z, known = templates(past, steps, torch.tensor([1, 5]))
    *_, wrong = look_back(past, past.values.shape[1])
    return past, torch.cat(
        [marks(past, past.values.shape[1]), z.flatten(2), known.flatten(2), *wrong], -1
    )


def test_level_and_spread_are_those_of_the_last_values():
    y = torch.randn(1, 40).double() + 1e4
    y[0, 7:9] = torch.nan
    past = read(y, torch.tensor([5]), torch.tensor([0]))
    for t in range(12, 40):
        window = y[0, t - 9 : t + 1]
        window = window[~window.isnan()]
        assert past.level[0, t] == pytest.approx(window.mean().item(), rel=1e-10)
        assert past.spread[0, t] == pytest.approx(window.std(unbiased=False).item(), rel=1e-6)


def test_what_comes_later_changes_nothing_earlier(drawn):
    values, season, second = drawn
    _, shown = everything(values, season, second)
    _, cut = everything(values[:, :50], season, second)
    torch.testing.assert_close(shown[:, :50], cut)


def test_another_unit_is_read_alike(drawn):
    values, season, second = drawn
    values = values / values.abs().nan_to_num().amax(1, keepdim=True).clamp(min=1e-9)
    varied = torch.nan_to_num(values).std(1) > 0.05  # a constant has no unit but its value
    past, shown = everything(values, season, second)
    _, other = everything(3.5 * values + 4, season, second)
    settled = (past.spread > 1e-3) & (past.wide > 1e-3)
    settled &= (past.seen > 3) & varied[:, None].numpy()
    # ties may break by rounding: they are marks 5 to 7
    keep = [k for k in range(shown.shape[-1]) if k not in (5, 6, 7)]
    near = (shown - other)[..., keep].abs().amax(-1)[settled]
    assert (near < 1e-3).float().mean() > 0.97


def test_a_batch_is_read_as_its_rows(drawn):
    values, season, second = drawn
    _, shown = everything(values, season, second)
    for row in range(0, 24, 5):
        _, alone = everything(*(part[row : row + 1] for part in drawn))
        torch.testing.assert_close(shown[row : row + 1], alone)


def test_templates_point_at_the_right_steps():
    y = torch.arange(30).double()[None]
    past = read(y, torch.tensor([7]), torch.tensor([14]))
    z, known = templates(past, torch.tensor([27]), torch.tensor([1, 7, 8]))
    told = z[0, 0].double() * past.spread[0, 27] + past.level[0, 27]
    assert told[:, 0].tolist() == pytest.approx([27] * 3)
    assert told[:, 1].tolist() == pytest.approx([28, 34, 35], abs=1e-4)  # along the drift
    assert told[:, 4].tolist() == pytest.approx([21, 27, 21], abs=1e-4)  # a season ago
    assert told[:, 5].tolist() == pytest.approx([14, 20, 14], abs=1e-4)
    assert told[:, 12].tolist() == pytest.approx([14, 20, 21], abs=1e-4)  # two
    assert known[0, 0].all()


def test_what_grew_since_the_same_phase_grows_from_the_newest_level():
    cycle = torch.tensor([0.0, 3.0, 1.0, 5.0, 2.0, 0.0, 4.0]).repeat(6).double()
    y = cycle.clone()
    y[-8:] += 10  # a level shift that is younger than two seasons
    past = read(y[None, :-7], torch.tensor([7]), torch.tensor([14]))
    z, known = templates(past, torch.tensor([34]), torch.arange(1, 7))
    told = z[0, 0].double() * past.spread[0, 34] + past.level[0, 34]
    torch.testing.assert_close(told[:, 15], y[-7:-1], atol=1e-4, rtol=0)
    torch.testing.assert_close(told[:, 17], y[-7:-1], atol=1e-4, rtol=0)
    third = torch.full_like(y[-7:-1], 10 / 3)  # of three recent values, one has shifted
    torch.testing.assert_close(
        told[:, 16] - told[:, 14], cycle[:6] - cycle[4:7].mean(), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(told[:, 14], third + cycle[4:7].mean(), atol=1e-4, rtol=0)
    assert known[0, 0].all()


def test_mistakes_are_values_less_what_was_said_of_them():
    y = torch.randn(1, 60).double()
    past = read(y, torch.tensor([7]), torch.tensor([0]))
    *_, wrong = look_back(past, past.values.shape[1])
    spread = past.spread[0, -1]
    last, season = 0, 4  # templates: the last value, and that of a season ago
    assert wrong.newest[0, -1, last] * spread == pytest.approx(
        (y[0, -1] - y[0, -2]).item(), rel=1e-5
    )
    assert wrong.newest[0, -1, season] * spread == pytest.approx(
        (y[0, -1] - y[0, -8]).item(), rel=1e-5
    )
    change = (y[0, 7:] - y[0, :-7]).abs()[-14:].sum()  # two seasons
    far = (change / spread + 0.5) / 14.5
    assert wrong.far[0, -1, season] == pytest.approx(far.log().item(), rel=1e-5)


def test_a_template_that_is_right_is_known_to_be():
    y = torch.arange(80.0).remainder(5).double()[None]
    *_, wrong = look_back(read(y, torch.tensor([5]), torch.tensor([0])), y.shape[1])
    near, far = wrong.near[0, -1].exp(), wrong.far[0, -1].exp()
    assert far[4] < 0.06
    assert far[0] < 0.06  # five steps on the last value is right as well
    assert near[0] > 0.5
    assert near[4] < 0.06


def test_without_a_second_season_there_is_no_template_of_it(drawn):
    values, season, _ = drawn
    past = read(values, season, torch.zeros_like(season))
    _, known = templates(past, torch.tensor([60]), torch.tensor([1]))
    assert not known[..., [12, 13, 17, 18]].any()
    assert known[..., 0].all()


def test_the_width_is_fixed():
    for season in (1, 12, 366):
        y = torch.randn(2, 20)
        past, _ = everything(y, torch.full((2,), season), torch.zeros(2))
        z, _ = templates(past, torch.tensor([19]), torch.tensor([1]))
        assert marks(past, past.values.shape[1]).shape[-1] + 5 * z.shape[-1] == INPUTS
        assert z.shape[-1] == TEMPLATES
        assert z.isfinite().all()


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_constant_is_read_without_a_fault(value):
    _, shown = everything(torch.full((1, 30), value), torch.tensor([4]), torch.tensor([0]))
    assert shown.isfinite().all()


def test_in_a_long_gap_what_was_known_before_it_goes_on():
    y = torch.cat([torch.arange(10.0), 100 + torch.arange(30.0).sin()]).double()[None]
    gap = torch.full((1, 60), torch.nan)
    past = read(torch.cat([y, gap], 1), torch.tensor([4]), torch.tensor([0]))
    before = read(y, torch.tensor([4]), torch.tensor([0]))
    for name in ("level", "spread", "values"):
        newest, known = getattr(past, name)[0, -1], getattr(before, name)[0, -1]
        assert newest == pytest.approx(known.item(), abs=1.5)  # the last values, then the very last
