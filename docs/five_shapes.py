"""Draw one recurrent cell in five shapes, for `shapes.md` and for talks; `figures.py` saves it."""

from __future__ import annotations

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from forecast.evaluation.canvas import BLACK, COLOURS, GREY

INPUT, STATE, OUTPUT = COLOURS[0], BLACK, COLOURS[1]
LOW, MIDDLE, HIGH = 0.0, 1.15, 2.3  # rows of inputs, cells and outputs
GIVEN = {"fc": "white", "lw": 2.0}


def five_shapes() -> Figure:
    """Draw the panels in two rows, the last one as wide as it has steps."""
    rows = [  # with the middle and the width of each
        [(one_to_one, 0.0, 4.0), (vector_to_sequence, 1.0, 4.0), (sequence_to_vector, 1.0, 4.0)],
        [(each_step, 1.0, 5.0), (history_to_horizon, 2.2, 7.0)],
    ]
    figure = plt.figure(figsize=(11, 10.4), layout="constrained", facecolor="white")
    for part, panels in zip(figure.subfigures(2, 1), rows, strict=True):
        axes = part.subplots(1, len(panels), width_ratios=[width for *_, width in panels])
        for ax, (draw, middle, width) in zip(axes, panels, strict=True):
            draw(ax, middle)
            limits = {"xlim": (middle - width / 2, middle + width / 2), "ylim": (-1.45, 4.2)}
            ax.set(aspect="equal", **limits)
            ax.axis("off")
    return figure


def one_to_one(ax: Axes, middle: float) -> None:
    """Draw a single step."""
    title(ax, middle, "one → one", "a value\nfrom features", "LSTMForecaster\nhorizon=1")
    column(ax, 0, given=True, told=True)


def vector_to_sequence(ax: Axes, middle: float) -> None:
    """Draw a curve from a vector."""
    job = "cold start: the curve\nof a new item"
    title(ax, middle, "vector → sequence", job, "LSTMForecaster\nstatic_to=…")
    for k in range(3):
        column(ax, k, given=k == 0, told=True)
        step(ax, k) if k else None
    for k in (1, 2):  # the other way: at every step
        arrow(ax, (0.2, LOW + 0.08), (k - 0.12, MIDDLE - 0.36), INPUT, ls=(0, (2, 2)), rad=0.12)


def sequence_to_vector(ax: Axes, middle: float) -> None:
    """Draw one answer at the end."""
    job = "class, remaining life,\nearly warning"
    title(ax, middle, "sequence → vector", job, "SequenceClassifier\nSequenceRegressor")
    for k in range(3):
        column(ax, k, given=True, told=k == 2)
        step(ax, k) if k else None


def each_step(ax: Axes, middle: float) -> None:
    """Draw an answer at every step."""
    job = "an alarm or a forecast\nat every step"
    title(ax, middle, "sequence → sequence", job, "SequenceClassifier\neach_step=True")
    for k in range(3):
        column(ax, k, given=True, told=True)
        step(ax, k) if k else None


def history_to_horizon(ax: Axes, middle: float) -> None:
    """Draw an encoder, a context, and a decoder that looks back."""
    title(
        ax,
        middle,
        "encoder – decoder",
        "a history to a horizon of another length;\nattention looks back at every step",
        "Seq2SeqForecaster\ncontext=…, attention=True",
    )
    places = (0, 1, 2, 3.4, 4.4)
    for k, x in enumerate(places):
        column(ax, x, given=k < 3, told=k > 2, colour=STATE if k < 3 else COLOURS[2])
        if k and k != 3:
            step(ax, x)
    arrow(ax, (2.33, MIDDLE), (3.07, MIDDLE), STATE, lw=3.0)
    ax.text(2.7, MIDDLE + 0.13, "c", ha="center", fontsize=19, style="italic")
    for k in range(3):  # attention
        arrow(ax, (k + 0.1, MIDDLE + 0.34), (3.3, MIDDLE + 0.36), GREY, ls=(0, (2, 2)), rad=-0.33)
    arrow(ax, (3.6, HIGH - 0.06), (4.22, MIDDLE + 0.36), OUTPUT, ls=(0, (2, 2)))  # read back


def title(ax: Axes, x: float, name: str, job: str, call: str) -> None:
    """Write the name of a shape and its job above it, and who does it below."""
    ax.text(x, 4.15, name, ha="center", va="top", fontsize=20, weight="bold")
    ax.text(x, 3.72, job, ha="center", va="top", fontsize=16, color=GREY)
    ax.text(x, -0.55, call, ha="center", va="top", fontsize=15.5, family="monospace")


def column(ax: Axes, x: float, *, given: bool, told: bool, colour: str = STATE) -> None:
    """Draw the cell at one step, with what it is given and what it tells."""
    box = FancyBboxPatch(
        (x - 0.26, MIDDLE - 0.26), 0.52, 0.52, boxstyle="round,pad=0.05", ec=colour, **GIVEN
    )
    ax.add_patch(box)
    ax.text(x, MIDDLE, "h", ha="center", va="center", fontsize=20, style="italic", color=colour)
    if given:
        ax.add_patch(Circle((x, LOW), 0.21, ec=INPUT, **GIVEN))
        ax.text(x, LOW, "x", ha="center", va="center", fontsize=19, style="italic", color=INPUT)
        arrow(ax, (x, LOW + 0.22), (x, MIDDLE - 0.32), INPUT)
    if told:
        ax.add_patch(Circle((x, HIGH), 0.21, ec=OUTPUT, **GIVEN))
        ax.text(x, HIGH, "y", ha="center", va="center", fontsize=19, style="italic", color=OUTPUT)
        arrow(ax, (x, MIDDLE + 0.32), (x, HIGH - 0.22), OUTPUT)


def step(ax: Axes, x: float) -> None:
    """Draw the state passed on from the step before."""
    arrow(ax, (x - 0.68, MIDDLE), (x - 0.32, MIDDLE), STATE)


def arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    *,
    lw: float = 1.8,
    ls: object = "-",
    rad: float = 0.0,
) -> None:
    """Draw an arrow, maybe bent."""
    bend = f"arc3,rad={rad}"
    style = {"arrowstyle": "-|>", "mutation_scale": 13, "connectionstyle": bend, "shrinkA": 0}
    ax.add_patch(FancyArrowPatch(start, end, color=colour, lw=lw, ls=ls, shrinkB=0, **style))
