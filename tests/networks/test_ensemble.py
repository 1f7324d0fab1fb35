"""Networks side by side: every member is what it would be alone."""

from __future__ import annotations

import pytest
import torch

from forecast.networks.ensemble import Ensemble, EnsembleReadout
from forecast.networks.readout import Readout
from forecast.networks.recurrent import Recurrent
from forecast.networks.window import MLP
from forecast.teaching.convolution import Convolution
from forecast.teaching.textbook import Elman, Stacked
from tests.checks import tensors

KINDS = {
    "lstm": lambda: Recurrent(3, 5, num_layers=2, residual=True),
    "gru": lambda: Recurrent(3, 5, cell="gru"),
    "window": lambda: MLP(3, 5, num_layers=2),
    "convolution": lambda: Convolution(3, 5),
    "states in states": lambda: Stacked(3, 5, cell=Elman),
}
INPUTS = torch.randn(4, 11, 3, generator=torch.Generator().manual_seed(0))


def equal(left, right):
    pairs = zip(tensors(left), tensors(right), strict=True)
    return all(torch.equal(mine, its) for mine, its in pairs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [None, torch.tensor([11, 3, 7, 1])], ids=["whole", "ragged"])
def test_every_member_reads_as_if_alone(kind, lengths):
    members = [KINDS[kind]() for _ in range(3)]
    ensemble = Ensemble(members)
    features, states = ensemble.absorb(INPUTS, ensemble.initial_state(4), lengths)
    assert (features.shape, len(states)) == ((4, 11, 15), 3)
    assert (ensemble.width, ensemble.reach) == (15, members[0].reach)
    for member, part, state in zip(members, features.chunk(3, -1), states, strict=True):
        alone, end = member.absorb(INPUTS, member.initial_state(4), lengths)
        assert equal((part, state), (alone, end))
    first, *others = features.chunk(3, -1)
    assert all((first - other).abs().max() > 1e-3 for other in others)  # each its own start


@pytest.mark.parametrize("kind", KINDS)
def test_every_member_goes_on_from_its_own_state(kind):
    members = [KINDS[kind]() for _ in range(3)]
    ensemble = Ensemble(members)
    _, states = ensemble.absorb(INPUTS[:, :7], ensemble.initial_state(4))
    features, after = ensemble.advance(INPUTS[:, 7], states)
    for k, member in enumerate(members):
        alone, end = member.advance(INPUTS[:, 7], states[k])
        assert equal((features.chunk(3, -1)[k], after[k]), (alone, end))


def test_every_member_is_read_out_by_its_own_readout():
    members = [Readout(5, 6, 2, 3, 9, plan_size=1, static_size=1) for _ in range(3)]
    for weights in (one for member in members for one in member.parameters()):
        torch.nn.init.normal_(weights)  # some start at zero, all alike
    features, known, templates = torch.randn(4, 15), torch.randn(4, 6, 2), torch.randn(4, 6, 3)
    beside = known, templates, torch.rand(4), torch.randn(4, 1)
    raw = EnsembleReadout(members)(features, *beside)
    assert raw.shape == (4, 3, 6, 9)
    for k, (member, part) in enumerate(zip(members, features.chunk(3, -1), strict=True)):
        torch.testing.assert_close(raw[:, k], member(part, *beside))
    assert (raw[:, 0] - raw[:, 1]).abs().max() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_is_for_training_alone(kind):
    members = [KINDS[kind]() for _ in range(2)]
    exact, reduced = Ensemble(members), Ensemble(members, "bfloat16")
    state = exact.initial_state(4)
    whole = exact.absorb(INPUTS, state)
    rounded = reduced.absorb(INPUTS, state)
    assert not equal(whole, rounded)
    for mine, its in zip(tensors(whole), tensors(rounded), strict=True):
        assert mine.dtype == its.dtype
        torch.testing.assert_close(mine, its, atol=0.05, rtol=0.05)
    rounded[0].sum().backward()
    learned = [weights for weights in members[0].parameters() if weights.requires_grad]
    assert all(weights.grad.dtype == weights.dtype for weights in learned)
    assert equal(whole, reduced.eval().absorb(INPUTS, state))
