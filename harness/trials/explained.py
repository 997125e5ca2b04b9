"""How many texts of a sweep are explained, by what is on disk, wherever the jobs run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay.harness.config.choice import EVERY_ABILITY
from assay.harness.storage.store import Store
from assay.harness.trials.plan import Trial, cells
from assay.harness.trials.trial import read_card


class ExplainedTexts:
    """Called, it counts texts times cells; what is finished is not looked at again.

    total: what it will count in the end, if every model can do everything. What a model turns out unable to
    do counts as done.
    """

    def __init__(self, trials: Sequence[Trial], store: Store) -> None:
        self.trials, self.store = trials, store
        self.total = sum(len(trial.task.test) * _assumed(trial) for trial in trials)
        self._open: dict[int, set[Path]] = {}

    def __call__(self) -> int:
        return self.total - sum(self._left(place, trial) for place, trial in enumerate(self.trials))

    def _left(self, place: int, trial: Trial) -> int:
        texts = len(trial.task.test)
        if place not in self._open:
            card = read_card(trial, self.store)
            if card is None:
                return texts * _assumed(trial)
            planned = cells(trial, card["weights"], frozenset(card["abilities"]))
            self._open[place] = {self.store.cell(cell.key) for cell in planned if cell.refusal is None}
        self._open[place] = {cell for cell in self._open[place] if not (cell / "cell.json").exists()}
        shard = int(trial.config.shard)
        return sum(max(texts - shard * _parts(cell), 0) for cell in self._open[place])


def _assumed(trial: Trial) -> int:
    """Its cells, before anybody knows what its model can do."""
    return sum(cell.refusal is None for cell in cells(trial, "unknown", EVERY_ABILITY))


def _parts(cell: Path) -> int:
    """Whole shards; the last one may be smaller, which only a cell that is all but finished shows."""
    try:
        return sum(not file.name.startswith(".") for file in (cell / "explanations").iterdir())
    except FileNotFoundError:
        return 0
