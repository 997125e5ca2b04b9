"""On 3, 12 and 30 explainers no words of a figure lie on others or outside of it, and no lines look alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from many_explainers import COUNTS, NAMES, ONE, many, quick_grids
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from results_synthetic import METRICS, Group

from assay.results.columns import LabelRow, RankRow, SliceRow, names, to_table
from assay.results.figures import style as styles
from assay.results.figures.agreement import agreement_figures
from assay.results.figures.baseline_sensitivity import BaselineEffect, baseline_figure
from assay.results.figures.cost import cost_against, pareto
from assay.results.figures.critical_difference import critical_differences
from assay.results.figures.curves import curves
from assay.results.figures.label_heat_map import label_heat_map
from assay.results.figures.points import by_metric, overview
from assay.results.figures.radar import radars
from assay.results.figures.seed_spread import seed_spread
from assay.results.figures.style import DASHES, dashes, series_look
from assay.results.figures.titles import USED, _width, fitted, fitted_line, shortened
from assay.results.figures.visual_encoding import plan
from assay.results.figures.words import words_figures
from assay.results.records import Results
from assay.results.statistics.agreement import agreement
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.overall import Overall, overall
from assay.results.statistics.rank_table import rank_table
from assay.results.tables.layout import SIGNS, Grid
from assay.results.tables.shared_operator import SHARED
from assay.results.word_columns import GlobalWordRow

FEW = Bootstrap(n=4, permutations=4)
BASELINES = ("pad", "mask", "zero", "delete", "unk", "mean", "negatives", "random", "mlm")


@contextmanager
def drawing() -> Iterator[list[Figure]]:
    """Every figure that is drawn inside."""
    found: list[Figure] = []

    class Canvas(FigureCanvasAgg):
        def __init__(self, figure: Figure) -> None:
            super().__init__(figure)
            found.append(figure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(styles, "FigureCanvasAgg", Canvas)
        yield found


@pytest.fixture
def drawn() -> Iterator[list[Figure]]:
    """Every figure that is drawn from now on."""
    with drawing() as found:
        yield found


@cache
def grids_of(count: int) -> list[Grid]:
    return quick_grids(many(count))


@cache
def scores_of(count: int) -> list[Overall]:
    return overall(many(count, (ONE,)), FEW)


def effects(count: int) -> list[BaselineEffect]:
    """One per explainer, with two baselines and more."""
    rng = np.random.default_rng(count)
    found = []
    for place, name in enumerate(NAMES[:count]):
        names = BASELINES[: 2 + place % 8]
        scores = rng.normal(size=(len(names), 40)) + rng.normal(size=40)
        rated = rng.uniform(20, 60, (len(names), 1)) + np.array([0.0, -3.0, 4.0])
        gap = np.abs(rng.normal(size=len(names))) if place % 2 else np.full(len(names), np.nan)
        found.append(
            BaselineEffect(f"goemotions / cnn: {name}", names, np.asarray(np.corrcoef(scores)), gap, rated)
        )
    return found


def heat_map(count: int) -> object:
    """Of a task with several labels per text, the last with few texts and a missing value."""
    results, agreement = many(count), METRICS[1]
    methods = list(dict.fromkeys(cell.method for cell in results.cells))
    rng = np.random.default_rng(0)
    rows = []
    for place in range({3: 3, 12: 11, 30: 28}[count]):
        for method, value in zip(methods, rng.uniform(0, 1, len(methods)).tolist(), strict=True):
            known = {**dict.fromkeys(names(LabelRow)), **ONE._asdict(), "metric": agreement.name}
            known |= {"scope": "label", "label": f"disappointment {place}", "texts": 40 - place}
            known |= {"explainer": method.explainer, "baseline": method.baseline}
            rows.append(known | {"value": float("nan") if place == 2 and value < 0.2 else value})
    return label_heat_map(pd.DataFrame(rows), pd.DataFrame(), agreement, results.controls)


def words_figure(count: int) -> object:
    """Of two classes, with words of all lengths."""
    rng = np.random.default_rng(0)
    every = ("good", "a", "=1+1", "<script>", "internationalisation", "w" * 40, "film", "the", "not", "plot")
    rows = [
        GlobalWordRow(*ONE, *method, label, word, float(rng.normal()), -1.0, 1.0, 0.1, 2, 20, 30, "[]")
        for label in ("joy", "disappointment")
        for method in dict.fromkeys(cell.method for cell in many(count).cells)
        for word in every
    ]
    return words_figures(rows, many(count).controls)


def rank_figure(count: int) -> object:
    results = many(count)
    return critical_differences(rank_table(results), {m.name: m.title for m in results.metrics})


FIGURES = {
    "overview": lambda count: overview(grids_of(count), "random"),
    "metric": lambda count: by_metric(grids_of(count), "agreement", "random"),
    "curves": lambda count: curves(many(count), grids_of(count), "faithfulness"),
    "cost": lambda count: cost_against(grids_of(count), "compute_time", "random"),
    "pareto": lambda count: pareto(grids_of(count), scores_of(count), "compute_time", "random"),
    "radar": lambda count: radars(scores_of(count), plan(grids_of(count), "random")),
    "critical_difference": rank_figure,
    "seeds": lambda count: seed_spread(many(count), grids_of(count)),
    "labels": heat_map,
    "global_words": words_figure,
    "baseline_sensitivity": lambda count: baseline_figure(effects(count), "Faithfulness (AUC-TP)", "lower"),
}


@cache
def drawn_as(name: str, count: int) -> tuple[Figure, ...]:
    """One of FIGURES, which several tests look at."""
    with drawing() as found:
        FIGURES[name](count)
    return tuple(found)


@cache
def words_drawn(name: str, count: int) -> list[list[tuple[str, np.ndarray]]]:
    """Of each figure of one of FIGURES, what `words_of` finds."""
    return [words_of(figure) for figure in drawn_as(name, count)]


def words_of(figure: Figure) -> list[tuple[str, np.ndarray]]:
    """Every text that is drawn, with its box in points: (left, bottom, right, top).

    Of slanted texts the box is of their upper end only, because the whole one holds much that they do not.
    """
    figure.set_dpi(150)
    renderer = FigureCanvasAgg(figure).get_renderer()
    found: dict[int, Text] = {}

    def record(*arguments: object, mtext: Text | None = None, **_: object) -> None:
        if mtext is not None and str(arguments[3]).strip():
            found[id(mtext)] = mtext

    renderer.draw_text = record
    figure.draw(renderer)
    words = []
    for text in found.values():
        # Of an annotation without its arrow.
        box = np.asarray(Text.get_window_extent(text, renderer).extents) * 72 / figure.dpi
        if text.get_rotation() % 90:
            box = np.array([box[2] - 4, box[3] - 4, box[2], box[3]])
        words.append((text.get_text(), box))
    return words


def overlapping(words: Sequence[tuple[str, np.ndarray]], slack: float = 0.75) -> list[tuple[str, str]]:
    """The pairs of texts that share more than a hair's breadth in both directions."""
    return [
        (one, other)
        for (one, a), (other, b) in combinations(words, 2)
        if (np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) > slack).all()
    ]


# Of the fewest and the most; twelve are slow.
few_and_many = pytest.mark.parametrize(
    "count", [pytest.param(count, marks=pytest.mark.slow if count == COUNTS[1] else ()) for count in COUNTS]
)


@few_and_many
@pytest.mark.parametrize("name", FIGURES)
def test_no_words_overlap_or_are_cut_off(name: str, count: int) -> None:
    assert drawn_as(name, count)
    for figure, words in zip(drawn_as(name, count), words_drawn(name, count), strict=True):
        assert len(words) > count
        assert overlapping(words) == []
        width, height = figure.get_size_inches() * 72
        outside = [
            text for text, box in words if (box[:2] < -1).any() or box[2] > width + 1 or box[3] > height + 1
        ]
        assert outside == []


def test_overlaps_are_found() -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.51, 0.5, "two")
    figure.text(0.9, 0.9, "apart")
    assert overlapping(words_of(figure)) == [("one", "two")]


def look(line: Line2D) -> tuple[object, ...]:
    """All that tells a line from others by eye."""
    filled = to_hex(line.get_markerfacecolor()) == to_hex(line.get_color())
    dashed = repr(line._dash_pattern)  # pyright: ignore[reportAttributeAccessIssue]
    return to_hex(line.get_color()), dashed, str(line.get_marker()), filled


@few_and_many
def test_no_two_entries_of_the_legends_of_curves_look_alike(count: int) -> None:
    (figure,) = drawn_as("curves", count)
    lines: dict[str, Line2D] = {}
    for legend in [*figure.legends, *(axes.get_legend() for axes in figure.axes)]:
        if legend is not None:
            named = zip(legend.get_texts(), legend.get_lines(), strict=True)
            lines |= {text.get_text().rstrip("†"): line for text, line in named}
    shown = {name: look(lines[name]) for name in (*NAMES[:count], "gold", "random", "inverted")}
    assert len(set(shown.values())) == len(shown) == count + 3


def test_looks_and_dashes_are_all_distinct() -> None:
    looks = [tuple(series_look(place).values()) for place in range(108)]
    assert len(set(looks)) == 108
    for one, other in pairwise(looks):
        assert one[0] != other[0] and one[1] != other[1]
    for apart in (6, 12, 18, 24):
        assert looks[0][1] != looks[apart][1]
    assert len({dashes(place) for place in range(40)}) == 40 and len(set(DASHES)) == len(DASHES)
    for place in range(40):
        Figure().subplots().plot([0, 1], [0, 1], linestyle=dashes(place))


@few_and_many
def test_signs_and_bars_have_a_key_and_names_are_whole(count: int) -> None:
    """Of the radars and the critical-difference diagrams."""
    words = [word for figure in words_drawn("radar", count) for word, _ in figure]
    assert any(word.endswith(SHARED) for word in words)
    assert f"{SHARED} {SIGNS[SHARED]}" in words
    assert {shortened(name, 27) for name in NAMES[:count]} <= {word.rstrip("".join(SIGNS)) for word in words}
    words = [word for figure in words_drawn("critical_difference", count) for word, _ in figure]
    assert sum(word.startswith("joins explainers that cannot be told apart") for word in words) == 1
    assert not any("…" in word for word in words)


def test_a_difference_wider_than_the_figure_has_no_scale(drawn: list[Figure]) -> None:
    rows = [
        RankRow("trained", "m", name, "", 1.5, 4, 0.01, difference, True, 20, 20, "")
        for difference in (50.0,)
        for name in ("a", "b")
    ]
    critical_differences(to_table(RankRow, rows), {"m": "M"})
    (axes,) = drawn[-1].axes
    assert "critical difference 50.00" in [text.get_text() for text in axes.texts]
    low, high = axes.get_xlim()
    for line in axes.lines:
        places = np.asarray(line.get_xdata(), dtype=float)
        assert ((places >= low) & (places <= high)).all() and 0.38 not in np.asarray(line.get_ydata())


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.0518, "Friedman p = 0.052: no pair is told apart"),
        (0.0502, "Friedman p > 0.05: no pair is told apart"),
        (0.0498, ""),
        (0.001, ""),
    ],
)
def test_where_the_overall_test_does_not_reject_no_critical_difference_is_drawn(
    drawn: list[Figure], p: float, said: str
) -> None:
    ranks = {"a": 1.75, "b": 3.0, "c": 5.0}
    rows = [
        RankRow("trained", "m", name, "", rank, 4, p, 3.05, bool(said) or rank < 4.8, 20, 20, "")
        for name, rank in ranks.items()
    ]
    found = critical_differences(to_table(RankRow, rows), {"m": "M"})
    assert found is not None and (said in found.text if said else "Friedman" not in found.text)
    (axes,) = drawn[-1].axes
    words = [text.get_text() for text in axes.texts]
    scales = [line for line in axes.lines if 0.38 in np.asarray(line.get_ydata())]
    assert ("critical difference 3.05" in words) == bool(scales) == (not said)
    assert [word for word in words if "Friedman" in word] == ([said] if said else [])


EVIL = '<script>alert(1)</script> & "quotes" =1+1'
LONG = Group(EVIL, "minilm"), Group(EVIL, 60 * "w")
PANELS = {
    "metric": lambda: by_metric(quick_grids(many(3, LONG)), "agreement", "random"),
    "curves": lambda: curves(many(3, LONG), quick_grids(many(3, LONG)), "faithfulness"),
    "pareto": lambda: pareto(
        quick_grids(many(3, LONG)), overall(many(3, LONG), FEW), "compute_time", "random"
    ),
    "radar": lambda: radars(overall(many(3, LONG), FEW), plan(quick_grids(many(3, LONG)), "random")),
    "labels": lambda: label_heat_map(pd.DataFrame(), sliced(many(3, LONG)), METRICS[1], frozenset()),
    "agreement": lambda: agreement_figures(agreement(compare(many(3, LONG), FEW), METRICS)),
    "baseline_sensitivity": lambda: baseline_figure(
        [replace(effect, title=f"{LONG[0].title}: occlusion") for effect in effects(3)], "F", "lower"
    ),
}


def sliced(results: Results) -> pd.DataFrame:
    """A value of each explainer on the texts of two labels."""
    rows = [
        SliceRow(*group, "agreement", "label", label, *method, 0.5, 2, 20, 10, False)
        for group in LONG
        for label in ("neg", "pos")
        for method in dict.fromkeys(cell.method for cell in results.cells)
    ]
    return to_table(SliceRow, rows)


@pytest.mark.parametrize("name", PANELS)
def test_long_names_of_tasks_and_models_are_shortened_in_the_middle(name: str, drawn: list[Figure]) -> None:
    PANELS[name]()
    said = []
    for figure in drawn:
        boxes = [
            (text.get_text(), np.asarray(text.get_window_extent().extents) * 72 / figure.dpi)
            for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_visible()
        ]
        titles = [(text, box) for text, box in boxes if text.startswith("<scr")]
        width, height = figure.get_size_inches() * 72
        assert [
            text for text, box in titles if box[0] < -1 or box[2] > width + 1 or box[3] > height + 1
        ] == []
        assert overlapping(titles) == []
        legends = [text for legend in figure.legends for text in legend.get_texts()]
        keys = [("key", np.asarray(text.get_window_extent().extents) * 72 / figure.dpi) for text in legends]
        assert [
            pair for pair in overlapping([*titles, *keys]) if set(pair) & {one for one, _ in titles}
        ] == []
        said += [text for text, _ in titles]
    assert any(text.replace("\n", " / ").split(" / ")[1].startswith("minilm") for text in said)
    assert any("…" in text for text in said) and all(text.count("…") <= 2 for text in said)


def test_titles_are_split_before_they_are_shortened() -> None:
    assert fitted("a / b", 100, 9) == "a / b"
    assert fitted("sentiment / minilm", 60, 9) == "sentiment\nminilm"
    task, model = fitted(f"{'task' * 50} / minilm", 80, 9).split("\n")
    assert model == "minilm" and task.startswith("task") and task.endswith("task") and task.count("…") == 1
    # Of both sides as many letters as there is room for, found letter by letter.
    for line, room in (("abcdefghijklmnopqrstuvwxyz", 80), ("i" * 10 + "w" * 9, 60), ("xyz", 1)):
        every = [f"{line[: n // 2]}…{line[len(line) - n + n // 2 :]}" for n in range(len(line), 0, -1)]
        fits = (one for one in every if _width(one, 9) <= USED * room)
        assert fitted_line(line, room, 9) == next(fits, "…")
    # What was shortened before is not shortened at a second place.
    assert fitted_line("abcdefgh…rstuvwxyz", 45, 9).count("…") == 1
