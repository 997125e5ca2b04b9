"""What is said of an explainer and random scores, where that was tested and where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from results_synthetic import experiment

from assay.results.against_random import against_random
from assay.results.columns import ComparisonRow, from_table
from assay.results.records import Group
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.verdicts import EXTREME

ONE = (Group("planted", "cnn"),)
BETTER, NOT_SHOWN = "better than random", "not shown to be better than random"


def rows(n: int) -> dict[tuple[str, str, str], ComparisonRow]:
    table = compare(experiment(ONE, seeds=("0",), n=n), Bootstrap(n=60))
    return {(row.metric, row.explainer, row.baseline): row for row in from_table(ComparisonRow, table)}


@pytest.fixture(scope="module")
def known() -> dict[tuple[str, str, str], ComparisonRow]:
    return rows(30)


def test_candidates_are_tested_and_controls_are_not(known: dict[tuple[str, str, str], ComparisonRow]) -> None:
    random = known["agreement", "random", ""]
    occlusion = known["agreement", "occlusion", "mask"]
    assert against_random(occlusion, random) == BETTER
    assert against_random(replace(occlusion, better_than_random=False), random) == NOT_SHOWN
    for name in ("gold", "random", "inverted"):
        assert against_random(known["agreement", name, ""], random) == ""


def test_what_has_no_test_is_not_said_to_have_failed_it(
    known: dict[tuple[str, str, str], ComparisonRow],
) -> None:
    random, one = known["agreement", "random", ""], known["agreement", "lime", "pad"]
    assert against_random(one, None) == ""
    assert against_random(one, replace(random, value=np.nan)) == ""
    assert against_random(replace(one, value=np.nan), random) == ""
    assert against_random(replace(one, interval_note=EXTREME), random) == ""
    few = rows(5)
    assert against_random(few["agreement", "lime", "pad"], few["agreement", "random", ""]) == ""
    # Tables of earlier versions do not say how many groups of texts there are.
    assert against_random(replace(one, n_groups=0), replace(random, n_groups=0)) == BETTER


def test_rows_say_whether_the_metric_takes_tokens_away_as_the_baseline_does() -> None:
    results = replace(experiment(ONE, seeds=("0",), n=12), removal="pad")
    table = from_table(ComparisonRow, compare(results, Bootstrap(n=20)))
    found = {(row.metric, row.baseline) for row in table if row.shares_operator}
    assert found == {("faithfulness", "pad")}
