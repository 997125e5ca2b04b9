"""How many texts of a sweep are explained, by what is on disk, wherever the jobs run."""

from __future__ import annotations

from collections.abc import Sequence

from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import assumed_cells, trial_cells


class ExplainedTexts:
    """Called, it counts texts times cells; what is finished is not looked at again.

    total: what it will count in the end, if every model can do everything. What a model turns out unable to
    do counts as done.
    """

    def __init__(self, trials: Sequence[Trial], store: Store) -> None:
        self.trials, self.store = trials, store
        self.total = sum(len(trial.task.test) * len(assumed_cells(trial).possible) for trial in trials)
        self._open: dict[int, set[StoredCell]] = {}

    def __call__(self) -> int:
        return self.total - sum(self._left(index, trial) for index, trial in enumerate(self.trials))

    def _left(self, index: int, trial: Trial) -> int:
        texts = len(trial.task.test)
        if index not in self._open:
            planned = trial_cells(trial, self.store)
            if planned is None:
                return texts * len(assumed_cells(trial).possible)
            self._open[index] = {StoredCell(self.store.cell(cell.key)) for cell in planned.possible}
        self._open[index] = {cell for cell in self._open[index] if not cell.done}
        # The last shard may be smaller, which only a cell that is all but finished shows.
        shard = int(trial.config.shard)
        return sum(max(texts - shard * len(cell.parts()), 0) for cell in self._open[index])
