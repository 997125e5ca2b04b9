"""The share of subsamples of the texts that have the same winner, against their size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from assay.results.figures.style import GREY, Drawing, dashes, grid_lines, panels, render, series_look, style
from assay.results.figures.titles import shortened
from assay.results.figures.visual_encoding import heading
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.records import grouped
from assay.results.statistics.stability import ENOUGH, Stability

NAME = "stability"
PANELS_PER_ROW = 2


def stability_figure(rankings: Sequence[Stability], metrics: Sequence[str]) -> Drawing | None:
    """A panel per group, a line per metric named; None if none of them was subsampled."""
    drawn = [each for each in rankings if each.subsamples and each.metric.name in metrics]
    by_group = grouped(drawn, lambda each: each.row.group)
    if not by_group:
        return None
    groups = listed([group.title for group in by_group])
    by_group = dict(list(by_group.items())[:PANEL_LIMIT])
    titles = {each.metric.name: each.metric.title for lines in by_group.values() for each in lines}
    looks = {name: place for place, name in enumerate(name for name in metrics if name in titles)}
    key = [_line(place, titles[name]) for name, place in looks.items()]
    key.append(Line2D([], [], color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), label=f"{ENOUGH:.0%}"))
    wide = min(len(by_group), PANELS_PER_ROW)
    rows = math.ceil(len(by_group) / wide)
    sizes = sorted({step.texts for lines in by_group.values() for each in lines for step in each.subsamples})
    with style(NAME):
        across = 3.1 * wide + 0.9 + 0.3 + 0.065 * max(len(shortened(title, 40)) for title in titles.values())
        figure = Figure(figsize=(across, max(2.5 * rows, 0.2 * len(key) + 0.4)), layout="constrained")
        every = panels(figure, len(by_group), wide, sharex=True, sharey=True)
        for place, (axes, (group, lines)) in enumerate(zip(every, by_group.items(), strict=True)):
            _panel(axes, lines, looks, sizes)
            axes.set_title(heading(group, 34))
            axes.set_xlabel("texts in the subsample")
            axes.tick_params(labelbottom=True)
            axes.set_ylabel("" if place % wide else "share with the same winner")
        figure.legend(handles=key, loc="outside right upper", handlelength=3, labelspacing=0.5)
        text = f"Share of random subsamples with the same best explainer, against their size, for {groups}"
        return render(figure, NAME, "How many texts until the winner stays", text)


def _line(place: int, title: str = "") -> Line2D:
    """The later the thinner, because lines at 100 % overlap."""
    look = series_look(place)
    look |= {"markersize": max(3.5, 6.5 - 0.35 * place), "linewidth": max(0.9, 2.4 - 0.2 * place)}
    return Line2D([], [], linestyle=dashes(place), label=shortened(title, 40), **look)


def _panel(axes: Axes, lines: Sequence[Stability], looks: dict[str, int], sizes: Sequence[int]) -> None:
    grid_lines(axes, "both")
    axes.set_xscale("log")
    axes.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylim(0, 1.05)
    axes.axhline(ENOUGH, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0.5)
    for each in lines:
        line = _line(looks[each.metric.name])
        line.set_data([step.texts for step in each.subsamples], [step.same for step in each.subsamples])
        line.set_clip_on(False)
        axes.add_line(line)
