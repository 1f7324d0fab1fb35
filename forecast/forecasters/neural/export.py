"""A fitted network as ONNX, for runtimes without Python: a step machine and its state."""

from __future__ import annotations

import copy
import importlib.util
import json
import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from forecast._checks import short
from forecast.engine.portable import Absorb, Forecast, Layout, Portable, Standardise
from forecast.engine.stream import Stream, encode_all
from forecast.evaluation.registry import DECILES
from forecast.forecasters import arguments
from forecast.forecasters.neural.base import NeuralForecaster
from forecast.networks.base import state_map

FORMAT_VERSION = 1
NEEDED = ("onnx", "onnxscript")


def export(
    model: NeuralForecaster,
    folder: str | PathLike[str],
    *,
    horizon: int | None = None,
    levels: Sequence[float] = DECILES,
) -> None:
    """Write a fitted network as ONNX, with all that a program without Python needs to use it.

    Two graphs make the step machine, for any number B of series at a time:

        absorb.onnx:    value (B,), covariates (B, C), state -> state,
        forecast.onnx:  known (B, H, K), state -> point (B, H), quantiles (B, r, Q).

    `state.npz` holds the state of all series at the end of the history, a tensor by each name that
    the graphs have for it, and `about.json` what the numbers mean: the ids of the series in the
    order of the rows, frequency, time of the newest value, columns of `covariates` and `known`,
    horizon, levels. Everything is in the units of the user: scaling, bounds and rounding are in the
    graphs. An input without columns is left out.

    Parameters
    ----------
    model
        A fitted forecaster that learns a network: RNN, LSTM, Seq2Seq, MLP.
    folder
        Where the four files go; it is made if it is not there.
    horizon
        H, steps of the point forecast. None: `model.horizon_`.
    levels
        Q increasing probabilities. The network tells quantiles of the first block, r steps, by
        itself; for later steps `predict_quantiles` draws paths, which are not exported.

    Raises
    ------
    TypeError
        If the model is no forecaster that learns a network.
    ValueError
        If it has a `target_transform`, a `calibration` or a `head` that no graph can hold.
    ModuleNotFoundError
        Without onnx and onnxscript: pip install 'forecast[onnx]'.

    Examples
    --------
    >>> from forecast import load_dataset, LSTMForecaster
    >>> model = LSTMForecaster().fit(load_dataset("elnino"))  # doctest: +SKIP
    >>> export(model, "elnino")  # doctest: +SKIP
    """
    _check(model)
    steps = arguments.steps_ahead(horizon, model.horizon_)
    wanted = arguments.probabilities(levels)
    example, absorb, forecast = _machine(model, steps, wanted)
    about = _about(model, steps, wanted)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    state = absorb.layout.named(example)
    value = torch.zeros(len(example.positive), dtype=torch.float64)
    told = {"value": value, "covariates": _input(value, len(about["covariates"]))}
    known = {"known": _input(value, steps, len(about["known"]))}
    _write(absorb, told, state, [f"next_{name}" for name in state], target / "absorb.onnx")
    _write(forecast, known, state, ["point", "quantiles"], target / "forecast.onnx")
    arrays: dict[str, Any] = {name: part.numpy() for name, part in state.items()}
    np.savez(target / "state.npz", **arrays)
    (target / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def _check(model: Any) -> None:
    """Refuse what no graph can hold."""
    if not isinstance(model, NeuralForecaster):
        raise TypeError(
            "`model` must be a forecaster that learns a network (RNN, LSTM, Seq2Seq, MLP), got "
            f"{short(model)}. Others are saved by `model.save(path)`."
        )
    check_is_fitted(model)
    for name, used, without in (
        ("target_transform", model.target_transform_ is not None, "without"),
        ("calibration", model.calibration_ is not None, "with `calibration=False`"),
    ):
        if used:
            raise ValueError(
                f"`model` must have no `{name}` to be exported: its arithmetic is no part of the "
                f"network. Fit it {without}, or save it by `model.save(path)`."
            )
    if not model.model_.head.traceable:
        raise ValueError(
            "`model` must have a head whose quantiles are plain arithmetic to be exported, such as "
            f'head="quantile" or "normal", got {model.head!r}. Fit it with one of these.'
        )
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ModuleNotFoundError(
            f"`export` needs {' and '.join(missing)}: pip install 'forecast[onnx]'."
        )


def _machine(
    model: NeuralForecaster, horizon: int, levels: Sequence[float]
) -> tuple[Portable, Absorb, Forecast]:
    """Return the state of all series, and what reads and writes it."""
    network = copy.deepcopy(model.model_).cpu()
    live = state_map(lambda part: part.cpu().clone(), _all_phases(model))
    example = Portable(live, *(torch.from_numpy(flag.copy()) for flag in model.bounds_))
    layout = Layout(network, example)
    moments = [torch.from_numpy(part) for part in (model.features_.mean, model.features_.spread)]
    n_known = network.reader.n_known
    every, ahead = Standardise(*moments), Standardise(*(part[:n_known] for part in moments))
    return (
        example,
        Absorb(network, layout, every).eval(),
        Forecast(network, layout, ahead, horizon, levels, model.point).eval(),
    )


def _all_phases(model: NeuralForecaster) -> Stream:
    """Return the stream that new values can be absorbed into; `fit` keeps its newest phase."""
    if len(model.stream_.phases) == model.recipe_.patch:
        return model.stream_
    return encode_all(model.model_, model._windows(model._seen(model.panel_)), phases=True)


def _input(like: Tensor, *sizes: int) -> Tensor | None:
    """Return an example of an input (B, ...); None where it has no columns."""
    return like.new_zeros(len(like), *sizes) if sizes[-1] else None


def _about(model: NeuralForecaster, horizon: int, levels: Sequence[float]) -> dict[str, Any]:
    """Return what a user of the graphs must know."""
    panel = model.panel_
    own = [str(name) for name in panel.X_names]
    last = [panel.times(i)[-1] for i in range(panel.n_series)]
    return {
        "format_version": FORMAT_VERSION,
        "class": type(model).__name__,
        "series": [str(name) for name in panel.ids],
        "freq": str(getattr(model.freq_, "freqstr", model.freq_)),
        "last": [str(time) for time in last],
        "unit": model.unit_,
        "covariates": own + [str(name) for name in panel.past_names],
        "known": [*model.features_.calendar_names(panel), *own],
        "horizon": horizon,
        "point": model.point,
        "levels": list(levels),
        "quantile_steps": min(model.recipe_.stride, horizon),
    }


def _write(
    graph: nn.Module,
    inputs: Mapping[str, Tensor | None],
    state: Mapping[str, Tensor],
    outputs: list[str],
    to: Path,
) -> None:
    """Trace a graph and write it; any number of series may be given to it."""
    # a batch of two stands for any; one of one would be taken for a constant
    two = {name: part if part is None else part[[0, 0]] for name, part in inputs.items()}
    batch, tensors = {0: torch.export.Dim("series")}, [part[[0, 0]] for part in state.values()]
    shapes = {name: part if part is None else batch for name, part in two.items()}
    names = [name for name, part in two.items() if part is not None]
    with torch.no_grad(), warnings.catch_warnings():
        # torch warns of itself: of how its layers list their weights, and of a deprecated test
        warnings.filterwarnings("ignore", "The tensor attributes", UserWarning)
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
        traced = torch.export.export(
            graph,
            (*two.values(), *tensors),
            dynamic_shapes=shapes | {"state": (batch,) * len(tensors)},
            strict=False,
        ).run_decompositions(LACKING)
        program: Any = torch.onnx.export(
            traced, input_names=[*names, *state], output_names=outputs, dynamo=True, verbose=False
        )
    program.save(to)


def _cummax(values: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return the running maximum by doubling, as ONNX has none; its places are not used.

    Examples
    --------
    >>> _cummax(torch.tensor([[1, 3, 2, 5, 4]]), 1)[0].tolist()
    [[1, 3, 3, 5, 5]]
    """
    reach, length = 1, values.shape[dim]
    while reach < length:
        begin, rest = values.tensor_split([reach], dim)
        before = values.narrow(dim, 0, length - reach)
        values = torch.cat([begin, rest.maximum(before)], dim)
        reach *= 2
    return values, values


def _nan_to_num(
    values: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """Return finite values or NaN without NaN; a graph cannot hold the largest double."""
    return torch.where(values.isnan(), nan or 0.0, values)


# What the operators of ONNX lack, in terms of others.
LACKING = {
    torch.ops.aten.cummax.default: _cummax,
    torch.ops.aten.nan_to_num.default: _nan_to_num,
}
