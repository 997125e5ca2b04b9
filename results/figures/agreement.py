"""The heat map of how metrics agree; the numbers and the hatching say what the colours say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from assay.results.figures.style import COLOURS, DARK, GREY, Drawing, panels, render, style
from assay.results.figures.titles import shortened
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.statistics.agreement import Agreement, two_digits

BLUE, ORANGE = COLOURS[0], COLOURS[1]
HATCH = "////"
# In inches.
CELL = 0.34
PANELS_PER_ROW = 2


def agreement_figures(found: Sequence[Agreement]) -> list[Drawing]:
    """The first of `found` large, and the others as panels of a second figure."""
    title = "Which metrics agree"
    parts = ("agreement", found[:1], title), ("agreement-groups", found[1:], f"{title}, by task and model")
    return [_drawing(*part) for part in parts if part[1]]


def _drawing(name: str, every: Sequence[Agreement], title: str) -> Drawing:
    found = every[:PANEL_LIMIT]
    wide = min(len(found), PANELS_PER_ROW)
    rows = math.ceil(len(found) / wide)
    size = CELL * max(len(of.metrics) for of in found)
    names = 0.2 + 0.075 * max(len(shortened(metric.name)) for of in found for metric in of.metrics)
    with style(name):
        width, height = wide * (size + names + 0.2), rows * (size + names + 0.35) + 0.45
        figure = Figure(figsize=(max(width, 4.4), height), layout="constrained")
        for axes, of_group in zip(panels(figure, len(found), wide), found, strict=True):
            _panel(axes, of_group)
        figure.legend(handles=_key(), loc="outside lower left", ncols=2, columnspacing=1.2)
        groups = listed([of.title for of in every], "; ")
        text = f"Kendall's tau between the rankings of the explainers by every two metrics: {groups}"
        return render(figure, name, title, text)


def _key() -> list[Patch]:
    return [
        Patch(facecolor=shade(0.8), label="same order (1: identical)"),
        Patch(
            facecolor=shade(-0.8), hatch=HATCH, edgecolor="white", linewidth=0, label="reverse order, hatched"
        ),
    ]


def shade(value: float) -> tuple[float, float, float]:
    """White for 0, blue for 1, orange for −1, the darker the stronger, with room for black letters."""
    colour = np.array(to_rgb(BLUE if value >= 0 else ORANGE))
    share = 0.75 * min(1.0, abs(value))
    red, green, blue = (1 - share) + share * colour
    return float(red), float(green), float(blue)


def _panel(axes: Axes, of: Agreement) -> None:
    """The lower triangle, each cell with its number; empty where undefined."""
    count = len(of.metrics)
    names = [shortened(metric.name) for metric in of.metrics]
    for row in range(1, count):
        for column in range(row):
            value = float(of.tau[row, column])
            if not math.isfinite(value):
                axes.text(column, row, "–", ha="center", va="center", color=GREY, fontsize=7)
                continue
            hatch = HATCH if value < -0.005 else None
            box = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=shade(value), hatch=hatch, linewidth=0)
            box.set_edgecolor("white")
            axes.add_patch(box)
            axes.text(
                column, row, two_digits(value), ha="center", va="center", color="black", fontsize=6.8,
                fontweight="bold" if abs(value) >= 0.5 else "normal",
            )  # fmt: skip
    axes.set_xlim(-0.5, count - 1.5)
    axes.set_ylim(count - 0.5, 0.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(count - 1), names[:-1], rotation=90, fontsize=7.5)
    axes.set_yticks(range(1, count), names[1:], fontsize=7.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(of.title, fontsize=8.5, color=DARK)
