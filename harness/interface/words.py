"""The words of each class over many texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.explainers.written_words import written_words
from assay.harness.interface.arguments import checked
from assay.harness.interface.explanations import Explanations, MethodExplanations
from assay.harness.interface.finished import Runs
from assay.harness.reporting.global_words import stored_words
from assay.harness.reporting.missing import group_of, method_of
from assay.results.figures.words import words_figures
from assay.results.inert import inert
from assay.results.statistics.global_words import LISTED, GlobalWords, WordRun
from assay.results.statistics.global_words import global_words as over_runs
from assay.results.statistics.informed import FEWEST
from assay.results.statistics.word_totals import ScoredWords, Vocabulary, word_means
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, check_at_least, shown
from assay.tasks.grouping import clusters

if TYPE_CHECKING:
    import pandas as pd

    from assay.results.figures.style import Drawing

SHOWN_WORDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class ClassWords:
    """The words of each class by every explainer; made by `global_words`.

    Attributes:
        found: the rows of both tables.
    """

    found: GlobalWords

    @property
    def words(self) -> pd.DataFrame:
        """One row per class, explainer and word, with the columns of `global_words.csv` (docs/columns.md)."""
        return self.found.tables()["global_words"]

    @property
    def stability(self) -> pd.DataFrame:
        """How far the order of words is kept over seeds and explainers, as `global_words_stability.csv`."""
        return self.found.tables()["global_words_stability"]

    def figures(self) -> list[Drawing]:
        """A heat map per task and model; `.svg` and `.png` are the bytes of their files."""
        return words_figures(self.found.words)

    def __repr__(self) -> str:
        if not self.found.words:
            return "Words of classes: none is in enough texts"
        first = self.found.words[0]
        same = [
            row
            for row in self.found.words
            if (row.group, row.explainer, row.baseline, row.label)
            == (first.group, first.explainer, first.baseline, first.label)
        ]
        words = ", ".join(f"{inert(row.word)} {row.value:+.2g}" for row in same[:SHOWN_WORDS])
        title = f"{first.explainer} ({first.baseline})" if first.baseline else first.explainer
        rows = counted(len(self.found.words), "row")
        return f"Words of classes, {rows}; {inert(first.label)!r} by {title}: {words}"


@checked
def global_words(found: object, *, fewest: int = FEWEST, listed: int = LISTED) -> ClassWords:
    """The words of each class: their mean attribution over texts, with intervals, counts and stability.

    Sub-words are joined and letters made small. A text counts with the mean over the word's occurrences in
    it. Memory grows with the vocabulary, not with the number of texts.

    Args:
        found: from `explain`, or a finished experiment from `load`, whose controls are left out.
        fewest: texts of a class that a word must be in, at least 1; below 10 there is no interval.
        listed: words of a class and explainer, those with the largest mean by size.

    Returns:
        The tables `words` and `stability`, and figures.

    Raises:
        InputError: something else is given.

    Example:
        >>> global_words(assay.load("assay-store", "quickstart"))  # doctest: +SKIP
    """
    check_at_least("fewest", fewest, 1)
    check_at_least("listed", listed, 1)
    if isinstance(found, Runs):
        store = found.experiment.store
        return ClassWords(stored_words(found.trials, store, fewest=fewest, listed=listed))
    if not isinstance(found, Explanations):
        raise InputError(f"global_words takes what explain or load returns, not {shown(found)}")
    trial = found.loaded.trial
    together = clusters(trial.task.test)
    runs = [
        WordRun(
            group_of(trial),
            method_of(found.cells[name]),
            str(trial.seed),
            found.cells[name].explainer_seed,
            word_means(_scored(of_method, together), fewest),
        )
        for name, of_method in found.by_name.items()
        if name in found.cells
    ]
    return ClassWords(over_runs(runs, listed))


def _scored(of_method: MethodExplanations, together: Mapping[str, str]) -> Iterator[ScoredWords]:
    for example, records in zip(of_method.examples, of_method.records, strict=True):
        for record in records:
            words = written_words(example.texts, record)
            scores = np.array([record.scores[places].sum(dtype="float64") for _, places in words])
            label, cluster = of_method.labels[record.target], together.get(example.id, "")
            yield Vocabulary.of(word for word, _ in words).scored(example.id, label, scores, cluster)
