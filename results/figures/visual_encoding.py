"""Who stands where and looks how, decided once, so that equal things look equal in every panel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from assay.results.figures.style import COLOURS, DARK, GREY, MARKERS
from assay.results.figures.titles import shortened
from assay.results.records import Group, Method, grouped
from assay.results.tables.layout import SIGNS, Grid, Row
from assay.results.tables.shared_operator import SHARED

# Where the signs of a value stand from its point, in points.
MARK_PLACE = (3.0, 2.0)
DIRECTIONS = {"higher": "higher is better →", "lower": "← lower is better"}


@dataclass(frozen=True, slots=True)
class Plan:
    """explainers: one line each, from the top, controls last. baselines: those with a name.

    random: the explainer whose level is the reference. compared: whether anything is like the best. marks:
    the signs of each explainer's values; the shared operator's only if all of its baselines have it. shared:
    the other baselines that have that. Figures that draw single values write signs at these instead.
    """

    explainers: tuple[str, ...]
    controls: frozenset[str]
    baselines: tuple[str, ...]
    without_baseline: bool
    random: str
    compared: bool
    marks: Mapping[str, str] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()

    def label(self, explainer: str, letters: int = 30) -> str:
        """Its name with the signs of its values."""
        return shortened(explainer, letters) + self.marks.get(explainer, "")

    def baseline_label(self, baseline: str, *, signs: bool) -> str:
        """The baseline's name in a legend, with its sign if asked."""
        return f"baseline {shortened(baseline, 20)}{SHARED if signs and baseline in self.shared else ''}"

    def signs(self) -> list[Line2D]:
        """Entries of a legend that say what the signs mean, of those that stand in the figure."""
        return sign_key([*self.marks.values(), *([SHARED] if self.shared else [])])

    def colour(self, method: Method) -> str:
        """One colour per baseline, grey for controls."""
        if method.explainer in self.controls:
            return GREY
        if not method.baseline:
            return DARK
        return COLOURS[self.baselines.index(method.baseline) % len(COLOURS)]

    def marker(self, method: Method) -> str:
        """One marker per baseline."""
        if not method.baseline:
            return "D"
        marks = [marker for marker in MARKERS if marker != "D"]
        return marks[self.baselines.index(method.baseline) % len(marks)]

    def height(self, method: Method, rows: Sequence[Row]) -> float:
        """The vertical place of a method among the rows: its explainer's line, spread by baseline."""
        names = [row.method for row in rows if row.method.explainer == method.explainer]
        place = names.index(method) - (len(names) - 1) / 2
        return self.explainers.index(method.explainer) + place * min(0.3, 0.72 / len(names))

    @property
    def inches(self) -> float:
        """The height of a panel that has a line per explainer."""
        return 0.27 * len(self.explainers) + 0.1

    @property
    def margin(self) -> float:
        """Room for the explainers' names, in inches."""
        return 0.3 + 0.072 * max(len(self.label(name)) for name in self.explainers)

    def legend(self, *, signs: bool = False) -> list[Line2D]:
        """What colours and markers mean; nothing where there is only one kind.

        signs: whether baselines have theirs, in a figure that writes none at single values.
        """
        methods = [Method("", baseline) for baseline in self.baselines]
        if methods and self.without_baseline:
            methods.append(Method(""))
        titles = (self.baseline_label(name, signs=signs) if name else "no baseline" for _, name in methods)
        return [
            legend_dot(title, self.colour(method), self.marker(method))
            for method, title in zip(methods, titles, strict=True)
        ]


def sign_key(marks: Iterable[str]) -> list[Line2D]:
    """Entries of a legend that say what the signs among the marks mean."""
    every = "".join(marks)
    known = [f"{sign} {words}" for sign, words in SIGNS.items() if sign in every]
    return [Line2D([], [], linestyle="none", label=label) for label in known]


def write_mark(axes: Axes, mark: str, at: tuple[float, float]) -> None:
    """Write the signs of one value beside its point."""
    if mark:
        look: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7, "color": DARK}
        axes.annotate(mark, at, xytext=MARK_PLACE, ha="left", va="baseline", annotation_clip=False, **look)


def legend_dot(label: str, colour: str, marker: str, face: str | None = None) -> Line2D:
    """A marker as an entry of a legend; face: its filling, if not of the same colour."""
    look: dict[str, Any] = {"color": colour, "marker": marker, "markerfacecolor": face, "markersize": 5}
    return Line2D([], [], linestyle="none", label=label, **look)


def plan(grids: Sequence[Grid], random: str) -> Plan:
    """One plan for all grids; who has no value in any of their columns has no line."""
    every = (row for grid in grids for row in grid.rows)
    rows = [row for row in every if any(math.isfinite(entry.value) for entry in row.entries)]
    candidates = dict.fromkeys(row.method.explainer for row in rows if not row.control)
    controls = dict.fromkeys(row.method.explainer for row in rows if row.control)
    # Candidates' baselines first: colours are theirs.
    ordered = sorted(rows, key=lambda row: row.control)
    baselines = dict.fromkeys(row.method.baseline for row in ordered if row.method.baseline)
    without = any(not row.method.baseline for row in rows if not row.control)
    compared = any(entry.best for row in rows for entry in row.entries)
    of_explainer = grouped(rows, lambda row: row.method.explainer)
    marks = {name: _signs_of_all(of_name) for name, of_name in of_explainer.items()}
    # What an explainer shares with one of its baselines only is said of the baseline.
    mixed = [row for row in rows if SHARED in _signs(row) and SHARED not in marks[row.method.explainer]]
    return Plan(
        *((*candidates, *controls), frozenset(controls), tuple(baselines), without, random, compared, marks),
        shared=frozenset(row.method.baseline for row in mixed),
    )


def _signs(row: Row) -> set[str]:
    return {sign for entry in row.entries for sign in entry.mark}


def _signs_of_all(rows: Sequence[Row]) -> str:
    """The signs of an explainer's values, of any of its baselines; the shared operator's if all have it."""
    each = [_signs(row) for row in rows]
    found = set[str]().union(*each)
    if not all(SHARED in signs for signs in each):
        found -= {SHARED}
    return "".join(sign for sign in SIGNS if sign in found)


def wide_range(values: Iterable[float]) -> bool:
    """Whether non-negative values span so much that only a logarithmic axis shows them."""
    finite = [value for value in values if math.isfinite(value)]
    positive = [value for value in finite if value > 0]
    return bool(positive) and min(finite) >= 0 and max(positive) >= 50 * min(positive)


def logarithmic(axes: Axes, values: Iterable[float]) -> float:
    """Give the axes a logarithmic x axis for non-negative values; return the place of zero.

    Zero stands left of the powers of ten, with its own tick, apart by a dotted line if any value is zero.
    """
    finite = [value for value in values if math.isfinite(value)]
    positive = [value for value in finite if value > 0] or [1.0]
    first, last = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    last = max(last, first + 1)
    # The smaller the first power, the wider its label.
    wide = first < -1
    space = max(0.6, (0.24 if wide else 0.12) * (last - first))
    zero = 10 ** (first - space)
    step = max(1, math.ceil((last - first) / (2 if wide else 4)))
    ticks = [10.0**power for power in range(first, last + 1, step)]
    free = min(finite, default=1.0) == 0
    axes.set_xscale("log")
    axes.set_xlim(10 ** (first - (1.6 * space if free else 0.3 * space)), 10 ** (last + 0.3 * space))
    axes.xaxis.set_major_locator(FixedLocator([zero, *ticks] if free else ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value < 2 * zero else short(value)))
    if free:
        axes.axvline(10 ** (first - space / 2), color="#BBBBBB", linewidth=0.8, linestyle=":", zorder=0.4)
    return zero


def heading(group: Group, letters: int) -> str:
    """The group's title on one line of so many letters, or else on two."""
    parts = [group.title] if len(group.title) <= letters else group.title.split(" / ", 1)
    return "\n".join(shortened(part, max(8, letters)) for part in parts)


def short(value: float) -> str:
    """A number in few characters: 0.1, 10, 1k, 10M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
