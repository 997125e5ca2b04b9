"""Perturbation explainers in two pure steps: `design` chooses coalitions, `solve` scores from the answers.

Between the two the engine is asked once for a whole pool of examples. One design serves every class, because
a forward pass gives all logits; K targets cost the rows of one.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logsumexp, softmax

from explainers.baselines import Baseline
from explainers.explanation import Cost, Explanation
from explainers.protocol import Request, explanation
from models.engine import Engine
from tasks.errors import InputError, did_you_mean
from tasks.randomness import generator

Output = Literal["logit", "probability", "log_odds"]

# Model rows times tokens that wait in one pool: many batches for the engine, little memory for bookkeeping.
POOL_TOKENS = 2**20


class Perturbation(ABC):
    """A method given by its two steps. name: seeds its draws. output: the space of the answers."""

    name: ClassVar[str]
    output: Output

    @abstractmethod
    def design(self, players: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """(R, n) bool: which of n >= 1 tokens each row keeps."""

    @abstractmethod
    def solve(
        self,
        design: NDArray[np.bool_],
        values: NDArray[np.float64],
        full: NDArray[np.float64],
        empty: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(n, K) scores from the values (R, K) of the design's rows and of the full and empty input (K,)."""

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        """For every request one explanation per target; the rows of many requests are asked together.

        Raises InputError without a baseline, or with one that cannot remove single tokens.
        """
        if baseline is None or not baseline.removes:
            raise InputError(
                f"explainer {self.name!r} needs a baseline that says what a single absent token means, not "
                f"{baseline.name if baseline else None!r}; choose another"
            )
        return [found for pool in _pools(self, requests) for found in _explain(self, engine, pool, baseline)]

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """The design, the full and the empty text; nothing is differentiated."""
        return 2 + (len(self.design(tokens, np.random.default_rng(0))) if tokens else 0), 0


def check_output(explainer: str, output: str) -> None:
    """Raise InputError unless `output` names an output space."""
    choices = list(get_args(Output))
    if output not in choices:
        raise InputError(f"explainer.{explainer}.output is {output!r}; {did_you_mean(str(output), choices)}")


def output_space(logits: NDArray[np.floating], output: Output, *, multi_label: bool) -> NDArray[np.float64]:
    """(R, K) logits as logits, probabilities, or natural log-odds of each class against the rest."""
    exact = logits.astype(np.float64)
    if output == "logit" or (output == "log_odds" and multi_label):
        return exact
    if output == "probability":
        return expit(exact) if multi_label else softmax(exact, axis=1)
    return _log_odds(exact)


def _log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    log_p = log_softmax(logits, axis=1)
    others = np.stack([logsumexp(np.delete(log_p, k, axis=1), axis=1) for k in range(log_p.shape[1])], axis=1)
    return log_p - others


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """One example's distinct coalitions of its n content tokens.

    design: (R, n). keep: (U, T), special tokens always kept. where: (2 + R,) the row of `keep` for the full
    text, the empty one and each row of the design. seconds: spent on the design.
    """

    request: Request
    design: NDArray[np.bool_]
    keep: NDArray[np.bool_]
    where: NDArray[np.intp]
    seconds: float


def _pools(method: Perturbation, requests: Sequence[Request]) -> Iterator[list[_Question]]:
    pool: list[_Question] = []
    waiting = 0
    for request in requests:
        question = _ask(method, request)
        pool.append(question)
        waiting += question.keep.size
        if waiting >= POOL_TOKENS:
            yield pool
            pool, waiting = [], 0
    if pool:
        yield pool


def _ask(method: Perturbation, request: Request) -> _Question:
    began = time.perf_counter()
    content = request.encoding.content
    players = int(content.sum())
    design = method.design(players, generator(request.seed, method.name, request.example.id))
    ends = np.array([[True], [False]]).repeat(players, axis=1)
    distinct, where = _distinct(np.concatenate([ends, design]))
    keep = np.ones((len(distinct), len(content)), dtype=bool)
    keep[:, content] = distinct
    return _Question(request, design, keep, where, time.perf_counter() - began)


def _distinct(rows: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """The different rows of a table, and for every row its place among them; packed into bytes to compare."""
    packed = np.ascontiguousarray(np.packbits(rows, axis=1))
    as_bytes = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, where = np.unique(as_bytes, return_index=True, return_inverse=True)
    return rows[first], where.ravel()


def _explain(
    method: Perturbation, engine: Engine, pool: list[_Question], baseline: Baseline
) -> Iterator[list[Explanation]]:
    began = time.perf_counter()
    rows = [baseline.rows(engine.model, question.request.encoding, question.keep) for question in pool]
    answers = engine.answers(rows)
    solved = [
        _solve(method, question, answer.logits, multi_label=engine.model.multi_label)
        for question, answer in zip(pool, answers, strict=True)
    ]
    seconds_per_token = (time.perf_counter() - began) / sum(answer.tokens for answer in answers)
    for question, answer, (scores, values) in zip(pool, answers, solved, strict=True):
        seconds = question.seconds + seconds_per_token * answer.tokens
        yield _records(method, question, scores, values, Cost(answer.rows, 0, answer.tokens, seconds))


def _solve(
    method: Perturbation, question: _Question, logits: NDArray[np.float64], *, multi_label: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T, K) scores, and (2, K) values of the full and the empty input."""
    values = output_space(logits, method.output, multi_label=multi_label)[question.where]
    scores = np.zeros((len(question.request.encoding), values.shape[1]))
    scores[question.request.encoding.content] = method.solve(
        question.design, values[2:], values[0], values[1]
    )
    return scores, values[:2]


def _records(
    method: Perturbation,
    question: _Question,
    scores: NDArray[np.float64],
    values: NDArray[np.float64],
    cost: Cost,
) -> list[Explanation]:
    return [
        explanation(
            question.request,
            target,
            scores[:, target],
            output_space=method.output,
            value_input=float(values[0, target]),
            value_baseline=float(values[1, target]),
            cost=cost,
        )
        for target in question.request.targets.tolist()
    ]
