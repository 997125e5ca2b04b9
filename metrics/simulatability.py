"""Simulatability: can a reader who sees only the explanation tell what the model decided?

Doshi-Velez and Kim 2017; by explanations of concepts, ConSim (Poche et al. 2025). The reader here is a
logistic regression on what is shown, trained on some texts and asked about others. Scores of one label that
sum to its logit give the decision away by their signs alone, whatever they say (Hase et al., EMNLP 2020), so
what is shown can be cut to names: which concepts or words are shown, but not how they speak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from assay.tasks.arrays import Floats, Ints
from assay.tasks.errors import check_at_least
from assay.tasks.grouping import folds_of, in_random_order
from assay.tasks.randomness import generator

# What one text shows: a number for each name.
Shown = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class LinearReader:
    """A logistic regression on what is shown, read across folds: each text is in one fold, with those that it
    hangs together with, about which the reader is asked after seeing the others.

    Attributes:
        folds: how many.
        names_only: whether a name that is shown counts 1, whatever its number.
        seed: of the folds.
    """

    folds: int = 5
    names_only: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("simulatability: folds", self.folds, 2)

    def right(self, shown: Sequence[Shown], decisions: Ints, units: Sequence[bytes]) -> Floats:
        """(N,) 1 where the reader tells the decision, else 0.

        A name that the texts of training do not show is not read. A reader that saw a single decision gives
        that one. Numbers are divided by the largest |number| of each name, so that the penalty of the
        regression, scikit-learn's default, treats all names alike.

        Args:
            shown: of the N texts.
            decisions: (N,) of the model.
            units: what each text hangs together with (`assay.tasks.grouping.unit_keys`); where all texts are
                one unit, nothing can be told, which is NaN.
        """
        from sklearn.linear_model import LogisticRegression

        fold = folds_of(units, self.folds, self.seed, "folds")
        values = self._table(shown)
        found = np.full(len(shown), np.nan)
        for held in range(self.folds):
            asked, read = np.flatnonzero(fold == held), np.flatnonzero(fold != held)
            if not len(asked) or not len(read):
                continue
            if len(np.unique(decisions[read])) == 1:
                found[asked] = decisions[asked] == decisions[read][0]
                continue
            scale = np.asarray(abs(values[read]).max(axis=0).todense()).ravel()
            scaled = values.multiply(1 / np.where(scale > 0, scale, np.inf)).tocsr()
            reader = LogisticRegression(max_iter=1000).fit(scaled[read], decisions[read])
            found[asked] = reader.predict(scaled[asked]) == decisions[asked]
        return found

    def _table(self, shown: Sequence[Shown]) -> csr_array:
        """(N, names) with a column of zeros where nothing is ever shown."""
        names = {name: at for at, name in enumerate(sorted({name for one in shown for name in one}))}
        rows = [row for row, one in enumerate(shown) for _ in one]
        columns = [names[name] for one in shown for name in one]
        numbers = [1.0 if self.names_only else number for one in shown for number in one.values()]
        return csr_array((numbers, (rows, columns)), shape=(len(shown), max(1, len(names))))


def top(scores: Mapping[str, float], count: int) -> dict[str, float]:
    """The `count` names of the largest |score|, equal ones by name; a score of 0 is not shown."""
    ranked = sorted(scores.items(), key=lambda item: (-abs(item[1]), item[0]))[:count]
    return {name: score for name, score in ranked if score}


def shuffled(
    shown: Sequence[Shown], keys: Sequence[bytes], units: Sequence[bytes], seed: int = 0
) -> list[Shown]:
    """The explanations of other texts: each text gets that of one of the next unit in a random order.

    Args:
        shown: of the N texts.
        keys: of the texts.
        units: what each hangs together with.
        seed: of the order.
    """
    members: dict[bytes, list[int]] = {}
    for place in sorted(range(len(shown)), key=keys.__getitem__):
        members.setdefault(units[place], []).append(place)
    order = in_random_order(units, seed, "shuffled")
    found: list[Shown] = [{} for _ in shown]
    for unit, following in zip(order, [*order[1:], *order[:1]], strict=True):
        for nth, place in enumerate(members[unit]):
            found[place] = shown[members[following][nth % len(members[following])]]
    return found


def random_scores(
    names: Sequence[Sequence[str]], keys: Sequence[bytes], count: int, seed: int = 0
) -> list[Shown]:
    """For each text, `count` of its names with normal random scores, those of the largest |score|; keys: of
    the texts, equal ones of which have equal scores."""
    found = list[Shown]()
    for of_text, key in zip(names, keys, strict=True):
        scores = generator(seed, "random explanation", key.hex()).standard_normal(len(of_text))
        found.append(top(dict(zip(of_text, scores, strict=True)), count))
    return found


def majority_right(decisions: Ints, units: Sequence[bytes], folds: int = 5, seed: int = 0) -> Floats:
    """(N,) whether "the most frequent decision of the other folds" is right, without an explanation."""
    return LinearReader(folds, seed=seed).right([{}] * len(decisions), decisions, units)
