"""Who gives all tokens one score in every text is called best nowhere, and flagged."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
from results_synthetic import METHODS, METRICS, experiment

from assay.results.columns import ComparisonRow, RankRow, from_table
from assay.results.flag import Flag
from assay.results.records import Group, Method, Results
from assay.results.statistics.by_group import by_group
from assay.results.statistics.constant_methods import CONSTANT, NOBODY
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.rank_table import rank_table
from assay.results.tables.counts import CONSTANT as SIGN
from assay.results.tables.layout import grids

GROUP, BOOTSTRAP = Group("planted", "cnn"), Bootstrap(n=60)
ALWAYS, MOSTLY = Flag("in all 20 texts", always=True), Flag("in 19 of 20 texts")


def starred(table: pd.DataFrame) -> set[Method]:
    rows = from_table(ComparisonRow, table)
    return {Method(row.explainer, row.baseline) for row in rows if row.best}


def flagged(base: Results, flag: Flag, *methods: Method) -> Results:
    return replace(base, constant={(GROUP, method): flag for method in methods})


def test_a_method_that_is_constant_in_every_text_has_no_star() -> None:
    base = experiment([GROUP], n=20)
    before = by_group(base, BOOTSTRAP).comparison
    first = sorted(starred(before))[0]
    assert starred(by_group(flagged(base, MOSTLY, first), BOOTSTRAP).comparison) == starred(before)
    constant = flagged(base, ALWAYS, first)
    after = by_group(constant, BOOTSTRAP).comparison
    assert starred(after) == starred(before) - {first}
    # Nothing else moves where others are still best.
    moved = ["best", "no_best", "constant"]
    pd.testing.assert_frame_equal(before.drop(columns=moved), after.drop(columns=moved))
    for grid in grids(after, METRICS):
        (row,) = (row for row in grid.rows if row.method == first)
        assert not any(entry.best for entry in row.entries)
        assert any(SIGN in entry.mark for entry in row.entries)


def test_where_nobody_else_could_be_best_it_is_said_that_nobody_is() -> None:
    base = experiment([GROUP], n=20)
    candidates = [method for method in METHODS if method.explainer not in base.controls]
    before = from_table(ComparisonRow, by_group(base, BOOTSTRAP).comparison)
    after = from_table(ComparisonRow, by_group(flagged(base, ALWAYS, *candidates), BOOTSTRAP).comparison)
    assert any(row.best for row in before) and not any(row.best for row in after)
    led = {row.metric for row in before if row.best}
    assert all((row.no_best == NOBODY) is (row.metric in led and not row.control) for row in after)


def test_ranks_call_it_neither_tested_nor_best_if_it_is_so_everywhere() -> None:
    base = experiment([GROUP], n=20)
    first = sorted(starred(by_group(base, BOOTSTRAP).comparison))[0]
    rows = from_table(RankRow, rank_table(flagged(base, ALWAYS, first)))
    own = [row for row in rows if (row.explainer, row.baseline) == first]
    assert own and all(not row.best and row.note == CONSTANT for row in own)
    assert any(math.isfinite(row.rank) for row in own) and any(row.note != CONSTANT for row in rows)
    elsewhere = replace(base, constant={(Group("another", "cnn"), first): ALWAYS})
    assert all(row.note != CONSTANT for row in from_table(RankRow, rank_table(elsewhere)))
