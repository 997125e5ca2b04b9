"""Processes of a report begin where a store has scores enough, and give what this one would."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assay.harness.command_line import early
from assay.harness.command_line.early import early_processes
from assay.harness.reporting.baseline_pairs import baseline_pairs, begin_pairs
from assay.harness.reporting.global_words import begin_words, stored_words
from assay.harness.storage.store import Store
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.results.parallel import process_pool


def test_they_begin_for_many_scores_only(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "useful_processes", lambda files: 2 if files >= 5 else 1)
    with early_processes([f"store={finished}"]) as pool:
        assert pool is not None and os.getpid() not in set(pool([os.getpid] * 4))
    with early_processes(["store=$HOME"]) as pool:
        assert pool is None
    monkeypatch.setattr(early, "MANY", 3)
    with early_processes([f"store={finished}"]) as pool:
        assert pool is None


def test_words_and_pairs_are_those_of_one_process(finished: Path, tiny: list[str]) -> None:
    trials = load_trials(open_experiment([*tiny, f"store={finished}"]), record=False)
    store, controls = Store(finished), frozenset({"random"})
    with process_pool(2) as over:
        words = begin_words(trials, store, fewest=1, parallel_map=over)
        pairs = begin_pairs(trials, store, controls, over)
        found, compared = words.found(), pairs.found()
    alone, expected = stored_words(trials, store, fewest=1), baseline_pairs(trials, store, controls)
    assert len(found.words) > 20 and list(map(str, found.words)) == list(map(str, alone.words))
    assert list(map(str, found.stability)) == list(map(str, alone.stability))
    assert {row.seed for cells in compared.values() for row in cells} == {"0", "1"}
    assert {pair: list(map(str, cells)) for pair, cells in compared.items()} == {
        pair: list(map(str, cells)) for pair, cells in expected.items()
    }
