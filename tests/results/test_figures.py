"""Figures: what they draw, that they are the same bytes again, and that odd experiments do not stop them."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from results_synthetic import CONTROLS, METHODS, QUALITY, Group, Method, experiment

from assay.harness.config.schema import CONTROLS as CONTROLS_SHIPPED
from assay.metrics.faithfulness import macro_f1_curve
from assay.results.figures.cost import points_of
from assay.results.figures.cost_panel import Point, front
from assay.results.figures.curves import lines_of
from assay.results.figures.every_figure import drawings
from assay.results.figures.label_placement import place_labels
from assay.results.figures.style import DASHES, Drawing, dashes
from assay.results.figures.titles import shortened
from assay.results.figures.visual_encoding import heading, logarithmic, plan, short, wide_range
from assay.results.flag import Flag
from assay.results.records import Results
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.layout import Column, Entry, Grid, Row, grids

FEW = Bootstrap(n=50)
ONE = [Group("planted", "cnn")]


def tables(results: Results) -> list[Grid]:
    """The grids of a comparison with few resamples."""
    return grids(compare(results, FEW), results.metrics)


def draw(results: Results) -> dict[str, Drawing]:
    """Every figure by its name."""
    found = list(drawings(results, tables(results)))
    assert len({drawing.name for drawing in found}) == len(found)
    return {drawing.name: drawing for drawing in found}


def words(drawing: Drawing) -> str:
    """Everything written in a figure."""
    return " ".join(ElementTree.fromstring(drawing.svg).itertext())


def labels(drawing: Drawing) -> list[str]:
    """The same, text by text."""
    texts = ElementTree.fromstring(drawing.svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()).strip() for text in texts]


@pytest.fixture(scope="module")
def figures() -> dict[str, Drawing]:
    """The figures of two groups, the second without human agreement."""
    return draw(experiment(n=20))


def test_there_is_a_figure_for_everything(figures: dict[str, Drawing]) -> None:
    metrics = ("faithfulness", "agreement", "confidence", "compute_time")
    names = {f"metric-{name}" for name in metrics}
    assert set(figures) == {"overview", "curves-faithfulness", "cost", "seeds"} | names


def test_svg_is_well_formed_and_says_who_is_drawn(figures: dict[str, Drawing]) -> None:
    for drawing in figures.values():
        for name in QUALITY:
            assert name in words(drawing), (drawing.name, name)
        assert drawing.title and drawing.text
    assert "not available" in words(figures["overview"])
    assert "reviews / minilm" not in words(figures["metric-agreement"])
    assert "reviews / minilm" in words(figures["metric-faithfulness"])


def test_png_is_not_blank(figures: dict[str, Drawing]) -> None:
    for drawing in figures.values():
        pixels = imread(io.BytesIO(drawing.png))
        assert min(pixels.shape[:2]) > 200
        assert 0.005 < np.mean(pixels[..., :3].min(axis=2) < 0.9) < 0.5


def test_bytes_are_the_same_again() -> None:
    results = experiment(ONE, METHODS[3:6], n=12)
    one, two = draw(results), draw(results)
    for name in one:
        assert one[name].svg == two[name].svg
        assert one[name].png == two[name].png


def test_settings_of_matplotlib_are_left_alone() -> None:
    before = dict(matplotlib.rcParams)
    draw(experiment(ONE, METHODS[:1], n=5))
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    "results",
    [
        experiment(ONE, [Method("lime", "pad")], seeds=("0",), n=1),
        experiment(ONE, METHODS[5:], n=5),
        replace(experiment(ONE, n=5), random="", controls=frozenset()),
        replace(experiment(ONE, n=5), absences=(), timings=(), models=(), texts=()),
    ],
    ids=["one explainer, seed, text", "controls only", "no controls", "only scores"],
)
def test_odd_experiments(results: Results) -> None:
    assert "overview" in draw(results)


def test_a_single_candidate_is_not_called_worse() -> None:
    alone = draw(experiment(ONE, [Method("lime", "pad"), Method("random")], n=5))
    two = draw(experiment(ONE, METHODS[:6], n=30))
    for name in ("overview", "metric-agreement", "curves-faithfulness"):
        assert "from the best" not in words(alone[name])
        assert "from the best" in words(two[name])


def test_without_faithfulness_there_are_no_curves_and_without_cost_no_cost_figure() -> None:
    known = experiment(ONE, n=8)
    some = [cell for cell in known.cells if cell.metric in ("agreement", "confidence")]
    names = {"overview", "metric-agreement", "metric-confidence", "seeds"}
    assert set(draw(replace(known, cells=some))) == names
    only = [cell for cell in known.cells if cell.metric == "compute_time"]
    assert set(draw(replace(known, cells=only))) == {"overview", "metric-compute_time", "seeds"}


def test_nan_is_left_out() -> None:
    known = experiment(ONE, n=8)
    cells = [
        replace(cell, parts={name: np.full_like(values, np.nan) for name, values in cell.parts.items()})
        if cell.method == Method("saliency") or cell.metric == "confidence"
        else cell
        for cell in known.cells
    ]
    found = draw(replace(known, cells=cells))
    assert "metric-confidence" not in found
    assert "saliency" not in words(found["metric-agreement"])
    assert "occlusion" in words(found["metric-agreement"])


def test_who_has_no_value_in_a_figure_has_no_line_in_it() -> None:
    known = experiment(ONE, n=30)
    people = Method("another annotator")
    cells = [
        replace(cell, beside={"ceiling": cell.parts}) if cell.metric == "agreement" else cell
        for cell in known.cells
    ]
    found = draw(replace(known, cells=cells))
    assert {name for name, drawing in found.items() if people.title in words(drawing)} == {
        "overview",
        "metric-agreement",
    }


def test_signs_stand_where_they_are_true_and_are_explained() -> None:
    known = experiment(ONE, n=30)
    flags = {(ONE[0], Method("saliency")): Flag("in all 30 texts")}
    table = compare(replace(known, constant=flags), FEW)
    drawn = {drawing.name: labels(drawing) for drawing in drawings(known, grids(table, known.metrics, "pad"))}
    for name, said in drawn.items():
        # Constant explanations cost what they cost.
        assert any("≡" in word for word in said) == (name != "metric-compute_time")
        assert ("≡ constant explanations" in said) == any("≡" in word for word in said)
        # A baseline that is the operator of faithfulness, and of no other metric.
        shares = ("overview", "metric-faithfulness", "curves-faithfulness", "cost", "seeds")
        assert any("†" in word for word in said) == (name in shares)
        assert ("† shares the metric's operator" in said) == (name in shares)
        # An explainer has other baselines, too.
        assert not any(word.startswith(("lime", "occlusion")) and "†" in word for word in said)
        assert not any("§" in word for word in said)
    # A sign for each value: two explainers with that baseline, on one of three or four metrics.
    for name in ("overview", "metric-faithfulness", "cost", "seeds"):
        assert drawn[name].count("†") == 2 and "baseline pad" in drawn[name]
    assert "baseline pad†" in drawn["curves-faithfulness"] and "baseline mask" in drawn["curves-faithfulness"]
    few = labels(draw(experiment(ONE, n=5))["metric-agreement"])
    assert "§" in few and "§ fewer than 10 texts" in few


def test_an_explainer_whose_every_baseline_is_the_operator_has_the_sign() -> None:
    known = experiment(ONE, methods=[Method("lime", "pad"), Method("random")], n=30)
    where = plan(grids(compare(known, FEW), known.metrics, "pad"), "random")
    assert where.label("lime") == "lime†" and where.baseline_label("pad", signs=True) == "baseline pad"


def test_nothing_to_draw() -> None:
    assert list(drawings(Results("empty", (), ()), [])) == []


def test_curves_are_the_mean_over_seeds() -> None:
    results = experiment(ONE, n=10)
    (grid,) = tables(results)
    lines = lines_of(results.cells, grid, "faithfulness")
    assert list(lines) == [row.method for row in grid.rows]
    runs = [
        macro_f1_curve(dict(cell.parts), np.arange(10)[None])[1][0]
        for cell in results.cells
        if cell.method == Method("lime", "pad") and cell.metric == "faithfulness"
    ]
    thresholds, values = lines[Method("lime", "pad")]
    assert thresholds.tolist() == list(range(0, 101, 10))
    np.testing.assert_allclose(values, np.mean(runs, axis=0))
    assert lines_of(results.cells, grid, "agreement") == {}


def test_every_control_has_dashes_of_its_own() -> None:
    # All that are shipped, and another annotator.
    every = [dashes(1 + place) for place in range(len(CONTROLS_SHIPPED) + 1)]
    assert len(CONTROLS_SHIPPED) + 1 <= len(DASHES) and len(set(every)) == len(every)


def test_front_keeps_who_is_better_than_all_cheaper_ones() -> None:
    costs = [(0, 0.1), (5, 0.5), (5, 0.4), (9, 0.3), (20, 0.9), (30, 0.9)]
    points = [Point(Method(str(place)), *pair) for place, pair in enumerate(costs)]
    assert [point.method.explainer for point in front(points, higher=True)] == ["0", "1", "4"]
    assert [point.method.explainer for point in front(points, higher=False)] == ["0"]
    assert front([], higher=True) == []


def test_cost_points_are_means_over_groups_and_need_every_group() -> None:
    columns = (Column("cost", "Cost", "lower", None), Column("m", "M", "higher", 2))

    def grid(model: str, rows: dict[str, tuple[float, float]]) -> Grid:
        made = [
            Row(Method(name), False, tuple(Entry(value, value, value) for value in pair))
            for name, pair in rows.items()
        ]
        return Grid(Group("t", model), 1, columns, tuple(made), (), ())

    two = [grid("a", {"x": (2, 0.5), "y": (4, 0.1)}), grid("b", {"x": (4, 0.7), "y": (4, float("nan"))})]
    assert points_of(two, "cost", "m") == [Point(Method("x"), 3.0, 0.6)]


def boxes_overlap(one: np.ndarray, two: np.ndarray) -> bool:
    return bool((np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2]) > 1e-9).all())


def test_labels_cover_neither_each_other_nor_points() -> None:
    rng = np.random.default_rng(0)
    frame = (220.0, 190.0)
    points = rng.uniform((20, 15), (200, 175), (12, 2))
    sizes = np.stack([rng.uniform(20, 70, 12), np.full(12, 9.0)], axis=1)
    corners = place_labels(points, sizes, points, frame)
    boxes = np.concatenate([corners, corners + sizes], axis=1)
    dots = np.concatenate([points - 3, points + 3], axis=1)
    for place, box in enumerate(boxes):
        assert not any(boxes_overlap(box, other) for other in boxes[place + 1 :])
        assert not any(boxes_overlap(box, dot) for dot in dots)
        assert (box[:2] >= 0).all() and (box[2:] <= frame).all()
    assert corners.tobytes() == place_labels(points, sizes, points, frame).tobytes()


def test_labels_of_points_in_one_place_do_not_cover_each_other() -> None:
    points = np.full((4, 2), 100.0)
    sizes = np.full((4, 2), (40.0, 9.0))
    corners = place_labels(points, sizes, points, (200, 200))
    boxes = np.concatenate([corners, corners + sizes], axis=1)
    assert not any(boxes_overlap(boxes[i], boxes[j]) for i in range(4) for j in range(i))


def test_looks_are_distinct_and_controls_grey() -> None:
    where = plan(tables(experiment(ONE, n=5)), "random")
    methods = [Method("occlusion", "pad"), Method("occlusion", "mask"), Method("saliency")]
    assert len({where.colour(method) for method in methods}) == 3
    assert len({where.marker(method) for method in methods}) == 3
    assert {where.colour(Method(name)) for name in CONTROLS} == {where.colour(Method("random"))}
    assert where.explainers[-3:] == ("gold", "random", "inverted")


def test_logarithmic_axis_has_a_place_for_zero() -> None:
    axes = Figure().subplots()
    zero = logarithmic(axes, [0.0, 3.0, 900.0, float("nan")])
    assert 0 < zero < 1
    low, high = axes.get_xlim()
    assert low < zero and high > 900
    ticks = [axes.xaxis.get_major_formatter()(value, 0) for value in axes.get_xticks()]
    assert ticks == ["0", "1", "10", "100", "1k"]


@pytest.mark.parametrize("values", [[], [0.0], [float("nan")], [7.0], [1e-3, 1e7]])
def test_logarithmic_axis_of_few_values(values: list[float]) -> None:
    axes = Figure().subplots()
    zero = logarithmic(axes, values)
    low, high = axes.get_xlim()
    assert 0 < low < high and zero > 0


def test_only_wide_non_negative_ranges_are_logarithmic() -> None:
    assert wide_range([0, 1, 100])
    assert not wide_range([0.05, 0.17])
    assert not wide_range([-1, 1, 100])
    assert not wide_range([0, 0]) and not wide_range([]) and not wide_range([float("nan")])
    assert [short(value) for value in (0.1, 1, 999, 1000, 2e6, 3e9)] == ["0.1", "1", "999", "1k", "2M", "3G"]


def test_long_names_are_shortened_in_the_middle() -> None:
    assert shortened("lime", 4) == "lime"
    assert shortened("integrated_gradients", 9) == "inte…ents"
    assert heading(Group("task", "model"), 12) == "task / model"
    assert heading(Group("a_long_task", "a_long_model"), 12) == "a_long_task\na_long_model"


def test_long_names_fit_into_the_figure() -> None:
    long = Method(
        "an_explainer_of_which_the_name_has_no_end_at_all", "and_a_baseline_of_the_same_kind_as_well"
    )
    known = experiment([Group("task_name_" * 6, "a-model-" * 8)], METHODS[:4], n=5)
    cells = [replace(cell, method=long) if cell.method == METHODS[0] else cell for cell in known.cells]
    for drawing in draw(replace(known, cells=cells)).values():
        edge = imread(io.BytesIO(drawing.png))[..., :3].min(axis=2)
        # Nothing is cut off: the outermost pixels are white.
        assert min(side.min() for side in (edge[0], edge[-1], edge[:, 0], edge[:, -1])) > 0.9, drawing.name
