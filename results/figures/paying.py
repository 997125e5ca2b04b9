"""From how many texts on the training of an explainer pays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from assay.results.figures.style import (
    DARK,
    GREY,
    Drawing,
    dashes,
    grid_lines,
    panels,
    render,
    series_look,
    style,
)
from assay.results.figures.titles import shortened
from assay.results.figures.visual_encoding import heading, short
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.records import Group
from assay.results.training_costs import TrainingCost

NAME = "cost_of_training"
# At most so many explainers are compared, the cheapest ones of those that training is cheaper than.
COMPARED = 6
PANELS_PER_ROW = 2


def paying(costs: Sequence[TrainingCost]) -> Drawing | None:
    """A panel for each group and trained explainer, of the first model: rows for so many texts, with a mark
    where the trained one becomes the cheaper one; None if nothing was trained."""
    first: dict[tuple[Group, str], TrainingCost] = {}
    for cost in costs:
        if cost.others:
            first.setdefault((cost.group, cost.method), cost)
    if not first:
        return None
    drawn = list(first.values())[:PANEL_LIMIT]
    wide = min(len(drawn), PANELS_PER_ROW)
    down = -(-len(drawn) // wide)
    with style(NAME):
        figure = Figure(figsize=(max(4.6, 3.9 * wide), 4.3 * down), layout="constrained")
        for axes, cost in zip(panels(figure, len(drawn), wide), drawn, strict=True):
            _panel(axes, cost)
        told = "; ".join(
            f"{cost.group.title}: training of {cost.method} took {cost.training:,} rows and {_pays(cost)}"
            for cost in drawn
        )
        names = listed([f"{group.title}: {method}" for group, method in first], "; ")
        text = f"Rows of the model in all by the number of texts explained, for {names} {told}."
        return render(figure, NAME, "From how many texts training an explainer pays", text)


def _compared(cost: TrainingCost) -> dict[str, int]:
    """By title the texts from which it pays, of those that are drawn."""
    return dict(list(cost.pays().items())[-COMPARED:])


def _pays(cost: TrainingCost) -> str:
    found = [f"from {count:,} texts against {name}" for name, count in _compared(cost).items()]
    return f"pays {', '.join(found)}" if found else "pays against none"


def _panel(axes: Axes, cost: TrainingCost) -> None:
    axes.set_title(heading(cost.group, 40), fontsize=8.5)
    compared = _compared(cost)
    texts = np.geomspace(1, 10 * max([10, *compared.values()]), 200)
    own = cost.training + cost.own * texts
    label = f"{shortened(cost.method)}, trained"
    axes.plot(texts, own, color=DARK, linewidth=2.0, label=label, zorder=3)
    for place, (name, count) in enumerate(compared.items()):
        colour = series_look(place)["color"]
        label = f"{shortened(name)}: from {count:,} texts"
        axes.plot(
            texts,
            cost.others[name] * texts,
            color=colour,
            linewidth=1.1,
            linestyle=dashes(place),
            label=label,
        )
        axes.plot([count], [cost.training + cost.own * count], "o", color=colour, markersize=4.5, zorder=4)
    if not compared:
        axes.plot([], [], linestyle="none", label="pays against none")
    axes.set_xscale("log")
    axes.set_yscale("log")
    grid_lines(axes, "both")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.set_xlabel("texts explained", fontsize=8.5)
    axes.set_ylabel("model rows in all", fontsize=8.5)
    legend = axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7.5, title="training pays", ncols=1
    )
    legend.get_title().set_fontsize(7.5)
    legend.get_title().set_color(GREY)
