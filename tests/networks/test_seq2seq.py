"""Who writes after whom, and what a decoder looks at."""

from __future__ import annotations

import pytest
import torch

from forecast.networks.base import leaves
from forecast.networks.ensemble import Ensemble
from forecast.networks.seq2seq import AttentiveSeq2Seq, ContextSeq2Seq, Seq2Seq

FORMS = [
    {"context": context, "context_to": way}
    for context in ("last", "transformed", "all")
    for way in ("initial_state", "every_step")
]


def made(kind=AttentiveSeq2Seq, **options):
    torch.manual_seed(0)
    return kind(3, 5, **options).double().eval()


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def after(network, inputs, lengths=None):
    """Return the writer, and the features (B, D) and state from which it begins."""
    features, state = network.absorb(inputs, network.initial_state(len(inputs)), lengths)
    ends = torch.full((len(inputs),), inputs.shape[1]) if lengths is None else lengths
    return network.begin(features[torch.arange(len(inputs)), ends - 1], state)


def test_the_decoder_goes_on_from_the_encoders_last_state():
    network, u = made(Seq2Seq, num_layers=2), draw(4, 7, 3)
    features, state = network.absorb(u, network.initial_state(4))
    writer, first, begun = network.begin(features[:, -1], state)
    assert writer is network.decoder and torch.equal(first, features[:, -1]) and begun is state
    mine, its = network.encoder.state_dict(), network.decoder.state_dict()
    assert mine.keys() == its.keys()
    assert not any(torch.equal(mine[name], its[name]) for name in mine if name != "initial")


def test_an_ensemble_hands_over_to_the_ensemble_of_decoders():
    members = [made(), made(Seq2Seq, cell="gru")]
    ensemble, u, v = Ensemble(members), draw(4, 7, 3), draw(4, 2, 3)
    writer, first, state = after(ensemble, u)
    written, _ = writer.absorb(v, state)
    for k, member in enumerate(members):
        own, begun, state = after(member, u)
        mine = slice(5 * k, 5 * k + 5)
        torch.testing.assert_close(first[:, mine], begun)
        torch.testing.assert_close(written[..., mine], own.absorb(v, state)[0])


@pytest.mark.mission("M34")
def test_a_step_with_attention_is_what_its_equations_say():
    network, u, y = made(cell="tanh", attention_length=6), draw(1, 6, 3), draw(1, 1, 3)
    h, _ = network.encoder.absorb(u, network.encoder.initial_state(1))
    decoder, feature, state = after(network, u)
    W, w = decoder.query.weight, decoder.query.bias
    U, v, M, m = decoder.key.weight, decoder.score.weight[0], decoder.mix.weight, decoder.mix.bias

    def look(s):
        e = torch.stack([v @ torch.tanh(W @ s + w + U @ h_j) for h_j in h[0]])
        a = e.exp() / e.exp().sum()
        return sum(a_j * h_j for a_j, h_j in zip(a, h[0], strict=True))

    s = h[0, -1]
    c = look(s)
    torch.testing.assert_close(feature[0], torch.tanh(M @ torch.cat([s, c]) + m))
    cell = decoder.body.layers[0]
    x = torch.cat([y[0, 0], c])  # what was looked up before y was known
    s = torch.tanh(
        cell.weight_ih_l0 @ x + cell.bias_ih_l0 + cell.weight_hh_l0 @ s + cell.bias_hh_l0
    )
    feature, _ = decoder.advance(y[:, 0], state)
    torch.testing.assert_close(feature[0], torch.tanh(M @ torch.cat([s, look(s)]) + m))


@pytest.mark.mission("M34")
@pytest.mark.parametrize("seen", [1, 3, 9])
def test_attention_is_a_share_of_what_is_there(seen):
    network = made(attention_length=6)
    decoder, _, (_, context, a, h, _, mask) = after(network, draw(4, seen, 3))
    empty = 6 - min(seen, 6)
    assert (a >= 0).all() and (a[:, :empty] == 0).all()
    torch.testing.assert_close(a.sum(1), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(context, (a[..., None] * h).sum(1))
    assert mask.sum(1).eq(6 - empty).all()
    assert torch.equal(h[:, :empty], torch.zeros(4, empty, 5))


def test_empty_slots_change_nothing():
    small, large = made(attention_length=5), made(attention_length=50)
    u, v = draw(4, 3, 3), draw(4, 2, 3)
    for network in (small, large):
        network.decoder.key.weight.data.mul_(10)  # so that slots weigh unequally
    one, other = after(small, u), after(large, u)
    torch.testing.assert_close(one[1], other[1])
    torch.testing.assert_close(one[0].absorb(v, one[2])[0], other[0].absorb(v, other[2])[0])


def test_only_the_last_features_are_remembered_at_a_constant_size():
    network, u = made(attention_length=4), draw(2, 30, 3)
    features, (_, encoded, _) = network.absorb(u, network.initial_state(2))
    assert torch.equal(encoded, features[:, -4:])
    sizes = [
        sum(leaf.numel() for leaf in leaves(network.absorb(u[:, :T], network.initial_state(2))[1]))
        for T in (1, 30)
    ]
    assert sizes[0] == sizes[1]


@pytest.mark.mission("M33")
@pytest.mark.parametrize(
    ("kind", "options"),
    [(Seq2Seq, {}), (AttentiveSeq2Seq, {}), *((ContextSeq2Seq, form) for form in FORMS)],
)
def test_histories_and_futures_of_unequal_lengths_go_in_one_batch(kind, options):
    network, u, v = made(kind, **options), draw(2, 7, 3), draw(2, 20, 3)
    u[1, 3:] = 1e9
    writer, first, state = after(network, u, torch.tensor([7, 3]))
    together, _ = writer.absorb(v, state)
    for row, (past, future) in enumerate([(7, 3), (3, 20)]):
        alone, begun, state = after(network, u[row : row + 1, :past])
        single, _ = alone.absorb(v[row : row + 1, :future], state)
        torch.testing.assert_close(first[row : row + 1], begun)
        torch.testing.assert_close(together[row : row + 1, :future], single)


def without_recurrence(network):
    """Return a network of Elman cells whose states know nothing of the state before."""
    torch.nn.init.zeros_(network.layers[0].weight_hh_l0)
    return network


def slopes(outputs, by):
    """Return the largest derivative of each of the outputs (B, T, D), by any of the inputs."""
    return [
        max(
            gradient.abs().max().item()
            for gradient in torch.autograd.grad(
                outputs[:, t].sum(), by, retain_graph=True, allow_unused=True
            )
            if gradient is not None
        )
        for t in range(outputs.shape[1])
    ]


@pytest.mark.mission("M33")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))
def test_all_hidden_states_are_in_the_context_or_the_last_one_alone(form):
    network = made(ContextSeq2Seq, cell="tanh", **form)
    without_recurrence(network.encoder)
    u = draw(1, 6, 3).requires_grad_()
    _, first, _ = after(network, u)
    (gradient,) = torch.autograd.grad(first.sum(), u)
    felt = gradient[0].abs().sum(1) > 0
    assert felt.tolist() == [form["context"] == "all"] * 5 + [True]


@pytest.mark.mission("M33")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))
def test_a_context_is_told_once_or_at_every_step(form):
    network = made(ContextSeq2Seq, cell="tanh", **form)
    without_recurrence(network.decoder.body)
    u = draw(1, 6, 3).requires_grad_()
    writer, first, state = after(network, u)
    written = torch.cat([first[:, None], writer.absorb(draw(1, 4, 3), state)[0]], 1)
    told = [bool(slope > 0) for slope in slopes(written, [u])]
    assert told == [True] + [form["context_to"] == "every_step"] * 4


@pytest.mark.mission("M34")
def test_where_attention_looks_is_decided_before_the_input_is_known():
    network, u, y = made(attention_length=6), draw(2, 6, 3), draw(2, 3, 3)
    decoder, _, state = after(network, u)

    def looks(y):
        seen, now = [state[1]], state
        for step in y.unbind(1):
            _, now = decoder.advance(step, now)
            seen.append(now[1])
        return seen

    other = y.clone()
    other[:, 1] += 1
    for step, (one, changed) in enumerate(zip(looks(y), looks(other), strict=True)):
        assert torch.equal(one, changed) == (step < 2)  # c_2 is made before y_2 is read
