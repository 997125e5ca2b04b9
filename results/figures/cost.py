"""What quality costs: passes through the model against every other metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from assay.results.figures.label_placement import place_labels
from assay.results.figures.style import DARK, GREY, Drawing, grid_lines, render, style
from assay.results.figures.visual_encoding import Plan, logarithmic, plan
from assay.results.records import TRAINED, Method, grouped
from assay.results.statistics.estimates import Floats
from assay.results.tables.layout import Column, Grid

NAME = "cost"
PANELS_PER_ROW = 3
# In inches.
WIDTH, HEIGHT = 3.1, 2.7  # of a panel
LEFT, BELOW = 0.55, 0.5  # room for its tick labels and axis title
ACROSS, DOWN = LEFT + WIDTH + 0.15, BELOW + HEIGHT + 0.3  # from one panel to the next
FOOT = 0.4  # room for the legend
LETTERS = 7.5  # size of labels, in points
LABEL: dict[str, Any] = {
    **{"xycoords": "axes fraction", "textcoords": "axes fraction"},
    **{"ha": "center", "va": "center", "fontsize": LETTERS},
}
LEADER = {"arrowstyle": "-", "color": "#AAAAAA", "linewidth": 0.6, "shrinkB": 3}


@dataclass(frozen=True, slots=True)
class Point:
    """One method: cost in passes per text, and the value of a metric."""

    method: Method
    cost: float
    value: float


def cost_against(grids: Sequence[Grid], cost: str, random: str) -> Drawing | None:
    """A panel per metric but `cost`, means over the groups; None if no method has both.

    Groups of trained models only, if there are any. A method without a value in one of the groups that have
    the metric has no mean, and is left out.
    """
    grids = [grid for grid in grids if grid.group.kind == TRAINED] or list(grids)
    titles = {column.name: column for grid in grids for column in grid.columns}
    panels = {name: points for name in titles if name != cost and (points := points_of(grids, cost, name))}
    if not panels:
        return None
    where = plan(grids, random)
    wide = min(len(panels), PANELS_PER_ROW)
    rows = math.ceil(len(panels) / wide)
    key = [*where.legend(), Line2D([], [], color=GREY, linewidth=2.5, alpha=0.4, label="best for the price")]
    key += where.signs()
    with style(NAME):
        figure = Figure(figsize=(wide * ACROSS, rows * DOWN + FOOT))
        for place, (name, points) in enumerate(panels.items()):
            axes = _axes(figure, place % wide, rows - 1 - place // wide)
            _panel(axes, points, titles[name], where)
            axes.set_xlabel(titles[cost].title, fontsize=8.5)
        figure.legend(handles=key, loc="lower left", ncols=min(len(key), 2 * wide), columnspacing=1.2)
        many = f"mean over {len(grids)} groups" if len(grids) > 1 else grids[0].group.title
        groups = ", ".join(grid.group.title for grid in grids)
        text = f"Passes through the model against quality, a panel per metric, for {groups}."
        return render(figure, NAME, f"What quality costs ({many})", text)


def _axes(figure: Figure, column: int, row: int) -> Axes:
    """A panel of known size, which the labels need; row 0 is the lowest."""
    width, height = figure.get_size_inches()
    left, bottom = LEFT + column * ACROSS, FOOT + BELOW + row * DOWN
    return figure.add_axes((left / width, bottom / height, WIDTH / width, HEIGHT / height))


def points_of(grids: Sequence[Grid], cost: str, metric: str) -> list[Point]:
    """The methods that have both numbers in every grid that has both metrics."""
    both = [(grid.entries(cost), grid.entries(metric)) for grid in grids]
    having = [(costs, values) for costs, values in both if costs and values]
    pairs: dict[Method, list[tuple[float, float]]] = {}
    for costs, values in having:
        for method in costs:
            pair = costs[method].value, values[method].value
            if all(map(math.isfinite, pair)):
                pairs.setdefault(method, []).append(pair)
    means = {method: np.mean(every, axis=0) for method, every in pairs.items() if len(every) == len(having)}
    return [Point(method, *mean.tolist()) for method, mean in means.items()]


def front(points: Sequence[Point], *, higher: bool) -> list[Point]:
    """The points that nothing cheaper, or equally cheap, is better than; from the cheapest up."""
    sign = 1 if higher else -1
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -sign * point.value, point.method)):
        if not kept or sign * point.value > sign * kept[-1].value:
            kept.append(point)
    return kept


def _panel(axes: Axes, points: Sequence[Point], column: Column, where: Plan) -> None:
    axes.set_title(column.heading, fontsize=8.5)
    grid_lines(axes, "both")
    zero = logarithmic(axes, [point.cost for point in points])
    x = {point.method: max(point.cost, zero) for point in points}
    _limits(axes, [point.value for point in points])
    candidates = [point for point in points if point.method.explainer not in where.controls]
    best = front(candidates, higher=column.direction == "higher")
    edge = np.array([(x[point.method], point.value) for point in best]).reshape(-1, 2)
    axes.step(*edge.T, where="post", color=GREY, alpha=0.4, linewidth=2.5)
    by_explainer = grouped(points, lambda point: point.method.explainer)
    for group in by_explainer.values():
        axes.plot([x[p.method] for p in group], [p.value for p in group], color="#BBBBBB", linewidth=0.8)
    for point in points:
        colour, marker = where.colour(point.method), where.marker(point.method)
        control = point.method.explainer in where.controls
        face, order = ("white", 2) if control else (colour, 3)
        across, up = [x[point.method]], [point.value]
        axes.plot(across, up, marker, color=colour, markerfacecolor=face, markersize=4.5, zorder=order)
    places = {name: [(x[p.method], p.value) for p in group] for name, group in by_explainer.items()}
    _labels(axes, places, _along(edge), where)


def _limits(axes: Axes, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    room = 0.1 * (high - low) or 0.1 * abs(high) or 0.1
    axes.set_ylim(low - room, high + room)


def _along(edge: Floats) -> list[tuple[float, float]]:
    """Points along the steps between the given ones, for labels to keep off."""
    found: list[tuple[float, float]] = []
    for (x, y), (next_x, next_y) in pairwise(edge.tolist()):
        found += [(across, y) for across in np.geomspace(x, next_x, 25)]
        found += [(next_x, up) for up in np.linspace(y, next_y, 25)]
    return found


def _labels(
    axes: Axes,
    places: Mapping[str, Sequence[tuple[float, float]]],
    avoid: Sequence[tuple[float, float]],
    where: Plan,
) -> None:
    """One name per explainer, beside the first of its points, with a thin line to it if it stands apart."""
    frame = np.array([72 * WIDTH, 72 * HEIGHT])
    (left, right), (bottom, top) = np.log10(axes.get_xlim()), axes.get_ylim()

    def in_points(points: Sequence[tuple[float, float]]) -> Floats:
        x, y = np.array(points).reshape(-1, 2).T
        return (
            np.stack([(np.log10(x) - left) / (right - left), (y - bottom) / (top - bottom)], axis=1) * frame
        )

    anchors = in_points([points[0] for points in places.values()])
    obstacles = in_points([point for points in places.values() for point in points] + list(avoid))
    names = [where.label(name) for name in places]
    sizes = np.array([(TextPath((0, 0), name, size=LETTERS).get_extents().width + 2, 9) for name in names])
    corners = place_labels(anchors, sizes, obstacles, (frame[0], frame[1]))
    for name, anchor, size, corner in zip(places, anchors, sizes, corners, strict=True):
        apart = float(np.hypot(*(np.clip(anchor, corner, corner + size) - anchor))) > 9
        ends = {"xy": tuple(anchor / frame), "xytext": tuple((corner + size / 2) / frame)}
        look = {**LABEL, "color": GREY if name in where.controls else DARK}
        axes.annotate(where.label(name), **ends, **look, arrowprops=LEADER if apart else None)
