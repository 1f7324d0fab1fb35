"""The weights that the package ships, and the card that says where they come from."""

from __future__ import annotations

import json
from functools import cache
from os import PathLike
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file

from forecast.pretrained.network import PretrainedNetwork

SHIPPED = Path(__file__).with_name("weights.safetensors")


def load_network(path: str | PathLike[str] = SHIPPED) -> PretrainedNetwork:
    """Load weights into a network that forecasts.

    Examples
    --------
    >>> network = load_network()
    >>> network.width, network.training
    (128, False)
    """
    network = PretrainedNetwork(**json.loads(card(path)["shape"]))
    network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
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
    with safe_open(path, "pt") as file:
        found: dict[str, str] = file.metadata()
    return found
