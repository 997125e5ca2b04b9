"""Texts in which every annotator marked nothing: they were judged, and have no rationale."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from metrics_world import World, oracle

from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.trials.incompatibilities import metric_incompatibility
from assay.metrics.annotators import annotator_agreement
from assay.metrics.graded_agreement import GradedNdcg
from assay.metrics.human_agreement import HumanAgreement
from assay.tasks.data_sheet import split_sheet
from assay.tasks.errors import InputError
from assay.tasks.example import Example, fingerprint
from assay.tasks.local import local

MARKED = [{"words": [0, 1], "annotator": "a"}, {"words": [0, 0], "annotator": "b"}]
SILENT = [{"words": [0, 0], "annotator": "a"}, {"spans": [], "annotator": "b"}]


def _read(path: Path, cells: list[Any], **options: Any) -> list[Example]:
    """The examples by id; their labels are of the words."""
    rows = [
        {"text": f"{word} film", "why": cell, "id": str(at), "label": word}
        for at, (word, cell) in enumerate(zip(("great", "awful") * len(cells), cells, strict=False))
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    task = local(path=str(path), id="id", rationale="why", fractions=[0, 0, 1], **options)
    return sorted(task.test, key=lambda example: example.id)


def test_the_data_sheet_counts_them_as_judged_and_not_as_marked(tmp_path: Path) -> None:
    sheet = split_sheet(_read(tmp_path / "t.jsonl", [MARKED, SILENT, SILENT[:1], None]), 2)
    assert (dict(sheet.annotators), sheet.several) == ({"a": 3, "b": 2}, 2)
    assert sheet.marked == sum(label.marked for label in sheet.labels) == 1


def test_scores_prints_and_agreement_are_those_without_their_judgements(tmp_path: Path) -> None:
    grouped = [{**each, "group": f"of {each['annotator']}"} for each in SILENT]
    marked = [{**each, "group": f"of {each['annotator']}"} for each in MARKED]
    kept = _read(tmp_path / "a.jsonl", [marked, grouped, grouped])
    without = _read(tmp_path / "b.jsonl", [marked, None, None])
    assert [len(example.rationales) for example in kept] == [2, 2, 2]
    assert [example.has_rationale for example in kept] == [True, False, False]
    for explained in (False, True):
        assert fingerprint(kept, explained=explained) == fingerprint(without, explained=explained)
    assert annotator_agreement(kept, ("awful", "great")) == annotator_agreement(without, ("awful", "great"))
    metrics = [HumanAgreement(annotators=how) for how in ("union", "majority", "each")]
    for metric in (*metrics, GradedNdcg()):
        # A shard for each text, too: what is stored of one names no group that marked nothing in it.
        for size in (1, 3):
            found, expected = (
                metric.score(World(each).subject(oracle, size=size)) for each in (kept, without)
            )
            assert found.equals(expected)
            left_out = found[found["part"] == "no_rationale"]["value"]
            # More than half of two is both.
            assert sorted(left_out) == [float(metric == metrics[1]), 1.0, 1.0]


def test_a_task_of_nothing_else_has_no_rationales(tmp_path: Path) -> None:
    settings = ["task=planted", "task.train=40", "task.dev=10", "task.test=10", "model=cnn"]
    (trial,) = load_trials(
        open_experiment([*settings, "metric=[human_agreement,graded_ndcg]", f"store={tmp_path}"])
    )
    silent = _read(tmp_path / "t.jsonl", [SILENT, SILENT])
    of_silent = replace(trial, task=replace(trial.task, test=tuple(silent)))
    reasons = [
        metric_incompatibility(metric, of_silent, frozenset({"probabilities"}))
        for metric in trial.choice.metrics
    ]
    assert [str(reason).split()[:3] for reason in reasons] in (
        [["the", "task", "has"], ["no", "rationale", "has"]],
        [["no", "rationale", "has"], ["the", "task", "has"]],
    )


def test_of_texts_without_labels_they_need_no_label_unless_another_marked_something(tmp_path: Path) -> None:
    found = _read(tmp_path / "t.jsonl", [SILENT, None], label=None, labels=["awful", "great"])
    assert [one.annotator for one in found[0].rationales] == ["a", "b"]
    assert not np.any([one.has_marks for one in found[0].rationales])
    with pytest.raises(InputError, match="line 1: column 'why' does not say of which label"):
        _read(tmp_path / "t.jsonl", [MARKED, None], label=None, labels=["awful", "great"])


def test_their_groups_are_checked(tmp_path: Path) -> None:
    cells = [[{**SILENT[0], "group": "expert"}], [{**SILENT[0], "group": "crowd"}]]
    with pytest.raises(InputError, match="annotator 'a' is in the group"):
        _read(tmp_path / "t.jsonl", cells)
