"""How good every explainer is by each property, as a small radar per explainer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assay.results.figures.style import DARK, GREY, TITLE_PLACE, Drawing, render, style
from assay.results.figures.titles import fitted_line, shortened
from assay.results.figures.visual_encoding import Plan
from assay.results.panel_limit import PANEL_LIMIT
from assay.results.records import Method, grouped
from assay.results.statistics.estimates import Floats
from assay.results.statistics.overall import Overall

NAME = "radar"
# A radar has a shape from three properties on.
FEWEST_PROPERTIES = 3
PANELS_PER_ROW = 6
SIDE = 1.5  # of a panel, in inches
LETTERS = 27  # of a name above it
# Scores outside are drawn at this edge: -0.25 stands in the centre.
LOW, HIGH = -0.25, 1.25
# In points: of a radar's edge, from there to the centre of a letter, half of its height, and above the edge
# or the letters to a title.
RADIUS = 72 * (SIDE - 0.28) / 2
LETTER_PLACE, HALF_LETTER, GAP = 7.5, 3.5, 9.0
# What hangs below the line of a title.
DESCENT = 2.0


def radars(scores: Sequence[Overall], where: Plan) -> list[Drawing]:
    """A figure per group: the candidates' scores on the anchored scale of `overall`, a radar each.

    Groups with fewer than three anchored properties have none.
    """
    found = [score for score in scores if len(_metrics(score)) >= FEWEST_PROPERTIES]
    several = len(found) > 1
    return [
        _radar(score, where, f"{NAME}-{place}" if several else NAME)
        for place, score in enumerate(found[:PANEL_LIMIT], 1)
    ]


def _metrics(score: Overall) -> dict[str, str]:
    """Names and titles of the metrics of which any candidate has an anchored score."""
    having = {name for parts in score.parts.values() for name, value in parts.items() if math.isfinite(value)}
    return {metric.name: metric.title for metric in score.metrics if metric.name in having}


def _radar(score: Overall, where: Plan, name: str) -> Drawing:
    metrics = _metrics(score)
    by_explainer = grouped(score.parts, lambda method: method.explainer)
    wide = min(PANELS_PER_ROW, max(3, len(by_explainer)))
    rows = math.ceil(len(by_explainer) / wide)
    letters = dict(zip(metrics, ascii_uppercase, strict=False))
    named = [f"{letters[each]}  {shortened(title, 40)}" for each, title in metrics.items()]
    left_out = [metric.title for metric in score.metrics if metric.name not in metrics]
    key = [*where.legend(signs=True), *_key(), *where.signs()]
    gap = _gap(len(metrics))
    with style(name):
        entries = max(1, int(wide * SIDE / 3.0))
        legend_rows = math.ceil(len(named) / entries) + math.ceil(len(key) / entries)
        height = rows * (SIDE + 0.22) + 0.19 * (legend_rows + (1 if left_out else 0)) + 0.55
        figure = Figure(figsize=(wide * SIDE + 0.3, height))
        foot = (0.19 * (legend_rows + (1 if left_out else 0)) + 0.2) / height
        top = 1 - 0.35 / height
        size = figure.get_size_inches()
        for place, (explainer, methods) in enumerate(by_explainer.items()):
            across, down = place % wide, place // wide
            left = (0.15 + across * SIDE + 0.14) / size[0]
            bottom = top - ((down + 1) * (SIDE + 0.22) - 0.14) / height
            extent = (RADIUS / 36 / size[0], RADIUS / 36 / height)
            axes = figure.add_axes((left, bottom, *extent))
            _panel(axes, methods, score.parts, list(metrics), list(letters.values()), where)
            title = where.label(explainer, LETTERS)
            size_of_title = 7.5 if len(title) <= LETTERS - 4 else 6.6
            axes.set_title(title, fontsize=size_of_title, loc="center", pad=gap, y=TITLE_PLACE)
        title = fitted_line(score.group.title, 72 * (size[0] - 0.3), 9.5)
        figure.text(0.15 / size[0], 1 - 0.05 / height, title, va="top", fontsize=9.5)
        words = [Line2D([], [], linestyle="none", label=text) for text in named]
        first = 0.19 * math.ceil(len(key) / entries) / height
        look = {"handlelength": 0, "handletextpad": 0, "columnspacing": 1.2, "loc": "lower left"}
        figure.legend(handles=words, bbox_to_anchor=(0, first + 0.03 / height), ncols=entries, **look)
        figure.legend(handles=key, loc="lower left", ncols=entries, columnspacing=1.2)
        if left_out:
            said = f"Not anchored, so not shown: {', '.join(left_out)}"
            figure.text(0.15 / size[0], foot - 0.12 / height, shortened(said, 110), fontsize=8, color=GREY)
        text = f"Scores of {len(by_explainer)} explainers on {', '.join(metrics.values())}: 0 as random, 1 as"
        return render(figure, name, "Properties of every explainer", f"{text} gold or the best.")


def _gap(metrics: int) -> float:
    """Points from the edge to the title, which stands above all letters that would reach into it."""
    angles = 2 * np.pi * np.arange(metrics) / metrics
    above = float(((RADIUS + LETTER_PLACE) * np.sin(angles) + HALF_LETTER).max()) - RADIUS
    return GAP + above if above > GAP - DESCENT else GAP


def _key() -> list[Line2D]:
    return [
        Line2D([], [], color=DARK, linewidth=0.9, linestyle=(0, (4, 2)), label="as random (0)"),
        Line2D([], [], color=DARK, linewidth=0.6, label="as gold or the best (1); drawn up to 1.25"),
    ]


def _panel(
    axes: Axes,
    methods: Sequence[Method],
    parts: Mapping[Method, Mapping[str, float]],
    metrics: Sequence[str],
    letters: Sequence[str],
    where: Plan,
) -> None:
    angles = np.linspace(0, 2 * np.pi, len(metrics), endpoint=False)
    # Polar axes of matplotlib take several times as long as these, whose unit is the radius.
    axes.set(xlim=(-1, 1), ylim=(-1, 1), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.patch.set_visible(False)
    circle = np.linspace(0, 2 * np.pi, 90)
    axes.plot(*_place(circle, 0.0), color=DARK, linewidth=0.9, linestyle=(0, (4, 2)))
    axes.plot(*_place(circle, 1.0), color=DARK, linewidth=0.6)
    for angle, letter in zip(angles.tolist(), letters, strict=True):
        across, up = math.cos(angle), math.sin(angle)
        axes.plot([0, across], [0, up], color="#DDDDDD", linewidth=0.6, zorder=1.5)
        beside = LETTER_PLACE * across, LETTER_PLACE * up
        look = {"ha": "center", "va": "center", "rotation_mode": "anchor", "fontsize": 7, "color": "#333333"}
        axes.annotate(letter, (across, up), beside, textcoords="offset points", **look)
    for method in methods:
        values = np.array([parts[method].get(name, float("nan")) for name in metrics])
        shown = np.clip(values, LOW, HIGH)
        colour = where.colour(method)
        x, y = _place(angles, shown)
        closed = np.append(x, x[:1]), np.append(y, y[:1])
        axes.plot(*closed, color=colour, linewidth=1.2)
        axes.plot(x, y, where.marker(method), color=colour, markersize=3.5, linestyle="none", clip_on=False)
        if np.isfinite(shown).all() and len(methods) == 1:
            axes.fill(*closed, color=colour, alpha=0.15, linewidth=0)


def _place(angles: Floats, scores: Floats | float) -> tuple[Floats, Floats]:
    """Where scores stand: LOW in the centre, HIGH at the radius of 1."""
    radius = (scores - LOW) / (HIGH - LOW)
    return radius * np.cos(angles), radius * np.sin(angles)
