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
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.perturbation.asked_twice import AskedTwice
from assay.explainers.perturbation.conversation import Answers, AskTell, Estimate
from assay.explainers.perturbation.mixed import mixed_estimate, scores_by, told
from assay.explainers.perturbation.output_spaces import Output
from assay.explainers.perturbation.ranking import doubtful
from assay.explainers.perturbation.session import Session
from assay.explainers.perturbation.stopping_rule import StoppingRule, stopping_rule
from assay.explainers.perturbation.units import Coalitions, Floats, Unit, Units, check_unit, units_of
from assay.explainers.precisions import ONLY_FLOAT32, used_precision
from assay.explainers.protocol import Explanations, Request, explanations
from assay.models.engine import Engine
from assay.models.precision import Kind, Precision
from assay.tasks.errors import InputError, check_choice
from assay.tasks.randomness import generator

# Model rows times tokens that wait in one pool: many batches for the engine, little memory for bookkeeping.
POOL_TOKENS = 2**17


class Asking(ABC):
    """A method that asks about coalitions. name: seeds its draws. output: the space of the answers.
    asks_empty: whether it asks for the text without any token. precisions: in which it can ask. ranked: as in
    `mixed.Linear`."""

    name: ClassVar[str]
    asks_empty: ClassVar[bool] = True
    precisions: ClassVar[tuple[Kind, ...]] = ONLY_FLOAT32
    ranked: ClassVar[bool] = False
    output: Output
    unit: Unit = "token"

    @abstractmethod
    def converse(self, units: Units, rng: np.random.Generator) -> AskTell:
        """Rounds of coalitions, then the scores."""

    def draws(self, request: Request, units: int) -> np.random.Generator:
        """What a text of so many units draws with: it never depends on the other texts."""
        return generator(request.seed, self.name, request.example.id)

    def again(self, session: Session) -> NDArray[np.intp]:
        """Which coalitions to ask in float32 as well, once their sample is known."""
        return np.zeros(0, dtype=np.intp)

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
        values, rows = answers.values, answers.rows
        estimate = self._estimate(design, values, rows, answers)
        while not self._done(units, estimate):
            further = self.more(len(units), rng)
            if not len(further) or (self.until and len(design) + len(further) > self.until.max_rows):
                break
            answers = yield further
            design, values = np.concatenate([design, further]), np.concatenate([values, answers.values])
            rows = None if rows is None or answers.rows is None else np.concatenate([rows, answers.rows])
            estimate = self._estimate(design, values, rows, answers)
        return estimate

    def _estimate(
        self, design: Coalitions, values: Floats, rows: NDArray[np.intp] | None, answers: Answers
    ) -> Estimate:
        if answers.twice is None or rows is None:
            return self.solve(design, values, answers.full, answers.empty)
        return mixed_estimate(self, design, rows, answers.twice)

    def again(self, session: Session) -> NDArray[np.intp]:
        """Which coalitions a ranking hangs on, of those asked in bfloat16 alone."""
        if not self.ranked or session.twice is None or session.waiting is None or not len(session.units):
            return np.zeros(0, dtype=np.intp)
        solve = scores_by(self, session.waiting)
        return doubtful(solve, session.rows, session.twice, session.request.targets)

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


def _pools(method: Asking, engine: Engine, requests: Sequence[Request]) -> Iterator[list[Session]]:
    pool: list[Session] = []
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


def _begin(method: Asking, engine: Engine, request: Request) -> Session:
    began = time.perf_counter()
    units, classes = units_of(request, method.unit), len(engine.model.labels)
    conversation = method.converse(units, method.draws(request, len(units)))
    # A text of special tokens alone has nothing to be asked about but itself.
    first = next(conversation) if len(units) else np.zeros((0, 0), dtype=bool)
    mixed = used_precision(method, engine.precision).kind == "mixed"
    ends = 1 + method.asks_empty
    return Session(
        request=request,
        units=units,
        conversation=conversation,
        waiting=first,
        values=np.zeros((0, classes)),
        ends=ends,
        labels=request.targets if engine.model.multi_label else None,
        estimate=Estimate(np.zeros((0, classes)), bound=np.zeros((0, classes)) if mixed else None),
        cost=Cost(seconds=time.perf_counter() - began),
        twice=AskedTwice(engine.precision.asked_twice, ends, np.zeros((0, classes))) if mixed else None,
        draws=generator(request.seed, method.name, "asked twice", request.example.id),
    )


def _explain(
    method: Asking, engine: Engine, pool: list[Session], baseline: Baseline
) -> Iterator[list[Explanation]]:
    precision = used_precision(method, engine.precision)
    active, baseline = pool, baseline.for_one_call()
    asked = engine if precision.kind == "float32" else engine.reduced()
    while active:
        began = time.perf_counter()
        pool_of = [(one.request.encoding, one.units.keep(one.pending())) for one in active]
        answers = baseline.answers(asked, pool_of, method.output)
        costs = [answer.cost for answer in answers]
        again = [session.learn(answer) for session, answer in zip(active, answers, strict=True)]
        while any(map(len, again)):
            costs = _ask_again(method, engine, baseline, active, again, costs)
            again = [method.again(session) for session in active]
        for session in active:
            if session.twice is not None:
                session.values = told(session.twice, ranked=method.ranked)
            session.tell()
        tokens = [cost.tokens + cost.mlm_tokens for cost in costs]
        seconds_per_token = (time.perf_counter() - began) / max(sum(tokens), 1)
        for session, cost, of_one in zip(active, costs, tokens, strict=True):
            session.cost += replace(cost, seconds=seconds_per_token * of_one)
        active = [session for session in active if session.waiting is not None]
    for session in pool:
        yield _records(method, session, precision)


def _ask_again(
    method: Asking,
    engine: Engine,
    baseline: Baseline,
    active: list[Session],
    again: list[NDArray[np.intp]],
    costs: list[Cost],
) -> list[Cost]:
    """Ask coalitions in float32, too; the costs with theirs."""
    wanted = [at for at, places in enumerate(again) if len(places)]
    pool = [(active[at].request.encoding, active[at].to_keep(again[at])) for at in wanted]
    total = list(costs)
    for at, answer in zip(wanted, baseline.answers(engine, pool, method.output), strict=True):
        active[at].learn_exact(again[at], answer.values)
        total[at] += answer.cost
    return total


def _records(method: Asking, session: Session, precision: Precision) -> list[Explanation]:
    units, estimate = session.units, session.estimate
    scores = units.spread(estimate.scores)
    if estimate.special is not None:
        scores[units.of < 0] = estimate.special
    error = None if estimate.standard_error is None else units.spread(estimate.standard_error)
    bound = None if estimate.bound is None else units.spread(estimate.bound)
    targets = session.request.targets
    return explanations(
        session.request,
        scores[:, targets].T,
        *session.full_and_empty,
        standard_error=None if error is None else error[:, targets].T,
        output_space=method.output,
        saturated=estimate.saturated,
        cost=session.cost,
        precision=precision,
        asked_twice=0.0 if session.twice is None else session.twice.share_twice,
        bound=None if bound is None else bound[:, targets].T,
    )
