"""The folder of an experiment: which files there are, and that they are the same bytes again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from results_synthetic import METRICS, Group, experiment

from assay.results.records import Results
from assay.results.statistics.estimates import Bootstrap
from assay.results.write import write_results

FEW = Bootstrap(n=30)
TABLES = ("comparison", "overall", "agreement", "stability", "stability_texts", "ranks", "slices", "timing")
WORDS = ("comparison", "overall", "agreement", "stability", "timing")


def written(results: Results, folder: Path) -> dict[str, bytes]:
    write_results(results, folder, FEW)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_there_and_the_same_again(tmp_path: Path) -> None:
    results = experiment([Group("planted", "cnn")], n=20)
    one, two = (written(results, tmp_path / name) for name in ("one", "two"))
    assert {f"{name}.csv" for name in TABLES} | {f"{name}.md" for name in WORDS} <= set(one)
    assert {"report.html", "comparison.tex", "figures/agreement.svg", "figures/stability.png"} <= set(one)
    assert one == two
    for name in TABLES:
        assert len(pd.read_csv(tmp_path / "one" / f"{name}.csv")) > 0, name
    assert "Overall scores" in one["report.html"].decode()


def test_partial_results_are_written(tmp_path: Path) -> None:
    known = experiment([Group("planted", "cnn")], seeds=("0",), n=5)
    bare = replace(known, facts=(), timings=(), models=(), texts=(), absences=(), tasks=())
    assert "report.html" in written(bare, tmp_path / "bare")
    nothing = Results("empty", METRICS, ())
    assert "report.html" in written(nothing, tmp_path / "nothing")
