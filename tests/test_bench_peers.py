"""What the bench says of rounds whose figures are known: a slower Assay misses its bar."""

from __future__ import annotations

import importlib
import math
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

FULL = Namespace(rounds=3, quick=False)
QUICK = Namespace(rounds=1, quick=True)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, which imports others of its folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "scripts"))
    return importlib.import_module("bench_peers")


def _round(bench: Any, theirs: float, ours: float, **options: Any) -> Any:
    """A round at 97 % of the limit and 80 % of the peak unless said."""
    known = {
        "limit": 0.97 * ours,
        "in_model": 0.99 * ours,
        "disturbance": 0.0,
        "pace": 1e9,
        "operations": 0.8e9 * ours,
        "products": 0.85,
    }
    rounds = sys.modules[bench.Round.__module__]
    return bench.Round(rounds.Lap(theirs, 100), rounds.Lap(ours, 50), **(known | options))


def _said(bench: Any, rounds: list[Any], options: Namespace = FULL, threads: int = 1, **of: Any) -> Any:
    race = bench.Race("a race", len, len, **({"bar": 2.0} | of))
    row, met = bench.report(race, rounds, threads, options)
    assert row[0] == "a race" and row[3] == ("met" if met else "missed")
    return row, met


def test_the_ratio_is_the_median_of_the_rounds(bench: Any) -> None:
    rounds = [_round(bench, theirs, 1.0) for theirs in (2.1, 9.0, 1.0)]
    row, met = _said(bench, rounds)
    assert met and row[1] == "1.0 to 9.0" and row[2] == "150 / 300" and row[4] == 2.1
    slower = [_round(bench, theirs, 1.0) for theirs in (1.9, 9.0, 1.0)]
    assert not _said(bench, slower)[1]


@pytest.mark.parametrize(("threads", "met"), [(1, False), (2, True)])
def test_several_threads_may_have_a_bar_of_their_own(bench: Any, threads: int, met: bool) -> None:
    rounds = [_round(bench, 1.6, 1.0)] * 3
    assert _said(bench, rounds, threads=threads, more_threads=1.5)[1] == met


@pytest.mark.parametrize(
    ("changed", "met"),
    [
        ({}, True),
        ({"limit": 0.94}, False),
        ({"operations": 0.69e9}, False),
    ],
)
def test_perturbation_methods_must_reach_the_limit_and_the_peak(
    bench: Any, changed: dict[str, float], met: bool
) -> None:
    rounds = [_round(bench, 5.0, 1.0, **changed)] * 3
    assert _said(bench, rounds, perturbation=True)[1] == met
    assert _said(bench, rounds)[1]


def test_gradients_must_reach_their_ratio_or_most_of_what_is_possible(bench: Any) -> None:
    # Of the time 5 % is neither in products nor outside the model, and products run at 60 % of the peak.
    parts = {"in_model": 0.95, "products": 0.9, "operations": 0.6e9}
    possible = 0.95 - 0.9 + 0.6
    row, met = _said(bench, [_round(bench, 1.3, 1.0, **parts)] * 3, gradient=True)
    assert row[8] == pytest.approx(possible) and row[5] == round(0.9 * 1.3 / possible, 2)
    assert not met
    near = {"in_model": 0.98, "products": 0.9, "operations": 0.85e9}
    assert _said(bench, [_round(bench, 1.3, 1.0, **near)] * 3, gradient=True)[1]
    # Never slower than the peer.
    assert not _said(bench, [_round(bench, 0.99, 1.0, **near)] * 3, gradient=True)[1]


def test_rounds_that_were_not_quiet_meet_no_bar(bench: Any) -> None:
    row, met = _said(bench, [_round(bench, 9.0, 1.0)] * 2)
    assert not met and row[1] == "only 2 of 3 rounds were quiet"


@pytest.mark.parametrize(("theirs", "met"), [(1.01, True), (0.99, False)])
def test_quick_asks_that_nothing_is_slower(bench: Any, theirs: float, met: bool) -> None:
    once = replace(_round(bench, theirs, 1.0), operations=math.nan, products=math.nan)
    assert _said(bench, [once], QUICK, perturbation=True)[1] == met
    assert _said(bench, [once], QUICK, gradient=True)[1] == met
