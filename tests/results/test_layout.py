"""The main table and the one beside it, what is marked in them, and what is warned of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from results_synthetic import METRICS, Group, MeanOf, Method, cell, experiment

from assay.metrics.cell_data import Metric
from assay.results.checks import FAILS, Check, packaged_checks, read_checks, warning
from assay.results.property_metrics import SIX, first_per_property, removal_operator, six_properties
from assay.results.records import Missing, Results
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.latex import latex
from assay.results.tables.layout import BESIDE, Grid, grids, restricted, split_grids
from assay.results.tables.shared_operator import SHARED
from assay.results.tables.text import markdown, plain

FEW = Bootstrap(n=30)
ONE = [Group("planted", "cnn")]
MAXIMUM = cast(Metric, MeanOf("maximum", "Confidence indication (MAX)", "confidence indication", "lower"))
SPARSITY = cast(Metric, MeanOf("sparsity", "Sparsity", "complexity"))


@dataclass(frozen=True)
class ByDelete(MeanOf):
    """A metric that takes tokens away by an operator of its own."""

    operator: str = "delete"
    needs: frozenset[str] = frozenset({"removal"})


def wider() -> Results:
    """An experiment with two metrics beside the six."""
    known = experiment(ONE, n=20)
    more = [
        replace(one, metric=name)
        for one in known.cells
        if one.metric == "agreement"
        for name in ("maximum", "sparsity")
    ]
    return replace(
        known, metrics=(*METRICS[:2], MAXIMUM, *METRICS[2:], SPARSITY), cells=[*known.cells, *more]
    )


def split(results: Results, checks: dict[str, Check] | None = None) -> list[Grid]:
    return split_grids(compare(results, FEW), results.metrics, results.removal, checks, results.alike)


def beside_random(grid: Grid) -> list[str]:
    """The remarks but those on who is better than random."""
    return [remark for remark in grid.remarks if "better than random: " not in remark]


def names(grid: Grid) -> list[str]:
    return [column.name for column in grid.columns]


def test_the_first_metric_of_a_property_stands_for_it() -> None:
    metrics = (MAXIMUM, *METRICS, SPARSITY)
    assert first_per_property(metrics) == [MAXIMUM, *METRICS[:2], METRICS[3], SPARSITY]
    assert six_properties(metrics) == [MAXIMUM, *METRICS[:2], METRICS[3]]
    assert six_properties([SPARSITY]) == [SPARSITY]
    assert len(set(SIX)) == 6


def test_others_stand_beside_in_a_table_of_the_same_form() -> None:
    main, beside = split(wider())
    assert names(main) == ["faithfulness", "agreement", "maximum", "compute_time"]
    assert names(beside) == ["confidence", "sparsity"]
    assert beside.caption == f"{main.caption}: {BESIDE}"
    assert [row.method for row in main.rows] == [row.method for row in beside.rows]
    for form in (markdown, latex, plain):
        assert BESIDE in form([main, beside], FEW)


def test_reasons_are_numbered_table_by_table() -> None:
    results = wider()
    kept = [one for one in results.cells if (one.method.explainer, one.metric) != ("saliency", "sparsity")]
    gap = Missing("it is dense", explainer="saliency", metric="sparsity")
    main, beside = split(replace(results, cells=kept, absences=[gap]))
    assert main.notes == () and beside.notes == ("it is dense",)


def test_with_six_metrics_there_is_one_table_per_group() -> None:
    found = split(experiment(n=12))
    assert [grid.part for grid in found] == ["", ""]
    assert found == grids(compare(experiment(n=12), FEW), METRICS)


def test_restricted_keeps_entries_in_their_columns() -> None:
    (grid,) = grids(compare(experiment(ONE, n=12), FEW), METRICS)
    kept = restricted(grid, ["agreement"])
    assert names(kept) == ["agreement"]
    place = names(grid).index("agreement")
    assert [row.entries for row in kept.rows] == [(row.entries[place],) for row in grid.rows]


def test_why_nobody_is_best_is_said_below_every_table() -> None:
    (grid,) = grids(compare(experiment(ONE, n=4), FEW), METRICS)
    assert not any(entry.best for row in grid.rows for entry in row.entries)
    (words,) = [remark for remark in grid.remarks if "none is called best" in remark]
    assert "4 texts with a value, fewer than 10; none is called best" in words
    assert all(column.title in words for column in grid.columns)
    for table in (markdown([grid], FEW), latex([grid], FEW), plain([grid], FEW)):
        assert " ".join(table.split()).count("none is called best") == 1
    assert not beside_random(grids(compare(experiment(ONE, n=30), FEW), METRICS)[0])


def test_who_removes_as_the_metric_does_is_marked() -> None:
    results = replace(experiment(ONE, n=20), removal="mask")
    (grid,) = split(results)
    marked = {
        (row.method, column.name)
        for row in grid.rows
        for column, entry in zip(grid.columns, row.entries, strict=True)
        if entry.mark
    }
    assert marked == {(Method(name, "mask"), "faithfulness") for name in ("occlusion", "lime")}
    sharing, lonely = beside_random(grid)
    assert sharing.startswith(f"{SHARED} shares its operator")
    assert lonely.startswith(
        "every metric here that takes tokens away does so by mask; baseline@removal=[mask,delete]"
    )
    assert SHARED in markdown([grid], FEW) and SHARED in plain([grid], FEW)
    assert r"\dag{}" in latex([grid], FEW) and SHARED not in latex([grid], FEW)
    assert beside_random(split(replace(results, removal="zero"))[0]) == []


def test_a_metric_may_have_an_operator_of_its_own() -> None:
    deleting = cast(Metric, ByDelete("faithfulness[delete]", "Faithfulness, by delete", "faithfulness"))
    assert removal_operator(deleting, "mask") == "delete"
    assert removal_operator(METRICS[0], "mask") == "mask" and removal_operator(METRICS[1], "mask") == ""
    values = experiment(ONE, n=20).cells[1].parts["value"][:, 0]
    cells = [cell(Method("lime", name), deleting.name, values) for name in ("mask", "delete")]
    (grid,) = split(
        replace(experiment(ONE, n=20), metrics=(deleting,), cells=cells, removal="mask", absences=())
    )
    assert [row.entries[0].mark for row in grid.rows] == ["", SHARED]


def test_what_puts_in_the_same_is_marked_whatever_it_is_called() -> None:
    results = replace(experiment(ONE, n=20), removal="drawn", alike={"mask": frozenset({"drawn"})})
    (grid,) = split(results)
    marked = {row.method for row in grid.rows for entry in row.entries if entry.mark}
    assert marked == {Method(name, "mask") for name in ("occlusion", "lime")}
    # A name is no reason where it is known that it stands for something else.
    assert not beside_random(split(replace(results, removal="mask"))[0])


def test_beside_a_metric_that_does_not_share_nothing_is_advised() -> None:
    deleting = cast(Metric, ByDelete("faithfulness[delete]", "Faithfulness, by delete", "faithfulness"))
    results = experiment(ONE, n=20)
    results = replace(results, metrics=(*results.metrics, deleting), removal="mask")
    values = results.cells[1].parts["value"][:, 0]
    more = [cell(Method(name, "mask"), deleting.name, values) for name in ("lime", "occlusion")]
    main, beside = split(replace(results, cells=[*results.cells, *more]))
    assert [remark[0] for remark in beside_random(main)] == [SHARED]
    assert {entry.mark for row in beside.rows for entry in row.entries} == {""}


CHECKS = {
    "agreement": Check("agreement", FAILS, "planted: AUC 0.55"),
    "confidence": Check("confidence", "tells", ""),
    "compute_time": Check("compute_time", "not checked", "no truth"),
}


def test_a_best_group_by_a_failing_metric_is_warned_of() -> None:
    (grid,) = split(experiment(ONE, n=20), CHECKS)
    (found,) = grid.warnings
    assert "Human agreement" in found and "AUC 0.55" in found
    assert "Warning: Human agreement" in markdown([grid], FEW)
    assert "Warning: Human agreement" in latex([grid], FEW)
    assert "warning: Human agreement" in plain([grid], FEW)
    # Nobody is best where there is nobody to compare with.
    (alone,) = split(experiment(ONE, [Method("saliency")], n=20), CHECKS)
    assert alone.warnings == ()


def test_other_removal_operators_have_the_check_of_the_metric() -> None:
    checks = {"faithfulness": Check("faithfulness", FAILS, "")}
    assert warning(checks, "faithfulness[delete]", "F, by delete").startswith("F, by delete did not")
    assert warning(checks, "agreement", "A") == ""
    own = {**checks, "faithfulness[delete]": Check("faithfulness[delete]", "tells", "")}
    assert warning(own, "faithfulness[delete]", "F") == ""


def test_checks_are_read_from_csv() -> None:
    text = 'metric,auc,monotonicity,verdict,note\nfaithfulness,0.5,,fails,"low, very"\n'
    assert read_checks(text.splitlines()) == {"faithfulness": Check("faithfulness", "fails", "low, very")}
    assert all(check.verdict for check in packaged_checks().values())
