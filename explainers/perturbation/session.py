"""One example's conversation with a method, and what is known of its coalitions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import CoalitionValues
from assay.explainers.explanation import Cost
from assay.explainers.perturbation.asked_twice import AskedTwice
from assay.explainers.perturbation.conversation import Answers, AskTell, Estimate
from assay.explainers.perturbation.units import Coalitions, Floats, Units
from assay.explainers.protocol import Request


@dataclass(slots=True, eq=False)
class Session:
    """One example's conversation.

    Attributes:
        waiting: The coalitions it last yielded, None once it has ended.
        values: (U, K) answers to coalitions, in the method's output space.
        known: The row of `values` that answers a coalition, by its packed bits.
        ends: How many of the first rows are the full text and, where it is asked, the empty one.
        labels: As in `Answers`.
        twice: In mixed precision, what `values` are made of.
        draws: Decides what is asked twice; apart from the method's own draws, which are those of float32.
        asked: (U, n) the coalitions of `values`, kept where some are asked again.
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
    twice: AskedTwice | None = None
    draws: np.random.Generator | None = None
    asked: Coalitions | None = None

    def pending(self) -> Coalitions:
        """(U, n) the coalitions waiting whose values are not known, each once; the ends come first."""
        assert self.waiting is not None
        coalitions = self.waiting
        if not self.known:
            ends = np.array([[True], [False]])[: self.ends].repeat(len(self.units), axis=1)
            coalitions = np.concatenate([ends, coalitions])
        new = []
        for at, bits in enumerate(packed_bits(coalitions)):
            if bits not in self.known:
                self.known[bits] = len(self.known)
                new.append(at)
        found = coalitions[new]
        if self.twice is not None:
            self.asked = found if self.asked is None else np.concatenate([self.asked, found])
        return found

    @property
    def rows(self) -> NDArray[np.intp]:
        """(R,) the rows of `values` that answer the coalitions waiting."""
        assert self.waiting is not None
        return np.array([self.known[bits] for bits in packed_bits(self.waiting)], dtype=np.intp)

    @property
    def full_and_empty(self) -> tuple[Floats, Floats]:
        """(K,) each; the same for a text without units."""
        full = self.values[0]
        if self.ends == 1:
            return full, np.full_like(full, np.nan)
        return full, self.values[1 if len(self.units) else 0]

    def learn(self, answer: CoalitionValues) -> NDArray[np.intp]:
        """Take the answers to `pending`; returns which coalitions to ask in float32 as well."""
        if self.twice is None or self.draws is None:
            self.values = np.concatenate([self.values, answer.values])
            return np.zeros(0, dtype=np.intp)
        return self.twice.add(answer.values, self.draws)

    def to_keep(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """(R, T) which tokens coalitions keep that were asked before."""
        assert self.asked is not None
        return self.units.keep(self.asked[places])

    def learn_exact(self, places: NDArray[np.intp], values: Floats) -> None:
        """Take what coalitions that were asked before are worth in float32."""
        assert self.twice is not None
        self.twice.learn(places, values)

    def tell(self) -> None:
        """Let the method go on with the answers to what it waits for."""
        if len(self.units) == 0:
            self.waiting = None
            return
        try:
            rows = self.rows
            answers = Answers(self.values[rows], *self.full_and_empty, self.labels, self.twice, rows)
            self.waiting = self.conversation.send(answers)
        except StopIteration as end:
            self.estimate, self.waiting = end.value, None
            # A pool waits for its longest conversation.
            self.values, self.known, self.asked = self.values[: self.ends], {}, None


def packed_bits(coalitions: Coalitions) -> list[bytes]:
    """A name of each of (R, n) coalitions."""
    return [row.tobytes() for row in np.packbits(coalitions, axis=1)]
