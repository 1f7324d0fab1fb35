"""The forecaster in which one network reads the past and another writes the future."""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack

from forecast._checks import boolean, one_of
from forecast.data.panel import Panel
from forecast.forecasters.neural.cold_start import ColdStartForecaster, Told
from forecast.forecasters.neural.recipe import Recipe, in_two_halves, seq2seq_recipe
from forecast.networks.base import Network
from forecast.networks.conditioned import WAYS, Conditioned, Described
from forecast.networks.recurrent import CELLS
from forecast.networks.seq2seq import CONTEXTS, AttentiveSeq2Seq, ContextSeq2Seq, Seq2Seq


class Seq2SeqForecaster(ColdStartForecaster):
    """Forecast with an encoder that reads the past and a decoder that writes the future.

    The decoder goes on from the encoder's last state and reads what it has written, block by
    block (Sutskever, Vinyals and Le, 2014). While it learns it reads the truth instead (teacher
    forcing), from a random origin on in every batch; up to there the encoder learns to forecast by
    itself. See `forecast.networks.seq2seq` for the equations.

    Parameters
    ----------
    cell : str
        The recurrence of both: a name of `forecast.networks.recurrent.CELLS`.
    context : {"last", "transformed", "all"}
        What the encoder hands over: its last state, a transformation of its last hidden state, or
        one of its newest hidden states together, as many as a training window has steps.
    context_to : {"initial_state", "every_step"}
        Where the context goes: it makes the decoder's initial state, or is an input of each of its
        steps (Cho et al., 2014).
    attention : bool
        Let each step of the decoder look back at the encoder's newest features, as many as a
        training window has steps, instead of one context (Bahdanau, Cho and Bengio, 2015), so
        `context` and `context_to` keep their defaults. About six times slower: the decoder runs
        step by step. `forecast.inspection.diagnostics.attention` tells where it looks.
    **parameters
        Those of `ColdStartForecaster`. Static features that go to the network start the encoder, or
        are an input of each step of the encoder and, unless there is one context, of the decoder.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> wave = pd.Series(np.sin(np.arange(200)))  # 2 pi is no whole number of steps
    >>> small = {"n_estimators": 1, "hidden_size": 8, "max_epochs": 2, "learning_rate": 0.01}
    >>> model = Seq2SeqForecaster(cell="gru", horizon=5, random_state=0, **small).fit(wave[:195])
    >>> float((model.predict() - wave[195:]).abs().mean()) < 0.1
    True
    """

    _recipe = staticmethod(seq2seq_recipe)

    def __init__(
        self,
        *,
        cell: str = "lstm",
        context: str = "last",
        context_to: str = "initial_state",
        attention: bool = False,
        **parameters: Unpack[Told],
    ) -> None:
        super().__init__(**parameters)
        self.cell = cell
        self.context = context
        self.context_to = context_to
        self.attention = attention

    def _check_parameters(self) -> None:
        super()._check_parameters()
        one_of("cell", self.cell, tuple(CELLS))
        one_of("context", self.context, tuple(CONTEXTS))
        one_of("context_to", self.context_to, WAYS)
        if boolean("attention", self.attention) and not self._hands_over_its_state:
            raise ValueError(
                "`attention` takes the place of one context: leave `context` and `context_to` at "
                f"their defaults, got context={self.context!r}, context_to={self.context_to!r}."
            )

    @property
    def _hands_over_its_state(self) -> bool:
        return (self.context, self.context_to) == ("last", "initial_state")

    def _suited(self, recipe: Recipe, panel: Panel) -> Recipe:
        suited = super()._suited(recipe, panel)
        return in_two_halves(suited) if self.starts_cold else suited

    def _network(self, input_size: int) -> Network:
        sizes = self.recipe_
        options: dict[str, Any] = {
            "cell": self.cell,
            "num_layers": sizes.num_layers,
            "dropout": self.dropout,
            "residual": self.residual,
        }
        if self.starts_cold:
            options["encoder"] = partial(Described, **self._described)
        if self.static_to == "every_step" and self._hands_over_its_state:
            options["decoder"] = partial(Conditioned, to=self.static_to)
        if not self.attention and self._hands_over_its_state:
            return Seq2Seq(input_size, sizes.hidden_size, **options)
        options["attention_length"] = sizes.n_steps
        if self.attention:
            return AttentiveSeq2Seq(input_size, sizes.hidden_size, **options)
        options |= {"context": self.context, "context_to": self.context_to}
        return ContextSeq2Seq(input_size, sizes.hidden_size, **options)
