"""The weights that the package ships, and the card that says where they come from."""

from __future__ import annotations

import json
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from forecast.pretrained.network import PretrainedNetwork

SHIPPED = Path(__file__).with_name("weights.safetensors")


def load_network(path: str | PathLike[str] = SHIPPED) -> PretrainedNetwork:
    """Load weights into a network that forecasts.

    Examples
    --------
    >>> load_network().shape["depth"]
    2
    """
    return build_network(json.loads(card(path)["shape"]), load_file(path))


def build_network(shape: dict[str, Any], weights: dict[str, np.ndarray]) -> PretrainedNetwork:
    """Return a network of a shape with these weights, which nobody will train.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    # weights that are there decide what is built: a shape alone could ask for any amount of memory
    if weights["recurrence.layers.0.weight_hh_l0"].shape[1] != shape["width"]:
        raise ValueError("the weights do not fit the shape")
    network = PretrainedNetwork(**shape)
    network.load_state_dict({k: torch.from_numpy(v).float() for k, v in weights.items()})
    return network.eval().requires_grad_(False)


@cache
def shipped_network() -> PretrainedNetwork:
    """Return the shipped network, loaded once a process; nobody may change it."""
    return load_network()


def card(path: str | PathLike[str] = SHIPPED) -> dict[str, str]:
    """Return where weights come from: generator's version, seed, commit, steps, hash, shape.

    Examples
    --------
    >>> sorted(card())
    ['commit', 'generator', 'hash', 'seed', 'shape', 'steps']
    """
    with safe_open(path, "np") as file:
        found: dict[str, str] = file.metadata()
    return found
