"""The forecaster in which one network reads the past and another writes the future."""

from __future__ import annotations

from typing import Unpack

from forecast._checks import boolean, one_of
from forecast.forecasters.neural.base import NeuralForecaster
from forecast.forecasters.neural.parameters import Trained
from forecast.forecasters.neural.recipe import seq2seq_recipe
from forecast.networks.base import Network
from forecast.networks.recurrent import CELLS
from forecast.networks.seq2seq import AttentiveSeq2Seq, Seq2Seq


class Seq2SeqForecaster(NeuralForecaster):
    """Forecast with an encoder that reads the past and a decoder that writes the future.

    The decoder goes on from the encoder's last state and reads what it has written, block by
    block (Sutskever, Vinyals and Le, 2014). While it learns it reads the truth instead (teacher
    forcing), from a random origin on in every batch; up to there the encoder learns to forecast by
    itself. See `forecast.networks.seq2seq` for the equations.

    Parameters
    ----------
    cell : str
        The recurrence of both: a name of `forecast.networks.recurrent.CELLS`.
    attention : bool
        Let each step of the decoder look back at the encoder's newest features, as many as a
        training window has steps, instead of the last state alone (Bahdanau, Cho and Bengio, 2015).
        About six times slower: the decoder runs step by step.
    **parameters
        Those of `NeuralParameters`.
    """

    _recipe = staticmethod(seq2seq_recipe)

    def __init__(
        self, *, cell: str = "lstm", attention: bool = False, **parameters: Unpack[Trained]
    ) -> None:
        super().__init__(**parameters)
        self.cell = cell
        self.attention = attention

    def _check_parameters(self) -> None:
        super()._check_parameters()
        one_of("cell", self.cell, tuple(CELLS))
        boolean("attention", self.attention)

    def _network(self, input_size: int) -> Network:
        sizes = self.recipe_
        options = {
            "cell": self.cell,
            "num_layers": sizes.num_layers,
            "dropout": self.dropout,
            "residual": self.residual,
        }
        if self.attention:
            return AttentiveSeq2Seq(
                input_size, sizes.hidden_size, attention_length=sizes.n_steps, **options
            )
        return Seq2Seq(input_size, sizes.hidden_size, **options)
