"""The network of symbols: embedding, softmax, cross-entropy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

from forecast.networks.recurrent import CELLS, Recurrent
from forecast.networks.symbols import SymbolNetwork


def network(m: int = 6, *, embedding_size: int = 3, cell: str = "lstm") -> SymbolNetwork:
    torch.manual_seed(0)
    return SymbolNetwork(m, embedding_size, Recurrent(embedding_size, 4, cell=cell))


class Logits(nn.Module):
    """Stands for the output layer: the features are the logits."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def softmax_alone(m: int = 6) -> SymbolNetwork:
    model = network(m)
    model.output = Logits()  # type: ignore[assignment]
    return model


@pytest.mark.mission("M39")
def test_an_embedding_is_one_hot_times_its_matrix() -> None:
    model, symbols = network(), torch.tensor([[5, 0, 2]])
    one_hot = nn.functional.one_hot(symbols, 6).float()
    torch.testing.assert_close(model.embedding(symbols), one_hot @ model.embedding.weight)
    # so the cell reads U onehot(w), where U has the columns of the embedding
    live = model.begin(symbols[:, 0])
    U = model.embedding.weight.T
    features, _ = model.network.advance(one_hot[:, 0] @ U.T, model.network.initial_state(1))
    torch.testing.assert_close(live.features, features)


@pytest.mark.mission("M40")
def test_softmax_is_stable_and_shift_invariant() -> None:
    model, rng = softmax_alone(), np.random.default_rng(0)
    logits = rng.normal(size=(50, 6)) * 10.0 ** rng.integers(0, 5, size=(50, 1))  # to 1e4
    found = model.log_probabilities(torch.tensor(logits)).numpy()
    np.testing.assert_allclose(found, log_softmax(logits, axis=-1), rtol=1e-12, atol=1e-12)
    extreme = torch.tensor([[1e4, -1e4, 0.0, 0.0, 0.0, 1e4]], dtype=torch.float64)
    assert model.log_probabilities(extreme).isfinite().all()
    torch.testing.assert_close(
        model.log_probabilities(extreme + 1e4), model.log_probabilities(extreme)
    )


@pytest.mark.mission("M40")
def test_cross_entropy_is_that_of_torch_with_the_gradient_of_softmax() -> None:
    model = softmax_alone()
    logits = torch.randn(7, 6, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 1, 5, -1, 2, -1, 3])  # two are padding
    losses, inside = model.losses(logits, targets), targets >= 0
    assert (losses[~inside] == 0).all()
    loss = losses.sum() / inside.sum()
    loss.backward()
    torch.testing.assert_close(loss, nn.functional.cross_entropy(logits[inside], targets[inside]))
    one_hot = nn.functional.one_hot(targets[inside], 6)
    expected = torch.zeros(7, 6, dtype=torch.float64)
    expected[inside] = (logits.detach().softmax(-1)[inside] - one_hot) / 5  # y_hat - y
    torch.testing.assert_close(logits.grad, expected)


def test_what_is_impossible_has_no_probability_and_no_gradient() -> None:
    model = softmax_alone()
    model.possible[1] = False
    logits = torch.randn(2, 6, requires_grad=True)
    chances = model.log_probabilities(logits).exp()
    assert (chances[:, 1] == 0).all()
    torch.testing.assert_close(chances.sum(-1), torch.ones(2))
    model.losses(logits, torch.tensor([0, 2])).sum().backward()
    assert logits.grad is not None and (logits.grad[:, 1] == 0).all()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_nothing(cell: str) -> None:
    model, symbols = network(cell=cell), torch.tensor([[3, 4, 5, 3], [4, 3, 0, 0]])
    lengths = torch.tensor([4, 2])
    features, _ = model.absorb(symbols, model.network.initial_state(2), lengths)
    for row, length in enumerate(lengths):
        alone, _ = model.absorb(symbols[row : row + 1, :length], model.network.initial_state(1))
        torch.testing.assert_close(features[row, :length], alone[0])


def test_an_unknown_symbol_reads_as_the_average_one() -> None:
    model = network()
    model.let_unknown_be_average(torch.tensor([0, 0, 0, 3, 1, 0]), 2)
    U = model.embedding.weight
    torch.testing.assert_close(U[2], 0.75 * U[3] + 0.25 * U[4])
