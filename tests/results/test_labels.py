"""The comparison label by label: what each label's numbers are, and which labels are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from results_synthetic import AGREEMENT, CONTROLS, Group, Method
from sklearn.metrics import f1_score

from assay.metrics.cell_data import Metric
from assay.metrics.faithfulness import Faithfulness, FaithfulnessMicro
from assay.metrics.human_agreement import HumanAgreement
from assay.results.flag import Flag
from assay.results.records import CellScores, LabelTexts, ModelQuality, Results
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.labels import COLUMNS, by_label
from assay.results.tables.breakdown import label_grids, labels_markdown
from assay.results.tables.shared_operator import SHARED, SHARING
from assay.results.write import write_results

FEW = Bootstrap(n=60)
GROUP = Group("topics", "cnn")
LABELS = ("price", "food", "staff", "grief", "<b>unseen</b>")
N = 80
UNITS = tuple(f"text-{place:03d}" for place in range(N))
GOOD, BAD, RANDOM = Method("occlusion", "mask"), Method("saliency"), Method("random")
FAITHFULNESS, AGREES = Faithfulness(thresholds=(0, 50, 100)), HumanAgreement()


def gold() -> np.ndarray:
    """(N, 5): 40, 20, 20, 4 and 20 texts with each label."""
    table = np.zeros((N, 5))
    for label, size in enumerate((40, 20, 20, 4, 20)):
        table[:size, label] = 1
    return table


def decisions(after: float) -> dict[str, np.ndarray]:
    """The model misses a tenth of each label, and always the last; a share `after` survives 50 %."""
    truth = gold()
    full = truth * (np.arange(N)[:, None] % 10 != 9)
    full[:, 4] = 0
    half = full * (np.random.default_rng(3).random((N, 5)) < after)
    return {"gold": truth, "predicted@0": full, "predicted@50": half, "predicted@100": np.zeros((N, 5))}


def faithfulness(method: Method, after: float, seed: str = "0") -> CellScores:
    return CellScores(GROUP, method, "faithfulness", seed, UNITS, decisions(after), 0, (0, 1, 2, 3, 4))


def agreement(method: Method, level: float) -> CellScores:
    """Precisions of the texts that have a label and a rationale; `no_rationale` is about no label."""
    parts = {
        "ap": np.where(gold() > 0, level + np.arange(5) / 100, np.nan),
        "no_rationale": np.full((N, 5), np.nan),
    }
    parts = {
        name: np.concatenate([np.full((N, 1), np.nan), values], axis=1) for name, values in parts.items()
    }
    parts["no_rationale"][:, 0] = 0.0
    return CellScores(GROUP, method, "human_agreement", "0", UNITS, parts, 0, (-1, 0, 1, 2, 3, 4))


def results(cells: Sequence[CellScores], **about: Any) -> Results:
    known = Results(
        "made up",
        (FAITHFULNESS, AGREES),
        cells,
        ("occlusion", "saliency", "random"),
        CONTROLS,
        models=[ModelQuality(GROUP, "0", 0.6, {}, dict.fromkeys(LABELS, 0.5) | {"food": 0.9}, 0.7)],
        labels=[LabelTexts(GROUP, LABELS, tuple(map(int, gold().sum(axis=0))), N)],
    )
    return replace(known, **about)


def three() -> Results:
    cells = [faithfulness(GOOD, 0.1), faithfulness(BAD, 0.9), faithfulness(RANDOM, 0.5)]
    return results([*cells, agreement(GOOD, 0.8), agreement(BAD, 0.3), agreement(RANDOM, 0.2)])


def only(table: pd.DataFrame, **where: object) -> pd.DataFrame:
    for name, value in where.items():
        table = cast(pd.DataFrame, table[table[name] == value])
    return table


def test_a_label_s_area_is_that_of_its_own_f1() -> None:
    table = by_label(three(), FEW)
    assert tuple(table.columns) == COLUMNS
    for method, after in ((GOOD, 0.1), (BAD, 0.9), (RANDOM, 0.5)):
        parts = decisions(after)
        for label, name in enumerate(("price", "food", "staff")):
            (found,) = only(table, metric="faithfulness", label=name, explainer=method.explainer)["value"]
            curve = [
                f1_score(parts["gold"][:, label], parts[f"predicted@{t}"][:, label]) for t in (0, 50, 100)
            ]
            assert found == pytest.approx(np.trapezoid(curve, dx=50))


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_averages_are_those_of_sklearn(average: str) -> None:
    table = only(by_label(three(), FEW), metric="faithfulness", scope=average, explainer="saliency")
    parts = decisions(0.9)
    curve = [
        f1_score(parts["gold"], parts[f"predicted@{t}"], average=cast(Any, average)) for t in (0, 50, 100)
    ]
    (found,), (f1,) = table["value"], table["f1"]
    assert found == pytest.approx(np.trapezoid(curve, dx=50))
    assert f1 == {"macro": 0.6, "micro": 0.7}[average]
    assert table["texts"].tolist() == [N]


def test_a_mean_over_texts_is_taken_over_the_texts_of_the_label() -> None:
    table = only(by_label(three(), FEW), metric="human_agreement", explainer="occlusion")
    values = dict(zip(table["label"], table["value"], strict=True))
    assert list(values) == ["", "price", "food", "staff", "<b>unseen</b>"]
    assert [values[name] for name in LABELS[:3]] == pytest.approx([0.80, 0.81, 0.82])
    assert table["scope"].tolist() == ["all", *4 * ["label"]]


def test_frequent_labels_first_and_the_best_of_each_is_marked() -> None:
    table = only(by_label(three(), FEW), metric="faithfulness", scope="label")
    assert table["label"].drop_duplicates().tolist() == ["price", "food", "staff"]
    assert table["texts"].drop_duplicates().tolist() == [40, 20]
    assert only(table, best=True)["explainer"].unique().tolist() == ["occlusion"]
    assert set(only(table, explainer="random")["control"]) == {True}
    low, value, high = (table[name].to_numpy() for name in ("low", "value", "high"))
    assert (low <= value).all() and (value <= high).all()


def test_rare_and_never_found_labels_are_left_out_with_the_reason() -> None:
    known = three()
    on_faithfulness, on_agreement = label_grids(by_label(known, FEW), known)
    assert on_faithfulness.left_out == (
        "grief (4 texts)",
        "<b>unseen</b> (the model never finds it)",
    )
    assert on_agreement.left_out == ("grief (4 texts)",)
    table = by_label(known, FEW, fewest=4)
    assert "grief" in table["label"].tolist()


def test_seeds_are_averaged() -> None:
    cells = [faithfulness(GOOD, 0.1), faithfulness(GOOD, 0.9, seed="1")]
    both = only(by_label(results(cells), FEW), label="price")
    alone = [only(by_label(results([cell]), FEW), label="price")["value"].item() for cell in cells]
    assert both["value"].item() == pytest.approx(np.mean(alone))
    assert both["n_seeds"].item() == 2 and both["seed_deviation"].item() > 0


def test_metrics_that_are_about_no_single_label_are_left_out() -> None:
    cost = CellScores(GROUP, GOOD, "agreement", "0", UNITS, {"value": np.ones((N, 1))}, 0, (-1,))
    known = results([cost, faithfulness(GOOD, 0.1)], metrics=(FAITHFULNESS, cast(Metric, AGREEMENT)))
    assert by_label(known, FEW)["metric"].unique().tolist() == ["faithfulness"]
    # Micro is a row of faithfulness already.
    micro = replace(faithfulness(GOOD, 0.1), metric="faithfulness_micro")
    assert by_label(results([micro], metrics=(FaithfulnessMicro(),)), FEW).empty


def test_a_constant_label_is_flagged_in_its_own_row_and_in_the_averages() -> None:
    words = "for food in all 80 texts"
    flags = {(GROUP, BAD): Flag(words, frozenset({"food"})), (GROUP, GOOD): Flag("in 2 of 80 texts")}
    known = replace(three(), constant=flags)
    grid, _ = label_grids(by_label(known, FEW), known)
    marks = {
        row.name: dict(zip(grid.methods, [entry.mark for entry in row.entries], strict=True))
        for row in grid.rows
    }
    assert [name for name, of_row in marks.items() if of_row[BAD]] == [
        "macro average",
        "micro average",
        "food",
    ]
    assert all(of_row[GOOD] == "≡" and not of_row[RANDOM] for of_row in marks.values())
    assert any(words in remark for remark in grid.remarks)


def test_an_unknown_quality_and_a_missing_cell_are_dashes() -> None:
    cells = [faithfulness(GOOD, 0.1), agreement(GOOD, 0.8), agreement(BAD, 0.3)]
    known = results(cells, models=())
    text = labels_markdown(label_grids(by_label(known, FEW), known), FEW)
    assert "| price | 40 | – |" in text
    assert "| food | 20 | – | 20 × 1 | **0.81" in text
    assert r"Left out: grief (4 texts), \<b\>unseen\</b\> (the model never finds it)." in text


def test_a_label_without_a_best_explainer_says_why() -> None:
    cells = [faithfulness(method, 0.5) for method in (GOOD, BAD, RANDOM)]
    [grid] = label_grids(by_label(results(cells), FEW), results(cells))
    assert grid.remarks == ("every row: no explainer is better than the random control; none is called best",)
    halves = {GROUP.task: {unit: str(int(unit[-1]) % 2) for unit in UNITS}}
    few = results(three().cells, clusters=halves)
    remarks = {remark for grid in label_grids(by_label(few, FEW), few) for remark in grid.remarks}
    assert "every row: 2 groups of texts with a value, fewer than 10; none is called best" in remarks


def test_files_and_section_are_written_for_multi_label_tasks_only(tmp_path: Path) -> None:
    written = write_results(three(), tmp_path / "several", FEW)
    html = written.page.read_text(encoding="utf-8")
    assert '<h2 id="labels">Label by label</h2>' in html and 'href="#labels"' in html
    assert "<em>micro average</em>" in html and "<b>unseen</b>" not in html
    assert "&lt;b&gt;unseen&lt;/b&gt;" in html
    saved = pd.read_csv(tmp_path / "several" / "labels.csv")
    assert tuple(saved.columns) == COLUMNS
    again = write_results(three(), tmp_path / "again", FEW)
    for name in ("labels.csv", "labels.md"):
        assert (tmp_path / "several" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert again.page.read_bytes() == written.page.read_bytes()
    single = write_results(replace(three(), labels=()), tmp_path / "one", FEW)
    assert "Label by label" not in single.page.read_text(encoding="utf-8")
    assert not (tmp_path / "one" / "labels.csv").exists()


def test_who_removes_as_the_metric_does_is_marked_on_every_label() -> None:
    found = replace(three(), removal="drawn", alike={"mask": frozenset({"drawn"})})
    table = by_label(found, FEW)
    for grid in label_grids(table, found):
        marked = {
            method
            for line in grid.rows
            for method, entry in zip(grid.methods, line.entries, strict=True)
            if SHARED in entry.mark
        }
        shares = grid.column.name == "faithfulness"
        assert marked == ({GOOD} if shares else set())
        assert (SHARING in grid.remarks) == shares
    assert SHARED not in labels_markdown(label_grids(table, replace(found, removal="delete")), FEW)
