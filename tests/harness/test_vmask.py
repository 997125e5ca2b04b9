"""Models with word masks and the explainer that reads them, from the command and the Python interface."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.harness.cli import main
from assay.tasks.rules import make_lexicon

SMALL = [
    "name=small",
    "task=planted",
    "task.train=200",
    "task.dev=40",
    "task.test=12",
    "model=cnn,vmask_cnn",
    "model.dimensions=16",
    "model.channels=8",
    "model.training.epochs=2",
    "explainer=[random,occlusion,vmask]",
    "baseline=[mask]",
    "metric=[aopc,post_hoc_accuracy,randomisation,compute_time]",
    "report.bootstrap=20",
]
QUICK = {"dimensions": 16, "channels": 8, "training": {"epochs": 2}}


def test_a_run_explains_masked_models_and_leaves_the_others_out_with_the_reason(tmp_path: Path) -> None:
    assert main(["run", *SMALL, f"store={tmp_path}"]) == 0
    table = (tmp_path / "experiments" / "small" / "comparison.md").read_text(encoding="utf-8")
    assert table.count("- vmask: the model gives no word masks") == 2
    scores = assay.load(str(tmp_path), "small").scores
    assert set(scores.loc[scores["explainer"] == "vmask", "model"]) == {"vmask_cnn"}
    reports = [json.loads(path.read_text()) for path in tmp_path.glob("models/*/training.json")]
    assert sorted("base" in report for report in reports) == [False, True]
    # Everything is there, so nothing is trained or asked again.
    before = {path: path.read_bytes() for path in tmp_path.glob("models/*/*")}
    assert main(["run", *SMALL, f"store={tmp_path}"]) == 0
    assert {path: path.read_bytes() for path in tmp_path.glob("models/*/*")} == before


def test_the_vocabulary_by_mask() -> None:
    task = assay.task("planted", train=600, dev=100, test=20)
    model = assay.fit("vmask_cnn", task)
    table = model.word_masks()
    assert list(table) == ["word", "mask", "count"]
    values = table["mask"].to_numpy()
    assert (np.diff(values) <= 0).all() and 0 < values[-1] <= values[0] < 1
    keywords = {word for group in make_lexicon(2, 0).groups for word in group}
    assert keywords >= set(table["word"].head(4))
    assert not {"[PAD]", "[UNK]", "[MASK]", "[SEP]"} & set(table["word"])
    words = " ".join(example.texts[0] for example in task.train).split()
    for word, count in zip(table["word"], table["count"], strict=True):
        assert count == words.count(word)
    first = assay.explain(model, task.test[:1], ["vmask"])["vmask"][0, 0]
    masks = dict(zip(table["word"], values, strict=True))
    for token, score in zip(first.tokens, first.scores, strict=True):
        if token in masks:
            assert masks[token] == score


def test_a_model_without_masks_has_no_vocabulary_by_mask() -> None:
    task = assay.task("planted", train=40, dev=10, test=5)
    model = assay.fit("cnn", task, **QUICK)
    with pytest.raises(assay.InputError, match="the model 'cnn' has no word masks; train one that has"):
        model.word_masks()
    found = assay.explain(model, task.test, ["occlusion", "vmask"])
    assert found.left_out == {"vmask": "the model gives no word masks"}


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("model.bottleneck.units=0", "bottleneck.units is 0"),
        ("model.bottleneck.beta=-1", "bottleneck.beta is -1"),
        ("model.bottleneck.beta_end=3", "bottleneck.beta_end=3"),
        ("model.base_training.epochs=-1", "training.epochs is -1"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_runs(
    override: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *SMALL, "model=vmask_cnn", override, f"store={tmp_path / 'store'}"]) == 1
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.rglob("weights.safetensors"))
