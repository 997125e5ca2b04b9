"""Scores against human rationales: of all annotators, of one group of them, and of one by another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.long_table import CEILING, long, of_group
from assay.metrics.rationales import Marks, compared, of_groups, table
from assay.metrics.resampling import ratio
from assay.metrics.ties import tie_levels
from assay.tasks.arrays import Floats, Ints, Reals
from assay.tasks.randomness import generator

# From M rationales of a shard and the scores (M, T) that they are compared with to parts (M,).
Measure = Callable[[Reals, Marks, Shard], dict[str, Floats]]

# So many random orders of a text's ties tell what the best of several groups of evidence gets: over 100 texts
# their mean is then known to a 70th of its deviation within a text.
ORDERS = 50


class RationaleMetric(Protocol):
    """The options that metrics against rationales share."""

    name: ClassVar[str]

    @property
    def target(self) -> str: ...
    @property
    def annotators(self) -> str: ...
    @property
    def evidence(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """How a metric compares scores with marks.

    Attributes:
        measure: Makes its parts.
        values: The parts of which its value is made: one, or precision and recall.
        random: The part that is the expectation of `values` under a random order, by a measure that takes the
            expectation over orders of ties; "" for a measure that treats ties in another way.
    """

    measure: Measure
    values: tuple[str, ...]
    random: str = ""

    def quality(self, parts: Mapping[str, Floats]) -> Floats:
        """(M,) by which alternatives are compared: the value, or the F1 of precision and recall."""
        if len(self.values) == 1:
            return parts[self.values[0]]
        precision, recall = (parts[name] for name in self.values)
        return np.where(precision + recall == 0, 0.0, ratio(2 * precision * recall, precision + recall))


def scored(subject: CellData, metric: RationaleMetric, rule: Rule) -> pd.DataFrame:
    """The long table of a metric: per example and class its parts, as means over annotators with "each"; per
    example (target -1) `no_rationale`, 1 if it was left out.

    With "each" also the parts `ceiling:...`: of one annotator's marks as scores for another's, averaged over
    all ordered couples, NaN for a single annotator. Where annotators have groups also `group NAME:...`: the
    same scores against the marks of one group. With the evidence "best" also VALUE`_random`: the expectation
    of the best of all groups of evidence under a random order, which is what constant scores get.

    Raises:
        InputError: when a class that has a rationale was not explained.
    """
    tables = (part for shard in subject.shards for part in _tables(subject, shard, metric, rule))
    return pd.concat(list(tables), ignore_index=True)


def _tables(subject: CellData, shard: Shard, metric: RationaleMetric, rule: Rule) -> Iterator[pd.DataFrame]:
    options = metric.target, metric.name, metric.annotators, metric.evidence
    has = compared(subject, shard, *options)
    parts = _of_pairs(shard, has, rule)
    if metric.evidence == "best" and rule.random:
        parts[f"{rule.values[0]}_random"] = _random_level(shard, has, rule)
    if metric.annotators == "each":
        parts |= {f"{CEILING}:{name}": values for name, values in _ceiling(shard, has, rule).items()}
    yield table(shard, has, parts)
    for group, own in of_groups(shard):
        marked = compared(subject, own, *options)
        rows, labels = marked.one_each()
        if len(rows):
            found = _of_pairs(own, marked, rule)
            of_values = {f"{of_group(group)}:{name}": found[name] for name in rule.values}
            yield long([shard.ids[row] for row in rows], of_values, labels)


def _of_pairs(shard: Shard, has: Marks, rule: Rule) -> dict[str, Floats]:
    """(P,) the parts of every (example, class) pair: of the best alternatives, as means over annotators."""
    parts = _of_best(shard.scores[has.rows, has.labels], has, shard, rule)
    each = has.at(has.first())
    return {name: each.mean(values) for name, values in parts.items()}


def _of_best(scores: Reals, has: Marks, shard: Shard, rule: Rule) -> dict[str, Floats]:
    """(R,) the parts of the best alternative of every rationale, from scores (M, T).

    Which one is best depends on the order of ties. The best of the expectations over orders would be below
    the expectation of the best, and rounding that breaks the ties would raise it.
    """
    parts = rule.measure(scores, has, shard)
    best = has.best(rule.quality(parts))
    found = {name: values[best] for name, values in parts.items()}
    if rule.random:
        for rationale in np.flatnonzero(np.bincount(has.rationale) > 1):
            alternatives = np.flatnonzero(has.rationale == rationale)
            content = shard.content[has.rows[alternatives[0]]]
            levels = tie_levels(scores[alternatives[0], content])
            if len(np.unique(levels)) < len(levels):
                for name, value in _over_orders(levels, has.at(alternatives), shard, rule).items():
                    found[name][rationale] = value
    return found


def _over_orders(levels: Ints, alternatives: Marks, shard: Shard, rule: Rule) -> dict[str, float]:
    """The parts of the best of a text's alternatives within an order, as means over ORDERS random orders of
    the ties of its n tokens, the same for all explainers; levels: (n,)."""
    row, count = alternatives.rows[0], len(alternatives.rows)
    content = shard.content[row]
    places = np.tile(np.arange(len(levels)), (ORDERS, 1))
    drawn = generator("evidence", shard.examples[row].id).permuted(places, axis=1)
    scores = np.zeros((ORDERS, len(content)))
    # Ranks, as larger numbers with gaps of 1 would tie in long texts.
    scores[:, content] = (levels * len(levels) + drawn).argsort(axis=1).argsort(axis=1)
    each = alternatives.at(np.repeat(np.arange(count), ORDERS))
    parts = rule.measure(np.tile(scores, (count, 1)), each, shard)
    best = rule.quality(parts).reshape(count, ORDERS).argmax(axis=0) * ORDERS + np.arange(ORDERS)
    return {name: float(values[best].mean()) for name, values in parts.items()}


def _ceiling(shard: Shard, has: Marks, rule: Rule) -> dict[str, Floats]:
    """(P,) the values of one annotator's marks against another's, over all ordered couples of a pair's."""
    first = has.at(has.first())
    one, other = first.others()
    marked = np.zeros_like(first.tokens)
    np.logical_or.at(marked, has.rationale, has.tokens)
    alternatives = np.split(np.arange(len(has.rows)), has.first()[1:])
    rows = np.concatenate([np.zeros(0, dtype=np.intp), *(alternatives[place] for place in other)])
    couple = np.repeat(np.arange(len(other)), [len(alternatives[place]) for place in other])
    peers = Marks(has.rows[rows], has.labels[rows], has.tokens[rows], couple)
    parts = _of_best(marked[one[couple]].astype(np.float64), peers, shard, rule)
    pair, pairs = first.pair[other], len(first.one_each()[0])
    counts = np.bincount(pair, minlength=pairs)
    sums = {name: np.bincount(pair, parts[name], pairs).astype(np.float64) for name in rule.values}
    return {name: ratio(total, counts) for name, total in sums.items()}


def _random_level(shard: Shard, has: Marks, rule: Rule) -> Floats:
    """(P,) what random scores get, as means over annotators: of several alternatives what constants get."""
    constant, first = np.zeros(has.tokens.shape), has.first()
    several = np.bincount(has.rationale) > 1
    alone = rule.measure(constant, has, shard)[rule.random][first]
    return has.at(first).mean(np.where(several, _of_best(constant, has, shard, rule)[rule.values[0]], alone))
