"""Explainers that run each text once, or once with its reference, in batches that need not wait."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Generic, TypeVar

import numpy as np
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.protocol import Explanations, Request, Traits, explanations, require_compatible
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import full_rows
from assay.models.paths import PathBatch

Batch = TypeVar("Batch", bound=PathBatch)


class SinglePass(ABC, Generic[Batch]):
    """An explainer that reads its scores off one pass over each text.

    Attributes:
        name: for messages.
        output_space: the units of the scores.
        differentiate: whether there is a backward pass per target.
    """

    __slots__ = ()
    version: ClassVar[int] = 1
    name: ClassVar[str]
    output_space: ClassVar[str] = "logit"
    differentiate: ClassVar[bool] = True

    @property
    @abstractmethod
    def traits(self) -> Traits: ...

    @abstractmethod
    def batches(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> Iterable[Batch]:
        """The engine's batches for one path per request."""

    @abstractmethod
    def scores(self, batch: Batch) -> Tensor:
        """(M, B, T) scores of a batch, or (1, B, T) for all targets alike."""

    def check(self, record: Explanation) -> None:
        """Raise InputError on a record that cannot be right."""

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target, in order."""
        require_compatible(self.name, self, engine, baseline)
        found: Explanations = [[] for _ in requests]
        began = time.perf_counter()
        for batch in self.batches(engine, requests, baseline):
            for index, records in self._records(batch, requests, began):
                found[index] = records
            # Or it would be in memory while the next one is made.
            del batch
            began = time.perf_counter()
        return found

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target if it differentiates."""
        return 1, targets if self.differentiate else 0

    def _records(
        self, batch: Batch, requests: Sequence[Request], began: float
    ) -> Iterator[tuple[int, list[Explanation]]]:
        """The position of each request in a batch, and its explanations."""
        scores = self.scores(batch).cpu().double().numpy()
        # At the text and, where there are two ends, at the reference.
        logits = batch.logits.reshape(-1, *batch.logits.shape[-2:]).cpu().double().numpy()
        ends = len(logits)
        seconds = (time.perf_counter() - began) / int(batch.lengths.sum())
        for at, index in enumerate(batch.path.tolist()):
            request, length = requests[index], int(batch.lengths[at])
            targets = len(request.targets)
            backward = ends * targets if self.differentiate else 0
            records = explanations(
                request,
                np.broadcast_to(scores[:, at, :length], (targets, length)),
                logits[0, at],
                logits[1, at] if ends == 2 else None,
                output_space=self.output_space,
                cost=Cost(ends, backward, ends * length, seconds * length),
            )
            for record in records:
                self.check(record)
            yield index, records


def text_paths(requests: Sequence[Request]) -> list[Path]:
    """For every text a path that is a single point, the text itself."""
    rows = [full_rows(request.encoding) for request in requests]
    here = np.ones(1)
    return [Path(row, row, here, request.targets) for row, request in zip(rows, requests, strict=True)]
