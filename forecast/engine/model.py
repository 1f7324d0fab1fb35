"""The machine that is trained: a reader, a network, a readout and a head, joined."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from forecast.engine.reader import Reader, Reading, Scale
from forecast.networks.base import Network
from forecast.networks.heads import NORMAL, Head
from forecast.networks.readout import Readout


class Model(nn.Module):
    """Join reader, network, readout and head; it holds no state of any series.

    Parameters
    ----------
    reader : Reader
    network : Network
    readout : Readout
    head : Head
    stride : int
        Forecast steps written before they are read again: a multiple of P, P <= stride <= R.
        It is fixed here and never depends on the horizon, so that the forecast for H steps is
        the beginning of that for H + k.
    """

    noise_factor: Tensor

    def __init__(
        self, reader: Reader, network: Network, readout: Readout, head: Head, stride: int
    ) -> None:
        super().__init__()
        if stride % reader.patch or not reader.patch <= stride <= reader.block:
            raise ValueError(
                f"`stride` must be a multiple of the patch between patch and block, got {stride} "
                f"with patch {reader.patch} and block {reader.block}."
            )
        self.reader, self.network, self.readout, self.head = reader, network, readout, head
        self.stride = stride
        # Cholesky factor of the covariance of a block's normal scores; fit estimates it
        self.register_buffer("noise_factor", torch.eye(reader.block, dtype=reader.dtype))

    def origin(self, memory: Tensor) -> tuple[Scale, Tensor]:
        """Return scale (B, 1) and templates (B, R, J) at the newest value of a memory (B, M)."""
        newest = torch.tensor([memory.shape[1] - 1], device=memory.device)
        reading = self.reader.at(memory, newest)
        return reading.scale, reading.templates[:, 0]

    def features(self, reading: Reading) -> Tensor:
        """Return the features (B, T, D) of readings that begin without a past."""
        state = self.network.initial_state(len(reading.inputs))
        return self.network.absorb(reading.inputs, state)[0]

    def quantile(self, raw: Tensor, level: float) -> Tensor:
        """Return the quantile (B, r) of a block's raw numbers, as wide as validation taught."""
        spread = self.noise_factor.norm(dim=1)[: raw.shape[-2]].to(raw)  # (r,)
        return self.head.sample(raw, (NORMAL.inv_cdf(level) * spread).expand(raw.shape[:-1]))

    def losses(
        self, past: Tensor, steps: Tensor, targets: Tensor, known: Tensor, *, warm: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return every step's loss as training sees it.

        Parameters
        ----------
        past : Tensor (B, N)
            Raw values, NaN = unobserved; M columns precede the first of `steps`.
        steps : Tensor (T,)
            Columns at which the network reads.
        targets : Tensor (B, T, R)
            The R values after each of them. They are expressed in the scale of the step that
            reads them out: the scale of a later one would contain the answer.
        known : Tensor (B, T, R, K)
        warm : int
            Values that a scale must hold before its targets count.

        Returns
        -------
        loss, observed, raw, z : (B, T, R), (B, T, R), (B, T, R, raw), (B, T, R)
        """
        reading = self.reader.at(past, steps)
        raw = self.readout(self.features(reading), known, reading.templates)
        z = reading.scale.apply(targets).to(raw)
        observed = ~z.isnan() & (reading.scale.seen >= warm)[..., None]
        z = z.nan_to_num(0.0)
        return self.head.loss(raw, z), observed, raw, z
