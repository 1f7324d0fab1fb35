"""A trained model as values and arrays for a file, and back; and what networks of all kinds share.

What a file claims is held against its arrays before anything of that size is allocated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from forecast._checks import positive_integer
from forecast.data.panel import Panel
from forecast.engine import stream, training
from forecast.engine.model import Model
from forecast.engine.stream import Stream
from forecast.forecasters.neural.features import Features
from forecast.forecasters.neural.recipe import Recipe
from forecast.networks.base import State, leaves, state_map

M = TypeVar("M", bound=nn.Module)

# Weights and widths have no unit; squares of such single numbers, and sums of them, are finite.
LARGEST = 1e15
ROUNDING = 1e-6


class Learned(NamedTuple):
    """What training produces, but for the features: all of it numbers."""

    model: Model
    live: Stream
    spreads: np.ndarray
    history: pd.DataFrame


def to_arrays(learned: Learned) -> dict[str, np.ndarray]:
    """Return the arrays of what was learned, for `from_arrays`."""
    # A history that is read anew gives the same stream but for the last digits, so it is kept.
    packed = stream.pack(learned.live, learned.model.reader)
    tensors = learned.model.state_dict() | named("stream", packed)
    return saved(tensors, learned.history) | {"spreads": learned.spreads}


def from_arrays(
    arrays: dict[str, np.ndarray],
    build: Callable[[], Model],
    panel: Panel,
    features: Features,
    n_phases: int,
) -> Learned:
    """Return what was learned, on the CPU; `build` makes an untrained model.

    Raises
    ------
    KeyError, ValueError
        If the arrays are not those of such a model and panel.
    """
    with torch.device("meta"):  # shapes alone: they take no memory
        like = build()
        weights = _weights(like, arrays)
        empty = _empty_stream(like, panel, features, n_phases)
        packed = stream.pack(empty, like.reader)
        scales = _empty_scales(like, panel)
    spreads = fitting(scales, arrays)["spreads"].numpy()
    packed = restored("stream", packed, arrays)
    model = with_weights(build, weights)
    live = stream.unpack(packed, model.reader)
    if any(part.isnan().any() for part in leaves((live.features, live.phases))):
        raise ValueError("the live state must be numbers, got nan")
    return Learned(model, live, spreads, epochs(arrays))


def restore_recipe(saved: dict[str, Any], n_estimators: int | None, n_arrays: int) -> Recipe:
    """Return the recipe of a file with so many arrays.

    Earlier files hold `n_estimators` as a parameter only, and call `min_observed` "warm".
    """
    names = {"warm": "min_observed"}
    sizes = {"n_estimators": n_estimators} | {names.get(k, k): v for k, v in saved.items()}
    positive_integer("n_estimators", sizes["n_estimators"])
    prior = sizes.get("prior")
    pairs = {"lags": tuple(sizes["lags"]), "prior": None if prior is None else tuple(prior)}
    recipe = Recipe(**{**sizes, **pairs})
    if recipe.num_layers * recipe.n_estimators > n_arrays:
        raise ValueError(
            f"the weights of {recipe.n_estimators} x {recipe.num_layers} layers are missing"
        )
    return recipe


def _weights(like: Model, arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Return the weights of a model; in earlier files the head's own distribution is all."""
    later = {"residual_size": 0.0, "own_share": 1.0, "naive_weights": 0.0, "naive_share": 0.0}
    absent, state = later.keys() - arrays.keys(), like.state_dict()
    found = fitting({name: part for name, part in state.items() if name not in absent}, arrays)
    for name in absent:
        found[name] = torch.full_like(state[name], later[name], device="cpu")
    _check_weights(found, [name for name, _ in like.named_parameters()])
    return found


def _check_weights(weights: dict[str, Tensor], learned: list[str]) -> None:
    """Refuse weights, widths and shares that no training leads to."""
    limits = dict.fromkeys([*learned, "noise_factor"], (-LARGEST, LARGEST))
    limits["residual_size"] = 0.0, LARGEST
    limits |= dict.fromkeys(
        ("own_share", "naive_share", "naive_weights"), (-ROUNDING, 1 + ROUNDING)
    )
    for name, (low, high) in limits.items():
        if not ((weights[name] >= low) & (weights[name] <= high)).all():
            raise ValueError(f"{name!r} must have numbers from {low:g} to {high:g}")


def _empty_stream(model: Model, panel: Panel, features: Features, n_phases: int) -> Stream:
    encoded = features.encode_static(panel.ids)
    static = None if encoded is None else torch.empty(encoded.shape)
    live = stream.begin(model, panel.n_series, torch.float64, static)
    return live._replace(phases=live.phases[-positive_integer("phases", n_phases) :])


def _empty_scales(model: Model, panel: Panel) -> dict[str, Tensor]:
    n = model.reader.n_drivers
    sizes = {"spreads": panel.n_series, "X_mean": n, "X_spread": n}
    return {name: torch.empty(size, dtype=torch.float64) for name, size in sizes.items()}


def named(prefix: str, state: State) -> dict[str, Tensor]:
    """Return the tensors of a state under the names they are saved by."""
    return {f"{prefix}.{i}": part for i, part in enumerate(leaves(state))}


def restored(prefix: str, like: State, arrays: dict[str, np.ndarray]) -> State:
    """Return the state that is saved under these names, of the shapes and types of another one."""
    found = iter(fitting(named(prefix, like), arrays).values())
    return state_map(lambda _: next(found), like)


def saved(tensors: dict[str, Tensor], history: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return tensors and a row per epoch as arrays by name."""
    arrays = {name: part.cpu().numpy() for name, part in tensors.items()}
    return arrays | {f"history.{name}": history[name].to_numpy() for name in history}


def epochs(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the row per epoch that was `saved`."""
    columns = [field.name for field in dataclasses.fields(training.Epoch)]
    return pd.DataFrame({name: arrays[f"history.{name}"] for name in columns})


def with_weights(build: Callable[[], M], weights: dict[str, Tensor]) -> M:
    """Return a model that is built, on the CPU, and given its weights."""
    with training.seeded():
        model = build()
    model.load_state_dict(weights)
    return model.eval()


def fitting(like: dict[str, Tensor], arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Return the arrays of these names as tensors, if they have these shapes and types."""
    found = {name: torch.from_numpy(arrays[name]) for name in like}
    for name, part in found.items():
        if (part.shape, part.dtype) != (like[name].shape, like[name].dtype):
            raise ValueError(f"{name!r} must have shape {tuple(like[name].shape)}")
    return found
