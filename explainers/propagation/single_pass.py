"""Explainers that run each text once, or once with its reference, in batches that need not wait."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.protocol import Explanations, Request, Traits, explanations, require_compatible
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import full_rows
from assay.models.paths import PathBatch
from assay.models.staging import gathered

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
        explained: Explanations = [[] for _ in requests]
        found: list[_Found] = []
        began = time.perf_counter()
        for batch in self.batches(engine, requests, baseline):
            # At the text and, where there are two ends, at the reference.
            logits = batch.logits.reshape(-1, *batch.logits.shape[-2:])
            # Copied, for scores may be a part of all that the model attended to.
            kept = batch.path, batch.lengths, self.scores(batch).clone(), logits
            # Or it would be in memory while the next one is made.
            del batch
            found.append(_Found(*kept, time.perf_counter() - began))
            began = time.perf_counter()
        # The device is waited for here alone.
        read = gathered([tensor.detach() for part in found for tensor in (part.scores, part.logits)])
        wait = (time.perf_counter() - began) / max(1, sum(int(part.lengths.sum()) for part in found))
        for part, scores, logits in zip(found, read[::2], read[1::2], strict=True):
            for index, records in self._records(part, scores, logits, requests, wait):
                explained[index] = records
        return explained

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """One forward row, and one backward row per target if it differentiates."""
        return 1, targets if self.differentiate else 0

    def _records(
        self,
        found: _Found,
        scores: NDArray[np.float64],
        logits: NDArray[np.float64],
        requests: Sequence[Request],
        wait: float,
    ) -> Iterator[tuple[int, list[Explanation]]]:
        """The position of each request in a batch, and its explanations. wait: seconds for each token."""
        ends = len(logits)
        seconds = found.seconds / int(found.lengths.sum()) + wait
        for at, index in enumerate(found.path.tolist()):
            request, length = requests[index], int(found.lengths[at])
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


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What is kept of a batch, its tensors where the device left them. seconds: that it took."""

    path: NDArray[np.intp]
    lengths: NDArray[np.int32]
    scores: Tensor
    logits: Tensor
    seconds: float


def text_paths(requests: Sequence[Request]) -> list[Path]:
    """For every text a path that is a single point, the text itself."""
    rows = [full_rows(request.encoding) for request in requests]
    single = np.ones(1)
    return [Path(row, row, single, request.targets) for row, request in zip(rows, requests, strict=True)]
