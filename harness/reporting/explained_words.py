"""The words of explanations on disk, read in this process or in others: no torch is needed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.explainers.written_words import written_words
from assay.harness.reporting.explanation_rows import explanation_rows
from assay.harness.storage.layout import StoredCell
from assay.results.records import Group, Method
from assay.results.statistics.global_words import WordRun
from assay.results.statistics.word_totals import ScoredWords, Vocabulary, word_means

# Of so many texts it is kept how they fall into words, for other cells.
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
    def of(cls, texts: tuple[str, ...], tokens: Tokens) -> Split:
        words = written_words(texts, tokens)
        of_token = np.full(len(tokens.word_ids), len(words))
        for place, (_, tokens_of_word) in enumerate(words):
            of_token[tokens_of_word] = place
        return cls(Vocabulary.of(word for word, _ in words), of_token)

    def scores(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) the score of each written word, the sum of those of its tokens, from (T,)."""
        sums = np.bincount(self.of_token, scores, len(self.vocabulary.place) + 1)[:-1]
        return sums.astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True)
class WordCell:
    """One cell on disk. The other names are those of `WordRun`."""

    path: Path
    group: Group
    method: Method
    seed: str
    explainer_seed: int


@dataclass(frozen=True, slots=True, eq=False)
class TaskTexts:
    """What is known of the texts of a task: labels by number; by id the texts, and what each hangs together
    with, "" or nothing for a text alone."""

    labels: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...]]
    clusters: Mapping[str, str]


def words_of(
    cells: tuple[WordCell, ...], task: TaskTexts, most_texts: int | None, fewest: int
) -> list[WordRun]:
    """The words of cells that explain the texts of one task, in their order.

    Args:
        cells: on disk.
        task: whose texts they explain.
        most_texts: so many texts of a cell, the first ones; None for all.
        fewest: texts that a word must be in.
    """
    known: dict[tuple[str, bytes], Split] = {}
    return [
        WordRun(
            *(cell.group, cell.method, cell.seed, cell.explainer_seed),
            word_means(_scored(cell.path, task, most_texts, known), fewest),
        )
        for cell in cells
    ]


def _scored(
    cell: Path, task: TaskTexts, most_texts: int | None, known: dict[tuple[str, bytes], Split]
) -> Iterator[ScoredWords]:
    """The explanations of a cell. known: by text and its tokens how it falls into words, filled here."""
    seen: set[str] = set()
    for part in StoredCell(cell).parts():
        for row in explanation_rows(part):
            seen.add(row.text)
            if most_texts is not None and len(seen) > most_texts:
                return
            place = row.text, row.tokens.tobytes()
            split = known.get(place)
            if split is None:
                segments, starts, ends, word_ids = row.tokens
                tokens = Tokens(word_ids, np.stack([starts, ends], axis=1), segments)
                split = Split.of(task.texts[row.text], tokens)
                if len(known) < MOST_SPLIT:
                    known[place] = split
            label, cluster = task.labels[row.target], task.clusters.get(row.text, "")
            yield split.vocabulary.scored(row.text, label, split.scores(row.scores), cluster)
