"""Backpropagation through time by hand: against autograd, differences, and the printed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from forecast.teaching.bptt import Weights, gradient, loss_and_errors, printed_gradient, states
from forecast.teaching.textbook import Elman, Output

M, N, Q = 3, 5, 4
both_losses = pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
every_length = pytest.mark.parametrize("T", [1, 3, 20])


def problem(T: int, loss: str = "squared", seed: int = 0) -> tuple[Weights, np.ndarray, np.ndarray]:
    """Return random weights, inputs (T, m) and targets (T, q)."""
    rng = np.random.default_rng(seed)
    shapes = [(N, M), (N, N), (N,), (Q, N), (Q,)]
    weights = Weights(*(rng.normal(scale=0.6, size=shape) for shape in shapes))
    y = rng.normal(size=(T, Q)) if loss == "squared" else np.eye(Q)[rng.integers(Q, size=T)]
    return weights, rng.normal(size=(T, M)), y


def total_loss(outputs: torch.Tensor, y: torch.Tensor, loss: str) -> torch.Tensor:
    if loss == "squared":
        return (outputs - y).square().sum() / 2
    return cross_entropy(outputs, y, reduction="sum")


def by_autograd(
    weights: Weights, x: np.ndarray, y: np.ndarray, loss: str, cut: int | None = None
) -> tuple[float, Weights, np.ndarray]:
    """Return loss and gradients of the textbook cell, the state detached at every `cut` steps."""
    network, output = Elman(M, N).double(), Output(N, Q).double()
    parameters = [network.U, network.W, network.b, output.V, output.b]
    with torch.no_grad():
        for parameter, value in zip(parameters, weights, strict=True):
            parameter.copy_(torch.from_numpy(value))
    inputs, state = torch.tensor(x[None], requires_grad=True), network.initial_state(1)
    features = []
    for piece in inputs.split(cut or len(x), 1):
        read, state = network.absorb(piece, state.detach())
        features.append(read)
    outputs = output(torch.cat(features, 1))[0]
    seen = torch.from_numpy(~np.isnan(y[:, 0]))
    value = total_loss(outputs[seen], torch.from_numpy(y)[seen], loss)
    *grads, at_inputs = torch.autograd.grad(value, [*parameters, inputs])
    return value.item(), Weights(*(g.numpy() for g in grads)), at_inputs[0].numpy()


def close(left: Weights, right: Weights, tolerance: float) -> None:
    for name, ours, theirs in zip(Weights._fields, left, right, strict=True):
        assert np.abs(ours - theirs).max() <= tolerance, name


def relative(wrong: np.ndarray, right: np.ndarray) -> float:
    return float(np.linalg.norm(wrong - right) / np.linalg.norm(right))


@both_losses
@every_length
@pytest.mark.mission("M11")
def test_bptt_equals_autograd(T, loss):
    weights, x, y = problem(T, loss)
    value, expected, at_inputs = by_autograd(weights, x, y, loss)
    ours, ours_at_inputs = gradient(weights, x, y, loss=loss)
    close(ours, expected, 1e-12)
    assert np.abs(ours_at_inputs - at_inputs).max() <= 1e-12
    outputs = states(weights, x)[1:] @ weights.V.T + weights.c
    assert loss_and_errors(outputs, y, loss)[0] == pytest.approx(value, abs=1e-12)


@both_losses
@every_length
@pytest.mark.mission("M11")
def test_bptt_equals_central_differences(T, loss):
    weights, x, y = problem(T, loss)

    def value(changed: Weights) -> float:
        outputs = states(changed, x)[1:] @ changed.V.T + changed.c
        return loss_and_errors(outputs, y, loss)[0]

    step = 1e-5
    for name, part, ours in zip(
        Weights._fields, weights, gradient(weights, x, y, loss=loss)[0], strict=True
    ):
        for place in np.ndindex(part.shape):
            bump = np.zeros_like(part)
            bump[place] = step
            up, down = (value(weights._replace(**{name: part + d})) for d in (bump, -bump))
            assert (up - down) / (2 * step) == pytest.approx(ours[place], abs=1e-6)


@pytest.mark.mission("M11")
def test_gradient_of_three_steps_equals_the_sum_spelled_out():
    (U, W, b, V, c), x, y = weights, x, y = problem(3)
    s1 = np.tanh(U @ x[0] + b)  # s_0 = 0
    s2 = np.tanh(U @ x[1] + W @ s1 + b)
    s3 = np.tanh(U @ x[2] + W @ s2 + b)
    e1, e2, e3 = (V @ s + c - target for s, target in zip((s1, s2, s3), y, strict=True))
    d3 = (V.T @ e3) * (1 - s3**2)
    d2 = (V.T @ e2 + W.T @ d3) * (1 - s2**2)
    d1 = (V.T @ e1 + W.T @ d2) * (1 - s1**2)
    ours, _ = gradient(weights, x, y)
    assert np.allclose(ours.W, np.outer(d3, s2) + np.outer(d2, s1), atol=1e-13)  # + d1 s_0' = 0
    assert np.allclose(ours.U, np.outer(d3, x[2]) + np.outer(d2, x[1]) + np.outer(d1, x[0]))
    assert np.allclose(ours.b, d1 + d2 + d3, atol=1e-13)


@pytest.mark.mission("M11")
def test_the_printed_formula_of_the_gradient_is_wrong():
    untied, tied = [], []
    for seed in range(20):
        weights, x, y = problem(3, seed=seed)
        untied.append(relative(printed_gradient(weights, x, y), gradient(weights, x, y)[0].W))
        same = weights._replace(U=weights.W)  # one matrix for inputs and states
        x = np.random.default_rng(seed).normal(size=(3, N))
        right, _ = gradient(same, x, y)
        tied.append(relative(printed_gradient(same, x, y), right.U + right.W))
    assert min(untied) > 0.1 and min(tied) > 0.1


@pytest.mark.mission("M12")
def test_gradients_of_all_steps_are_added():
    T = 6
    weights, x, y = problem(T)
    copies = [[torch.tensor(part, requires_grad=True) for part in weights] for _ in range(T)]
    s, value = torch.zeros(N, dtype=torch.float64), 0.0
    for (U, W, b, V, c), x_t, y_t in zip(copies, torch.tensor(x), torch.tensor(y), strict=True):
        s = torch.tanh(U @ x_t + W @ s + b)
        value = value + (V @ s + c - y_t).square().sum() / 2
    value.backward()
    added = Weights(
        *(sum(part.grad for part in parts).numpy() for parts in zip(*copies, strict=True))
    )
    close(gradient(weights, x, y)[0], added, 1e-12)


@pytest.mark.parametrize("cut", [1, 4, 7, 20])
@pytest.mark.mission("M18")
def test_truncation_cuts_the_gradient_and_not_the_state(cut):
    weights, x, y = problem(20)
    _, expected, at_inputs = by_autograd(weights, x, y, "squared", cut)
    ours, ours_at_inputs = gradient(weights, x, y, truncation=cut)
    close(ours, expected, 1e-12)
    assert np.abs(ours_at_inputs - at_inputs).max() <= 1e-12


@pytest.mark.mission("M18")
def test_nothing_is_learned_from_before_the_truncation():
    weights, x, y = problem(20)
    y[:-1] = np.nan  # a loss on the last step alone
    for cut in (1, 5, 10, 20):
        _, at_inputs = gradient(weights, x, y, truncation=cut)
        felt = np.abs(at_inputs).max(1) > 0
        assert felt.tolist() == [False] * (20 - cut) + [True] * cut  # exactly zero before
    assert np.array_equal(at_inputs, gradient(weights, x, y)[1])


def test_large_outputs_do_not_overflow():
    value, errors = loss_and_errors(np.array([[1e4, 0.0]]), np.array([[0.0, 1.0]]), "cross_entropy")
    assert value == 1e4 and np.allclose(errors, [[1, -1]])
