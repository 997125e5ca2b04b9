"""How fast a full store answers: status under 2 seconds and report under 60 on 10,000 finished cells.

    python scripts/store_scale.py [--quick] [--store FOLDER]

Runs one tiny trial (40 planted texts, a linear model, 40 cells, three metrics) and copies what it left to all
trials of an experiment of 25 models and 10 seeds, under the names that each of them expects; scores
are drawn anew for every cell, from those of the trial's texts. Then times `assay status` and `assay report`,
each in a process of its own, interpreter start and peak of resident memory (at most 1 GB) included; status
once more before, because the first after the store was made by hand finds no manifest. --quick:
800 cells, the same bars. --store: keep the store there; what it has already is not made again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from unittest.mock import patch

from bar import HIDDEN, Table, finish, options

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from assay.harness.storage.store import Store
    from assay.harness.trials.experiment import Experiment
    from assay.harness.trials.plan import Trial

STATUS_SECONDS, REPORT_SECONDS, MEGABYTES = 2.0, 60.0, 1000.0
PLAIN = ("gold", "random", "saliency_l2", "input_x_gradient_l2")
WITH_BASELINE = ("inverted", "integrated_gradients", "integrated_gradients_until", "occlusion")
WITH_BASELINE += ("occlusion_window", "lime", "kernel_shap", "shapley_sampling", "owen")
BASELINES = ("mask", "pad", "zero", "unk")
CELLS_OF_A_TRIAL = len(PLAIN) + len(WITH_BASELINE) * len(BASELINES)
ROWS = ("lime", "kernel_shap")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The axes of the experiment; a group of the report is a model."""

    models: int
    seeds: int

    @property
    def cells(self) -> int:
        return self.models * self.seeds * CELLS_OF_A_TRIAL


FULL, QUICK = Sizes(25, 10), Sizes(4, 5)


@dataclass(frozen=True, slots=True)
class Measured:
    """One command: wall seconds with the interpreter's start, those of the processor, MB held at most."""

    seconds: float
    cpu: float
    megabytes: float
    output: str


def overrides(sizes: Sizes, store: Path) -> list[str]:
    """The experiment, as on the command line."""
    return [
        "name=scale",
        f"store={store}",
        "task=planted",
        *("task.train=60", "task.dev=20", "task.test=40"),
        "model=linear",
        f"model.name={','.join(f'model_{number}' for number in range(sizes.models))}",
        "model.training.epochs=3",
        f"seed={','.join(map(str, range(sizes.seeds)))}",
        f"explainer=[{','.join((*PLAIN, *WITH_BASELINE))}]",
        f"baseline=[{','.join(BASELINES)}]",
        "metric=[human_agreement,faithfulness,compute_time]",
        *(f"explainer.{name}.rows=30" for name in ROWS),
    ]


def make(sizes: Sizes, folder: Path) -> None:
    """Leave a store in which every cell of the experiment is finished."""
    from assay.harness.trials.experiment import load_trials, open_experiment
    from assay.harness.trials.trial import complete

    experiment = open_experiment(overrides(sizes, folder))
    trials, store = load_trials(experiment), experiment.store
    run(experiment)
    first = _left(trials[0], store)
    # Files made here need not survive a power cut.
    with patch("os.fsync"):
        for trial in trials[1:]:
            if not complete(trial, store):
                _copy(first, trial, store)
    unfinished = [trial.title for trial in trials if not complete(trial, store)]
    if unfinished or len(trials) != len(experiment.configs):
        raise SystemExit(f"{len(unfinished)} trials are not finished, first {unfinished[:1]}")


def run(experiment: Experiment) -> None:
    """Run the first trial for real."""
    from assay.harness.trials.launch import launch

    launch(
        [*experiment.sweep.fixed, *(f"{key}={values[0]}" for key, values in experiment.sweep.axes.items())]
    )


@dataclass(frozen=True, slots=True, eq=False)
class CellFiles:
    """What a finished cell left: its description, its parts by their paths, and its scores by file name."""

    about: dict[str, Any]
    parts: dict[str, pa.Table]
    scores: dict[str, Scores]


@dataclass(frozen=True, slots=True, eq=False)
class TrialFiles:
    """What a finished trial left."""

    card: dict[str, Any]
    record: dict[str, Any]
    predictions: pa.Table
    cells: list[CellFiles]


def _left(trial: Trial, store: Store) -> TrialFiles:
    from assay.harness.reporting.missing import cells_of_trial
    from assay.harness.storage.layout import StoredCell
    from assay.harness.storage.store import read_json, read_table
    from assay.harness.trials.trial import read_card, read_trial, stored_trial

    card, record, stored = read_card(trial, store), read_trial(trial, store), stored_trial(trial, store)
    if card is None or record is None or stored is None:
        raise SystemExit("the first trial did not finish")
    cells = []
    for cell in (StoredCell(store.cell(cell.key)) for cell in cells_of_trial(trial, store)):
        files = [*cell.parts(), *cell.seconds_parts()]
        parts = {str(file.relative_to(cell.folder)): read_table(file) for file in files}
        scores = {file.name: Scores.read(file) for file in cell.score_files()}
        cells.append(CellFiles(read_json(cell.record), parts, scores))
    return TrialFiles(card, record, read_table(stored.predictions), cells)


def _copy(first: TrialFiles, trial: Trial, store: Store) -> None:
    """Give a trial what the first one left, with scores of its own."""
    import numpy as np

    from assay.harness.reporting.missing import cells_of_trial
    from assay.harness.storage.layout import StoredCell, StoredModel, StoredTrial
    from assay.harness.storage.store import write_json, write_table

    write_json(StoredModel(store.model(trial.model_key)).card, first.card)
    stored = StoredTrial(store.trial(trial.key(first.card["weights"])))
    about = {"task": trial.task.name, "model": trial.model_name, "seed": trial.seed}
    write_table(stored.predictions, first.predictions)
    write_json(stored.record, {**first.record, **about})
    rng = np.random.default_rng(int(trial.model_key, 16))
    for files, cell in zip(first.cells, cells_of_trial(trial, store), strict=True):
        of_cell = StoredCell(store.cell(cell.key))
        for name, table in files.parts.items():
            write_table(of_cell.folder / name, table)
        for name, scores in files.scores.items():
            write_table(of_cell.score_file(name), scores.redrawn(rng))
        write_json(of_cell.record, {**files.about, **about})


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """A long table and its values as (parts, units, targets); at: (3, rows) where each row stands in them."""

    table: pa.Table
    values: np.ndarray[Any, np.dtype[np.float64]]
    at: np.ndarray[Any, np.dtype[np.intp]]

    @classmethod
    def read(cls, file: Path) -> Scores:
        import numpy as np

        from assay.harness.storage.store import read_table
        from assay.metrics.long_table import wide

        table = read_table(file)
        units, targets, parts = wide(table.to_pandas())
        known = (sorted(parts), units, targets)
        columns = (np.array(table[name].to_pylist()) for name in ("part", "unit", "target"))
        at = np.stack([np.searchsorted(*pair) for pair in zip(known, columns, strict=True)])
        return cls(table, np.stack([parts[name] for name in sorted(parts)]), at)

    def redrawn(self, rng: np.random.Generator) -> pa.Table:
        """The table with each unit having the numbers of a unit drawn at random."""
        import pyarrow as pa

        part, unit, target = self.at
        drawn = rng.integers(0, self.values.shape[1], self.values.shape[1])
        values = pa.array(self.values[part, drawn[unit], target])
        return self.table.set_column(self.table.column_names.index("value"), "value", values)


def measured(command: str, sizes: Sizes, folder: Path) -> Measured:
    """Run `assay` in a process of its own."""
    program = "import sys; from assay.harness.cli import main; sys.exit(main(sys.argv[1:]))"
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", program, command, *overrides(sizes, folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    # Of this process alone, which RUSAGE_CHILDREN is not.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"assay {command} failed:\n{output[-3000:]}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def compare(sizes: Sizes, folder: Path) -> NoReturn:
    """Make the store, time the commands, print the table and the bar."""
    start = time.perf_counter()
    # In a process of its own: a child begins with the peak memory of its parent.
    program = [sys.executable, __file__, "--make", "--store", str(folder)]
    if subprocess.run([*program, *(["--quick"] if sizes == QUICK else [])], check=False).returncode:
        raise SystemExit("the store could not be made")
    print(f"{sizes.cells:,} cells made in {time.perf_counter() - start:.0f} s", flush=True)
    # As `assay run` does, the first command that looks leaves a manifest.
    first = measured("status", sizes, folder)
    found = {command: measured(command, sizes, folder) for command in ("status", "report")}
    page = folder / "experiments" / "scale" / "report.html"
    print(f"page: {page.stat().st_size / 1e6:.1f} MB")
    table = Table("command", seconds=".2f", of_processor=".2f", MB=".0f")
    for command, of in {"status, the first": first, **found}.items():
        table.row(command, of.seconds, of.cpu, of.megabytes)
    status, report = found["status"], found["report"]
    most = max(of.megabytes for of in found.values())
    finish(
        status.seconds < STATUS_SECONDS and report.seconds < REPORT_SECONDS and most < MEGABYTES,
        f"{sizes.cells:,} cells: status {status.seconds:.2f} s (under {STATUS_SECONDS:.0f}), report "
        f"{report.seconds:.1f} s (under {REPORT_SECONDS:.0f}), memory {most:.0f} MB (under {MEGABYTES:.0f})",
    )


def main() -> None:
    chosen = options(
        __doc__,
        "800 cells; under a minute",
        store=(Path, "keep the store here"),
        make=(False, HIDDEN),
    )
    sizes = QUICK if chosen.quick else FULL
    if chosen.make:
        make(sizes, chosen.store)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(sizes, chosen.store or Path(folder))


if __name__ == "__main__":
    main()
