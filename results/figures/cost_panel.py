"""A panel of quality against cost: points, who is best for the price, and a name or a number for everyone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from assay.results.figures.label_placement import fits, has_leader, place_labels
from assay.results.figures.style import DARK, GREY, grid_lines
from assay.results.figures.titles import fitted, shortened
from assay.results.figures.visual_encoding import Plan, logarithmic, sign_key
from assay.results.records import Method, grouped
from assay.results.statistics.estimates import Floats

PANELS_PER_ROW = 3
# In inches.
WIDTH, HEIGHT = 3.1, 2.7  # of a panel
LEFT, BELOW = 0.55, 0.5  # room for its tick labels and axis title
ACROSS, DOWN = LEFT + WIDTH + 0.15, BELOW + HEIGHT + 0.3  # from one panel to the next
TITLE = 8.5  # size of titles, in points
LINE = 0.19  # of a legend
LETTERS = 7.5  # size of labels, in points
LONGEST = 30  # letters of a label
LABEL: dict[str, Any] = {
    **{"xycoords": "axes fraction", "textcoords": "axes fraction"},
    **{"ha": "center", "va": "center", "fontsize": LETTERS},
}
LEADER = {"arrowstyle": "-", "color": "#AAAAAA", "linewidth": 0.6, "shrinkB": 3}


@dataclass(frozen=True, slots=True)
class Point:
    """One method: cost in passes per text, its quality, an interval where there is one, and signs."""

    method: Method
    cost: float
    value: float
    low: float = float("nan")
    high: float = float("nan")
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """points: of the methods. title: of the panel. higher: whether more of the quality is better. axis: what
    quality is, where the title does not say. width: in inches.
    """

    points: Sequence[Point]
    title: str
    higher: bool
    axis: str = ""
    width: float = WIDTH

    @property
    def frame(self) -> tuple[float, float]:
        """Width and height in points."""
        return 72 * self.width, 72 * HEIGHT


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """How each explainer is named in a panel, and where, in points of the panel.

    points: (n, 2) what is named. sizes, corners: (n, 2) of the labels, by their lower left corners. frame:
    of the panel.
    """

    names: Mapping[str, str]
    points: Floats
    sizes: Floats
    corners: Floats
    frame: tuple[float, float]

    @property
    def free(self) -> bool:
        """Whether nothing is covered, and few labels stand far from what they name."""
        far = sum(map(has_leader, self.points, self.corners, self.sizes))
        return far <= len(self.names) / 4 and fits(self.corners, self.sizes, self.frame)


def front(points: Sequence[Point], *, higher: bool) -> list[Point]:
    """The points that nothing cheaper, or equally cheap, is better than; from the cheapest up."""
    sign = 1 if higher else -1
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -sign * point.value, point.method)):
        if not kept or sign * point.value > sign * kept[-1].value:
            kept.append(point)
    return kept


def cost_figure(panels: Sequence[Panel], cost: str, where: Plan) -> Figure:
    """The panels with one legend; inside `style(name)`. cost: the title of the axis of costs."""
    wide = min(len(panels), PANELS_PER_ROW)
    rows = math.ceil(len(panels) / wide)
    # As wide as two panels at least, because legends need it.
    across = max(wide, 2) * ACROSS
    if wide == 1:
        panels = [replace(panel, width=across - LEFT - 0.15) for panel in panels]
    panels = [replace(panel, title=fitted(panel.title, 72 * panel.width, TITLE)) for panel in panels]
    down = DOWN + LINE * max(panel.title.count("\n") for panel in panels)
    scratch = Figure().subplots()
    named = [_labels(scratch, panel, where) for panel in panels]
    numbered = any(name.isdigit() for labels in named for name in labels.names.values())
    look = {"color": GREY, "linewidth": 2.5, "alpha": 0.4, "marker": "o", "markersize": 9}
    key = [*where.legend(), Line2D([], [], **look, label="best for the price")]
    key += sign_key(point.mark for panel in panels for point in panel.points)
    shown = [name for name in where.explainers if any(name in each.names for each in named)]
    columns = max(1, int(across / (0.45 + where.margin)))
    lines = math.ceil(len(shown) / columns) if numbered else 0
    wide_key = max(1, int(across / 1.9))
    foot = LINE * (lines + math.ceil(len(key) / wide_key)) + (0.3 if lines else 0.2)
    figure = Figure(figsize=(across, rows * down + foot))
    for place, (panel, labels) in enumerate(zip(panels, named, strict=True)):
        left, bottom = LEFT + place % wide * ACROSS, foot + BELOW + (rows - 1 - place // wide) * down
        size = (across, rows * down + foot)
        axes = figure.add_axes((left / size[0], bottom / size[1], panel.width / size[0], HEIGHT / size[1]))
        _draw(axes, panel, labels, where)
        axes.set_xlabel(cost, fontsize=8.5)
        axes.set_ylabel(panel.axis, fontsize=8.5, labelpad=2)
    figure.legend(handles=key, loc="lower left", ncols=wide_key, columnspacing=1.2)
    if numbered:
        entries = [
            Line2D([], [], linestyle="none", label=f"{_number(name, where)}  {shortened(name, LONGEST)}")
            for name in shown
        ]
        look = {"handlelength": 0, "handletextpad": 0, "columnspacing": 1.2, "labelspacing": 0.35}
        at = (0, (LINE * math.ceil(len(key) / wide_key) + 0.03) / (rows * down + foot))
        figure.legend(handles=entries, loc="lower left", bbox_to_anchor=at, ncols=columns, **look)
    return figure


def _number(explainer: str, where: Plan) -> str:
    return str(1 + where.explainers.index(explainer))


def _labels(axes: Axes, panel: Panel, where: Plan) -> Labels:
    """Everybody's name where all names find room; else numbers, and those that are best for the price and
    controls still by name if these find room. axes: of which scales are set, to see where points stand."""
    zero = _scales(axes, panel)
    explainers = list(dict.fromkeys(point.method.explainer for point in panel.points))
    full = {name: shortened(name, LONGEST) for name in explainers}
    best = {point.method.explainer for point in _best(panel, where)} | where.controls
    numbers = {name: _number(name, where) for name in explainers}
    some = {name: full[name] if name in best else numbers[name] for name in explainers}
    for names in (full, some):
        if (labels := _placed(axes, zero, panel, names, where)).free:
            return labels
    return _placed(axes, zero, panel, numbers, where)


def _best(panel: Panel, where: Plan) -> list[Point]:
    candidates = [point for point in panel.points if point.method.explainer not in where.controls]
    return front(candidates, higher=panel.higher)


def _scales(axes: Axes, panel: Panel) -> float:
    """Set both axes; returns the place of zero cost."""
    zero = logarithmic(axes, [point.cost for point in panel.points])
    ends = [end for point in panel.points for end in (point.value, point.low, point.high)]
    finite = list(filter(math.isfinite, ends))
    low, high = min(finite), max(finite)
    room = 0.1 * (high - low) or 0.1 * abs(high) or 0.1
    axes.set_ylim(low - room, high + room)
    return zero


def _draw(axes: Axes, panel: Panel, labels: Labels, where: Plan) -> None:
    axes.set_title(panel.title, fontsize=TITLE)
    grid_lines(axes, "both")
    zero = _scales(axes, panel)
    edge = _edge(axes, panel, where, zero)
    axes.plot(*edge.T, color=GREY, alpha=0.4, linewidth=2.5, zorder=1)
    best = _best(panel, where)
    halo = {"markersize": 9, "color": GREY, "alpha": 0.4, "markeredgewidth": 0, "zorder": 1.5}
    axes.plot([max(one.cost, zero) for one in best], [one.value for one in best], "o", **halo)
    for group in grouped(panel.points, lambda point: point.method.explainer).values():
        across = [max(point.cost, zero) for point in group]
        axes.plot(across, [point.value for point in group], color="#BBBBBB", linewidth=0.8)
    for point in panel.points:
        colour, marker = where.colour(point.method), where.marker(point.method)
        control = point.method.explainer in where.controls
        face, order = ("white", 2) if control else (colour, 3)
        across = max(point.cost, zero)
        if math.isfinite(point.low) and math.isfinite(point.high):
            axes.vlines(across, point.low, point.high, color=colour, linewidth=1.0, alpha=0.6)
        look = {"color": colour, "markerfacecolor": face, "markersize": 4.5, "zorder": order}
        axes.plot([across], [point.value], marker, **look)
    for place, (name, text) in enumerate(labels.names.items()):
        anchor, size, corner = labels.points[place], labels.sizes[place], labels.corners[place]
        ends = {"xy": tuple(anchor / panel.frame), "xytext": tuple((corner + size / 2) / panel.frame)}
        look = {**LABEL, "color": GREY if name in where.controls else DARK}
        arrow = LEADER if has_leader(anchor, corner, size) else None
        axes.annotate(text, **ends, **look, arrowprops=arrow)


def _edge(axes: Axes, panel: Panel, where: Plan, zero: float) -> Floats:
    """The corners of the steps between those that are best for the price, and on to the dearest."""
    corners: list[tuple[float, float]] = []
    for point in _best(panel, where):
        across = max(point.cost, zero)
        corners += [(across, corners[-1][1])] if corners else []
        corners.append((across, point.value))
    if corners:
        corners.append((axes.get_xlim()[1], corners[-1][1]))
    return np.array(corners).reshape(-1, 2)


def _along(edge: Floats) -> list[tuple[float, float]]:
    """Points along steps, for labels to keep off."""
    found: list[tuple[float, float]] = []
    for (x, y), (next_x, next_y) in pairwise(edge.tolist()):
        found += zip(np.geomspace(x, next_x, 25), np.linspace(y, next_y, 25), strict=True)
    return found


@cache
def _width(text: str) -> float:
    """Of a label, in points."""
    return TextPath((0, 0), text, size=LETTERS).get_extents().width + 3


def _placed(axes: Axes, zero: float, panel: Panel, names: Mapping[str, str], where: Plan) -> Labels:
    """Each explainer's label, beside the first of its points. axes, zero: scaled for the panel."""
    (left, right), (bottom, top) = np.log10(axes.get_xlim()), axes.get_ylim()

    def in_points(points: Sequence[tuple[float, float]]) -> Floats:
        x, y = np.array(points).reshape(-1, 2).T
        shares = (np.log10(x) - left) / (right - left), (y - bottom) / (top - bottom)
        return np.stack(shares, axis=1) * np.array(panel.frame)

    places = [(point, (max(point.cost, zero), point.value)) for point in panel.points]
    groups = list(grouped(places, lambda place: place[0].method.explainer).values())
    lines = [(max(at for _, at in group), min(at for _, at in group)) for group in groups]
    covered = [place for _, place in places] + _along(_edge(axes, panel, where, zero))
    covered += [step for pair in lines if pair[0] != pair[1] for step in _along(np.array(pair))]
    for point, (at, _) in places:
        if math.isfinite(point.low) and math.isfinite(point.high):
            covered += _along(np.array([(at, point.low), (at, point.high)]))
    # Signs stand beside the points of which they are true, placed as names are.
    marked = [(point, at) for point, at in places if point.mark]
    names = {**names, **{"\n".join(point.method): point.mark for point, _ in marked}}
    anchors = in_points([*(group[0][1] for group in groups), *(at for _, at in marked)])
    sizes = np.array([(_width(name), 9.5) for name in names.values()])
    corners = place_labels(anchors, sizes, in_points(covered), panel.frame)
    return Labels(names, anchors, sizes, corners, panel.frame)
