"""Facts of the explained texts, read back from a small experiment's store, and the slices they make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay.harness.reporting.collect import collect
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment, run
from assay.models.vocabulary import find_words
from assay.results.records import Results
from assay.results.statistics.slices import slices

OVERRIDES = [
    "name=facts",
    "task=planted_counting",
    "task.train=300",
    "task.dev=60",
    "task.test=40",
    "model=maxpool",
    "model.training.epochs=3",
    "seed=0,1",
    "explainer=[random,occlusion]",
    "baseline=[mask]",
    "metric=[faithfulness,compute_time]",
    "limits.default.test=40",
    "shard=16",
]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    found = open_experiment([*OVERRIDES, f"store={tmp_path_factory.mktemp('store')}"])
    run(found)
    return found


@pytest.fixture(scope="module")
def results(experiment: Experiment) -> Results:
    return collect(experiment, load_trials(experiment))


def test_facts_are_those_of_the_texts(experiment: Experiment, results: Results) -> None:
    trials = load_trials(experiment)
    assert [facts.seed for facts in results.facts] == ["0", "1"]
    assert results.removal == "mask"
    for trial, facts in zip(trials, results.facts, strict=True):
        texts = trial.task.test
        assert facts.ids == tuple(example.id for example in texts)
        assert facts.labels == tuple((trial.task.labels[example.labels[0]],) for example in texts)
        # A word model's tokens are the words.
        assert facts.tokens.tolist() == [len(find_words(example.texts[0])) for example in texts]
        assert facts.right is not None
        assert facts.right.mean() == pytest.approx(_accuracy(experiment, trial.seed))
        assert ((facts.confidence > 0) & (facts.confidence <= 1)).all()


def _accuracy(experiment: Experiment, seed: int) -> float:
    from assay.harness.trials.trial import read_trial

    (trial,) = (trial for trial in load_trials(experiment) if trial.seed == seed)
    record = read_trial(trial, experiment.store)
    assert record is not None
    return float(record["accuracy"])


def test_slices_follow(results: Results) -> None:
    table = slices(results)
    assert {"all", "label", "length", "right", "confidence"} >= set(table["dimension"])
    whole = table[(table["dimension"] == "all") & (table["metric"] == "faithfulness")]
    assert set(whole["n_units"]) == {80} and np.isfinite(whole["value"]).all()


def test_before_the_model_was_asked_nothing_is_known(tmp_path: Path) -> None:
    fresh = open_experiment([*OVERRIDES, f"store={tmp_path}"])
    assert collect(fresh, load_trials(fresh)).facts == []
