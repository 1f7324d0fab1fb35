"""The readout: from features, templates and known covariates to the parameters of the head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

UNITS = 16  # hidden units per step
RARE = -4.0  # the logit that the weight of a rarely useful template starts from
UNKNOWN = 0.05  # share of categories that training replaces by the unknown one


class Readout(nn.Module):
    """Read a block of R steps from the features of one step.

    Step j is read from the features, templates_{t+j}, known_{t+1} ... known_{t+j}, the static
    features of the series, and j: nothing later, so a last block shorter than R is simply cut and
    needs nothing beyond the horizon. The location is

        sum_i w_i template_i + correction,   w = softmax over J templates and the level (zero),

    a convex combination: unlike "last season plus a correction", which is a unit root, it
    cannot explode when it is iterated.

    The user's own covariates, the last `plan_size` of the known ones, act on all later steps of a
    block. A dose at step i is answered at step j >= i by a learned sum of exponentials, as of leaky
    integrators with learned decays d_u in (0, 1), each as wide as its input if that is white noise:

        response_j = sum_c sum_{i <= j} known_{ic} sum_u dose_{cu} sqrt(1 - d_u^2) d_u^(j - i).

    It is added to the location in units of the series' typical spread, because a dose does not
    weaken where the recent past was calm; so is then what the hidden layer makes of the covariates.

    Parameters
    ----------
    width : int
        D, the network's features.
    block : int
        R, steps per readout.
    known_size : int
        K, known covariates per step.
    n_templates : int
        J, templates per step (last value, seasonal lags).
    n_params : int
        Parameters per step that the head asks for.
    n_rare : int
        How many templates, the last ones, start from a weight near zero: few series need them.
    plan_size : int
        How many of the known covariates, the last ones, are the user's own.
    static_size : int
        Static features of a series that are real numbers.
    categories : sequence of int
        Numbers of codes of the categories that are; code 0 is an unknown one.
    """

    def __init__(
        self,
        width: int,
        block: int,
        known_size: int,
        n_templates: int,
        n_params: int,
        *,
        n_rare: int = 0,
        plan_size: int = 0,
        static_size: int = 0,
        categories: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.block, self.known_size, self.n_params = block, known_size, n_params
        self.plan_size, self.static_size = plan_size, static_size
        self.n_numbers = n_params + n_templates + 1  # parameters and the logits of the mixture
        self.direct = nn.Linear(width, block * self.n_numbers)
        # training starts from the mixture alone, which is a naive forecast
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.direct.bias)
        logits = self.direct.bias.detach().unflatten(0, (block, -1))[:, n_params:]
        logits[:, n_templates - n_rare : n_templates] = RARE
        self.n_inputs = known_size + static_size  # of the hidden layer of a step
        self.from_category = nn.ModuleList(nn.Embedding(n, UNITS) for n in categories)
        if self.n_inputs:
            self.from_known = nn.Linear(self.n_inputs, UNITS, bias=False)
        if self.n_inputs or categories:  # combined with the features by a hidden layer per step
            self.from_features = nn.Linear(width, block * UNITS)
            self.out = nn.Linear(UNITS, self.n_numbers, bias=False)
            nn.init.zeros_(self.out.weight)  # so that training starts from the mixture here, too
        if plan_size:
            self.decay = nn.Parameter(torch.linspace(-3, 4, UNITS))  # d of .05 to .98
            self.dose = nn.Parameter(torch.zeros(plan_size, UNITS))

    def forward(
        self,
        features: Tensor,
        known: Tensor,
        templates: Tensor,
        typical_spread: Tensor | None = None,
        static: Tensor | None = None,
    ) -> Tensor:
        """Return parameters (..., r, n_params), r <= R.

        Parameters
        ----------
        features : Tensor (..., D)
        known : Tensor (..., r, K)
        templates : Tensor (..., r, J)
            In scaled units.
        typical_spread : Tensor (...), optional
            The series' typical spread, in scaled units; 1 if not given.
        static : Tensor (..., A), optional
            Real numbers, then codes of categories.
        """
        if typical_spread is None:
            typical_spread = features.new_ones(features.shape[:-1])
        numbers, response = self.read(features, known, typical_spread, static)
        return self.mixed(numbers, response, templates, typical_spread)

    def read(
        self, features: Tensor, known: Tensor, typical_spread: Tensor, static: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return what the weights make of features: numbers (..., r, n), and the plan's response.

        The numbers are parameters and the logits of the mixture; the response is (..., r).
        """
        r = known.shape[-2]
        numbers = self._first(self.direct, features, r)
        if self.n_inputs or len(self.from_category):
            hidden = self._first(self.from_features, features, r)
            added = self.out((hidden + self._covariates(known, static)).tanh())
            if self.plan_size:
                spread = typical_spread[..., None, None]
                added = torch.cat([spread * added[..., :1], added[..., 1:]], -1)
            numbers = numbers + added
        return numbers, self._response(known[..., -self.plan_size :]) if self.plan_size else None

    def mixed(
        self, numbers: Tensor, response: Tensor | None, templates: Tensor, typical_spread: Tensor
    ) -> Tensor:
        """Return the parameters (..., r, n_params) from what was `read`, and the templates."""
        sizes = [1, self.n_params - 1, self.n_numbers - self.n_params]
        correction, others, logits = numbers.split(sizes, -1)  # its gradient is one copy, not three
        # over the first axis: a softmax over a short last one is seven times slower
        weights = logits.movedim(-1, 0).softmax(0)[:-1]  # the level, zero in scaled units, is last
        location = (weights * templates.movedim(-1, 0)).sum(0)[..., None]
        if response is not None:
            location = location + typical_spread[..., None, None] * response[..., None]
        return torch.cat([correction + location, others], -1)

    def _first(self, layer: nn.Linear, features: Tensor, r: int) -> Tensor:
        """Return what a layer makes of features for the first r of its R steps, (..., r, units)."""
        weights: tuple[Tensor, ...] = (layer.weight, layer.bias)
        if r < self.block:
            weights = tuple(part[: layer.out_features // self.block * r] for part in weights)
        first = nn.functional.linear(features, *weights)
        return first.view(*features.shape[:-1], r, -1)

    def _response(self, plan: Tensor) -> Tensor:
        """Return the response to a plan (..., r, C) at every step, (..., r)."""
        steps = torch.arange(plan.shape[-2], device=plan.device)
        age = steps[:, None] - steps  # j - i, (r, r)
        decay = nn.functional.logsigmoid(self.decay)
        each = torch.exp(steps[:, None] * decay) * (1 - torch.exp(2 * decay)).sqrt()  # (r, units)
        kernel = (each @ self.dose.T)[age.clamp(min=0)] * (age >= 0)[..., None]  # (r, r, C)
        return torch.einsum("jic,...ic->...j", kernel, plan)

    def _covariates(self, known: Tensor, static: Tensor | None) -> Tensor:
        """Return what covariates and static features add to the hidden layer, (..., r, units)."""
        if static is None or not static.shape[-1]:
            return self.from_known(known)
        reals, codes = static.tensor_split([self.static_size], -1)
        total = known.new_zeros(UNITS)
        if len(self.from_category):
            total = total + embedded(self.from_category, codes, self.training)[..., None, :]
        known = torch.cat([known, reals[..., None, :].expand(*known.shape[:-1], -1)], -1)
        return total + self.from_known(known) if self.n_inputs else total


def embedded(embeddings: nn.ModuleList, codes: Tensor, training: bool) -> Tensor:
    """Return the sum of the embeddings of codes (..., C) of categories, (..., units).

    In training some codes become 0, so that an unknown category is learned as well.
    """
    codes = codes.long()
    if training:
        lost = torch.rand(codes.shape, device=codes.device) < UNKNOWN
        codes = codes.masked_fill(lost, 0)
    total = torch.zeros((), device=codes.device)
    for embedding, code in zip(embeddings, codes.unbind(-1), strict=True):
        total = total + embedding(code)
    return total
