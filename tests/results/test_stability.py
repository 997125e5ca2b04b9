"""Stability of rankings over seeds and over subsamples with known answers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from results_synthetic import AGREEMENT, CONTROLS, METHODS, METRICS, Group, Method, cell, experiment

from assay.metrics.cell_data import Metric
from assay.results.columns import StabilityRow, SubsampleRow
from assay.results.figures.stability import stability_figure
from assay.results.records import CellScores, Results
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.stability import (
    SUBSAMPLES,
    Stability,
    enough_texts,
    stability,
    stability_table,
    steps_table,
    subsamples,
)
from assay.results.tables.stability_layout import stability_lines, stability_markdown

FEW = Bootstrap(n=40)
ONE = [Group("planted", "cnn")]
AGREES = cast(Metric, AGREEMENT)
# The cluster of each text where none hang together.
ALONE = np.arange(1000, dtype=np.intp)


def made(*cells: CellScores) -> Results:
    names = tuple(dict.fromkeys(one.method.explainer for one in cells))
    return Results("made", (AGREES,), cells, names, CONTROLS)


def found(results: Results) -> list[Stability]:
    return stability(results, compare(results, FEW), FEW)


def noise(seed: int, n: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, n)


def seeds_of(values: dict[str, tuple[float, ...]], n: int = 30) -> Results:
    """Explainers with these values at seeds 0, 1, ..., alike on all texts."""
    return made(
        *(
            cell(Method(name), "agreement", np.full(n, value), seed=str(seed))
            for name, row in values.items()
            for seed, value in enumerate(row)
        )
    )


def test_seeds_that_agree_and_seeds_that_do_not() -> None:
    (same,) = found(seeds_of({"a": (3, 6, 9), "b": (2, 5, 8), "c": (1, 4, 7)}))
    assert (same.row.n_seeds, same.row.n_explainers) == (3, 3)
    assert (same.row.kendall_w, same.row.mean_tau) == pytest.approx((1.0, 1.0))
    (reverse,) = found(seeds_of({"a": (3, 1), "b": (2, 2), "c": (1, 3)}))
    assert (reverse.row.kendall_w, reverse.row.mean_tau) == pytest.approx((0.0, -1.0))


def test_an_explainer_without_all_seeds_is_not_ranked_over_them() -> None:
    results = seeds_of({"a": (3, 6), "b": (2, 5), "c": (1, 4), "d": (9, 0)})
    cells = [one for one in results.cells if (one.method.explainer, one.seed) != ("d", "1")]
    (one,) = found(replace(results, cells=cells))
    assert one.row.n_explainers == 3 and one.row.mean_tau == pytest.approx(1.0)
    assert one.winners == (Method("d"),)


def test_a_clear_winner_needs_the_fewest_texts_and_a_draw_needs_more() -> None:
    base = noise(0)
    clear = found(made(cell(Method("a"), "agreement", base + 1), cell(Method("b"), "agreement", base)))[0]
    assert clear.winners == (Method("a"),)
    assert [(step.texts, step.same) for step in clear.subsamples] == [(10, 1.0), (20, 1.0), (50, 1.0)]
    assert (clear.row.texts_same, clear.row.texts_in_group) == (10.0, 10.0)
    other = noise(1)
    draw = found(
        made(
            cell(Method("a"), "agreement", base),
            cell(Method("b"), "agreement", other - other.mean() + base.mean() - 1e-4),
        )
    )[0]
    assert draw.winners == (Method("a"),)
    assert np.isnan(draw.row.texts_same) and all(0.3 < step.same < 0.7 for step in draw.subsamples)
    # Neither can be told from the best, so whoever wins is in the group.
    assert draw.row.texts_in_group == 10.0


def test_equal_explainers_win_together() -> None:
    base = noise(0)
    (one,) = found(
        made(*(cell(Method(name), "agreement", base + d) for name, d in (("a", 0), ("b", 0), ("c", -1))))
    )
    assert one.winners == (Method("a"), Method("b")) and one.row.texts_same == 10.0
    assert stability_table([one])["winner"].tolist() == ["a = b"]


def test_the_share_is_what_counting_gives() -> None:
    first, second = noise(3, 60), noise(4, 60)
    results = made(cell(Method("a"), "agreement", first), cell(Method("b"), "agreement", second))
    (one,) = found(results)
    wins = first.mean() > second.mean()
    for step in one.subsamples:
        drawn = subsamples([f"text-{place:04d}" for place in range(60)], step.texts, FEW.seed, ALONE[:60])
        same = (first[drawn].mean(axis=1) > second[drawn].mean(axis=1)) == wins
        assert step.same == pytest.approx(same.mean())


def test_subsamples_are_distinct_texts_and_the_same_again() -> None:
    texts = [f"t{place}" for place in range(40)]
    drawn = subsamples(texts, 20, 0, ALONE[: len(texts)])
    assert drawn.shape == (SUBSAMPLES, 20)
    assert all(len(set(row)) == 20 for row in drawn.tolist())
    assert drawn.tobytes() == subsamples(texts, 20, 0, ALONE[: len(texts)]).tobytes()
    assert drawn.tobytes() != subsamples(texts, 20, 1, ALONE[: len(texts)]).tobytes()


def test_pairs_of_texts_are_not_subsampled() -> None:
    base = noise(0, 50)
    pairs = tuple(f"a{place}|b{place}" for place in range(50))
    cells = [
        replace(cell(Method(name), "agreement", base + d), units=pairs) for name, d in (("a", 0), ("b", 1))
    ]
    (one,) = found(made(*cells))
    assert one.subsamples == () and one.row.n_texts == 0 and np.isnan(one.row.texts_same)
    ((line,),) = stability_lines([one]).values()
    assert line.words[-2:] == ("–", "–")


def test_needed_texts_stay_enough_from_there_on() -> None:
    sizes, shares = (10, 20, 50, 100), (0.96, 0.9, 0.95, 1.0)
    assert enough_texts(sizes, shares) == 50.0
    none = enough_texts(sizes[:2], shares[:2])
    assert np.isnan(none)
    steps = tuple(
        SubsampleRow(*ONE[0], "agreement", *step) for step in zip(sizes[:2], shares, shares, strict=False)
    )
    row = StabilityRow(*ONE[0], "agreement", 3, 2, 1.0, 1.0, "a", 200, 20, none, none)
    ((line,),) = stability_lines([Stability(AGREES, row, (Method("a"),), steps)]).values()
    assert line.words[-2:] == ("> 20", "> 20")


def test_controls_never_win() -> None:
    results = experiment(ONE, n=40)
    assert all(not {m.explainer for m in one.winners} & CONTROLS for one in found(results))
    assert {one.metric.name for one in found(results)} == {metric.name for metric in METRICS}


def test_bytes_do_not_depend_on_the_order_of_the_cells() -> None:
    known = experiment(ONE, n=40)
    backwards = replace(known, cells=[*reversed(known.cells)])
    one, two = (
        stability_table(found(each)).to_csv() + steps_table(found(each)).to_csv()
        for each in (known, backwards)
    )
    assert one == two


@pytest.mark.parametrize(
    "results",
    [
        Results("empty", METRICS, ()),
        experiment(ONE, [Method("saliency")], n=5),
        experiment(ONE, METHODS[5:], n=30),
        made(cell(Method("a"), "agreement", np.full(30, np.nan)), cell(Method("b"), "agreement", noise(0))),
    ],
    ids=["nothing", "one candidate", "controls only", "one value"],
)
def test_with_too_little_there_is_nothing_to_rank(results: Results) -> None:
    assert found(results) == []
    assert len(stability_table([])) == 0 and stability_figure([], ["agreement"]) is None
    assert stability_markdown([]).startswith("# Stability")


def test_few_texts_have_a_ranking_but_no_subsamples() -> None:
    one = found(experiment(ONE, METHODS[:3], n=8))[0]
    assert one.subsamples == () and np.isfinite(one.row.kendall_w)


def test_markdown_and_figure_say_who_and_how_many() -> None:
    known = found(experiment(n=60))
    text = stability_markdown(known)
    assert "## planted / cnn" in text and "| Human agreement | 5 | 2 |" in text
    drawing = stability_figure(known, [metric.name for metric in METRICS])
    assert drawing is not None and drawing.name == "stability"
    said = " ".join(ElementTree.fromstring(drawing.svg).itertext())
    assert "Human agreement" in said and "reviews / minilm" in said and "95%" in said
    again = stability_figure(known, [metric.name for metric in METRICS])
    assert again is not None and again.svg == drawing.svg
    only = stability_figure(known, ["agreement"])
    assert only is not None and "reviews" not in only.text
