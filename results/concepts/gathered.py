"""What a portfolio keeps of a stream of cases: numbers of all of them, and the texts of a few."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from assay.results.concepts.cases import Case, Portfolio, decided, is_wrong
from assay.results.concepts.sentence import told
from assay.results.statistics.intervals import Floats
from assay.tasks.errors import InputError

WORST = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """A case that has a page; place: its number among all cases, from 1."""

    place: int
    case: Case

    @property
    def file(self) -> str:
        """Its page, as seen from the portfolio's."""
        return f"cases/case-{self.place:06}.html"


@dataclass(slots=True)
class Concept:
    """What is known of one concept over all cases.

    Attributes:
        scores: its contribution to each case that explains the label of the portfolio; 0 where it has none.
        told: in how many of them a sentence may name it.
        learned: whether the model learned it.
        added_by: who added it.
    """

    scores: array[float] = field(default_factory=lambda: array("d"))
    told: int = 0
    learned: bool = True
    added_by: str = ""

    def add(self, place: int, score: float) -> None:
        """Note a contribution to the case of that place."""
        self.scores.extend([0.0] * (place - len(self.scores)))
        self.scores.append(score)


@dataclass(slots=True)
class Gathered:
    """The numbers of all cases, in their order; cases that explain another label are only counted.

    Attributes:
        cases: how many there are.
        concepts: by name, over the `explained` cases.
        explained: for each case that explains the label of the portfolio, its place from 0.
        probabilities: of the label of the portfolio, per case.
        chosen: whether the model decides for it, per case.
        truth: whether it holds, per case: 1, 0, or -1 where nobody knows.
        others: what other models give to it, per case.
        months, kinds, groups: per case; "" where it is not known.
        wrong: how many decisions are wrong.
        methods: how cases were explained.
        additive: whether contributions add up in all explained cases.
        kept: the cases that have a page, in their order.
        worst: the most confident wrong decisions, the most confident first.
    """

    cases: int = 0
    concepts: dict[str, Concept] = field(default_factory=dict)
    explained: array[int] = field(default_factory=lambda: array("q"))
    probabilities: array[float] = field(default_factory=lambda: array("d"))
    chosen: array[int] = field(default_factory=lambda: array("b"))
    truth: array[int] = field(default_factory=lambda: array("b"))
    others: dict[str, array[float]] = field(default_factory=dict)
    months: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    wrong: int = 0
    methods: set[str] = field(default_factory=set)
    additive: bool = True
    kept: list[Kept] = field(default_factory=list)
    worst: list[Kept] = field(default_factory=list)

    def known(self) -> NDArray[np.bool_]:
        """(cases,) whether the truth of a case is known."""
        return np.array(self.truth, dtype=np.int64) >= 0

    def group_numbers(self) -> NDArray[np.intp]:
        """(cases,) the group of each case; one without a group is its own."""
        numbers, alone = dict[str | int, int](), count()
        return np.array(
            [numbers.setdefault(next(alone) if of is None else of, len(numbers)) for of in self.groups],
            dtype=np.intp,
        )

    def contributions(self) -> tuple[list[str], Floats]:
        """The names of m concepts, and their contributions to the explained cases (e, m)."""
        rows = len(self.explained)
        table = np.zeros((rows, len(self.concepts)))
        for column, concept in enumerate(self.concepts.values()):
            table[: len(concept.scores), column] = np.array(concept.scores)
        return list(self.concepts), table


def gather(cases: Iterable[Case], portfolio: Portfolio) -> Gathered:
    """Read all cases once.

    Texts are kept of `portfolio.pages` cases, each equally likely (reservoir sampling, Vitter 1985), and of
    the worst errors; of all others only numbers.

    Raises:
        InputError: without a case, on cases of another number of labels, an id that occurs twice, or where
            another model has a score for some cases only.
    """
    found, sample, ids = Gathered(), list[Kept](), set[str]()
    rng = np.random.default_rng(portfolio.seed)
    heap = list[tuple[float, int, Kept]]()
    for case in cases:
        _check(case, portfolio, found, ids)
        found.cases += 1
        kept = Kept(found.cases, case)
        _note(case, portfolio, found)
        slot = found.cases - 1 if found.cases <= portfolio.pages else int(rng.integers(found.cases))
        if slot < portfolio.pages:
            sample[slot : slot + 1] = [kept]
        if is_wrong(case, portfolio):
            found.wrong += 1
            entry = (_confidence(case, portfolio), -found.cases, kept)
            (heapq.heappush if len(heap) < WORST else heapq.heappushpop)(heap, entry)
    if not found.cases:
        raise InputError("the portfolio has no case; expected at least one explained text")
    found.worst = [kept for _, _, kept in sorted(heap, key=lambda entry: entry[:2], reverse=True)]
    every = {kept.place: kept for kept in (*sample, *found.worst)}
    found.kept = [every[place] for place in sorted(every)]
    return found


def _check(case: Case, portfolio: Portfolio, found: Gathered, ids: set[str]) -> None:
    name = case.explanation.example_id
    where = f"case {name!r}"
    if len(case.probabilities) != len(portfolio.labels):
        raise InputError(
            f"{where} has {len(case.probabilities)} probabilities; expected one for each of the "
            f"{len(portfolio.labels)} labels of the portfolio"
        )
    if any(not 0 <= label < len(portfolio.labels) for label in case.gold or ()):
        raise InputError(
            f"{where} has the gold labels {case.gold}; expected from 0 to {len(portfolio.labels) - 1}"
        )
    if not portfolio.multi_label and case.gold is not None and len(case.gold) != 1:
        raise InputError(f"{where} has {len(case.gold)} gold labels; expected one, or None if not known")
    if name in ids:
        raise InputError(f"{where} occurs twice; every case needs an id of its own")
    if found.cases and set(case.others) != set(found.others):
        raise InputError(
            f"{where} has scores of other models {sorted(case.others)}, the first case of "
            f"{sorted(found.others)}; expected the same for all"
        )
    ids.add(name)


def _note(case: Case, portfolio: Portfolio, found: Gathered) -> None:
    """Append the numbers of a case."""
    if case.explanation.target == portfolio.focus:
        place = len(found.explained)
        found.explained.append(found.cases - 1)
        found.methods.add(case.explanation.method)
        found.additive &= case.explanation.additive
        may_be_named = {part.name for part in told(case.explanation)}
        for part in case.explanation.parts:
            concept = found.concepts.setdefault(part.name, Concept())
            concept.add(place, part.score)
            concept.told += part.name in may_be_named
            concept.learned &= part.learned
            concept.added_by = concept.added_by or part.added_by
    found.probabilities.append(case.probabilities[portfolio.focus])
    found.chosen.append(int(portfolio.focus in decided(case, portfolio)))
    found.truth.append(-1 if case.gold is None else int(portfolio.focus in case.gold))
    for name, score in case.others.items():
        found.others.setdefault(name, array("d")).append(score)
    found.months.append(f"{case.date:%Y-%m}" if case.date else "")
    found.kinds.append(case.kind)
    found.groups.append(case.group)


def _confidence(case: Case, portfolio: Portfolio) -> float:
    """The probability of the decision that is wrong."""
    if portfolio.multi_label:
        given = case.probabilities[case.explanation.target]
        return max(given, 1 - given)
    return case.probabilities[decided(case, portfolio)[0]]
