"""What explainers of other libraries have in common: one text after the other, seeded, alone, counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.peers.calls import Floats, ModelCalls
from assay.explainers.peers.library import alone, named, seed_of, told
from assay.explainers.perturbation.output_spaces import Output
from assay.explainers.protocol import Explanations, Request, explanations
from assay.models.engine import Engine
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """scores: (M, T) of tokens, in the order of the targets. full, empty: (K,) the outputs at the text and at
    the baseline, None where the library has none."""

    scores: NDArray[np.floating]
    full: Floats
    empty: Floats | None = None


class Peer(ABC):
    """An explainer that is a library's own code; it is not for threads, which wait for each other here."""

    library: ClassVar[str]
    name: ClassVar[str]
    output: Output

    @property
    def fingerprint(self) -> str:
        """The library with its version, which is part of the key of results."""
        return named(self.library)

    @property
    def run_by(self) -> str:
        """Whose code explains, and how, for the record of a cell."""
        return f"{self.fingerprint}, one text at a time: it draws from the generators of the whole process"

    @abstractmethod
    def attribute(self, calls: ModelCalls, baseline: Baseline | None, seed: int) -> Attribution:
        """Scores of all targets of a request. Seeded generators are in use already; for a library that is
        called once per target, `alone(seed)` seeds them anew."""

    @abstractmethod
    def check(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> None:
        """Raise InputError where the library cannot explain these texts or this model."""

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target.

        Raises InputError with the library's reason where it fails, or where its scores are not finite.
        """
        about = self.fingerprint
        self.check(engine, requests, baseline)
        return [self._explain(about, engine, request, baseline) for request in requests]

    def _explain(
        self, about: str, engine: Engine, request: Request, baseline: Baseline | None
    ) -> list[Explanation]:
        if not len(request.targets):
            return []
        calls, seed = ModelCalls.begin(engine, request, self.output), seed_of(request, self.name)
        with alone(seed), told(about, request):
            found = self.attribute(calls, baseline and baseline.for_one_call(), seed)
        cost = calls.end(engine)
        if not np.isfinite(found.scores).all():
            raise InputError(f"{about} gave NaN or infinity as a score of example {request.example.id!r}")
        return explanations(
            request, found.scores, found.full, found.empty, output_space=self.output, cost=cost
        )
