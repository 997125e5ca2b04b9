"""An explainer card from made-up scores: what it says, its limits by label, and that every text is inert."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from results_synthetic import METRICS, experiment
from small_tasks import size_of
from small_tasks import task as small_task

from assay.results.card.card import About, Card, Sources, make_card
from assay.results.card.limits import FEW, POOR, RANDOM, UNMEASURED, Limit, label_limits
from assay.results.card.sections import evidence_pages, first_page
from assay.results.card.write import record, to_html, to_json, to_markdown
from assay.results.checks import Check, packaged_checks
from assay.results.columns import ComparisonRow, LabelRow, from_table
from assay.results.recommendation.constraints import MethodFacts
from assay.results.recommendation.recommend import recommend
from assay.results.records import Group, LabelTexts, Method, ModelQuality, Results
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.labels import by_label
from assay.results.tables.sections import Section, TextTable

GROUP, METHOD = Group("planted", "cnn"), Method("lime", "pad")
ODD = '<script>alert(1)</script> & "quotes" =1+1 `| \x1b[31m'
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ABOUT = About(
    settings={"explainer": {"rows": 30, "note": ODD}},
    policy="becomes the padding token; special tokens stay",
    weights={"0": "a" * 64, "1": "b" * 64},
    data={"explained texts": "c" * 64, "training texts": "d" * 64, "development texts": "e" * 64},
    code="f" * 64,
    versions={"assay": "0.2.0"},
    made_with=(),
    command=f"assay run {ODD}",
    seeds=(0,),
    facts=MethodFacts(rows=62.0),
    targets="predicted",
    by=ODD,
    date="2026-11-30",
)


def made(label: str = "neg") -> Results:
    """Three labels, one without a chance; `lime` is no better than random on `neg`."""
    labels = (label, "pos")
    task = replace(size_of(small_task(labels=labels), "cnn"), name="planted", labels=labels)
    base = experiment([GROUP], seeds=("0",))
    cells = [replace(cell, targets=(0, 1)) if cell.metric == "faithfulness" else cell for cell in base.cells]
    return replace(
        base,
        cells=cells,
        tasks=[task],
        labels=[LabelTexts(GROUP, labels, (30, 30), 60)],
        models=[ModelQuality(GROUP, "0", 0.6, {}, {label: 0.4, "pos": 0.8}, remark=f"no better: {ODD}")],
        notes=[ODD],
    )


def card(results: Results, about: About = ABOUT) -> Card:
    bootstrap = Bootstrap(n=100)
    comparison, labels = compare(results, bootstrap), by_label(results, bootstrap)
    advice = {one.group: one for one in recommend(results, {}, bootstrap=bootstrap)}
    rows = from_table(ComparisonRow, comparison), from_table(LabelRow, labels)
    return make_card(Sources(results, *rows, advice, checks=packaged_checks()), GROUP, METHOD, about)


def test_it_says_what_the_comparison_and_the_checks_say() -> None:
    results = made()
    found = card(results)
    of_method = [
        row
        for row in from_table(ComparisonRow, compare(results, Bootstrap(n=100)))
        if (row.explainer, row.baseline) == METHOD
    ]
    # As text: what is no number is equal to nothing.
    assert repr([one.row for one in found.evidence]) == repr(of_method) and len(of_method) == len(METRICS)
    by_metric = {one.row.metric: one for one in found.evidence}
    assert by_metric["faithfulness"].check.verdict == "tells"
    assert by_metric["compute_time"].check.verdict == "not checked"
    assert np.isnan(by_metric["compute_time"].random) and by_metric["faithfulness"].random > 0
    assert "better than random" in by_metric["faithfulness"].standing
    assert found.ranked is not None and found.ranked.method == METHOD
    titles = [section.title for section in first_page(found)]
    assert titles[:3] == ["Verdict", "Intended use", "Evidence per property"] and titles[-1] == "Signed off"
    assert {"Limits per label", "Hashes (SHA-256)", "To repeat it"} <= {
        s.title for s in evidence_pages(found)
    }


def test_a_metric_that_failed_its_check_is_warned_of() -> None:
    results = made()
    sources = Sources(
        results,
        from_table(ComparisonRow, compare(results, Bootstrap(n=50))),
        (),
        {},
        checks={"faithfulness": Check("faithfulness", "fails", "AUC 0.5")},
    )
    found = make_card(sources, GROUP, METHOD, ABOUT)
    assert any("did not tell good explanations from bad ones" in one for one in found.warnings)
    assert any(one.startswith("no metric that tells good") for one in found.warnings)
    assert found.sentences == () and "No recommendation was made" in first_page(found)[0].lines[0]


def test_limits_of_labels() -> None:
    results = made()
    rows = from_table(LabelRow, by_label(results, Bootstrap(n=50)))
    (task,) = results.tasks
    few, poor = Limit(FEW, "2 explained texts with it"), Limit(POOR, "F1 0.40, below 0.5")
    neg, pos = label_limits(results, rows, GROUP, METHOD, task)
    # Two of the four texts of the small task have each label.
    assert neg.limits == (few, poor) and neg.texts == 2
    assert pos.limits == (few,) and pos.f1 == 0.8
    worse = [replace(row, better_than_random=False) for row in rows]
    said = [one.limits[-1] for one in label_limits(results, worse, GROUP, METHOD, task)]
    assert said == [Limit(RANDOM, "Faithfulness (AUC-TP)")] * 2
    gone = [row for row in rows if row.label != "neg"]
    unmeasured = next(iter(label_limits(results, gone, GROUP, METHOD, task)))
    assert Limit(UNMEASURED, "Faithfulness (AUC-TP)") in unmeasured.limits
    # Of tasks with one label per text nothing is measured by label.
    single = list(label_limits(replace(results, labels=()), (), GROUP, METHOD, task))
    assert [len(one.limits) for one in single] == [2, 1]


def test_the_f1_of_a_label_without_texts_is_undefined_and_not_0() -> None:
    results = made()
    (task,) = results.tasks
    assert task.sheet is not None
    test = task.sheet.test
    none = replace(test, labels=(replace(test.labels[0], texts=0), *test.labels[1:]))
    models = [replace(one, f1={"neg": 0.0, "pos": 0.8}) for one in results.models]
    task = replace(task, sheet=replace(task.sheet, test=none))
    neg, pos = label_limits(replace(results, models=models, labels=()), (), GROUP, METHOD, task)
    assert np.isnan(neg.f1) and pos.f1 == 0.8
    assert [limit.text for limit in neg.limits] == [
        "few texts: no explained text with it",
        "F1 undefined: no text to find it in",
    ]
    shown = to_markdown(card(replace(results, models=models, tasks=[task])))
    assert "macro-F1 0.60 on the explained texts, in which 1 label that no text has counts as 0" in shown
    assert "no text has counts as 0" not in to_markdown(card(results))
    absent = replace(results, models=models, labels=[LabelTexts(GROUP, ("neg", "pos"), (0, 30), 60)])
    rows = from_table(LabelRow, by_label(absent, Bootstrap(n=50), fewest=0))
    assert all(np.isnan(row.f1) for row in rows if row.label == "neg")


def test_the_first_page_names_labels_by_what_limits_them() -> None:
    (limits,) = (section for section in first_page(card(made())) if section.title == "Known limits")
    assert limits.lines == (
        "2 of 2 labels with limits; the numbers are behind.",
        "few texts: all",
        "the model is poor at it: neg",
    )


def test_every_text_is_inert() -> None:
    found = card(made(ODD))
    html, markdown = to_html(found), to_markdown(found)
    assert "<script>" not in html and "&lt;script&gt;alert(1)" in html and "default-src 'none'" in html
    assert "\x1b" not in html and "\x1b" not in markdown and "\\<script\\>" in markdown
    code = markdown.split("## Settings")[1]
    assert "<script>" not in markdown.split("## Settings")[0]
    assert all(line.startswith("    ") for line in code.splitlines() if "<script>" in line)
    assert json.loads(to_json(found))["about"]["by"] == ODD and to_json(found).isascii()
    assert record(found)["card_version"] == 1


@pytest.mark.skipif(
    CHROMIUM is None or shutil.which("pdftotext") is None, reason="no Chromium, or no pdftotext"
)
def test_the_first_page_is_one_sheet_of_a4(tmp_path: Path) -> None:
    (tmp_path / "card.html").write_text(to_html(card(made())), encoding="utf-8")
    print_it = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"),
        *(f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={tmp_path / 'card.pdf'}"),
        (tmp_path / "card.html").as_uri(),
    ]
    subprocess.run(print_it, check=True, capture_output=True, timeout=90)
    read = ["pdftotext", "-layout", str(tmp_path / "card.pdf"), "-"]
    pages = subprocess.run(read, check=True, capture_output=True, text=True).stdout.split("\f")
    assert "Verdict" in pages[0] and "date, signature" in pages[0] and pages[1].startswith("Evidence")


def test_tables_of_one_section_are_told_apart_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = tuple(
        TextTable(("label", "mask"), "lr", (("all", "1"),), name) for name in ("Faithfulness ↓", "Gap ↓")
    )
    section = Section("How far it hangs on the baseline", (), tables)
    monkeypatch.setattr("assay.results.card.write.evidence_pages", lambda _: [section])
    html = to_html(card(made()))
    assert "<caption>Faithfulness ↓</caption>" in html and "<caption>Gap ↓</caption>" in html
    # Where a row is a block, each value has its heading.
    assert '<td class="r" data-label="mask">1</td>' in html


def test_a_control_is_not_said_to_have_failed_a_test() -> None:
    results = made()
    bootstrap = Bootstrap(n=50)
    rows = (
        from_table(ComparisonRow, compare(results, bootstrap)),
        from_table(LabelRow, by_label(results, bootstrap)),
    )
    gold = make_card(Sources(results, *rows, {}, checks=packaged_checks()), GROUP, Method("gold"), ABOUT)
    assert gold.evidence and all(one.against_random == "" for one in gold.evidence)
    said = [one.standing for one in gold.evidence] + [
        limit.text for one in gold.limits for limit in one.limits
    ]
    assert not any("random" in words for words in [*said, *gold.warnings])
