"""Finished experiments as data frames."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.harness.exchange.export_explanations import export_explanations
from assay.harness.exchange.export_scores import export_scores
from assay.harness.interface.arguments import checked
from assay.harness.state.last_run import last_run
from assay.harness.storage.layout import Layout, StoredExperiment
from assay.harness.storage.store import Store, check_mark
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment
from assay.harness.trials.plan import Trial
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.files import is_there

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """A finished experiment; made by `load`.

    Attributes:
        experiment: its configuration and store.
        trials: its texts and methods.
    """

    experiment: Experiment
    trials: list[Trial]

    @property
    def scores(self) -> pd.DataFrame:
        """Every stored score, with the columns of `assay export --to` (docs/exchange.md)."""
        return self._frame("scores.parquet", partial(export_scores, overwrite=False))

    @property
    def explanations(self) -> pd.DataFrame:
        """Every stored explanation, with the columns of `assay export --explanations` (docs/exchange.md)."""
        return self._frame("folder", partial(export_explanations, overwrite=False))

    @property
    def comparison(self) -> pd.DataFrame:
        """The table of the report: one row per task, model, method and metric (docs/statistics.md)."""
        import pandas as pd

        store = self.experiment.store
        path = StoredExperiment(store.experiment(self.experiment.name)).comparison_table
        if not path.exists():
            raise InputError(f"the experiment {self.experiment.name!r} has no report yet; run `assay report`")
        return pd.read_csv(path, keep_default_na=False, na_values=[""])

    def _frame(self, name: str, export: Callable[[Experiment, list[Trial], Path], object]) -> pd.DataFrame:
        import pandas as pd

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            export(self.experiment, self.trials, path)
            files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
            return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)

    def __repr__(self) -> str:
        trials = counted(len(self.trials), "trial")
        return f"Runs of {self.experiment.name!r}: {trials} in {self.experiment.store.root}"


@checked
def load(store: str | Path, name: str) -> Runs:
    """A finished experiment.

    Args:
        store: the folder that it was run in.
        name: the experiment's name, as in `experiment=NAME` or `name=NAME`.

    Returns:
        Its scores, explanations and comparison as data frames.

    Raises:
        InputError: there is no such experiment in the store.

    Example:
        >>> load("assay-store", "quickstart").comparison  # doctest: +SKIP
    """
    if not is_there(Path(store)) or not Path(store).is_dir() or not check_mark(Layout(store)):
        raise InputError(f"there is no store {str(store)!r}; expected a folder that `assay run` wrote")
    root = Store(store)
    names = root.experiments()
    command = last_run(root, name) if name in names else None
    if command is None:
        hint = did_you_mean(name, names) if names else "it holds none"
        raise InputError(f"there is no finished experiment {name!r} in {str(store)!r}; {hint}")
    overrides = [text for text in command if not text.startswith("store=")]
    experiment = open_experiment([*overrides, f"store={store}"])
    return Runs(experiment, load_trials(experiment, record=False))
