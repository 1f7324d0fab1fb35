"""From a recipe to an untrained model: reader, networks, readouts and head, and where it runs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

import torch

from forecast._checks import ForecastWarning, short
from forecast.data.panel import Panel
from forecast.engine.model import Model
from forecast.engine.reader import Reader
from forecast.engine.support import Support
from forecast.forecasters.neural.features import Features
from forecast.forecasters.neural.recipe import Recipe
from forecast.networks.base import Network
from forecast.networks.ensemble import Ensemble, EnsembleReadout
from forecast.networks.heads.registry import HEADS
from forecast.networks.readout import Readout


def build_model(
    recipe: Recipe,
    panel: Panel,
    features: Features,
    support: Support,
    head_name: str,
    precision: str,
    make_network: Callable[[int], Network],
) -> Model:
    """Return the untrained model of a recipe; `make_network` takes F, numbers per step."""
    reader = build_reader(recipe, panel)
    head = HEADS[head_name](recipe.block)
    networks = [make_network(reader.input_size) for _ in range(recipe.n_estimators)]
    readouts = [
        Readout(
            network.width,
            recipe.block,
            n_templates=reader.n_templates,
            n_params=head.n_params,
            n_rare=int(reader.mean),
            **features.sizes(panel),
            **(features.static_sizes() if recipe.prior is None else {}),
        )
        for network in networks
    ]
    members = Ensemble(networks, precision), EnsembleReadout(readouts)
    return Model(reader, *members, head, recipe.stride, support)


def build_reader(recipe: Recipe, panel: Panel) -> Reader:
    """Return the reader of a recipe, for the covariates that a panel has."""
    return Reader(
        patch=recipe.patch,
        window=recipe.window,
        block=recipe.block,
        scale_window=recipe.scale_window,
        lags=recipe.lags,
        drift=recipe.drift,
        n_known=len(panel.X_names),
        n_past=len(panel.past_names),
        driver_window=recipe.driver_window,
        trend=recipe.trend,
        mean=recipe.mean,
        prior=recipe.prior,
    )


def count_parameters(model: Model) -> int:
    """Return the number of trained parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def device_of(name: str) -> torch.device:
    """Return the device of a name; of "auto" CUDA where there is one, else the CPU."""
    if name == "auto":
        own = os.environ.get("LOCAL_RANK")  # torchrun gives each process one
        cuda = "cuda" if own is None else f"cuda:{own}"
        return torch.device(cuda if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (AssertionError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"`device` must be 'auto' or a device of torch; {short(name)} is none, or is not here."
        ) from error


def device_here(name: str) -> torch.device:
    """Return the device of a name, or that of "auto" where this machine lacks it."""
    try:
        return device_of(name)
    except ValueError as error:
        warnings.warn(f"{error} The model is loaded as with 'auto'.", ForecastWarning, stacklevel=5)
        return device_of("auto")
