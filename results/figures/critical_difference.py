"""Critical-difference diagrams (Demšar 2006, JMLR 7): average ranks, and who cannot be told apart by them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assay.results.columns import RankRow, from_table
from assay.results.figures.style import DARK, GREY, Drawing, render, style
from assay.results.figures.titles import fitted_line, shortened
from assay.results.records import TRAINED, Method, grouped
from assay.results.statistics.constant_methods import CONSTANT

NAME = "critical_difference"
FEW_NOTE, CONSTANT_NOTE = "on few texts", "with constant explanations"
# In inches.
LINE, BAR, HALF, NAMES, KEY = 0.165, 0.075, 2.0, 2.75, 0.3
# So many letters of a name are shown.
LETTERS = 38


@dataclass(frozen=True, slots=True)
class Diagram:
    """The ranked methods of one metric, best first, with their average ranks.

    bars: the places (first, last) of those that cannot be told apart, as few as say all of it. untold:
    that Friedman's test tells no pair apart, so that the critical difference decides nothing; "" where it
    does. note: what to know of them.
    """

    title: str
    methods: tuple[str, ...]
    ranks: tuple[float, ...]
    bars: tuple[tuple[int, int], ...]
    difference: float
    blocks: int
    untold: str = ""
    note: str = ""


def critical_differences(ranks: pd.DataFrame, titles: dict[str, str], alpha: float = 0.05) -> Drawing | None:
    """A diagram per metric of models that are trained, from the table by `rank_table`; None without ranks.

    The groups are those of the table: Nemenyi's difference, and all where Friedman's test finds none. titles:
    of the metrics to draw, by name. alpha: of the tests of the table.
    """
    rows = [row for row in from_table(RankRow, ranks) if row.kind == TRAINED and row.metric in titles]
    found = [
        diagram
        for name, of_metric in grouped(rows, lambda row: row.metric).items()
        if (diagram := diagram_of(of_metric, titles[name], alpha)) is not None
    ]
    if not found:
        return None
    with style(NAME):
        heights = [_height(diagram) for diagram in found]
        bottom = sum(heights) + 0.1 + KEY
        figure = Figure(figsize=(2 * (HALF + NAMES), bottom))
        _key(figure)
        for diagram, height in zip(found, heights, strict=True):
            bottom -= height
            whole = figure.get_size_inches()
            axes = figure.add_axes((0, bottom / whole[1], 1, height / whole[1]))
            _draw(axes, diagram, height)
        shown = ", ".join(diagram.title for diagram in found)
        text = f"Average ranks, 1 the best; a bar joins those that cannot be told apart; for {shown}."
        text += "".join(f" {diagram.title}: {diagram.untold}." for diagram in found if diagram.untold)
        return render(figure, NAME, "Average ranks and critical differences", text)


def diagram_of(rows: Sequence[RankRow], title: str, alpha: float = 0.05) -> Diagram | None:
    """The diagram of one metric; None where fewer than two are ranked or nothing was tested.

    Explainers that took no part in the test are left out; where there are any, ranks among the others are not
    those of the table, and only the best group has a bar.
    """
    ranked = sorted((row for row in rows if math.isfinite(row.rank)), key=lambda row: row.rank)
    tested = [row for row in ranked if not row.note]
    if len(tested) < 2 or not math.isfinite(tested[0].critical_difference):
        return None
    first = tested[0]
    places = tuple(row.rank for row in tested)
    best = sum(row.best for row in tested)
    if best == len(tested):
        # Friedman's test finds no difference, or Nemenyi's reaches the last.
        bars: tuple[tuple[int, int], ...] = ((0, best - 1),)
    elif len(tested) < len(ranked):
        bars = ((0, best - 1),) if best > 1 else ()
    else:
        bars = cliques(places, first.critical_difference)
    names = tuple(Method(row.explainer, row.baseline).title for row in tested)
    left_out = grouped(
        (row.note for row in ranked if row.note),
        lambda note: CONSTANT_NOTE if note == CONSTANT else FEW_NOTE,
    )
    note = ", ".join(f"{len(of_note)} {why} left out" for why, of_note in left_out.items())
    untold = _untold(first.friedman_p, alpha)
    return Diagram(title, names, places, bars, first.critical_difference, first.n_blocks, untold, note)


def _untold(p: float, alpha: float) -> str:
    """That the overall test tells no pair apart, in words; "" where it does."""
    if p <= alpha:
        return ""
    # Never rounded to the level itself.
    words = f"= {p:.3f}" if p >= alpha + 0.0005 else f"> {alpha:g}"
    return f"Friedman p {words}: no pair is told apart"


def cliques(ranks: Sequence[float], difference: float) -> tuple[tuple[int, int], ...]:
    """The largest runs (first, last) of ascending ranks that lie closer than the difference.

    Example:
        >>> cliques([1.0, 1.5, 2.4, 4.0], 1.0)
        ((0, 1), (1, 2))
    """
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(place for place, other in enumerate(ranks) if other - rank < difference)
        if last > first and not any(last <= end for _, end in found):
            found.append((first, last))
    return tuple(found)


def _key(figure: Figure) -> None:
    """What a bar means, at the foot."""
    wide, high = figure.get_size_inches()
    place = 0.15 / high
    bar = Line2D([0.1 / wide, 0.4 / wide], [place] * 2, color=DARK, linewidth=2.4, solid_capstyle="butt")
    figure.add_artist(bar)
    said = "joins explainers that cannot be told apart; 1 is the best average rank"
    figure.text(0.5 / wide, place, said, va="center", fontsize=8)


def _height(diagram: Diagram) -> float:
    rows = math.ceil(len(diagram.methods) / 2)
    return 0.75 + BAR * (len(diagram.bars) + 1) + LINE * rows + 0.15


def _draw(axes: Axes, diagram: Diagram, height: float) -> None:
    """In inches, with the axis of ranks at 0 and everything else below it or just above."""
    count = len(diagram.methods)
    low, high = 1.0, float(max(2, math.ceil(diagram.ranks[-1])))

    def across(rank: float) -> float:
        return (rank - low) / (high - low) * 2 * HALF

    axes.set_xlim(-NAMES, 2 * HALF + NAMES)
    axes.set_ylim(0.75 - height, 0.75)
    axes.set_axis_off()
    blocks = f"{diagram.blocks} models" if not diagram.note else f"{diagram.blocks} models; {diagram.note}"
    title = fitted_line(f"{diagram.title} ({blocks})", 72 * 2 * (HALF + NAMES) - 14, 9.5)
    axes.text(-NAMES + 0.1, 0.66, title, va="top", fontsize=9.5)
    axes.plot([0, 2 * HALF], [0, 0], color=DARK, linewidth=1.0)
    step = max(1, math.ceil((high - low) / 12))
    for rank in range(1, int(high) + 1, step):
        axes.plot([across(rank)] * 2, [0, 0.05], color=DARK, linewidth=0.8)
        axes.text(across(rank), 0.07, str(rank), ha="center", va="bottom", fontsize=7.5)
    if diagram.untold:
        axes.text(2 * HALF + NAMES - 0.15, 0.46, diagram.untold, ha="right", fontsize=7.5)
    else:
        _scale(axes, diagram.difference, across(low + diagram.difference))
    below = -BAR * (len(diagram.bars) + 1)
    for place, (first, last) in enumerate(diagram.bars):
        ends = across(diagram.ranks[first]) - 0.03, across(diagram.ranks[last]) + 0.03
        axes.plot(ends, [-BAR * (place + 1)] * 2, color=DARK, linewidth=2.4, solid_capstyle="butt")
    left = math.ceil(count / 2)
    for place, (name, rank) in enumerate(zip(diagram.methods, diagram.ranks, strict=True)):
        # From the outside in: the first on the left and the last on the right stand on top.
        line = place if place < left else count - 1 - place
        y = below - LINE * (line + 0.5)
        side, align = (-0.1, "right") if place < left else (2 * HALF + 0.1, "left")
        axes.plot([across(rank), across(rank), side], [0, y, y], color=GREY, linewidth=0.6)
        shift = -0.04 if place < left else 0.04
        shown = shortened(name, LETTERS)
        said = f"{shown} {rank:.1f}" if place < left else f"{rank:.1f} {shown}"
        axes.text(side + shift, y, said, ha=align, va="center", fontsize=7.5)


def _scale(axes: Axes, difference: float, width: float) -> None:
    """The critical difference, in inches and as a number, beside the title's line."""
    right = 2 * HALF + NAMES - 0.15
    start = right - width
    # A scale that is cut would be none.
    if start >= -NAMES + 0.1:
        axes.plot([start, right], [0.38, 0.38], color=DARK, linewidth=1.4)
        for end in (start, right):
            axes.plot([end, end], [0.34, 0.42], color=DARK, linewidth=1.0)
    axes.text(right, 0.46, f"critical difference {difference:.2f}", ha="right", fontsize=7.5)
