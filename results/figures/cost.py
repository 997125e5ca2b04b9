"""What quality costs: passes through the model against every other metric, and against overall quality."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from assay.results.columns import method_of
from assay.results.figures.cost_panel import Panel, Point, cost_figure
from assay.results.figures.style import Drawing, render, style
from assay.results.figures.visual_encoding import heading, plan
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.records import TRAINED, Group, Method
from assay.results.statistics.overall import ANCHORED, Overall
from assay.results.tables.layout import SIGNS, Grid

NAME, PARETO = "cost", "pareto"
QUALITY = "overall (random 0, best or gold 1)"


def cost_against(grids: Sequence[Grid], cost: str, random: str) -> Drawing | None:
    """A panel per metric but `cost`, means over the groups; None if no method has both.

    Groups of trained models only, if there are any. A method without a value in one of the groups that have
    the metric has no mean, and is left out.
    """
    grids = [grid for grid in grids if grid.group.kind == TRAINED] or list(grids)
    columns = {column.name: column for grid in grids for column in grid.columns}
    panels = [
        Panel(points, columns[name].heading, columns[name].direction == "higher")
        for name in columns
        if name != cost and (points := points_of(grids, cost, name))
    ]
    if not panels:
        return None
    with style(NAME):
        figure = cost_figure(panels, columns[cost].title, plan(grids, random))
        many = f"mean over {len(grids)} groups" if len(grids) > 1 else grids[0].group.title
        groups = ", ".join(grid.group.title for grid in grids)
        text = f"Passes through the model against quality, a panel per metric, for {groups}."
        return render(figure, NAME, f"What quality costs ({many})", text)


def pareto(grids: Sequence[Grid], scores: Sequence[Overall], cost: str, random: str) -> Drawing | None:
    """A panel per group: overall quality against cost, with the Pareto front of those that nothing cheaper is
    better than; None if no candidate has both.

    Quality is the anchored overall score, of which cost is no part (nothing is cheaper than random scores):
    0 as random, 1 as the best or as gold. Left out is who lacks a metric that others have.
    """
    by_group = {grid.group: grid for grid in grids}
    found: list[tuple[Group, Panel]] = []
    for score in scores:
        grid = by_group.get(score.group)
        points = _overall_points(score, grid, cost) if grid else []
        if len(points) > 1:
            found.append((score.group, Panel(points, heading(score.group, 40), True, QUALITY)))
    if not found:
        return None
    drawn = found[:PANEL_LIMIT]
    shown = [by_group[group] for group, _ in drawn]
    title = next(column.title for grid in shown for column in grid.columns if column.name == cost)
    with style(PARETO):
        figure = cost_figure([panel for _, panel in drawn], title, plan(shown, random))
        groups = listed([group.title for group, _ in found])
        text = f"Overall quality, without cost, against passes through the model, for {groups}"
        return render(figure, PARETO, "Overall quality and its cost: the Pareto front", text)


def points_of(grids: Sequence[Grid], cost: str, metric: str) -> list[Point]:
    """The methods that have both numbers in every grid that has both metrics."""
    both = [(grid.entries(cost), grid.entries(metric)) for grid in grids]
    having = [(costs, values) for costs, values in both if costs and values]
    pairs: dict[Method, list[tuple[float, float]]] = {}
    marks: dict[Method, dict[str, None]] = {}
    for costs, values in having:
        for method in costs:
            pair = costs[method].value, values[method].value
            if all(map(math.isfinite, pair)):
                pairs.setdefault(method, []).append(pair)
                marks.setdefault(method, {}).update(dict.fromkeys(values[method].mark))
    means = {method: np.mean(every, axis=0) for method, every in pairs.items() if len(every) == len(having)}
    return [Point(method, *mean.tolist(), mark="".join(marks[method])) for method, mean in means.items()]


def _overall_points(score: Overall, grid: Grid, cost: str) -> list[Point]:
    costs = grid.entries(cost)
    signs = {row.method: {sign for entry in row.entries for sign in entry.mark} for row in grid.rows}
    rows = [
        row for row in score.rows if row.form == ANCHORED and math.isfinite(row.value) and not row.missing
    ]
    return [
        Point(
            *(method, costs[method].value, row.value, row.low, row.high),
            mark="".join(sign for sign in SIGNS if sign in signs[method]),
        )
        for row in rows
        if (method := method_of(row)) in costs and math.isfinite(costs[method].value)
    ]
