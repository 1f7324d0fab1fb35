"""Several networks side by side: one batch goes through all of them.

Hansen and Salamon, 1990, "Neural network ensembles"; Lakshminarayanan et al., 2017, "Simple and
scalable predictive uncertainty estimation using deep ensembles". The members differ by their random
start alone. Their forecasts are averaged as quantile functions (Vincent, 1912): `Head.merge`.

They may be trained in bfloat16 (Kalamkar et al., 2019, "A study of BFLOAT16 for deep learning
training").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from forecast.networks.base import Network, State, state_map
from forecast.networks.readout import Readout

# By their names: what products of matrices are rounded to; None: as their factors are.
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}


class Ensemble(Network):
    """Run several networks on the same inputs; the features stand side by side.

    A state is a tuple of the members' states.

    Parameters
    ----------
    members : iterable of Network
        All of one kind and size.
    precision : str
        A name of `PRECISIONS`: in what products of matrices are computed while training. Weights,
        features and states stay what they are, and so does all that is no training.

    Examples
    --------
    >>> from forecast.networks.recurrent import Recurrent
    >>> network = Ensemble(Recurrent(input_size=3, hidden_size=8) for _ in range(2))
    >>> features, state = network.absorb(torch.zeros(4, 5, 3), network.initial_state(4))
    >>> features.shape, len(state)
    (torch.Size([4, 5, 16]), 2)
    """

    def __init__(self, members: Iterable[Network], precision: str = "float32") -> None:
        super().__init__()
        networks = list(members)
        self.precision = precision
        self.members = nn.ModuleList(networks)
        self.width = sum(network.width for network in networks)
        self.reach = networks[0].reach
        self.hands_over = networks[0].hands_over

    def initial_state(self, batch_size: int) -> tuple[State, ...]:
        """Return every member's state before any input."""
        return tuple(member.initial_state(batch_size) for member in self.members)  # type: ignore[operator]

    def state_of(self, static: Tensor) -> tuple[State, ...]:
        """Return every member's state before any input of series with static features (B, A)."""
        return tuple(member.state_of(static) for member in self.members)  # type: ignore[operator]

    def absorb(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read inputs (B, T, F) with every member into (B, T, E D)."""
        reduced = PRECISIONS[self.precision] if self.training else None
        with torch.autocast(inputs.device.type, reduced, enabled=reduced is not None):
            pairs = zip(self.members, state, strict=True)
            read = [member.absorb(inputs, own, lengths) for member, own in pairs]  # type: ignore[operator]
            features, after = _side_by_side(read)
        if reduced is None:
            return features, after
        return features.to(inputs), state_map(lambda part, old: part.to(old), after, state)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Read the inputs of one step, (B, F), with every member into (B, E D)."""
        pairs = zip(self.members, state, strict=True)
        return _side_by_side([member.advance(inputs, own) for member, own in pairs])  # type: ignore[operator]

    def begin(self, features: Tensor, state: State) -> tuple[Network, Tensor, State]:
        """Hand over to the ensemble of the members' decoders, if they have any."""
        if not self.hands_over:
            return self, features, state
        own = features.chunk(len(self.members), -1)
        begun = [
            member.begin(*pair)  # type: ignore[operator]
            for member, *pair in zip(self.members, own, state, strict=True)
        ]
        writers, first, states = zip(*begun, strict=True)
        precision = self.precision if self.training else "float32"
        return Ensemble(writers, precision), torch.cat(first, -1), states


def _side_by_side(read: list[tuple[Tensor, State]]) -> tuple[Tensor, tuple[State, ...]]:
    features, states = zip(*read, strict=True)
    return torch.cat(features, -1), states


class EnsembleReadout(nn.Module):
    """Read each member's features with a readout of its own.

    Parameters
    ----------
    members : iterable of Readout
        All of one size.
    """

    def __init__(self, members: Iterable[Readout]) -> None:
        super().__init__()
        self.members: Any = nn.ModuleList(members)  # mypy knows no `read` of its items

    def forward(
        self,
        features: Tensor,
        known: Tensor,
        templates: Tensor,
        typical_spread: Tensor,
        static: Tensor,
    ) -> Tensor:
        """Return parameters (..., E, r, n_params) for features (..., E D).

        The other arguments are those of `Readout.forward`, and the same for each member. What needs
        no weights is done for all members at once.
        """
        own = zip(self.members, features.chunk(len(self.members), -1), strict=True)
        read = [member.read(part, known, typical_spread, static) for member, part in own]
        numbers, responses = zip(*read, strict=True)
        response = None if responses[0] is None else torch.stack(responses, -2)
        first, shared = self.members[0], (templates[..., None, :, :], typical_spread[..., None])
        return first.mixed(torch.stack(numbers, -3), response, *shared)
