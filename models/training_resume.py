"""Where the training of a classifier goes on after it was stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from assay.models.mlm_progress import Progress, Weights, load_progress, save_progress
from assay.models.report import Epoch

# Seconds of training that may be lost: files of a large network are large, so not every epoch is kept.
KEPT_EVERY = 30.0
# Of weights; the file of a network has them four times, and is made in memory. Larger ones begin anew.
MOST_BYTES = 256_000_000


@dataclass(slots=True, eq=False)
class Resume:
    """A file that has the state after an epoch. to_be_followed: whether another stage follows, for which the
    end is kept, too. guard: a scope in which a path is written. The caller removes the file, and that of the
    `base`.

    Example:
        >>> Resume(Path("training")).base().path.name
        'training.base'
    """

    path: Path
    to_be_followed: bool = False
    guard: Callable[[Path], AbstractContextManager[object]] = nullcontext
    # When this training went on, what was spent before, and when it was last kept.
    _began: float = 0.0
    _before: float = 0.0
    _kept: float = 0.0

    def base(self) -> Resume:
        """Of the model that this one starts from."""
        return Resume(self.path.with_name(f"{self.path.name}.base"), to_be_followed=True, guard=self.guard)

    def remove(self) -> None:
        """The files of both, if they are there."""
        for path in (self.path, self.base().path):
            path.unlink(missing_ok=True)

    def load(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, rng: np.random.Generator
    ) -> tuple[list[Epoch], int, Weights] | None:
        """Put everything where it was; the epochs so far, the best one and its weights. None where nothing,
        or nothing whole, was kept."""
        found = load_progress(self.path, network, optimizer, rng)
        self._began = self._kept = time.perf_counter()
        self._before = found.spent if found else 0.0
        if found is None:
            return None
        return [_read(n, row) for n, row in enumerate(found.epochs, start=1)], found.best_epoch, found.best

    def save(
        self,
        epochs: Sequence[Epoch],
        best: tuple[int, Weights],
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        rng: np.random.Generator,
        *,
        ended: bool,
    ) -> None:
        """Keep the state after an epoch, if the last time is long ago and the network not too large.

        Raises OSError, as of a full disk."""
        now = time.perf_counter()
        if sum(value.nbytes for value in network.state_dict().values()) > MOST_BYTES:
            return
        if self.to_be_followed if ended else now - self._kept >= KEPT_EVERY:
            progress = Progress(tuple(map(_row, epochs)), *best, self._before + now - self._began)
            with self.guard(self.path):
                save_progress(self.path, progress, network, optimizer, rng)
            self._kept = time.perf_counter()

    @property
    def seconds_before(self) -> float:
        """Of training, before it was stopped."""
        return self._before


def _row(epoch: Epoch) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in astuple(epoch)[1:])


def _read(number: int, row: Sequence[float]) -> Epoch:
    train_loss, dev_loss, macro_f1, weight, penalty = row
    with_penalty = (None, None) if math.isnan(weight) else (weight, penalty)
    return Epoch(number, train_loss, dev_loss, macro_f1, *with_penalty)
