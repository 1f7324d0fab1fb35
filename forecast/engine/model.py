"""The model that is trained: a reader, a network, a readout and a head, joined."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from forecast.engine.batches import Batch
from forecast.engine.reader import Reader, ReaderOutput
from forecast.engine.scale import Scale, at_steps
from forecast.engine.support import Support
from forecast.engine.trainable import Trainable
from forecast.networks.base import State, where
from forecast.networks.ensemble import Ensemble, EnsembleReadout
from forecast.networks.heads.base import Head, normal_scores

WEIGHT_RANGE = (0.05, 5.0)  # a window may count so much less or more than others


class Model(Trainable[Batch]):
    """Join reader, network, readout and head; it holds no state of any series.

    Parameters
    ----------
    reader : Reader
    network : Ensemble
    readout : EnsembleReadout
    head : Head
    stride : int
        Forecast steps written before they are read again: a multiple of P, P <= stride <= R.
        It is fixed here and never depends on the horizon, so that the forecast for H steps is
        the beginning of that for H + k.
    support : Support, optional
        The values that can be forecast; all if not given.
    """

    noise_factor: Tensor
    residual_size: Tensor
    own_share: Tensor
    naive_weights: Tensor
    naive_share: Tensor

    def __init__(
        self,
        reader: Reader,
        network: Ensemble,
        readout: EnsembleReadout,
        head: Head,
        stride: int,
        support: Support | None = None,
    ) -> None:
        super().__init__()
        if stride % reader.patch or not reader.patch <= stride <= reader.block:
            raise ValueError(
                f"`stride` must be a multiple of the patch between patch and block, got {stride} "
                f"with patch {reader.patch} and block {reader.block}."
            )
        self.reader, self.network, self.readout, self.head = reader, network, readout, head
        self.stride = stride
        self.support = support or Support()
        # Cholesky factor of the covariance of a block's normal scores; fit estimates it
        self.register_buffer("noise_factor", torch.eye(reader.block, dtype=reader.dtype))
        # the normal distribution of held-out errors, and what the head's own counts beside it
        self.register_buffer("residual_size", torch.zeros(reader.block, dtype=reader.dtype))
        self.register_buffer("own_share", torch.ones((), dtype=reader.dtype))
        # what templates weigh in a forecast that needs no training (the level has the rest), and
        # how far locations lean on it
        self.register_buffer("naive_weights", torch.zeros(reader.n_templates, dtype=reader.dtype))
        self.register_buffer("naive_share", torch.zeros((), dtype=reader.dtype))
        self.leans = False  # known without a look at the share, which an export could not have
        self.register_load_state_dict_post_hook(_as_loaded)

    def parts(self) -> Iterator[list[Tensor]]:
        """Yield the parameters of each member of the ensemble, then those of the head, if any.

        Gradients are clipped part by part, so that one member's large gradient does not shorten the
        steps of another.
        """
        for pair in zip(self.network.members, self.readout.members, strict=True):
            yield [parameter for module in pair for parameter in module.parameters()]
        own: list[Tensor] = list(self.head.parameters())
        if own:
            yield own

    def alone(self, member: int) -> Model:
        """Return the model with one member of the ensemble, whose weights are the same tensors."""
        alone = copy.copy(self)
        network = Ensemble([self.network.members[member]], self.network.precision)  # type: ignore[list-item]
        own = {"network": network, "readout": EnsembleReadout([self.readout.members[member]])}
        alone._modules = {**self._modules, **own}
        return alone

    def read_out(
        self, features: Tensor, known: Tensor, reading: ReaderOutput, static: Tensor
    ) -> Tensor:
        """Return the parameters (..., r, n_params) of the next r <= R steps, r from `known`.

        Their locations lean on a naive forecast if they are to.
        """
        params = self.head.merge(self.read_each(features, known, reading, static))
        if self.leans:
            naive = self.naive(reading)[..., : known.shape[-2]].to(params)
            params[..., 0].lerp_(naive, self.naive_share.to(params))
        return params

    def lean(self, weights: Tensor, share: float) -> None:
        """Let locations lean on a mixture of templates with weights (J,), by a share in [0, 1]."""
        self.naive_weights.copy_(weights)
        self.naive_share.fill_(share)
        self.leans = share > 0

    def naive(self, reading: ReaderOutput) -> Tensor:
        """Return the naive forecast (..., R) on which locations lean, scaled."""
        return reading.templates @ self.naive_weights

    def read_each(
        self, features: Tensor, known: Tensor, reading: ReaderOutput, static: Tensor
    ) -> Tensor:
        """Return the parameters of every member of the ensemble, (..., E, r, n_params)."""
        templates = reading.templates[..., : known.shape[-2], :]
        params: Tensor = self.readout(features, known, templates, reading.typical_spread, static)
        level, spread = (
            part.to(params).reshape(reading.typical_spread.shape)[..., None, None]
            for part in reading.scale[:2]
        )
        return self.head.attach_scale(params, level, spread)

    def drivers(self, known: Tensor) -> Tensor:
        """Return the covariates (B, r, C) of forecast values; past-only ones are NaN there."""
        own = known[..., known.shape[-1] - self.reader.n_known :]
        return torch.nn.functional.pad(own, (0, self.reader.n_past), value=torch.nan)

    def values(self, scale: Scale, z: Tensor) -> Tensor:
        """Return scaled values (B, r, ...) in target units, by the scale (B, 1) of the origin."""
        return self.support.clip(scale.invert(z[:, None])[:, 0])

    def quantiles(self, params: Tensor, levels: Sequence[float], typical: Tensor) -> Tensor:
        """Return quantiles (B, r, Q) of a block's parameters, of the width that `fit` calibrated.

        `typical` (B,) is the spread of the whole series, in spreads of the origin.

        A row of `noise_factor` has the standard deviation of a step's normal scores as its norm:
        more than 1 where the held-out part varied more than the head had learned.
        """
        spread = torch.linalg.vector_norm(self.noise_factor[: params.shape[-2]], dim=1).to(params)
        scores = normal_scores(levels).to(params)[:, None] * spread  # (Q, r)
        return self.icdf(params[:, None], scores, typical[:, None]).movedim(1, -1)

    def icdf(self, params: Tensor, scores: Tensor, typical: Tensor) -> Tensor:
        """Return the quantiles (..., r) at normal scores (..., r) as wide as `noise_factor` says.

        The mean of two quantile functions (Vincent, 1912), as of the members of an ensemble: that
        of the head, whose weight is `own_share`, and around its median a normal one of held-out
        errors, for each score as wide as `residual_size` (R,) times the `residual_unit` of the
        origin, whose `typical` spread is (...).
        """
        median = self.head.quantile(params, 0.5)
        unit = residual_unit(typical).to(params)[..., None]
        residual = median + self.residual_size[: params.shape[-2]].to(params) * unit * scores
        return torch.lerp(residual, self.head.icdf(params, scores), self.own_share.to(params))

    def losses(
        self,
        batch: Batch,
        *,
        min_observed: int,
        carried: State | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, State]:
        """Return the loss of every origin, target and member of the ensemble.

        Targets are expressed in the scale of the step that forecasts them: the scale of a later
        one would contain the answer. Errors are then weighted so that they are divided by the error
        scale of their series: divided by the spread of the step, a calm month would weigh as much
        as a wild one.

        Parameters
        ----------
        batch : Batch
        min_observed : int
            Fewest observed values in a scale whose targets count.
        carried : State, optional
            The state that a window begins with, if it goes on from the one before (not `fresh`).

        Returns
        -------
        loss : Tensor (B, S, E, R)
        observed_mask : Tensor (B, S, 1, R)
            Which targets count: those observed, in a scale of enough values. With weights, how
            much; (B, S, E, R) where not all teach every member.
        params, z : Tensor (B, S, E, R, n_params) and (B, S, 1, R)
            Parameters of the head, and the targets in scaled units.
        state : State
            After the windows; where a decoder takes over, before it does.
        """
        steps, origins = batch.steps, batch.origins
        scale = Scale(*(at_steps(part, origins) for part in batch.scale))
        forecast_at = steps[origins.start : origins.stop : origins.step]
        reading = self.reader.reading(batch.past, forecast_at, scale, batch.inputs)
        state = self.network.state_of(batch.static)
        state = state if carried is None else where(batch.fresh, state, carried)
        if batch.takeover is None:
            features, state = self.network.absorb(batch.inputs, state)
        else:
            features, state = self._teacher_forced(batch.inputs, state, batch.takeover)
        static = batch.static[:, None].expand(-1, len(origins), -1)
        params = self.read_each(at_steps(features, origins), batch.known, reading, static)
        z = reading.scale.apply(batch.targets).to(params)[:, :, None]
        observed_mask = ~z.isnan() & (reading.scale.seen >= min_observed)[..., None, None]
        z = z.nan_to_num(0.0)  # masked, but NaN times zero would still be NaN in the gradient
        weight = (reading.scale.spread / batch.error_scale[:, None]).clamp(*WEIGHT_RANGE).to(params)
        if self.reader.prior is not None:
            weight = weight * balanced(observed_mask, reading.scale.seen).to(params)
        if batch.weights is not None:
            observed_mask = observed_mask * batch.weights[:, :, None].to(params)
        if batch.in_training is not None:
            observed_mask = observed_mask * batch.in_training
        return weight[..., None, None] * self.head.loss(params, z), observed_mask, params, z, state

    def _teacher_forced(self, inputs: Tensor, state: State, origin: int) -> tuple[Tensor, State]:
        """Return features (B, T, D) of encoder and decoder, and the encoder's state at the origin.

        The decoder reads the observed values where it will read its own forecasts later (teacher
        forcing; Williams and Zipser, 1989). Steps before the origin keep the encoder's features,
        so that it learns to forecast too: the first block is read from it.
        """
        past, ahead = inputs.tensor_split([origin + 1], 1)
        features, state = self.network.absorb(past, state)
        decoder, first, begun = self.network.begin(features[:, -1], state)
        written, _ = decoder.absorb(ahead, begun)
        return torch.cat([features[:, :-1], first[:, None], written], 1), state


def _as_loaded(model: Model, keys: object) -> None:
    """Tell whether locations lean once weights were loaded."""
    model.leans = bool(model.naive_share)


def residual_unit(typical: Tensor) -> Tensor:
    """Return the unit of residuals, in spreads of the origin.

    The spread of the origin is one of few values: the errors of a random walk are as large wherever
    it stands, those of a series that grows do grow with it. So the unit is the geometric mean of
    that spread, once, and the `typical` one of the series, three times, which counts as a tenth of
    it at least.

    Examples
    --------
    >>> residual_unit(torch.tensor([1.0, 16.0]))
    tensor([1., 8.])
    """
    return typical.clamp(min=0.1) ** 0.75


def balanced(observed_mask: Tensor, seen: Tensor) -> Tensor:
    """Return weights (B, T) by which steps before the first value weigh as much as all others.

    One step in a window comes before the first value; left alone it would hardly be learned.

    Parameters
    ----------
    observed_mask : Tensor (B, T, 1, R)
    seen : Tensor (B, T)
        How many values each step has seen.

    Examples
    --------
    >>> balanced(torch.ones(1, 4, 1, 2), torch.tensor([[0, 1, 2, 3]]))
    tensor([[3., 1., 1., 1.]])
    """
    targets, before = observed_mask.sum((2, 3)), seen == 0
    ratio = (targets * ~before).sum() / (targets * before).sum().clamp(min=1)
    return torch.where(before, ratio, 1.0)
