"""Owen values: Shapley values of a game in which words join clauses and clauses join sentences."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.perturbation.ask_tell import Asking, AskTell, Estimate, Output
from assay.explainers.perturbation.token_tree import Tree, leaves, token_tree
from assay.explainers.perturbation.undivided import Pieces
from assay.explainers.perturbation.units import Coalitions, Floats, Unit, Units, units_of
from assay.explainers.protocol import Explanations, Request, Traits
from assay.models.engine import Engine
from assay.models.precision import UNMIXED, Kind
from assay.tasks.errors import InputError, check_at_least, check_choice

log = logging.getLogger(__name__)

# shap: special tokens are leaves like others. content: they are left out.
Leaves = Literal["shap", "content"]


@dataclass(frozen=True, slots=True)
class Owen(Asking):
    """What shap's PartitionExplainer computes with its text masker, of ids of tokens.

    From the whole text down, a group's effect is divided between its two parts, once with the other part
    absent and once with it present (fixed_context 0 or 1: only so). The largest effects over all classes are
    divided first; where the rows run out, what a group adds is shared out evenly, also to special tokens in
    it. Standard error: how far single units would move if the tree were divided down to them
    (`undivided.Pieces`), 0 where it is. rows: as shap counts its evaluations, with the full and the empty
    text, and with those that differ in special tokens alone, which are not asked again. batch: rows that are
    chosen together, 5 in shap for text. tree: "shap", special tokens are leaves, in what order they join
    is shap's; "content", without them. Of a pair, which shap does not explain, the texts are joined last.
    Source: Owen 1977; shap 0.51 (shap/explainers/_partition.py, MIT licence).
    """

    rows: int = 500
    fixed_context: int | None = None
    batch: int = 5
    output: Output = "logit"
    unit: Unit = "token"
    tree: Leaves = "shap"
    version: ClassVar[int] = 2
    precisions: ClassVar[tuple[Kind, ...]] = UNMIXED
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
        check_choice("explainer.owen.tree", self.tree, get_args(Leaves))

    def converse(self, units: Units, rng: np.random.Generator) -> AskTell:
        """Rounds that ask ahead whatever is certain to be asked."""
        places = self._places(units)
        tree, content = token_tree(units, places), places >= 0
        nothing = np.zeros(len(places), dtype=bool)
        halves = np.array([nothing | tree.members[child] for child in tree.children[-1:].ravel()], dtype=bool)
        halves = halves.reshape(-1, len(places))
        answers = yield halves[:, content]
        search = _Search(tree, content, self.rows - 2, self.batch, self.fixed_context, answers.full.shape)
        search.learn(halves, answers.values)
        search.learn(np.stack([nothing, ~nothing]), np.stack([answers.empty, answers.full]))
        search.push(_Effect(len(tree.members) - 1, nothing, answers.empty, answers.full, 1.0))
        while search.choose():
            ahead = search.unknown()
            if len(ahead):
                answers = yield ahead[:, content]
                search.learn(ahead, answers.values)
            for effect in search.chosen:
                search.divide(effect)
        scores, error = search.scores(), search.pieces.standard_error()
        return Estimate(scores[content], error[content], scores[~content])

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """As any method that asks; warns of trees that the rows do not divide down to single units."""
        found = Asking.explain(self, engine, requests, baseline)
        if warning := self.unfinished([units_of(request, self.unit) for request in requests]):
            log.warning("%s", warning)
        return found

    def unfinished(self, texts: Sequence[Units]) -> str | None:
        """One sentence if the rows do not divide every text's tree, None if they do."""
        divided = 2 + 2 * -(-(self.rows - 2) // 2)
        needed = [rows for rows in (self.full_rows(text) for text in texts) if rows > divided]
        if not needed:
            return None
        most, median = max(needed), sorted(needed)[(len(needed) - 1) // 2]
        sentence = (
            f"owen: rows={self.rows} does not divide the trees of {len(needed)} of {len(texts)} texts to "
            "single units; those of a group share its score evenly, and standard errors say how wrong that "
            f"may be; explainer.owen.rows={most} divides all, {median} half of these"
        )
        if self.fixed_context is not None:
            return sentence
        one_context = max(map(replace(self, fixed_context=0).full_rows, texts))
        return f"{sentence}; explainer.owen.fixed_context=0 (one context only) needs {one_context} rows"

    def full_rows(self, units: Units) -> int:
        """How many rows divide a text's tree down to its leaves."""
        if len(units) == 0:
            return 2
        tree = token_tree(units, self._places(units))
        return 2 + 2 * tree.expansions(2 if self.fixed_context is None else 1)[-1]

    def _places(self, units: Units) -> NDArray[np.intp]:
        return leaves(units) if self.tree == "shap" else np.arange(len(units))

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """At most: a balanced tree takes n (n - 1) rows, a lopsided one more, one context 2 (n - 1)."""
        every = 2 ** min(tokens, 60) - 2 if self.fixed_context is None else 2 * (tokens - 1)
        return 2 + (min(2 * -(-(self.rows - 2) // 2), every) if tokens else 0), 0


class _Effect(NamedTuple):
    """What a node adds: values (K,) without and with it, in the presence of `context` (m,)."""

    node: int
    context: NDArray[np.bool_]
    without: Floats
    present: Floats
    weight: float


@dataclass(slots=True, eq=False)
class _Search:
    """shap's queue. content: (m,) leaves that can be absent. waiting: effects by size, largest first.
    chosen: the batch being divided. known: (K,) values by which content is present."""

    tree: Tree
    content: NDArray[np.bool_]
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
    pieces: Pieces = field(init=False)
    expansions: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.credit = np.zeros((len(self.tree.members), *self.classes))
        self.pieces = Pieces.none(self.tree, self.classes)
        self.expansions = self.tree.expansions(contexts=2 if self.fixed_context is None else 1)

    def push(self, effect: _Effect) -> None:
        size = float(np.abs(effect.present - effect.without).max()) * effect.weight
        # Last digits depend on what a batch holds besides; ties that they would break go by order.
        heappush(self.waiting, (-round(size, 5), self.order, effect))
        self.order += 1

    def learn(self, coalitions: Coalitions, values: Floats) -> None:
        """Take (R, K) values of coalitions of leaves (R, m)."""
        self.known.update(zip(self._bits(coalitions), values, strict=True))

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
        """(R, m) coalitions to ask: none if the batch is known, else the batch and all sure to follow.

        Sure is an effect that has its turn even if all larger ones are divided down to single tokens first.
        """
        asked = self._asked(self.chosen)
        if asked.keys() <= self.known.keys():
            return np.zeros((0, len(self.content)), dtype=bool)
        turns = -(-(self.budget - self.asked) // 2) - sum(self.expansions[e.node] - 1 for e in self.chosen)
        for _, _, effect in sorted(self.waiting, key=lambda entry: entry[:2]):
            if turns <= 0:
                break
            if self.expansions[effect.node]:
                asked |= self._asked([effect])
                turns -= self.expansions[effect.node]
        return np.array([row for bits, row in asked.items() if bits not in self.known])

    def scores(self) -> Floats:
        """(m, K) credits, what is left on groups shared out evenly."""
        for _, _, effect in self.waiting:
            self._leave(effect)
        self.waiting = []
        return self.tree.shared_out(self.credit)

    def _asked(self, effects: Sequence[_Effect]) -> dict[bytes, NDArray[np.bool_]]:
        rows = [row for effect in effects for row in self._halves(effect)]
        return dict(zip(self._bits(np.array(rows)), rows, strict=True))

    def _bits(self, coalitions: Coalitions) -> list[bytes]:
        return [row.tobytes() for row in coalitions[:, self.content]]

    def _halves(self, effect: _Effect) -> Coalitions:
        children = self.tree.children[effect.node - self.tree.members.shape[1]]
        return effect.context | self.tree.members[children]

    def _leave(self, effect: _Effect) -> None:
        left = (effect.present - effect.without) * effect.weight
        self.credit[effect.node] += left
        self.pieces.leave(effect.node, effect.weight, left)

    def divide(self, effect: _Effect) -> None:
        """Divide a chosen effect, whose halves are known."""
        node, context, neither, both, weight = effect
        left, right = self.tree.children[node - self.tree.members.shape[1]].tolist()
        halves = self._halves(effect)
        with_left, with_right = (self.known[bits] for bits in self._bits(halves))
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
