"""How far forecasts lean on naive ones, which need no training.

A network that was taught by few values errs more than it should, and so do naive forecasts, but in
other ways: a mean of both errs less than either (Bates and Granger, 1969, "The combination of
forecasts"). Which naive forecasts, all of the past tells, for they learn nothing; how far to lean
on them, the held-out errors of the network, and where these are few a share that is usual.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

USUAL = 0.5  # the share of naive forecasts where no held-out error tells it
BORROWED = 4.0  # independent errors for which the usual share counts


def convex_weights(errors: Tensor) -> Tensor:
    """Return the weights (J,), not negative and of sum 1, by which forecasts together err least.

    Parameters
    ----------
    errors : Tensor (N, J)
        Of J forecasts of N values, NaN where nothing was observed. The mean square of their mixture
        is least.

    Examples
    --------
    >>> convex_weights(torch.tensor([[3.0, -1.0], [-3.0, 1.0], [3.0, torch.nan]]))
    tensor([0.2500, 0.7500], dtype=torch.float64)
    """
    told = errors[~errors.isnan().any(1)].double().numpy(force=True)
    size = max(float(np.sqrt(np.square(told).sum())), 1e-12)
    # least of |errors x|^2 + (1 - sum x)^2 is a multiple of the weights, whose sum need not be held
    rows = np.vstack([np.linalg.qr(told / size, mode="r"), np.ones(errors.shape[1])])
    found, _ = nnls(rows, np.append(np.zeros(len(rows) - 1), 1.0))
    return torch.as_tensor(found / found.sum())


def naive_share(missed: Tensor, away: Tensor, independent: float) -> float:
    """Return the share of naive forecasts by which errors would have been least, in [0, 1].

    Parameters
    ----------
    missed : Tensor (N, R)
        The errors of forecasts, NaN where nothing was observed.
    away : Tensor (N, R)
        How far the naive forecasts were from them, towards where the errors point if positive.
    independent : float
        How many of the errors of a step are; `USUAL` counts as `BORROWED` of them.

    Examples
    --------
    >>> missed, away = torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0, -2.0]])
    >>> naive_share(missed, away, independent=4.0), naive_share(-missed, away, independent=1e9)
    (0.75, 0.0)
    """
    square, own = (
        each.masked_fill(missed.isnan(), torch.nan).nansum().item()
        for each in (away.square(), missed * away)
    )
    # what is usual is worth so many errors of the network: one that errs little needs no other
    usual = BORROWED * missed.square().nansum().item()
    if not independent * square + usual:
        return USUAL
    share = (independent * own + USUAL * usual) / (independent * square + usual)
    return min(max(share, 0.0), 1.0)
