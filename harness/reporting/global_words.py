"""The words of each class from the explanations in a store, a shard of texts in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.explainers.written_words import written_words
from assay.harness.reporting.explanation_rows import explanation_rows
from assay.harness.reporting.missing import group_of, method_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import trial_cells
from assay.results.statistics.global_words import LISTED, GlobalWords, WordRun, global_words
from assay.results.statistics.informed import FEWEST
from assay.results.statistics.word_totals import ScoredWords, Vocabulary, word_means
from assay.tasks.example import Example
from assay.tasks.grouping import clusters

# A report reads so many texts of each cell; `assay.global_words` reads all.
MOST_TEXTS = 20_000


# Of so many texts of a trial it is kept how they fall into words, for its other cells.
MOST_SPLIT = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """What of a stored explanation says which tokens are a word, and where it stands."""

    word_ids: NDArray[np.int32]
    offsets: NDArray[np.int32]
    segments: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """How a text falls into words. of_token: (T,) which of the n written words each token is of, n for a
    token that is of none."""

    vocabulary: Vocabulary
    of_token: NDArray[np.intp]

    @classmethod
    def of(cls, texts: Sequence[str], tokens: Tokens) -> Split:
        words = written_words(texts, tokens)
        of_token = np.full(len(tokens.word_ids), len(words))
        for place, (_, tokens_of_word) in enumerate(words):
            of_token[tokens_of_word] = place
        return cls(Vocabulary.of(word for word, _ in words), of_token)

    def scores(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) the score of each written word, the sum of those of its tokens, from (T,)."""
        sums = np.bincount(self.of_token, scores, len(self.vocabulary.place) + 1)[:-1]
        return sums.astype(np.float64, copy=False)


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
        known: dict[tuple[str, bytes], Split] = {}
        for cell in planned.done(store) if planned else ():
            if cell.method.explainer_name not in trial.config.controls:
                found = _scored(trial, cell, store, examples, together, most_texts, known)
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
    known: dict[tuple[str, bytes], Split],
) -> Iterator[ScoredWords]:
    """The explanations of a cell. known: by text and its tokens how it falls into words, filled here."""
    seen: set[str] = set()
    for part in StoredCell(store.cell(cell.key)).parts():
        for row in explanation_rows(part):
            seen.add(row.text)
            if most_texts is not None and len(seen) > most_texts:
                return
            place = row.text, row.tokens.tobytes()
            split = known.get(place)
            if split is None:
                segments, starts, ends, word_ids = row.tokens
                tokens = Tokens(word_ids, np.stack([starts, ends], axis=1), segments)
                split = Split.of(examples[row.text].texts, tokens)
                if len(known) < MOST_SPLIT:
                    known[place] = split
            label, cluster = trial.task.labels[row.target], together.get(row.text, "")
            yield split.vocabulary.scored(row.text, label, split.scores(row.scores), cluster)
