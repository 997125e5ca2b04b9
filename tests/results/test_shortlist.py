"""Of many groups a page draws the first and says so; the tables beside it have all of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from results_synthetic import METHODS, METRICS, Group, experiment

from assay.results.panel_limit import PANEL_LIMIT, limit_sentence, listed
from assay.results.statistics.estimates import Bootstrap
from assay.results.write import write_results

WORDS = f"The first {PANEL_LIMIT} of {PANEL_LIMIT + 1} groups are shown"


def test_nothing_is_said_while_everything_is_shown() -> None:
    assert limit_sentence(PANEL_LIMIT) == ""
    assert listed(["a", "b"]) == "a, b."
    assert WORDS in limit_sentence(PANEL_LIMIT + 1)
    assert listed([str(place) for place in range(100)]).startswith("0, 1, 2")
    assert ", 12" not in listed([str(place) for place in range(100)])


@pytest.mark.parametrize("more", [0, 1])
def test_a_page_of_many_groups_draws_the_first(tmp_path: Path, more: int) -> None:
    groups = [Group("planted", f"model{place:02d}") for place in range(PANEL_LIMIT + more)]
    results = experiment(groups, METHODS[:3], ("0",), METRICS[:2], n=24)
    write_results(results, tmp_path, Bootstrap(n=20, permutations=50))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (WORDS in page) == bool(more)
    last = groups[-1].model
    drawn = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.glob("figures/*.svg")}
    # Groups in which no two metrics rank the explainers have no agreement, and metrics' means no names.
    named = {name for name in drawn if name == "overview" or name.startswith(("metric-", "curves-"))}
    assert len(named) == 4
    assert {name for name in named if last in drawn[name]} == (set() if more else named)
    for name in ("comparison", "slices", "stability", "overall"):
        table = pd.read_csv(tmp_path / f"{name}.csv")
        assert set(table["model"]) == {group.model for group in groups}
