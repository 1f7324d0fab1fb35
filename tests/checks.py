"""The conformity suite: what every network, model and forecaster must satisfy.

It finds the classes by itself: a new one is checked as soon as its file exists. All equalities
hold to 1e-10 in float64.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

import forecast.forecasters
import forecast.networks
import forecast.teaching
from forecast.engine.model import Model
from forecast.engine.reader import Reader
from forecast.forecasters.base import BaseForecaster
from forecast.networks.base import Network
from forecast.networks.ensemble import Ensemble, EnsembleReadout
from forecast.networks.heads.registry import HEADS
from forecast.networks.readout import Readout
from forecast.networks.recurrent import CELLS, Recurrent
from forecast.teaching import textbook

# Options beyond the defaults that a class is also checked with.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "Recurrent": [
        {"cell": "gru", "num_layers": 3, "residual": True},
        *({"cell": cell, "num_layers": 2, "learn_initial_state": True} for cell in CELLS),
    ],
    "MLP": [{}, {"num_layers": 3, "residual": True}],
    "Convolution": [{}, {"kernel_size": 3, "num_layers": 2, "dilated": False}],
    "Elman": [
        {},
        {"activation": "relu"},
        {"activation": "identity", "learn_initial_state": True},
        {"lagged": True, "learn_initial_state": True},
    ],
    "Jordan": [{}, {"output_size": 2, "activation": "relu"}],
    "Stacked": [{"num_layers": 3}, {"cell": textbook.LSTM}],
    "Seq2Seq": [{"cell": "lstm", "num_layers": 2}, {"cell": "tanh"}],
    "ContextSeq2Seq": [
        {"context": context, "context_to": way, "cell": cell, "num_layers": layers}
        for context, way, cell, layers in [
            ("last", "every_step", "gru", 1),
            ("transformed", "initial_state", "lstm", 2),
            ("transformed", "every_step", "tanh", 1),
            ("all", "initial_state", "mgu", 2),
            ("all", "every_step", "lstm", 1),
        ]
    ],
    "Conditioned": [{"to": "initial_state", "learn_initial_state": True}, {"to": "every_step"}],
    "Described": [
        {"to": "initial_state", "static_size": 2, "categories": (3,)},
        {"to": "every_step", "static_size": 2},
    ],
    "AttentiveSeq2Seq": [
        {"attention_length": 6},
        {"attention_length": 50, "cell": "gru", "num_layers": 2},
    ],
}
# How to make what is not made from an input size and a hidden size.
MAKERS: dict[str, Any] = {
    "Ensemble": lambda F, D, cells=("gru", "lstm"): Ensemble(
        Recurrent(F, D, cell=cell) for cell in cells
    ),
}
FORECASTER_VARIANTS: dict[str, list[dict[str, Any]]] = {
    "NaiveForecaster": [{}, {"strategy": "seasonal"}, {"strategy": "drift"}],
    "ARIMAForecaster": [{}, {"order": (1, 0, 1), "seasonal_order": (0, 1, 1)}],
    "AutoForecaster": [{}, {"budget": 5, "combine": "median"}],
    "CombinedForecaster": [{}, {"combine": "median", "weights": (2, 1)}],
    "CrostonForecaster": [{}, {"variant": "sba", "alpha": 0.3}, {"variant": "tsb"}],
    "MedianForecaster": [{}, {"statistic": "mean", "n_seasons": 3}],
    "MarkovForecaster": [{}, {"regressor": Ridge()}],
    "MLPForecaster": [{}, {"head": "normal", "num_layers": 2}],
    "RNNForecaster": [{}, {"cell": "gru", "head": "huber"}],
    "PretrainedForecaster": [{}, {"fine_tune": 1}],
    "Seq2SeqForecaster": [
        {},
        {"attention": True, "cell": "gru", "n_estimators": 2},
        {"context": "all", "context_to": "every_step"},
    ],
    "LSTMForecaster": [
        {},
        {"num_layers": 2, "dropout": 0.2, "point": "mean"},
        {"n_estimators": 3, "head": "normal"},
    ],
}
# What makes a forecaster small and repeatable, where it has the parameter.
SMALL = {"hidden_size": 8, "max_epochs": 2, "n_estimators": 1, "random_state": 0, "budget": 0.4}
# Those whose quantile functions are averaged exactly, and shifted by their location.
LOCATION_HEADS = [name for name, make in HEADS.items() if not make(1).counts]
# (P, R, stride): patch, block, steps written before they are read again
SIZES = [
    (1, 1, 1),
    (1, 6, 6),
    (1, 6, 1),
    (4, 4, 4),
    (4, 12, 8),
    (24, 24, 24),
    (24, 48, 24),
    (4, 10, 4),
]


def concrete_subclasses(package: Any, parent: type) -> list[type]:
    """Return all classes of a package that can be built, by walking its files."""
    found = set()
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        for _, item in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(item, parent) and not inspect.isabstract(item):
                found.add(item)
    return sorted(found, key=lambda item: item.__name__)


class NetworkCase(NamedTuple):
    """A network class with options."""

    kind: type[Network]
    options: dict[str, Any]

    def build(self, input_size: int = 3, hidden_size: int = 5) -> Network:
        """Return it in float64, with an initial state that is not zero where it is learned."""
        torch.manual_seed(0)
        make = MAKERS.get(self.kind.__name__, self.kind)
        network = make(input_size, hidden_size, **self.options).double().eval()
        for name, parameter in network.named_parameters():
            if name in ("initial", "s0") and parameter.requires_grad:
                torch.nn.init.normal_(parameter)
        return network

    def __str__(self) -> str:
        names = (getattr(value, "__name__", str(value)) for value in self.options.values())
        return "-".join([self.kind.__name__, *names])


def network_cases() -> list[NetworkCase]:
    """Return every network that can stand alone, with its variants."""
    rooms = (forecast.networks, forecast.teaching)
    classes = [kind for room in rooms for kind in concrete_subclasses(room, Network)]
    return [
        NetworkCase(kind, options)
        for kind in classes
        for options in VARIANTS.get(kind.__name__, [{}])
    ]


def one_of_each(cases: list[NetworkCase]) -> list[Any]:
    """Return the cases as parameters: quick the last of each kind, and of the textbook's none."""
    last = {case.kind: case for case in cases if case.kind.__module__ != textbook.__name__}
    return [
        pytest.param(
            case, id=str(case), marks=[pytest.mark.slow] * (case is not last.get(case.kind))
        )
        for case in cases
    ]


def tensors(state: Any) -> Iterator[Tensor]:
    """Yield the tensors of a state."""
    if isinstance(state, Tensor):
        yield state
    else:
        for part in state:
            yield from tensors(part)


def same(left: Any, right: Any, tolerance: float = 1e-10) -> None:
    """Assert that two states, tensors or tuples of them, are equal."""
    for a, b in zip(tensors(left), tensors(right), strict=True):
        assert a.shape == b.shape
        assert torch.isfinite(a).all()
        assert (a - b).abs().max().item() < tolerance if a.numel() else True


def build_model(
    network: NetworkCase,
    sizes: tuple[int, int, int] = (1, 1, 1),
    *,
    head: str = "quantile",
    scale_window: int = 48,
    lags: tuple[int, ...] = (24,),
    trend: int = 48,
    mean: bool = True,
    known_size: int = 2,
    n_past: int = 0,
) -> Model:
    """Return an untrained model in float64, its weights large enough to matter."""
    patch, block, stride = sizes
    reach = 30 if network.kind.reach else patch  # a network without a state needs a window
    reader = Reader(
        patch=patch,
        window=reach,
        block=block,
        scale_window=scale_window,
        lags=lags,
        drift=not network.kind.reach,
        n_known=known_size,
        n_past=n_past,
        driver_window=reach,
        trend=trend,
        mean=mean,
        dtype=torch.float64,
    )
    body = network.build(reader.input_size, 8)
    top = HEADS[head](block)
    torch.manual_seed(1)
    ensemble = body if isinstance(body, Ensemble) else Ensemble([body])
    readout = EnsembleReadout(
        Readout(8, block, known_size, reader.n_templates, top.n_params, plan_size=known_size)
        for _ in ensemble.members
    )
    model = Model(reader, ensemble, readout, top, stride).double().eval()
    for name, weights in model.readout.named_parameters():
        if name.endswith("weight"):  # some start at zero, where features would not matter yet
            torch.nn.init.normal_(weights, std=0.3)
    mixing = torch.randn(block, block, dtype=torch.float64).tril()
    model.noise_factor.copy_(mixing / mixing.norm(dim=1, keepdim=True))
    return model


def gappy_data(n: int = 5, T: int = 400, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return daily cycles with noise at five sizes, with gaps, and a known calendar."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(T, dtype=torch.float64)
    noise = torch.randn(n, T, generator=generator, dtype=torch.float64)
    wave = 4 * torch.sin(2 * torch.pi * t / 24)
    size = torch.logspace(-1, 2, n, dtype=torch.float64)[:, None]
    x = (wave + noise + 10) * size
    x[1, 30:41] = torch.nan
    x[2, :7] = torch.nan
    x[3, 100:160] = torch.nan
    x[4, 199] = torch.nan
    clock = torch.stack([torch.sin(2 * torch.pi * t / 24), torch.cos(2 * torch.pi * t / 24)], -1)
    return x, clock.expand(n, T, 2)


def as_windows(
    x: Tensor, known: Tensor | None = None, lengths: tuple[int, ...] | None = None
) -> Any:
    """Return rows (n, T) as the engine's windows; with `lengths` only the beginning of each."""
    from forecast.data.panel import Layout, Panel
    from forecast.engine.batches import Windows

    n, T = x.shape
    kept = torch.arange(T) < torch.tensor(lengths or [T] * n)[:, None]
    grid, offsets = pd.RangeIndex(T), np.append(0, kept.sum(1).cumsum(0))
    panel = Panel(
        x[kept].numpy(), offsets, np.zeros(n, int), grid, pd.RangeIndex(n), None, (),
        Layout("list"),
    )  # fmt: skip
    own = None if known is None else known[kept].numpy()
    return Windows(
        panel,
        np.zeros((T, 0)),
        np.full(n, np.nan),
        torch.device("cpu"),
        error_scales=np.ones(n),
        drivers=own,
        n_known=0 if own is None else own.shape[1],
    )


def encode_last(model: Any, windows: Any, series: Tensor, ends: Tensor, n_steps: int) -> Any:
    """Return the stream of series after their newest patches alone."""
    from forecast.engine.stream import read, shown

    memory = windows.read(series, ends, 0, ends, model.reader)
    pieces = shown(model, windows, series, ends, n_steps)
    return read(model, pieces, memory, windows.static[series])


class ForecasterCase(NamedTuple):
    """A forecaster class with options."""

    kind: type[BaseForecaster]
    options: dict[str, Any]

    def build(self, **changes: Any) -> Any:
        """Return it unfitted, small and with a fixed seed."""
        known = self.kind._get_param_names()
        small = {name: value for name, value in SMALL.items() if name in known}
        return self.kind(**(small | self.options | changes))

    @property
    def neural(self) -> bool:
        """Whether it trains a network."""
        return "max_epochs" in self.kind._get_param_names()

    @property
    def savable(self) -> bool:
        """Whether it can be saved without code; joblib serves the others."""
        holds_a_model = "forecaster" in self.kind._get_param_names()
        return self.options.get("regressor") is None and not holds_a_model

    def __str__(self) -> str:
        return "-".join([self.kind.__name__, *(f"{v}" for v in self.options.values())])


def forecaster_cases() -> list[ForecasterCase]:
    """Return every forecaster, with its variants."""
    return [
        ForecasterCase(kind, options)
        for kind in concrete_subclasses(forecast.forecasters, BaseForecaster)
        for options in FORECASTER_VARIANTS.get(kind.__name__, [{}])
    ]


def slow_variants(cases: list[ForecasterCase], later: tuple[str, ...] = ()) -> list[Any]:
    """Return the cases as parameters of a test: every class at once, its options when slow.

    Classes named by `later` are slow, too; so is `AutoForecaster`, for what it does beside its
    members `CombinedForecaster` does.
    """

    def marks(case: ForecasterCase) -> list[Any]:
        slow = bool(case.options) or case.kind.__name__ in ("AutoForecaster", *later)
        return [pytest.mark.slow] * slow

    return [pytest.param(case, id=str(case), marks=marks(case)) for case in cases]


def same_frames(left: Any, right: Any, rtol: float = 0.0) -> None:
    """Assert that two forecasts are equal: kind, index, columns, and values (relative)."""
    if isinstance(left, list):
        for a, b in zip(left, right, strict=True):
            same_frames(a, b, rtol)
        return
    check = pd.testing.assert_series_equal
    if isinstance(left, pd.DataFrame):
        check = pd.testing.assert_frame_equal
    check(left, right, rtol=rtol, atol=0.0, check_exact=None if rtol else True)


def numbers_of(forecast: Any) -> np.ndarray:
    """Return the forecast values of any kind of frame as one flat array."""
    if isinstance(forecast, list):
        return np.concatenate([numbers_of(part) for part in forecast])
    if isinstance(forecast, pd.DataFrame):
        forecast = forecast.select_dtypes("float")
    return forecast.to_numpy().ravel()


def reads(network: Any) -> list[tuple[int, int]]:
    """Return a list that grows by (rows, steps) with all that a network reads from now on."""
    seen: list[tuple[int, int]] = []
    absorb, advance = network.absorb, network.advance

    def counting_absorb(inputs: Any, *rest: Any) -> Any:
        seen.append(tuple(inputs.shape[:2]))
        return absorb(inputs, *rest)

    def counting_advance(inputs: Any, state: Any) -> Any:
        seen.append((len(inputs), 1))
        return advance(inputs, state)

    network.absorb, network.advance = counting_absorb, counting_advance
    return seen
