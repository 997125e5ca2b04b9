"""The texts of a report: drawn by seed, out of all shards, for the labels that matter, within a limit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from assay.harness.cli import main
from assay.harness.reporting import shown_texts
from assay.harness.reporting.collect import collect
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.results.shown import ShownText

RUN = (
    *("name=small", "task=planted", "task.train=60", "task.dev=20", "task.test=12", "model=linear"),
    *("model.training.epochs=1", "explainer=[random,occlusion]", "baseline=[mask]", "metric=[faithfulness]"),
    *("seed=0,1", "shard=5", "report.bootstrap=20"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("shown") / "store"
    assert main(["run", *RUN, f"store={store}"]) == 0
    return store


def texts(store: Path, *overrides: str) -> list[ShownText]:
    experiment = open_experiment([*RUN, f"store={store}", *overrides])
    return list(collect(experiment, load_trials(experiment, record=False)).texts)


def test_all_texts_are_there_out_of_every_shard_in_the_order_of_the_task(store: Path):
    found = texts(store)
    experiment = open_experiment([*RUN, f"store={store}"])
    trial = load_trials(experiment, record=False)[0]
    assert [text.id for text in found] == [example.id for example in trial.task.test]
    parts = sorted(store.glob("cells/*/explanations/*.parquet"))
    assert len(parts) == 3 * len(list(store.glob("cells/*")))
    rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
    for text in found:
        for shown in text.explanations:
            assert any(
                row["example_id"] == text.id
                and text.probabilities.keys()
                and row["word_ids"] == text.word_ids.tolist()
                and np.array_equal(np.float32(row["scores"]), shown.scores)
                for row in rows
            )


def test_labels_are_those_that_are_predicted_and_those_that_are_right(store: Path):
    for text in texts(store):
        assert text.gold is not None
        assert {shown.target for shown in text.explanations} == {*text.predicted, *text.gold}
        assert len(text.explanations) == 2 * len({*text.predicted, *text.gold})


def test_a_seed_draws_which_texts_are_shown(store: Path):
    whole = [text.id for text in texts(store)]
    few, again, other = (
        [text.id for text in texts(store, "report.texts=4", f"report.seed={seed}")] for seed in (0, 0, 1)
    )
    assert few == again != other and few != whole[:4]
    assert len(few) == len(other) == 4 and few == sorted(few, key=whole.index)


def test_fewer_are_shown_where_there_would_be_too_many_scores(store: Path, monkeypatch: pytest.MonkeyPatch):
    whole = texts(store)
    sizes = {text.id: sum(len(shown.scores) for shown in text.explanations) for text in whole}
    limit = sum(sizes.values()) // 2
    monkeypatch.setattr(shown_texts, "MOST_SCORES", limit)
    found = texts(store)
    assert 0 < len(found) < len(whole) and sum(sizes[text.id] for text in found) <= limit
    # Too low a limit leaves one.
    monkeypatch.setattr(shown_texts, "MOST_SCORES", 1)
    assert len(texts(store)) == 1
