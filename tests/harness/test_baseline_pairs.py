"""What a store says of the choice of baseline, against its files read by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr

from assay.explainers.sampled_baselines import Negatives
from assay.harness.reporting.baseline_pairs import baseline_pairs, negative_texts
from assay.harness.storage.store import Store
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.tasks.sampling import rank


def explanations(store: Path, baseline: str, seed: int) -> dict[tuple[str, int], np.ndarray]:
    """The content scores of occlusion by text and class."""
    (folder,) = [
        path.parent
        for path in store.glob("cells/*/cell.json")
        for record in [json.loads(path.read_text())]
        if (record["explainer"], record["baseline"], record["seed"]) == ("occlusion", baseline, seed)
    ]
    found = {}
    for part in sorted((folder / "explanations").glob("*.parquet")):
        for row in pq.read_table(part).to_pylist():
            content = np.array(row["word_ids"]) >= 0
            found[row["example_id"], row["target"]] = np.array(row["scores"])[content]
    return found


def test_the_table_of_a_run_is_that_of_its_files(finished: Path) -> None:
    table = pd.read_csv(finished / "experiments" / "tiny" / "baseline_sensitivity.csv")
    (row,) = table.to_dict(orient="records")
    assert (row["explainer"], row["baseline"], row["other"]) == ("occlusion", "mask", "delete")
    of_models = []
    for seed in (0, 1):
        one, other = (explanations(finished, name, seed) for name in ("mask", "delete"))
        by_text: dict[str, list[float]] = {}
        for place, scores in one.items():
            value = cast(Any, spearmanr(scores.round(5), other[place].round(5)))[0]
            by_text.setdefault(place[0], []).append(float(np.nan_to_num(value)))
        of_models.append(np.mean([np.mean(values) for values in by_text.values()]))
    assert row["agreement"] == pytest.approx(np.mean(of_models), abs=0.02)
    assert row["n_texts"] == 20 and row["low"] <= row["agreement"] <= row["high"]


def test_at_most_so_many_texts_are_compared(
    finished: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.harness.reporting.baseline_pairs.MOST_TEXTS", 7)
    experiment = open_experiment([*tiny, f"store={finished}"])
    trials, store = load_trials(experiment, record=False), Store(finished)
    found = baseline_pairs(trials, store, frozenset({"random"}))
    ids = sorted((example.id for example in trials[0].task.test), key=lambda name: rank(name, 0))
    assert list(found) == [("mask", "delete")] and len(found["mask", "delete"]) == 2
    for cell in found["mask", "delete"]:
        assert cell.units == tuple(sorted(ids[:7])) and cell.method.explainer == "occlusion"


def test_negatives_are_the_texts_that_the_baseline_averages(tmp_path: Path) -> None:
    overrides = ["task=planted", "task.train=30", "task.dev=5", "task.test=5", "model=linear"]
    overrides += ["explainer=[occlusion]", "baseline=[negatives]", "baseline.negatives.sample=9"]
    trials = load_trials(open_experiment([*overrides, f"store={tmp_path}", "seed=0,1"]), record=False)
    (one, other) = negative_texts(trials)
    (method,) = trials[0].choice.methods
    assert isinstance(method.baseline, Negatives)
    averaged = method.baseline.negatives(trials[0].task.train, 2)
    assert [of_label.texts for of_label in (one, other)] == list(map(len, averaged)) == [9, 9]
    assert (one.label, other.label) == trials[0].task.labels and 1 < one.effective <= 9
    assert "fewer than 50" in one.warning
    assert all(0 not in example.labels for example in averaged[0])
