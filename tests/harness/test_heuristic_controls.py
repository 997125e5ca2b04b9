"""First words, rare words and a lexicon in an experiment: how they are made, keyed, refused and read."""

from __future__ import annotations

import csv
from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.explainers.controls.heuristics import FirstWords, Heuristic, RareWords, words_of
from assay.harness.cli import main
from assay.harness.config.schema import CONTROLS
from assay.harness.interface.settings import shipped
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.trials.plan import cells
from assay.harness.trials.records import read_explanations
from assay.harness.trials.trial import trial_cells

CHANCE = "+explainer.chance={_target_: assay.explainers.controls.controls.Random}"
SMALL = [
    "name=heuristics",
    "task=planted",
    "task.train=300",
    "task.dev=40",
    "task.test=40",
    "model=linear",
    "model.training.epochs=4",
    "explainer=[occlusion,first_words,rare_words,lexicon]",
    CHANCE,
    "baseline=[mask]",
    "metric=[human_agreement,auprc_steps,faithfulness,compute_time]",
    "limits.default.test=40",
    "shard=16",
    "report.bootstrap=100",
]


def lexicon(folder: Path, *lines: str) -> str:
    path = folder / "words.csv"
    path.write_text("\n".join(("word,weight,label", *lines)) + "\n", encoding="utf-8")
    return f"explainer.lexicon.path={path}"


@pytest.fixture(scope="module")
def overrides(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("heuristics")
    labels = load_trials(open_experiment([*SMALL[:7], f"store={folder}"]))[0].task.labels
    chosen = lexicon(folder, f"the,1,{labels[0]}", "film,1,")
    found = [*SMALL, chosen, f"store={folder / 'store'}"]
    assert main(["run", *found]) == 0
    return found


def rows(overrides: list[str]) -> list[dict[str, str]]:
    (trial,) = load_trials(open_experiment(overrides))
    folder = Store(str(trial.config.store)).experiment("heuristics")
    with (folder / "comparison.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_they_are_controls_and_name_the_explainer_that_is_luck(overrides: list[str]) -> None:
    table = rows(overrides)
    heuristics = ("first_words", "rare_words", "lexicon")
    assert {row["explainer"] for row in table if row["control"] == "True"} == set(heuristics)
    assert all(row["best"] == "False" and not row["p"] for row in table if row["explainer"] in heuristics)
    of = {(row["explainer"], row["metric"]): row["not_better"] for row in table}
    for metric in ("human_agreement", "auprc_steps"):
        # The causes of this task are common words, so even luck beats rare words.
        assert "first_words" in of["chance", metric] and "rare_words" not in of["chance", metric]
        assert of["occlusion", metric] == ""
    assert of["chance", "faithfulness"] == of["chance", "compute_time"] == ""


def test_tables_and_report_say_it_in_a_sentence(overrides: list[str]) -> None:
    (trial,) = load_trials(open_experiment(overrides))
    folder = Store(str(trial.config.store)).experiment("heuristics")
    sentence = "not shown to be better than the control first_words: chance"
    assert f"Human agreement (MAP): {sentence}." in (folder / "comparison.md").read_text(encoding="utf-8")
    assert sentence in (folder / "report.html").read_text(encoding="utf-8")
    assert "the control first\\_words: chance." in (folder / "comparison.tex").read_text(encoding="utf-8")


def test_stored_scores_are_the_counts_of_the_training_texts(overrides: list[str]) -> None:
    (trial,) = load_trials(open_experiment(overrides))
    store = Store(str(trial.config.store))
    planned = trial_cells(trial, store)
    assert planned is not None
    (cell,) = [cell for cell in planned.possible if cell.method.explainer_name == "rare_words"]
    counts = Counter(word for item in trial.task.train for text in item.texts for word in words_of(text))
    (record, *_) = read_explanations(StoredCell(store.cell(cell.key)).part(0))
    (example,) = [item for item in trial.task.test if item.id == record.example_id]
    expected = [
        log((counts.total() + 1) / (counts[example.texts[0][start:end].lower()] + 1))
        for start, end in record.offsets.tolist()
    ]
    np.testing.assert_allclose(record.scores, expected, rtol=1e-6)
    assert len(set(expected)) > 3
    assert main(["verify", f"store={store.root}"]) == 0


def test_a_second_run_finds_everything_and_verification_finds_no_fault(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("words were counted again")

    monkeypatch.setattr(RareWords, "fitted", refuse)
    assert main(["run", *overrides]) == 0


def test_other_training_texts_are_other_results(overrides: list[str]) -> None:
    def keys(*more: str) -> set[str]:
        (trial,) = load_trials(open_experiment([*overrides, *more]))
        return {cell.key for cell in cells(trial, "the same weights", frozenset())}

    assert keys() == keys()
    assert keys().isdisjoint(keys("limits.default.train=200"))


def test_a_lexicon_that_is_not_given_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    assert main(["run", "explainer=[lexicon,occlusion]", f"store={store}"]) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "no path to a lexicon" in said and "set explainer.lexicon.path=<path>" in said
    assert not list(store.glob("cells/*"))


def test_a_lexicon_of_other_labels_is_refused_by_name(tmp_path: Path, overrides: list[str]) -> None:
    other = lexicon(tmp_path, "good,1,no such label")
    assert main(["run", *overrides, other, f"store={tmp_path / 'store'}", "explainer=[lexicon]"]) == 1
    (entry,) = (tmp_path / "store").glob("ledger/*.json")
    assert "has the label 'no such label', which the task lacks" in entry.read_text(encoding="utf-8")


def test_without_training_texts_rare_words_are_left_out_with_the_reason() -> None:
    model = assay.wrap(lambda texts: [[0.5, 0.5] for _ in texts], labels=["no", "yes"])
    found = assay.explain(model, ["a good film"], ["occlusion", "rare_words"], baseline="delete")
    assert found.left_out == {"rare_words": "it is made from training texts, and the task has none"}
    with pytest.raises(assay.InputError, match="'rare_words' cannot explain this model: it is made"):
        assay.explain(model, ["a good film"], "rare_words", baseline="delete")


def test_in_python_they_are_known_by_what_they_are(overrides: list[str]) -> None:
    (trial,) = load_trials(open_experiment(overrides))
    model = assay.fit("linear", trial.task, training={"epochs": 2})
    methods = {
        "mine": "occlusion",
        "other": "saliency_l2",
        "early": FirstWords(),
        "seldom": "rare_words",
        "luck": "random",
    }
    table = assay.score(assay.explain(model, trial.task.test, methods), "human_agreement").compare(
        resamples=50
    )
    compared = dict(zip(table["method"], table["p"].notna(), strict=True))
    assert compared == {"mine": True, "other": True, "early": False, "seldom": False, "luck": False}
    full = assay.score(assay.explain(model, trial.task.test[:10], methods), "human_agreement").compare(
        resamples=50, full=True
    )
    named = dict(zip(full["method"], full["not_better"], strict=True))
    assert set(named["mine"].split(", ")) <= {"early", "seldom", ""} and named["luck"] == named["early"] == ""


def test_the_shipped_heuristics_are_controls_by_default() -> None:
    for name in CONTROLS[3:]:
        target = shipped("explainer", name)["_target_"].rpartition(".")
        module = __import__(target[0], fromlist=[target[2]])
        assert issubclass(getattr(module, target[2]), Heuristic)
