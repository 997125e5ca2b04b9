"""Perturbation explainers: which coalitions of tokens to ask about, and scores from the answers.

A method is a conversation: it yields coalitions, is sent the model's values for them, and ends with its
estimate. Most say everything in one round, so `Perturbation` splits it into two pure steps, `design` and
`solve`. The conversations of many texts go on side by side, each round of all of them one question to the
engine. One design serves every class, because a forward pass gives all logits: K targets cost the rows of
one.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline, CoalitionValues
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.perturbation.output_spaces import Output
from assay.explainers.perturbation.stopping_rule import StoppingRule, stopping_rule
from assay.explainers.perturbation.units import Coalitions, Floats, Unit, Units, check_unit, units_of
from assay.explainers.protocol import Explanations, Request, explanations
from assay.models.engine import Engine
from assay.tasks.errors import InputError, check_choice
from assay.tasks.randomness import generator

# Model rows times tokens that wait in one pool: many batches for the engine, little memory for bookkeeping.
POOL_TOKENS = 2**17


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """values: (R, K) of the coalitions asked. full, empty: (K,) of the whole text and of nothing, NaN where
    that is not asked. labels: (M,) the targets, where every label is decided on its own; None where the
    largest value decides."""

    values: Floats
    full: Floats
    empty: Floats
    labels: NDArray[np.intp] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """scores: (n, K) of units. standard_error: (n, K), NaN where the rows do not determine it; None where
    nothing was drawn or nothing is known of it. special: (S, K) scores of special tokens, None for zeros.
    saturated: (K,) as in `Explanation`, None where nobody counted."""

    scores: Floats
    standard_error: Floats | None = None
    special: Floats | None = None
    saturated: NDArray[np.intp] | None = None


# Yields coalitions (R, n) bool of n >= 1 units, true where one is kept.
AskTell = Generator[Coalitions, Answers, Estimate]


class Asking(ABC):
    """A method that asks about coalitions. name: seeds its draws. output: the space of the answers.
    asks_empty: whether it asks for the text without any token."""

    name: ClassVar[str]
    asks_empty: ClassVar[bool] = True
    output: Output
    unit: Unit = "token"

    @abstractmethod
    def converse(self, units: Units, rng: np.random.Generator) -> AskTell:
        """Rounds of coalitions, then the scores."""

    def draws(self, request: Request, units: int) -> np.random.Generator:
        """What a text of so many units draws with: it never depends on the other texts."""
        return generator(request.seed, self.name, request.example.id)

    def check_asking(self) -> None:
        """Raise InputError unless `output` names an output space and `unit` a unit."""
        check_choice(f"explainer.{self.name}.output", self.output, get_args(Output))
        check_unit(self.name, self.unit)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target; each round of many texts is asked together.

        Raises InputError without a baseline, or with one that cannot remove single tokens.
        """
        if baseline is None or not baseline.removes:
            raise InputError(
                f"explainer {self.name!r} needs a baseline that says what a single absent token means, not "
                f"{baseline.name if baseline else None!r}; choose another"
            )
        return [
            records
            for pool in _pools(self, engine, requests)
            for records in _explain(self, engine, pool, baseline)
        ]


class Perturbation(Asking):
    """A method given by two pure steps. until: where it has a goal, both are repeated until that is met."""

    until: StoppingRule | None = None

    def __post_init__(self) -> None:
        self.check_asking()
        if self.until is not None:
            object.__setattr__(self, "until", stopping_rule(self.name, self.until))
        self.check()

    def check(self) -> None:
        """Raise InputError on a setting of the method's own that is out of range."""

    @abstractmethod
    def design(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(R, n) bool: which of n >= 1 units each row keeps."""

    @abstractmethod
    def solve(self, design: Coalitions, values: Floats, full: Floats, empty: Floats) -> Estimate:
        """Scores from the values (R, K) of the design's rows, of one round or of several one after the
        other, and of the full and empty input (K,)."""

    def more(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(R, n) the design of a further round."""
        return self.design(players, rng)

    def exact(self, players: int) -> bool:
        """Whether one round says everything about a text of so many units."""
        return False

    def converse(self, units: Units, rng: np.random.Generator) -> AskTell:
        """The design, then the scores; with a goal, further rounds until it is met."""
        design = self.design(len(units), rng)
        answers = yield design
        values = answers.values
        estimate = self.solve(design, values, answers.full, answers.empty)
        while not self._done(units, estimate):
            further = self.more(len(units), rng)
            if not len(further) or (self.until and len(design) + len(further) > self.until.max_rows):
                break
            answers = yield further
            design, values = np.concatenate([design, further]), np.concatenate([values, answers.values])
            estimate = self.solve(design, values, answers.full, answers.empty)
        return estimate

    def _done(self, units: Units, estimate: Estimate) -> bool:
        if self.until is None or estimate.standard_error is None or self.exact(len(units)):
            return True
        scores, error = units.spread(estimate.scores), units.spread(estimate.standard_error)
        return self.until.met(scores, error, units.of >= 0)

    def design_rows(self, players: int) -> int:
        """How many rows the design has."""
        return len(self.design(players, np.random.default_rng(0)))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """The design, the full and the empty text; with a goal, at most. Nothing is differentiated."""
        ends = 1 + self.asks_empty
        if not tokens:
            return ends, 0
        rows = self.design_rows(tokens)
        if self.until is not None and not self.exact(tokens):
            further = len(self.more(tokens, np.random.default_rng(0)))
            rows += max(0, self.until.max_rows - rows) // max(further, 1) * further
        return ends + rows, 0


@dataclass(slots=True, eq=False)
class _Session:
    """One example's conversation. waiting: the coalitions it last yielded, None once it has ended.

    known: the row of `values` (U, K), in the method's output space, that answers a coalition, by its packed
    bits. ends: how many of the first rows are the full text and, where it is asked, the empty one. labels: as
    in `Answers`.
    """

    request: Request
    units: Units
    conversation: AskTell
    waiting: Coalitions | None
    values: Floats
    ends: int
    labels: NDArray[np.intp] | None
    estimate: Estimate
    known: dict[bytes, int] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)

    def pending(self) -> Coalitions:
        """(U, n) the coalitions waiting whose values are not known, each once; the ends come first."""
        assert self.waiting is not None
        coalitions = self.waiting
        if not self.known:
            ends = np.array([[True], [False]])[: self.ends].repeat(len(self.units), axis=1)
            coalitions = np.concatenate([ends, coalitions])
        new = []
        for at, bits in enumerate(_bits(coalitions)):
            if bits not in self.known:
                self.known[bits] = len(self.known)
                new.append(at)
        return coalitions[new]

    @property
    def full_and_empty(self) -> tuple[Floats, Floats]:
        """(K,) each; the same for a text without units."""
        full = self.values[0]
        if self.ends == 1:
            return full, np.full_like(full, np.nan)
        return full, self.values[1 if len(self.units) else 0]

    def tell(self, answer: CoalitionValues) -> None:
        """Take the answers to `pending`, and let the method go on."""
        assert self.waiting is not None
        self.values = np.concatenate([self.values, answer.values])
        if len(self.units) == 0:
            self.waiting = None
            return
        rows = [self.known[bits] for bits in _bits(self.waiting)]
        try:
            answers = Answers(self.values[rows], *self.full_and_empty, self.labels)
            self.waiting = self.conversation.send(answers)
        except StopIteration as end:
            self.estimate, self.waiting = end.value, None
            # A pool waits for its longest conversation.
            self.values, self.known = self.values[: self.ends], {}


def _bits(coalitions: Coalitions) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(coalitions, axis=1)]


def _pools(method: Asking, engine: Engine, requests: Sequence[Request]) -> Iterator[list[_Session]]:
    pool: list[_Session] = []
    waiting = 0
    for request in requests:
        session = _begin(method, engine, request)
        pool.append(session)
        if session.waiting is not None:
            waiting += (len(session.waiting) + 2) * len(request.encoding)
        if waiting >= POOL_TOKENS:
            yield pool
            pool, waiting = [], 0
    if pool:
        yield pool


def _begin(method: Asking, engine: Engine, request: Request) -> _Session:
    began = time.perf_counter()
    units, classes = units_of(request, method.unit), len(engine.model.labels)
    conversation = method.converse(units, method.draws(request, len(units)))
    # A text of special tokens alone has nothing to be asked about but itself.
    first = next(conversation) if len(units) else np.zeros((0, 0), dtype=bool)
    return _Session(
        request=request,
        units=units,
        conversation=conversation,
        waiting=first,
        values=np.zeros((0, classes)),
        ends=1 + method.asks_empty,
        labels=request.targets if engine.model.multi_label else None,
        estimate=Estimate(np.zeros((0, classes))),
        cost=Cost(seconds=time.perf_counter() - began),
    )


def _explain(
    method: Asking, engine: Engine, pool: list[_Session], baseline: Baseline
) -> Iterator[list[Explanation]]:
    active, baseline = pool, baseline.for_one_call()
    while active:
        began = time.perf_counter()
        pool_of = [(one.request.encoding, one.units.keep(one.pending())) for one in active]
        answers = baseline.answers(engine, pool_of, method.output)
        for session, answer in zip(active, answers, strict=True):
            session.tell(answer)
        tokens = [answer.cost.tokens + answer.cost.mlm_tokens for answer in answers]
        seconds_per_token = (time.perf_counter() - began) / max(sum(tokens), 1)
        for session, answer, of_one in zip(active, answers, tokens, strict=True):
            session.cost += replace(answer.cost, seconds=seconds_per_token * of_one)
        active = [session for session in active if session.waiting is not None]
    for session in pool:
        yield _records(method, session)


def _records(method: Asking, session: _Session) -> list[Explanation]:
    units, estimate = session.units, session.estimate
    scores = units.spread(estimate.scores)
    if estimate.special is not None:
        scores[units.of < 0] = estimate.special
    error = None if estimate.standard_error is None else units.spread(estimate.standard_error)
    targets = session.request.targets
    return explanations(
        session.request,
        scores[:, targets].T,
        *session.full_and_empty,
        standard_error=None if error is None else error[:, targets].T,
        output_space=method.output,
        saturated=estimate.saturated,
        cost=session.cost,
    )
