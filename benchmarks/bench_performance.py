"""What forecasts cost, beside plain torch and pandas; writes the table of `docs/performance.md`.

Seconds are those of the processor, on one thread. A piece of work and its floor, the least that
plain libraries need for the same, are run in turn, so that whatever else the machine does meets
both alike: the ratio is the median of the ratios of the rounds, in brackets their quartiles.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from bench_cost import started
from bench_pretrained import cpu_seconds, months, streaming
from bench_streaming import HOURS, fitted, step
from torch import Tensor, nn

from forecast import ForecastWarning, LSTMForecaster, MLPForecaster
from forecast.networks.heads.quantile import LEVELS, pinball

ROOT = Path(__file__).parents[1]
PAGE, RESULTS = ROOT / "docs" / "performance.md", Path(__file__).parent / "results"
BEGIN, END = "<!-- written by make bench -->\n", "<!-- end -->"

Work = Callable[[int], object]  # given the number of the round


class Case(NamedTuple):
    """A piece of work, its floor and how often both are run."""

    name: str
    ours: Work
    floor: Work | None = None
    rounds: int = 5


class Plain(nn.Module):
    """Three LSTMs with a linear readout of all quantiles: what the defaults train, and no more."""

    def __init__(self, inputs: int, width: int, layers: int, block: int) -> None:
        super().__init__()
        self.lstms = nn.ModuleList(
            nn.LSTM(inputs, width, layers, batch_first=True) for _ in range(3)
        )
        self.readouts = nn.ModuleList(nn.Linear(width, block * len(LEVELS)) for _ in range(3))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean quantiles (B, T, block * Q) of inputs (B, T, F)."""
        pairs = zip(self.lstms, self.readouts, strict=True)
        return torch.stack([readout(lstm(inputs)[0]) for lstm, readout in pairs]).mean(0)


def plain_training(network: nn.Module, x: Tensor, block: int, steps: int) -> Work:
    """Return steps of AdamW on random targets, nine quantiles of each, with a loss at every step.

    The network returns (..., block * Q).
    """
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    y, levels = torch.randn(*x.shape[:-1], block), torch.tensor(LEVELS)

    def work(k: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            pinball(network(x).unflatten(-1, (block, -1)), y, levels).mean().backward()
            optimizer.step()

    return work


def plain_mlp(inputs: int, width: int, block: int) -> nn.Module:
    """Return two hidden layers and a linear readout of all quantiles."""
    sizes = (inputs, width), (width, width)
    hidden = [part for size in sizes for part in (nn.Linear(*size), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(width, block * len(LEVELS)))


def plain_stream(n_series: int) -> Work:
    """Return the reading of one hour and a forecast of the next, from a state that is kept."""
    network, state = Plain(50, 64, 2, 24), [None] * 3

    def work(k: int) -> pd.DataFrame:
        with torch.inference_mode():
            x, found = torch.full((n_series, 1, 50), 0.1), []
            for i, (lstm, readout) in enumerate(zip(network.lstms, network.readouts, strict=True)):
                features, state[i] = lstm(x, state[i])
                found.append(readout(features[:, 0]))
            values = torch.stack(found).mean(0)[:, :1].numpy()
        return pd.DataFrame(values.T, HOURS[k : k + 1])

    return work


def cases() -> Iterator[Case]:
    """Yield the rows of the table."""
    for name, floor in (("NaiveForecaster", "pandas"), ("LSTMForecaster", "pandas, torch")):
        begun = started(f"from forecast import {name}")
        yield Case(f"import `{name}` (floor: {floor})", begun, started(f"import {floor}"))
    one, panel = months(1, 200)[0], months(1_428, 120)
    yield Case("fit an LSTM, 200 months", lambda k: LSTMForecaster(random_state=k).fit(one))
    epoch = LSTMForecaster(horizon=18, max_epochs=1, random_state=0)
    yield Case(
        "50 steps of an LSTM, 1,428 x 120 months",
        lambda k: epoch.fit(panel),
        plain_training(Plain(26, 64, 1, 18), torch.randn(49, 48, 26), 18, 50),
        3,
    )
    yield mlp_steps()
    for n in (1, 100):
        live = step(fitted(LSTMForecaster, 1_000, n), 1_000, n)
        yield Case(f"LSTM, a new hour of {n} series", live, plain_stream(n), 100)
    mlp = step(fitted(MLPForecaster, 1_000, 1), 1_000, 1)
    yield Case("MLP, a new hour of 1 series", mlp, None, 100)
    yield Case("pre-trained, a new month of 1 series", streaming(120), None, 100)
    y = pd.Series(np.sin(np.arange(6_000) * np.pi / 12), HOURS[:6_000])
    origins = 6_000 - 24 - 24 * np.arange(200)[::-1, None]
    model = LSTMForecaster(horizon=24, max_epochs=1, random_state=0).fit(y[: origins[0, 0]])
    yield Case(
        "LSTM, 24 hours from 200 origins",
        lambda k: model.predict_at(y, origins=origins, horizon=24),
    )
    many = fitted(LSTMForecaster, 1_000, 414, horizon=48)
    yield Case("LSTM, 48 hours of 414 series, its `horizon`", lambda k: many.predict())
    yield Case("the same, 100 paths", lambda k: many.sample(random_state=k), None, 3)
    yield Case("100 paths of 96 hours", lambda k: many.sample(96, random_state=k), None, 3)


def mlp_steps() -> Case:
    """Return the row of an MLP: one network, because its floor is one."""
    day = 5 * np.sin(np.arange(850) * np.pi / 12)[:, None]
    hours = pd.DataFrame(day + np.random.default_rng(0).normal(size=(850, 414))).rename(columns=str)
    sizes = {"hidden_size": 128, "num_layers": 2, "batch_size": 128, "n_estimators": 1}
    options = {"max_epochs": 10, "early_stopping": False, "random_state": 0}
    model = MLPForecaster(horizon=48, season_length=24, **sizes, **options)
    inputs = model.fit(hours).model_.reader.input_size
    floor = plain_training(plain_mlp(inputs, 128, 48), torch.randn(128, inputs), 48, 500)
    name = "500 steps of an MLP of 2 x 128 units, 128 windows of 414 x 850 hours"
    return Case(name, lambda k: model.fit(hours), floor, 3)


def measure(case: Case) -> dict[str, object]:
    """Return the median seconds of a case, and its ratio to the floor."""
    works = [work for work in (case.ours, case.floor) if work is not None]
    for work in works:
        work(0)
    times = np.array(
        [[seconds(work, k) for work in works] for k in range(1, case.rounds + 1)]
    )  # (rounds, works)
    row: dict[str, object] = {"work": case.name, "ms": f"{1e3 * np.median(times[:, 0]):,.2f}"}
    row["least"] = f"{1e3 * times[:, 0].min():,.2f}"
    row["floor, ms"] = row["ratio"] = ""
    if len(works) > 1:
        low, middle, high = np.quantile(times[:, 0] / times[:, 1], [0.25, 0.5, 0.75])
        row["floor, ms"] = f"{1e3 * np.median(times[:, 1]):,.2f}"
        row["ratio"] = f"{middle:.1f} ({low:.1f} to {high:.1f})"
    return row


def seconds(work: Work, k: int) -> float:
    """Return the processor's seconds of one round, those of new processes included."""
    began = cpu_seconds()
    work(k)
    return cpu_seconds() - began


def write(table: pd.DataFrame) -> None:
    """Put the table where the page has its marks, and into a CSV."""
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "performance.csv", index=False)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [
        "| " + " | ".join(row) + " |"
        for row in (table.columns, ["---", *["---:"] * 4], *table.itertuples(index=False))
    ]
    PAGE.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + after)


def main() -> None:
    """Measure every case, printing each as it is known; write the table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ForecastWarning)
    rows = []
    for case in cases():
        rows.append(measure(case))
        print(*rows[-1].values(), sep="  ", flush=True)
    write(pd.DataFrame(rows))


if __name__ == "__main__":
    main()
