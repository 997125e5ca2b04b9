"""Owen values: Shapley values of a game in which words join clauses and clauses join sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.ask_tell import Asking, AskTell, Estimate, Output
from assay.explainers.perturbation.token_tree import Tree, token_tree
from assay.explainers.perturbation.units import Coalitions, Floats, Unit, Units
from assay.explainers.protocol import Traits
from assay.tasks.errors import InputError, check_at_least


@dataclass(frozen=True, slots=True)
class Owen(Asking):
    """What shap's PartitionExplainer computes with the tree of shap's text masker, special tokens apart.

    From the whole text down, a group's effect is divided between its two parts, once with the other part
    absent and once with it present (fixed_context 0 or 1: only so). The largest effects over all classes are
    divided first; where the rows run out, what a group adds is shared out evenly. rows: with the full and the
    empty text. batch: rows that are chosen together, 5 in shap for text. Source: Owen 1977; shap 0.51
    (shap/explainers/_partition.py, MIT licence).
    """

    rows: int = 500
    fixed_context: int | None = None
    batch: int = 5
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "owen"
    traits = Traits(signed=True, additive=True, stochastic=False, baseline="removal")

    def __post_init__(self) -> None:
        self.check_asking()
        if self.rows < 4:
            raise InputError(
                f"explainer.owen.rows is {self.rows}; the full text, nothing and two halves need at least 4"
            )
        if self.fixed_context not in (None, 0, 1):
            raise InputError(f"explainer.owen.fixed_context is {self.fixed_context!r}; expected 0, 1 or null")
        check_at_least("explainer.owen.batch", self.batch, 1)

    def converse(self, units: Units, rng: np.random.Generator) -> AskTell:
        """Rounds that ask ahead whatever is certain to be asked."""
        tree = token_tree(units)
        root = tree.members.shape[0] - 1
        nothing = np.zeros(len(units), dtype=bool)
        halves = np.array([nothing | tree.members[child] for child in tree.children[-1:].ravel()], dtype=bool)
        answers = yield halves.reshape(-1, len(units))
        whole = _Effect(root, nothing, answers.empty, answers.full, 1.0)
        search = _Search(tree, self.rows - 2, self.batch, self.fixed_context, answers.full.shape)
        search.learn(halves, answers.values)
        search.push(whole)
        while search.choose():
            ahead = search.unknown()
            if len(ahead):
                answers = yield ahead
                search.learn(ahead, answers.values)
            for effect in search.chosen:
                search.divide(effect)
        return Estimate(search.scores())

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """At most: a balanced tree takes n (n - 1) rows, a lopsided one more, one context 2 (n - 1)."""
        every = 2 ** min(tokens, 60) - 2 if self.fixed_context is None else 2 * (tokens - 1)
        return 2 + (min(2 * -(-(self.rows - 2) // 2), every) if tokens else 0), 0


class _Effect(NamedTuple):
    """What a node adds: values (K,) without and with it, in the presence of `context` (n,)."""

    node: int
    context: NDArray[np.bool_]
    without: Floats
    present: Floats
    weight: float


@dataclass(slots=True, eq=False)
class _Search:
    """shap's queue. waiting: effects by size, largest first. chosen: the batch being divided."""

    tree: Tree
    budget: int
    batch: int
    fixed_context: int | None
    classes: tuple[int, ...]
    asked: int = 0
    order: int = 0
    waiting: list[tuple[float, int, _Effect]] = field(default_factory=list)
    chosen: list[_Effect] = field(default_factory=list)
    known: dict[bytes, Floats] = field(default_factory=dict)
    credit: Floats = field(init=False)
    expansions: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.credit = np.zeros((len(self.tree.members), *self.classes))
        self.expansions = self.tree.expansions(contexts=2 if self.fixed_context is None else 1)

    def push(self, effect: _Effect) -> None:
        size = float(np.abs(effect.present - effect.without).max()) * effect.weight
        # Last digits depend on what a batch holds besides; ties that they would break go by order.
        heappush(self.waiting, (-round(size, 5), self.order, effect))
        self.order += 1

    def learn(self, coalitions: Coalitions, values: Floats) -> None:
        """Take (R, K) values of coalitions (R, n)."""
        self.known.update(zip((row.tobytes() for row in coalitions), values, strict=True))

    def choose(self) -> bool:
        """Take the next batch to divide; False when nothing is left or the rows are spent."""
        self.chosen = []
        batch_begins = self.asked
        while self.waiting and self.asked - batch_begins < self.batch and self.asked < self.budget:
            effect = heappop(self.waiting)[2]
            if self.expansions[effect.node]:
                self.chosen.append(effect)
                self.asked += 2
            else:
                self._leave(effect)
        return bool(self.chosen)

    def unknown(self) -> Coalitions:
        """(R, n) coalitions to ask: none if the batch is known, else the batch and all sure to follow.

        Sure is an effect that has its turn even if all larger ones are divided down to single tokens first.
        """
        asked = {row.tobytes(): row for effect in self.chosen for row in self._halves(effect)}
        if asked.keys() <= self.known.keys():
            return np.zeros((0, self.tree.members.shape[1]), dtype=bool)
        turns = -(-(self.budget - self.asked) // 2) - sum(self.expansions[e.node] - 1 for e in self.chosen)
        for _, _, effect in sorted(self.waiting, key=lambda entry: entry[:2]):
            if turns <= 0:
                break
            if self.expansions[effect.node]:
                asked |= {row.tobytes(): row for row in self._halves(effect)}
                turns -= self.expansions[effect.node]
        return np.array([row for bits, row in asked.items() if bits not in self.known])

    def scores(self) -> Floats:
        """(n, K) credits, what is left on groups shared out evenly."""
        for _, _, effect in self.waiting:
            self._leave(effect)
        credit, leaves = self.credit.copy(), self.tree.members.shape[1]
        sizes = self.tree.members.sum(axis=1)
        for group in range(len(credit) - 1, leaves - 1, -1):
            for child in self.tree.children[group - leaves]:
                credit[child] += credit[group] * (sizes[child] / sizes[group])
        return credit[:leaves]

    def _halves(self, effect: _Effect) -> Coalitions:
        children = self.tree.children[effect.node - self.tree.members.shape[1]]
        return effect.context | self.tree.members[children]

    def _leave(self, effect: _Effect) -> None:
        self.credit[effect.node] += (effect.present - effect.without) * effect.weight

    def divide(self, effect: _Effect) -> None:
        """Divide a chosen effect, whose halves are known."""
        node, context, neither, both, weight = effect
        left, right = self.tree.children[node - self.tree.members.shape[1]].tolist()
        halves = self._halves(effect)
        # No coalition halves two effects.
        with_left, with_right = (self.known.pop(row.tobytes()) for row in halves)
        share = weight
        interaction = (both - with_left - with_right + neither) * weight
        if self.fixed_context is None:
            share /= 2
        elif self.fixed_context == 0:
            self.credit[node] += interaction
        else:
            self.credit[node] -= interaction
        if self.fixed_context != 1:
            self.push(_Effect(left, context, neither, with_left, share))
            self.push(_Effect(right, context, neither, with_right, share))
        if self.fixed_context != 0:
            self.push(_Effect(left, halves[1], with_right, both, share))
            self.push(_Effect(right, halves[0], with_left, both, share))
