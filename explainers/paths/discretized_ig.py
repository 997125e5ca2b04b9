"""Discretized integrated gradients: a path past the embeddings of real words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.paths.path_gradients import along, check_reference, pools, records_along, reference
from assay.explainers.protocol import Explanations, Request, Traits
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import MaskedInputs, full_rows
from assay.tasks.errors import InputError, check_at_least, check_choice

Strategy = Literal["greedy", "maxcount"]

Vectors = NDArray[np.float32]  # (D,), or (..., D)

KEPT_WAYS = 1000  # of so many words the ways are remembered; each is a matrix of points and dimensions


@dataclass(frozen=True, slots=True)
class DiscretizedIG:
    """Gradient of the target logit x change of what the first layer reads, along a path on which every token
    moves from its baseline past words of the vocabulary to itself.

    From a word, the next anchor is one of its `neighbours` nearest words, not yet visited: for "greedy" the
    one closest to its monotonic copy, for "maxcount" the one with most monotonic dimensions, ones that lie
    between the word and the baseline. Dimensions that are not are moved 1 / steps of the way to the baseline.
    steps: anchors of each token. Signed; the gradient is taken where each stretch begins, so the scores sum
    to f(x) - f(baseline) only roughly; the records show the gap. Special tokens stay and get 0.
    Source: Sanyal & Ren, EMNLP 2021; anchors as in the authors' code.
    """

    strategy: Strategy = "greedy"
    steps: int = 30
    neighbours: int = 500
    version: ClassVar[int] = 1
    name: ClassVar[str] = "discretized_ig"
    traits = Traits(
        signed=True,
        additive=False,
        stochastic=False,
        needs=frozenset({"gradients", "embedding_table"}),
        baseline="reference",
    )

    def __post_init__(self) -> None:
        check_choice(f"explainer.{self.name}.strategy", self.strategy, get_args(Strategy))
        for option in ("steps", "neighbours"):
            check_at_least(f"explainer.{self.name}.{option}", getattr(self, option), 1)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        baseline = check_reference(self.name, baseline)
        table = _table(engine)
        # Equal words with equal baselines go the same way.
        ways: dict[tuple[int, bytes], Vectors] = {}
        explained = []
        for pool in pools(requests, self.steps + 2, width=table.shape[1]):
            paths = [self._path(engine, request, baseline, table, ways) for request in pool]
            stretches = along(engine, paths, rule="left")
            explained += [records_along(*pair) for pair in zip(pool, stretches, strict=True)]
        return explained

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every anchor and both ends of the path, forward and, per target, backward."""
        return self.steps + 2, (self.steps + 2) * targets

    def _path(
        self,
        engine: Engine,
        request: Request,
        baseline: Baseline,
        table: Vectors,
        ways: dict[tuple[int, bytes], Vectors],
    ) -> Path:
        if len(ways) > KEPT_WAYS:
            ways.clear()
        encoding = request.encoding
        start, end = reference(engine, request, baseline), full_rows(encoding)
        absent = _embeddings(start, table)
        through = np.repeat(_embeddings(end, table)[None], self.steps + 2, axis=0)
        for token in np.flatnonzero(encoding.content).tolist():
            word, away = int(encoding.ids[token]), absent[token]
            key = word, away.tobytes()
            if key not in ways:
                ways[key] = monotonic_path(table, word, away, self.steps, self.neighbours, self.strategy)
            through[:, token] = ways[key]
        return Path(start, end, np.linspace(0, 1, self.steps + 2), request.targets, through=through)


def monotonic_path(
    table: Vectors, word: int, baseline: Vectors, steps: int, neighbours: int, strategy: Strategy
) -> Vectors:
    """(steps + 2, D) from the baseline to a word of the table (V, D); every dimension only grows or only
    falls. Where no anchor is left, the rest of the path waits at the baseline."""
    # The baseline is no anchor.
    visited = (table == baseline).all(axis=1)
    visited[word] = True
    squares = np.einsum("vd,vd->v", table, table)
    points = [table[word]]
    for _ in range(steps):
        near = np.argsort(squares - 2 * table @ table[word], kind="stable")[: neighbours + 1]
        near = near[~visited[near]]
        if not len(near):
            break
        word = int(near[_best(table[near], table[word], baseline, steps, strategy)])
        visited[word] = True
        points.append(_monotonic(points[-1], baseline, table[word], steps))
    points += [baseline] * (steps + 2 - len(points))
    return np.stack(points[::-1])


def _best(candidates: Vectors, word: Vectors, baseline: Vectors, steps: int, strategy: Strategy) -> int:
    """Which of the candidates (C, D) is the next anchor after a word (D,)."""
    if strategy == "greedy":
        moved = _monotonic(word, baseline, candidates, steps)
        return int(np.argmin(((candidates - moved) ** 2).sum(axis=1)))
    return int(np.argmax(_between(word, baseline, candidates).sum(axis=1)))


def _between(word: Vectors, baseline: Vectors, vectors: Vectors) -> NDArray[np.bool_]:
    return (np.minimum(word, baseline) <= vectors) & (vectors <= np.maximum(word, baseline))


def _monotonic(word: Vectors, baseline: Vectors, vectors: Vectors, steps: int) -> Vectors:
    """The vectors, with what does not lie between word and baseline moved in between."""
    inside = word - np.float32(1 / steps) * (word - baseline)
    return np.where(_between(word, baseline, vectors), vectors, inside)


def _table(engine: Engine) -> Vectors:
    """(V, D) the embeddings of all words."""
    rows = getattr(engine.model, "embedding_rows", None)
    if rows is None:
        raise InputError(
            "explainer 'discretized_ig' looks for words near others, but the model does not say how many it "
            "embeds; give it `embedding_rows` or choose integrated_gradients"
        )
    return engine.embed(np.arange(rows))


def _embeddings(rows: MaskedInputs, table: Vectors) -> Vectors:
    """(T, D) token embeddings of a single row."""
    embeddings = table[rows.ids[0]]
    if rows.absent is not None and rows.replacement is not None:
        embeddings = np.where(rows.absent[0][:, None], rows.replacement.astype(np.float32), embeddings)
    return embeddings
