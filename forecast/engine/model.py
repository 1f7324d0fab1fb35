"""The machine that is trained: a reader, a network, a readout and a head, joined."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from forecast.engine.batches import Batch
from forecast.engine.reader import Reader, ReaderOutput
from forecast.engine.scale import Scale
from forecast.engine.support import Support
from forecast.networks.base import State, where
from forecast.networks.ensemble import Ensemble, EnsembleReadout
from forecast.networks.heads.base import NORMAL, Head

WEIGHTS = (0.05, 5.0)  # how much less or more than others a window may count


class Model(nn.Module):
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

    def parts(self) -> Iterator[list[Tensor]]:
        """Yield what each member of the ensemble learns, then what the head does, if anything.

        Gradients are clipped part by part: a member learns as if it were alone.
        """
        for pair in zip(self.network.members, self.readout.members, strict=True):
            yield [parameter for module in pair for parameter in module.parameters()]
        own: list[Tensor] = list(self.head.parameters())
        if own:
            yield own

    def read_out(
        self, features: Tensor, known: Tensor, reading: ReaderOutput, static: Tensor
    ) -> Tensor:
        """Return the parameters (..., r, n_params) of the r <= R steps that `known` tells of."""
        return self.head.merge(self.read_each(features, known, reading, static))

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
        """Return the covariates (B, r, C) beside written values: of some only the past is known."""
        own = known[..., known.shape[-1] - self.reader.n_known :]
        return torch.nn.functional.pad(own, (0, self.reader.n_past), value=torch.nan)

    def values(self, scale: Scale, z: Tensor) -> Tensor:
        """Turn scaled values (B, r, ...) in the scale (B, 1) of an origin into target units."""
        return self.support.clip(scale.invert(z[:, None])[:, 0])

    def quantile(self, params: Tensor, level: float) -> Tensor:
        """Return the quantile (B, r) of a block's parameters, as wide as validation taught."""
        spread = self.noise_factor.norm(dim=1)[: params.shape[-2]].to(params)  # (r,)
        return self.head.icdf(params, (NORMAL.inv_cdf(level) * spread).expand(params.shape[:-1]))

    def losses(
        self, batch: Batch, *, warm: int, carried: State | None = None, origin: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, State]:
        """Return every step's loss as training sees it.

        Targets are expressed in the scale of the step that reads them out: the scale of a later
        one would contain the answer. Errors are divided by the error scale of their series: by the
        spread of the step a calm stretch would weigh as much as a wild one.

        Parameters
        ----------
        batch : Batch
        warm : int
            Values that a scale must hold before its targets count.
        carried : State, optional
            What a window that is not fresh begins with.
        origin : int, optional
            The step, not the last, after which a decoder reads what was written (teacher forcing:
            it reads the truth; Williams and Zipser, 1989). Earlier steps are read from the encoder.

        Returns
        -------
        loss, observed, params, z : (B, T, E, R), (B, T, 1, R), (B, T, E, R, n_params), (B, T, 1, R)
        state : State
            After the windows, or their origin.
        """
        reading = self.reader.at(batch.past, batch.steps)
        state = self.network.initial_state(len(batch.fresh))
        state = state if carried is None else where(batch.fresh, state, carried)
        if origin is None:
            features, state = self.network.absorb(reading.inputs, state)
        else:
            past, ahead = reading.inputs.tensor_split([origin + 1], 1)
            features, state = self.network.absorb(past, state)
            writer, begun, own = self.network.begin(features[:, -1], state)
            written, _ = writer.absorb(ahead, own)
            features = torch.cat([features[:, :-1], begun[:, None], written], 1)
        static = batch.static[:, None].expand(-1, len(batch.steps), -1)
        params = self.read_each(features, batch.known, reading, static)
        z = reading.scale.apply(batch.targets).to(params)[:, :, None]
        observed = ~z.isnan() & (reading.scale.seen >= warm)[..., None, None]
        z = z.nan_to_num(0.0)
        weight = (reading.scale.spread / batch.error_scale[:, None]).clamp(*WEIGHTS).to(params)
        return weight[..., None, None] * self.head.loss(params, z), observed, params, z, state
