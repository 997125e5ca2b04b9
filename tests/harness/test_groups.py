"""Texts that hang together, from a column of a file to the tables; and what they name in the store."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import assay
from assay.harness.cli import main
from assay.harness.config.keys import groups_key
from assay.harness.reporting.collect import collect, inputs, score_files
from assay.harness.storage.layout import StoredExperiment
from assay.harness.trials import census
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.tasks import local as local_files
from assay.tasks.grouping import clusters
from assay.tasks.local import local

METRICS = ["human_agreement", "dataset_consistency", "dataset_consistency_as_coded"]
METRICS += ["confidence_indication", "confidence_indication_as_coded"]
BY_GROUP = {"dataset_consistency", "confidence_indication"}
QUICK = ["task=local", "model=linear", "model.training.epochs=1", "explainer=[occlusion,saliency_l2,random]"]
QUICK += ["name=groups", "report.bootstrap=40", "limits.default.test=null", "task.rationale=why"]
TEXTS, SIZE = 48, 4


def _files(root: Path, split: str) -> str:
    """Texts of three words, of which one is the reason; four stand in a document."""
    path = root / f"{split}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", "label", "why", "doc", "other", "each"])
        for n in range(TEXTS):
            word = ("good", "bad")[n % 2]
            text = f"{word} number{n} of{n // 3}"
            row = [f"{split}{n}", text, word, [[0, len(word)]], f"doc {n // SIZE}", f"x{n // SIZE}", f"e{n}"]
            writer.writerow(row)
    return f"task.{split}={path.name}"


def _overrides(root: Path, group: str | None, metrics: Sequence[str] = METRICS) -> list[str]:
    files = [_files(root, split) for split in ("train", "dev", "test")]
    grouped = [] if group is None else [f"task.group={group}"]
    chosen = f"metric=[{','.join(metrics)}]"
    return [*QUICK, *files, *grouped, chosen, f"task.path={root}", "task.id=id", f"store={root}/store"]


def _scores(overrides: Sequence[str]) -> dict[str, set[str]]:
    """The files of each metric's scores, in their folders."""
    experiment = open_experiment(overrides)
    found: dict[str, set[str]] = {}
    for file in score_files(load_trials(experiment), experiment.store):
        found.setdefault(file.metric, set()).add("/".join(file.path.parts[-3:]))
    return found


def _comparison(overrides: Sequence[str]) -> pd.DataFrame:
    store = open_experiment(overrides).store
    return pd.read_csv(StoredExperiment(store.experiment("groups")).folder / "comparison.csv")


def test_groups_name_what_depends_on_them_and_nothing_else(tmp_path: Path) -> None:
    kinds = [None, "doc", "other", "each"]
    overrides = {kind: _overrides(tmp_path, kind) for kind in kinds}
    found, tables = {}, {}
    for kind in kinds:
        assert main(["run", *overrides[kind]]) == 0
        found[kind], tables[kind] = _scores(overrides[kind]), _comparison(overrides[kind])
    plain = found[None]
    assert plain.keys() == set(METRICS) and all(len(files) == 3 for files in plain.values())
    # A group of each text is none, and the names of groups do not matter.
    assert found["each"] == plain and found["other"] == found["doc"]
    changed = {name for name in METRICS if found["doc"][name] != plain[name]}
    assert changed == BY_GROUP
    for name in BY_GROUP:
        # Of the same explanations: only the name of the file has more.
        before = {file.removesuffix(".parquet"): file for file in plain[name]}
        assert {file.rpartition("-")[0] for file in found["doc"][name]} == before.keys()
    pd.testing.assert_frame_equal(tables[None], tables["each"])
    assert not tables[None].equals(tables["doc"])
    agreement = [table[table["metric"] == "human_agreement"] for table in (tables[None], tables["doc"])]
    assert [set(table["n_groups"]) for table in agreement] == [{TEXTS}, {TEXTS // SIZE}]
    assert agreement[0]["value"].tolist() == agreement[1]["value"].tolist()
    assert agreement[0]["low"].tolist() != agreement[1]["low"].tolist()


def test_no_stored_pair_lies_within_a_group_but_as_coded(tmp_path: Path) -> None:
    overrides = _overrides(tmp_path, "doc", METRICS[1:3])
    assert main(["run", *overrides]) == 0
    experiment = open_experiment(overrides)
    trials = load_trials(experiment)
    results = collect(experiment, trials)
    groups = results.clusters["local"]
    assert groups == {f"test{n}": f"doc {n // SIZE}" for n in range(TEXTS)}
    within: dict[str, list[bool]] = {}
    for cell in results.cells:
        pairs = [unit.split("|") for unit in cell.units]
        within.setdefault(cell.metric, []).extend(groups[one] == groups[other] for one, other in pairs)
    assert not any(within["dataset_consistency"]) and any(within["dataset_consistency_as_coded"])


def test_a_report_is_made_anew_when_groups_change(tmp_path: Path) -> None:
    names = []
    for kind in (None, "each", "doc", "other"):
        experiment = open_experiment(_overrides(tmp_path, kind, ["human_agreement"]))
        trials = load_trials(experiment)
        object.__setattr__(experiment, "command", ["the same"])
        names.append(inputs(experiment, trials, score_files(trials, experiment.store)))
    assert names[0] == names[1] != names[2] == names[3]


def test_python_and_the_command_find_each_other_s_scores(tmp_path: Path) -> None:
    overrides = _overrides(tmp_path, "doc", METRICS[:2])
    splits: dict[str, Any] = {split: f"{split}.csv" for split in ("train", "dev", "test")}
    task = assay.task("local", path=str(tmp_path), group="doc", rationale="why", id="id", **splits)
    alone = assay.task("local", path=str(tmp_path), rationale="why", id="id", **splits)
    store = str(tmp_path / "store")
    tables = []
    for texts in (task, alone):
        model = assay.fit("linear", texts, training={"epochs": 1}, store=store)
        explained = assay.explain(model, texts.test, ["occlusion", "saliency_l2", "random"], store=store)
        scores = assay.score(explained, METRICS[:2])
        tables.append(scores.compare(resamples=100, full=True))
    agreement = [table[table["metric"] == "human_agreement"] for table in tables]
    assert [set(table["n_groups"]) for table in agreement] == [{TEXTS // SIZE}, {TEXTS}]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "cells").rglob("scores/*")}
    assert main(["run", *overrides, "baseline=[mask]"]) == 0
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "cells").rglob("scores/*")}
    assert after == before, "nothing was scored anew"


def test_a_large_task_that_was_run_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = _overrides(tmp_path, "doc", ["confidence_indication"])
    experiment = open_experiment(overrides)
    (trial,) = load_trials(experiment)
    monkeypatch.setattr(census, "LARGE", 0)
    monkeypatch.setattr(local_files, "LARGE_BYTES", 0)
    census.remember(trial, experiment.store)
    monkeypatch.setattr(census, "load_task", lambda _: pytest.fail("all texts were read"))
    (preview,), _ = census.outlooks(experiment.configs, experiment.store)
    assert preview.known
    assert preview.trial.choice.metrics[0].key == trial.choice.metrics[0].key
    assert trial.choice.metrics[0].groups == groups_key(clusters(trial.task.test)) != ""


def test_names_of_groups_and_their_order_name_nothing() -> None:
    assert groups_key({}) == ""
    one = groups_key({"a": "x", "b": "x", "c": "y", "d": "y"})
    assert one == groups_key({"d": "1", "c": "1", "b": "2", "a": "2"})
    assert one != groups_key({"a": "x", "b": "y", "c": "x", "d": "y"})


def test_the_limit_cuts_groups(tmp_path: Path) -> None:
    """What is explained decides: of a document one text may be left."""
    overrides = _overrides(tmp_path, "doc")
    (trial,) = load_trials(open_experiment([*overrides, "limits.default.test=2"]))
    whole = local(path=str(tmp_path), train="train.csv", dev="dev.csv", test="test.csv", group="doc", id="id")
    assert len(clusters(whole.test)) == TEXTS
    assert clusters(trial.task.test).keys() <= {example.id for example in trial.task.test}
