"""Several annotators, and several groups of evidence, through the Python interface."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import assay
from assay.harness.config.choice import choose, with_removals
from assay.harness.config.compose import configuration
from assay.harness.interface.settings import chosen
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.token_overlap import TokenF1


def test_the_ceiling_is_a_row_beside_the_methods() -> None:
    rows = [
        {
            "text": f"the film is {word} today {n}",
            "label": word,
            "why": [
                {"annotator": "ann", "words": [0, 0, 0, 1, 0, 0]},
                {"annotator": "ben", "words": [0, 0, 1, 1, 0, 0]},
            ],
        }
        for n in range(40)
        for word in ("good", "awful")
    ]
    task = assay.texts(rows, rationale="why")
    model = assay.fit("linear", task, training={"epochs": 1})
    found = assay.explain(model, task.test, ["occlusion", "gold"], baseline="mask")
    each = [HumanAgreement(annotators="each"), TokenF1(annotators="each")]
    table = assay.score(found, each).compare(resamples=20)
    values = dict(zip(zip(table["method"], table["metric"], strict=True), table["value"], strict=True))
    # Of two marks that tie one is right; two are chosen by one mark, the second any of five other words.
    assert values["another annotator", "token_f1"] == pytest.approx((1 / 2 + (1 + 1 / 5) / 2) / 2)
    alone = (1 + (2 / 2 + 2 / 3 + 2 / 4 + 2 / 5 + 2 / 6) / 5) / 2
    assert values["another annotator", "human_agreement"] == pytest.approx(((1 + 1 / 2) / 2 + alone) / 2)
    assert set(table["method"]) == {"occlusion", "gold", "another annotator"}
    union = assay.score(found, ["human_agreement", "token_f1"]).compare(resamples=20)
    assert set(union["method"]) == {"occlusion", "gold"}
    # One argument for all that are given by name, and for no other metric.
    by_name = assay.score(found, ["human_agreement", "token_f1", "entropy"], annotators="each")
    of_rationales = by_name.compare(resamples=20).query("metric != 'entropy'").reset_index(drop=True)
    pd.testing.assert_frame_equal(of_rationales, table)
    with pytest.raises(assay.InputError, match=r"is 'union', but the object .* made with 'each'"):
        assay.score(found, each, annotators="union")
    with pytest.raises(assay.InputError, match=r"annotators is 'majorty'; .*majority"):
        assay.score(found, "entropy", annotators="majorty")


def test_scores_with_annotators_have_the_keys_of_the_command_line() -> None:
    config = configuration(["metric=[token_f1,entropy]", "annotators=majority"])
    of_command = {one.metric.name: one.key for one in choose(config).metrics}
    built = chosen("metric", ["token_f1", "entropy"], {"annotators": "majority"})
    removals = chosen("baseline", "mask")
    assert {one.metric.name: one.key for one in with_removals(built, removals)} == of_command


def test_of_an_eraser_folder_one_group_of_evidence_may_be_enough(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for split in ("train", "val", "test"):
        rows = []
        for n in range(6):
            word = ("good", "awful")[n % 2]
            name = f"{split}{n}"
            (tmp_path / "docs" / name).write_text(f"{word} {word} film {n} .")
            groups = [
                [{"docid": name, "start_token": at, "end_token": at + 1, "text": word}] for at in (0, 1)
            ]
            rows.append({"annotation_id": name, "classification": word, "evidences": groups})
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = assay.task("eraser", path=str(tmp_path))
    model = assay.fit("linear", task, training={"epochs": 1})

    def first_word(texts: list[str]) -> list[tuple[list[str], list[list[float]]]]:
        return [(text.split(), [[2.0, 0.0, 1.0, 0.5, 0.5]] * 2) for text in texts]

    found = assay.explain(model, task.test, assay.explainer(first_word))
    values = []
    for metric in (TokenF1(), TokenF1(evidence="best")):
        values.append(float(assay.score(found, metric).compare(resamples=20)["value"].iloc[0]))
    # Of two words that are both marked it finds one; the group of that one is found whole.
    assert values == [pytest.approx(1 / 2), pytest.approx(1)]
