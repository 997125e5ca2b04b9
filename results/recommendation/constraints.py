"""What an explainer must not cost or need, what is known of each, and which constraints it violates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import binom

from assay.results.statistics.intervals import Floats
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

SHARE, LEVEL = 0.95, 0.95
# With fewer texts, even the slowest is no upper limit of the 95 % quantile: 0.95 ** 59 is below 5 %.
FEWEST_TIMED = 59


@dataclass(frozen=True, slots=True)
class Seconds:
    """The time of an explanation: the 95 % quantile over texts, and its upper limit.

    Attributes:
        p95: 95 % quantile of the seconds per text.
        upper: its upper 95 % confidence limit; infinite with fewer than 59 texts.
        texts: how many texts were timed.
    """

    p95: float
    upper: float
    texts: int


def seconds_limit(seconds: Floats) -> Seconds:
    """The 95 % quantile of (n,) seconds, one per text, and its upper 95 % confidence limit.

    The limit is an order statistic: of n independent texts fewer than r lie below the quantile with the
    probability of a binomial count, whatever the distribution (Conover 1999, section 3.2).

    Example:
        >>> seconds_limit(np.arange(1.0, 101.0)).upper, seconds_limit(np.ones(58)).upper
        (99.0, inf)
    """
    ordered = np.sort(seconds)
    n = len(ordered)
    place = int(binom.ppf(LEVEL, n, SHARE)) + 1
    upper = float(ordered[place - 1]) if place <= n else math.inf
    return Seconds(float(np.quantile(ordered, SHARE)), upper, n)


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a recommended explainer must keep to; what is not given is free.

    Attributes:
        latency: seconds per text, held against the upper 95 % limit of the 95 % quantile.
        memory: bytes at the peak of explaining one text.
        rows: rows of the model per text, forward and backward, on every text that was explained.
        gradients: whether it may need gradients of the model.
        additive: whether its scores must sum to the change of the output.
        deterministic: whether another seed must give the same scores.
        multi_label: whether it must have been measured on texts that may have several labels.
    """

    latency: float | None = None
    memory: float | None = None
    rows: float | None = None
    gradients: bool = True
    additive: bool = False
    deterministic: bool = False
    multi_label: bool = False

    def __post_init__(self) -> None:
        for name in ("latency", "memory", "rows"):
            limit = getattr(self, name)
            if limit is not None and not 0 < limit < math.inf:
                raise InputError(f"{name} is {limit}; expected a number above 0")


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """What is known of a method beside its scores.

    Attributes:
        gradients: whether it asks for gradients.
        additive: whether its scores sum to the change of the output.
        stochastic: whether it, or its baseline, draws.
        multi_label: whether it was measured on a task whose texts may have several labels.
        rows: the most rows of the model that any text took; NaN if unknown.
        seconds: the time of an explanation; None if it was not measured.
        memory: bytes at the peak of explaining one text; NaN if it was not measured.
    """

    gradients: bool = False
    additive: bool = False
    stochastic: bool = False
    multi_label: bool = False
    rows: float = math.nan
    seconds: Seconds | None = None
    memory: float = math.nan


class Violation(NamedTuple):
    """A constraint that is not shown to be kept. constraint: its name in `Constraints`. reason: why."""

    constraint: str
    reason: str


def violations(facts: MethodFacts, constraints: Constraints) -> list[Violation]:
    """The constraints that a method is not shown to keep; what was not measured is not shown."""
    checks: Sequence[tuple[str, bool, Callable[[], str]]] = (
        ("latency", constraints.latency is not None, lambda: _too_slow(facts.seconds, constraints.latency)),
        ("memory", constraints.memory is not None, lambda: _too_large(facts.memory, constraints.memory)),
        ("rows", constraints.rows is not None, lambda: _too_many(facts.rows, constraints.rows)),
        ("gradients", not constraints.gradients, lambda: "needs gradients" if facts.gradients else ""),
        ("additive", constraints.additive, lambda: "" if facts.additive else "is not additive"),
        ("deterministic", constraints.deterministic, lambda: "draws at random" if facts.stochastic else ""),
        (
            "multi_label",
            constraints.multi_label,
            lambda: "" if facts.multi_label else "was measured on texts with one label each only",
        ),
    )
    found = [(name, reason()) for name, is_wanted, reason in checks if is_wanted]
    return [Violation(name, reason) for name, reason in found if reason]


def _too_slow(seconds: Seconds | None, limit: float | None) -> str:
    assert limit is not None
    if seconds is None:
        return "its time was not measured"
    if math.isinf(seconds.upper):
        return (
            f"{counted(seconds.texts, 'text')} were timed, and fewer than {FEWEST_TIMED} give no upper limit "
            "of the p95"
        )
    if seconds.upper <= limit:
        return ""
    return f"p95 may be {seconds.upper:.3g} s per text (measured {seconds.p95:.3g} s), above {limit:.3g} s"


def _too_large(memory: float, limit: float | None) -> str:
    assert limit is not None
    if math.isnan(memory):
        return "its memory was not measured"
    return "" if memory <= limit else f"took {memory / 2**20:,.0f} MiB, more than {limit / 2**20:,.0f}"


def _too_many(rows: float, limit: float | None) -> str:
    assert limit is not None
    if math.isnan(rows):
        return "its model rows were not measured (metric=[...,compute_time])"
    return "" if rows <= limit else f"took {rows:,.0f} model rows for a text, more than {limit:,.0f}"
