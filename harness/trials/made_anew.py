"""Parts of a cell that rest on gates, or a masked language model, that were trained anew since."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from assay.harness.config.choice import ChosenMetric
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, present, whole_or_full
from assay.harness.trials.cells import Loaded
from assay.harness.trials.made_with import has_masked_lm, read_made_with
from assay.harness.trials.plan import Cell
from assay.harness.trials.trained_gates import gates_of

log = logging.getLogger(__name__)


def drop_others(cell: Cell, metrics: Sequence[ChosenMetric], loaded: Loaded, store: Store) -> bool:
    """Remove what of a cell that is not done was made with other weights than those that its rest would be
    made with; whether there was any. metrics: those that the cell is scored on."""
    folder = StoredCell(store.cell(cell.key))
    files: dict[Path, ChosenMetric | None] = {folder.scores(chosen.key): chosen for chosen in metrics}
    if folder.done and all(path.exists() for path in files):
        return False
    files |= dict.fromkeys(folder.parts())
    trained = gates_of(cell.method.explainer) is not None or has_masked_lm(cell.method.baseline)
    whole = [
        path
        for path, chosen in files.items()
        if (trained or (chosen is not None and has_masked_lm(chosen.used_removal))) and present(path)
    ]
    if not (others := _others(whole, files, cell, loaded)):
        return False
    # Another job may have trained anew since this one read them.
    loaded.forget_trained()
    if not (others := _others(whole, files, cell, loaded)):
        return False
    log.warning(
        "%s, %s: what it is made with was trained anew and has other weights than before, so %d of its files "
        "are made anew",
        *(loaded.trial.title, cell.title, len(others)),
    )
    with whole_or_full(folder.folder):
        if any(files[path] is None for path in others):
            # First, so that nobody takes the cell for done.
            folder.record.unlink(missing_ok=True)
            # Also the scores on metrics that this run does not ask for are of those explanations.
            others = [*others, *(path for path in folder.score_files() if path not in files)]
        for path in others:
            with suppress(FileNotFoundError):  # another job was faster
                path.unlink()
    return True


def _others(
    whole: Sequence[Path], files: dict[Path, ChosenMetric | None], cell: Cell, loaded: Loaded
) -> list[Path]:
    return [path for path in whole if read_made_with(path) != loaded.made_with(cell.method, files[path])]
