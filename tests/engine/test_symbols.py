"""Pieces of sequences, training on them, reading them on."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from forecast.data.vocabulary import MISSING, START, UNKNOWN
from forecast.engine import symbols
from forecast.engine.symbols import Pieces, TrainableSymbols
from forecast.engine.training import Settings
from forecast.networks.recurrent import Recurrent
from forecast.networks.symbols import SymbolNetwork


def network() -> SymbolNetwork:
    torch.manual_seed(0)
    return SymbolNetwork(50, 3, Recurrent(3, 4, cell="gru")).eval()


def test_every_symbol_is_as_often_a_target_as_any_other() -> None:
    sequences = [np.arange(3, 5), np.arange(5, 8), np.arange(8, 38)]
    batches = Pieces(sequences, 5).batches(16, torch.Generator().manual_seed(0))
    seen: Counter[int] = Counter()
    for batch in islice(batches, 600):
        seen.update(batch.targets[batch.targets != MISSING].tolist())
    shares = np.array([seen[symbol] for symbol in range(3, 38)]) / sum(seen.values())
    assert sum(seen.values()) > 600 * 16
    np.testing.assert_allclose(shares, 1 / 35, rtol=0.2)


def test_a_piece_is_part_of_a_sequence_and_its_targets_come_next() -> None:
    one = np.arange(3, 40)
    for batch in islice(Pieces([one], 6).batches(8, torch.Generator().manual_seed(1)), 20):
        for inputs, targets, length in zip(*batch, strict=True):
            assert length <= 6 and (targets[length:] == MISSING).all()
            for read, next_one in zip(inputs[:length], targets[:length], strict=True):
                assert next_one == read + 1 or (read == START and next_one == 3)


def test_a_missing_symbol_reads_as_unknown_and_is_no_target() -> None:
    pieces = Pieces([np.array([3, MISSING, 4])], 9)
    batch = next(pieces.batches(1, torch.Generator().manual_seed(0)))
    assert batch.inputs.tolist() == [[START, 3, UNKNOWN]]
    assert batch.targets.tolist() == [[3, MISSING, 4]]


@pytest.mark.parametrize("at_once", [4_000_000, 400])
def test_reading_in_parts_equals_reading_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbols, "_AT_ONCE", at_once)
    model, rng = network(), np.random.default_rng(0)
    sequences = [rng.integers(2, 50, size=length) for length in (9, 0, 4, 1)]
    whole, end = symbols.read(model, sequences, symbols.begin(model, 4))
    assert [len(part) for part in whole] == [9, 0, 4, 1]
    live, found = symbols.begin(model, 4), [[], [], [], []]
    for t in range(9):
        step = [one[t : t + 1] for one in sequences]
        parts, live = symbols.read(model, step, live)
        for row, part in zip(found, parts, strict=True):
            row.extend(part)
    for left, right in zip(whole, found, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5)
    torch.testing.assert_close(live.features, end.features)
    # a batch equals its rows
    alone, _ = symbols.read(model, sequences[2:3], symbols.begin(model, 1))
    np.testing.assert_allclose(whole[2], alone[0], rtol=1e-5)


def test_a_missing_symbol_has_no_log_probability() -> None:
    model = network()
    found, _ = symbols.read(model, [np.array([3, MISSING, 4])], symbols.begin(model, 1))
    assert np.isnan(found[0]).tolist() == [False, True, False]


def test_padding_and_missing_symbols_have_no_loss_and_parts_are_rows() -> None:
    sequences = [np.array([3, MISSING, 4]), np.arange(3, 12), np.array([5])]
    batch = Pieces(sequences, 9).cut(torch.arange(3), torch.Generator())
    trained = TrainableSymbols(network().double())
    losses, counts, _ = trained.losses(batch)
    assert counts.sum() == 2 + 9 + 1 and (losses[~counts] == 0).all()
    for row, part in enumerate(batch.split(9)):
        width = len(sequences[row])
        torch.testing.assert_close(trained.losses(part)[0][0], losses[row, :width])


def test_updates_that_diverge_are_told() -> None:
    batches = Pieces([np.arange(3, 20)], 9).batches(4, torch.Generator().manual_seed(0))
    settings = Settings(
        learning_rate=1e38, max_epochs=2, n_iter_no_change=1, weight_decay=0.0, clip_norm=None,
        clip_value=None, min_observed=0,
    )  # fmt: skip
    epochs = symbols.train(network(), batches, [], settings)
    with pytest.raises(FloatingPointError, match="Lower `learning_rate`"):
        list(epochs)
