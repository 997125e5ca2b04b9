"""Exact search: the fewest tokens that keep the model's decision, found by trying all sets."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

from assay.explainers.baselines import Baseline
from assay.explainers.perturbation.ask_tell import Answers, Asking, AskTell, Estimate, Output
from assay.explainers.perturbation.coalitions import all_of_size
from assay.explainers.perturbation.units import Coalitions, Floats, Unit, Units, units_of
from assay.explainers.protocol import Explanations, Request, Traits
from assay.models.engine import Engine
from assay.tasks.errors import check_at_least

log = logging.getLogger(__name__)

# Rows of one round, so that a pool of texts never has more than so many of each in memory.
PORTION = 1000
# Last digits depend on what a batch holds besides; ties that they would break go to the first set.
DIGITS = 5


@dataclass(frozen=True, slots=True)
class ExactSearch(Asking):
    """1 for the units of the smallest set that alone keeps the model's decision, 0 for the others.

    A word or sentence shares its 1 among its tokens.

    The decision is the class of the largest value, the same set for every target; of several labels each
    target is decided by the side of probability 1/2 that it is on, and has a set of its own. Sets are tried
    by size. Among the smallest that keep the decision, the score is 1 on that which the model is surest of,
    and of equal ones on the first in the text. A set has at least one unit, or nothing would be said of texts
    decided as the empty one is.

    All sets of a size are asked while `rows` lasts: a text of 12 units is searched to its end by 5,000, one
    of 99 up to pairs. Of larger sizes only those are asked that add a unit to one of the `beam` best sets
    of the size before, fewer where `rows` runs out. Where none is found the whole text is the set. A warning
    counts the texts for which a smaller or a surer set may exist. Source: exact search in De Cao,
    Schlichtkrull, Aziz and Titov, EMNLP 2020; erasure of the fewest words, Li, Monroe and Jurafsky 2016.

    Attributes:
        rows: at most so many sets are asked, for each label.
        beam: how many sets of a size are extended, where not all of the next one are asked.
        empty: whether the empty set is one.
        output: in which the model's sureness is compared.
        unit: what a set has.

    Raises:
        InputError: on a value out of range.
    """

    rows: int = 5000
    beam: int = 10
    empty: bool = False
    output: Output = "log_odds"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "exact_search"
    traits = Traits(signed=False, additive=False, stochastic=False, baseline="removal")

    def __post_init__(self) -> None:
        self.check_asking()
        check_at_least(f"explainer.{self.name}.rows", self.rows, 1)
        check_at_least(f"explainer.{self.name}.beam", self.beam, 1)

    def converse(self, units: Units, rng: np.random.Generator) -> AskTell:
        """One search for each decision; a set that two of them ask about is asked once."""
        players = len(units)
        # A single unit is the whole text, and of more units than rows nothing is asked.
        answers = yield np.eye(players, dtype=bool)[: players if self.complete(players) else 0]
        scores = np.zeros((players, len(answers.full)))
        for decision in _decisions(answers, self.output):
            if not (self.empty and decision.kept(answers.empty[None])[0]):
                found = yield from self._search(players, decision)
                scores[np.ix_(found, decision.classes)] = 1
        return Estimate(scores)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """As any method that asks; warns of texts whose sets may not be the best."""
        explained = Asking.explain(self, engine, requests, baseline)
        texts = [
            (len(units_of(request, self.unit)), [round(float(record.scores.sum())) for record in records])
            for request, records in zip(requests, explained, strict=True)
        ]
        if warning := self.unproven(texts):
            log.warning("%s", warning)
        return [[replace(record, output_space="none") for record in records] for records in explained]

    def unproven(self, texts: Sequence[tuple[int, Sequence[int]]]) -> str | None:
        """One sentence if some set may not be the best, None if all are.

        Args:
            texts: of each text how many units it has, and how many each set that was found in it has.
        """
        doubtful = [
            units
            for units, sizes in texts
            if units and self.complete(units) < min(max(sizes, default=0), units - 1)
        ]
        if not doubtful:
            return None
        return (
            f"exact_search: explainer.exact_search.rows={self.rows} does not cover all sets of the size that "
            f"was found, or none was found, in {len(doubtful)} of {len(texts)} texts (of up to "
            f"{max(doubtful)} units), so a smaller or a surer set may exist there; raise rows, or choose "
            "unit=word or sentence"
        )

    def complete(self, players: int) -> int:
        """The largest size of which all sets are asked."""
        asked = np.cumsum(comb(players, np.arange(1, players)))
        return int(np.searchsorted(asked, self.rows, side="right"))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """At most, if every set that the rows allow must be asked, for each of several labels."""
        whole = self.complete(tokens) if tokens else 0
        asked = int(np.asarray(comb(tokens, np.arange(1, whole + 1))).sum())
        beams = sum(width * (tokens - size + 1) for size, width in self._beams(tokens))
        return 2 + asked + max(targets, 1) * beams, 0

    def _search(self, players: int, decision: _Decision) -> Generator[Coalitions, Answers, NDArray[np.bool_]]:
        """(n,) the set of one decision."""
        whole, best = self.complete(players), np.zeros((1, players), dtype=bool)
        widths = dict(self._beams(players))
        for size in range(1, max([whole, *widths]) + 1):
            sets = all_of_size(players, size) if size <= whole else _extended(best[: widths[size]])
            kept, sureness = [], []
            for start in range(0, len(sets), PORTION):
                answers = yield sets[start : start + PORTION]
                kept.append(decision.kept(answers.values))
                sureness.append(decision.sureness(answers.values))
            keeps, sure = np.concatenate(kept), np.round(np.concatenate(sureness), DIGITS)
            if keeps.any():
                return sets[np.where(keeps, sure, -np.inf).argmax()]
            best = sets[np.argsort(-sure, kind="stable")]
        return np.ones(players, dtype=bool)

    def _beams(self, players: int) -> Iterator[tuple[int, int]]:
        """The sizes of which not all sets are asked, and how many sets of the size before are extended."""
        whole = self.complete(players) if players else 0
        left = self.rows - int(np.asarray(comb(players, np.arange(1, whole + 1))).sum())
        sets = comb(players, whole)
        for size in range(whole + 1, players):
            each = players - size + 1
            width = int(min(self.beam, left // each, sets))
            if not width:
                return
            left -= width * each
            sets = width * each
            yield size, width


@dataclass(frozen=True, slots=True, eq=False)
class _Decision:
    """What must be kept. classes: whose scores say so. chosen: the class whose value says how sure it is.
    level: between the sides of a label, None where the largest value decides. yes: its side."""

    classes: NDArray[np.intp]
    chosen: int
    level: float | None
    yes: bool

    def kept(self, values: Floats) -> NDArray[np.bool_]:
        """(R,) whether each of the answers (R, K) is this decision."""
        if self.level is None:
            return values.argmax(axis=1) == self.chosen
        return (values[:, self.chosen] >= self.level) == self.yes

    def sureness(self, values: Floats) -> Floats:
        """(R,) how far answers (R, K) are on its side."""
        return values[:, self.chosen] if self.yes else -values[:, self.chosen]


def _decisions(answers: Answers, output: Output) -> list[_Decision]:
    """The decisions on the whole text: one, or one of each target among several labels."""
    if answers.labels is None:
        return [_Decision(np.arange(len(answers.full)), int(answers.full.argmax()), None, yes=True)]
    level = 0.5 if output == "probability" else 0.0
    return [
        _Decision(np.array([label]), label, level, yes=bool(answers.full[label] >= level))
        for label in answers.labels.tolist()
    ]


def _extended(sets: Coalitions) -> Coalitions:
    """(R, n) each once, the sets with one more unit; those of the first units come first."""
    more = (sets[:, None] | np.eye(sets.shape[1], dtype=bool))[~sets]
    return np.unique(more, axis=0)[::-1]
