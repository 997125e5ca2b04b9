"""The words of each class from the explanations in a store, a shard of texts in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.explainers.written_words import written_words
from assay.harness.reporting.missing import group_of, method_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_table
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import trial_cells
from assay.results.statistics.global_words import LISTED, GlobalWords, WordRun, global_words
from assay.results.statistics.informed import FEWEST
from assay.results.statistics.word_totals import ScoredWords, word_means
from assay.tasks.example import Example
from assay.tasks.grouping import clusters

COLUMNS = ("example_id", "target", "segments", "starts", "ends", "word_ids", "scores")
# A report reads so many texts of each cell; `assay.global_words` reads all.
MOST_TEXTS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """What of a stored explanation says which tokens are a word, and where it stands."""

    word_ids: NDArray[np.int32]
    offsets: NDArray[np.int32]
    segments: NDArray[np.int32]


def stored_words(
    trials: Sequence[Trial],
    store: Store,
    most_texts: int | None = None,
    fewest: int = FEWEST,
    listed: int = LISTED,
) -> GlobalWords:
    """The words of every finished cell but those of controls.

    Args:
        trials: those whose texts could be read.
        store: where their cells are.
        most_texts: so many texts of a cell, the first ones; None for all.
        fewest: texts that a word must be in.
        listed: words of a class and explainer.
    """
    runs = []
    for trial in trials:
        planned = trial_cells(trial, store)
        examples = {example.id: example for example in trial.task.test}
        together = clusters(trial.task.test)
        for cell in planned.done(store) if planned else ():
            if cell.method.explainer_name not in trial.config.controls:
                found = _scored(trial, cell, store, examples, together, most_texts)
                words = word_means(found, fewest)
                seeds = str(trial.seed), cell.explainer_seed
                runs.append(WordRun(group_of(trial), method_of(cell), *seeds, words))
    return global_words(runs, listed)


def _scored(
    trial: Trial,
    cell: Cell,
    store: Store,
    examples: Mapping[str, Example],
    together: Mapping[str, str],
    most_texts: int | None,
) -> Iterator[ScoredWords]:
    seen: set[str] | None = None if most_texts is None else set()
    for part in StoredCell(store.cell(cell.key)).parts():
        for row in read_table(part, columns=COLUMNS).to_pylist():
            name = row["example_id"]
            if seen is not None:
                seen.add(name)
                if most_texts is not None and len(seen) > most_texts:
                    return
            offsets = np.array([row["starts"], row["ends"]], dtype=np.int32).T
            tokens = Tokens(np.array(row["word_ids"]), offsets, np.array(row["segments"]))
            scores = np.array(row["scores"], dtype=np.float64)
            words = [
                (word, float(scores[places].sum()))
                for word, places in written_words(examples[name].texts, tokens)
            ]
            yield ScoredWords(name, trial.task.labels[row["target"]], words, together.get(name, ""))
