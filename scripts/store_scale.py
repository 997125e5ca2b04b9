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
from pathlib import Path
from typing import NamedTuple, NoReturn

from bar import Table, finish, fresh_process, options

STATUS_SECONDS, REPORT_SECONDS, MEGABYTES = 2.0, 45.0, 1000.0
PLAIN = ("gold", "random", "saliency_l2", "input_x_gradient_l2")
WITH_BASELINE = ("inverted", "integrated_gradients", "integrated_gradients_until", "occlusion")
WITH_BASELINE += ("occlusion_window", "lime", "kernel_shap", "shapley_sampling", "owen")
BASELINES = ("mask", "pad", "zero", "unk")
CELLS_OF_A_TRIAL = len(PLAIN) + len(WITH_BASELINE) * len(BASELINES)
ROWS = ("lime", "kernel_shap")


class Sizes(NamedTuple):
    """The axes of the experiment; a group of the report is a model."""

    models: int
    seeds: int

    @property
    def cells(self) -> int:
        return self.models * self.seeds * CELLS_OF_A_TRIAL


FULL, QUICK = Sizes(25, 10), Sizes(4, 5)


class Measured(NamedTuple):
    """One command: wall seconds with the interpreter's start, those of the processor, MB held at most."""

    seconds: float
    processor: float
    megabytes: float


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
    from store_copies import fill  # not above: a process begins with the peak memory of its parent

    fill(overrides(sizes, folder))


def measured(command: str, sizes: Sizes, folder: Path) -> Measured:
    """Run `assay` in a process of its own."""
    program = "import sys; from assay.harness.cli import main; sys.exit(main(sys.argv[1:]))"
    start = time.perf_counter()
    with (folder / "scale.log").open("w+") as log:
        arguments = [sys.executable, "-c", program, command, *overrides(sizes, folder)]
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
        # Of this process alone, which RUSAGE_CHILDREN is not.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        if process.returncode:
            raise SystemExit(f"assay {command} failed:\n{log.read()[-3000:]}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(sizes: Sizes, folder: Path) -> NoReturn:
    """Make the store, time the commands, print the table and the bar."""
    start = time.perf_counter()
    fresh_process(make, sizes, folder)
    print(f"{sizes.cells:,} cells made in {time.perf_counter() - start:.0f} s", flush=True)
    # As `assay run` does, the first command that looks leaves a manifest.
    first, status, report = (measured(name, sizes, folder) for name in ("status", "status", "report"))
    page = folder / "experiments" / "scale" / "report.html"
    print(f"page: {page.stat().st_size / 1e6:.1f} MB")
    table = Table("command", seconds=".2f", of_processor=".2f", MB=".0f")
    table.row("status, the first", *first)
    table.row("status", *status)
    table.row("report", *report)
    most = max(status.megabytes, report.megabytes)
    finish(
        status.seconds < STATUS_SECONDS and report.seconds < REPORT_SECONDS and most < MEGABYTES,
        f"{sizes.cells:,} cells: status {status.seconds:.2f} s (under {STATUS_SECONDS:.0f}), report "
        f"{report.seconds:.1f} s (under {REPORT_SECONDS:.0f}), memory {most:.0f} MB (under {MEGABYTES:.0f})",
    )


def main() -> None:
    chosen = options(__doc__, "800 cells; under a minute", store=(Path, "keep the store here"))
    with tempfile.TemporaryDirectory() as folder:
        compare(QUICK if chosen.quick else FULL, chosen.store or Path(folder))


if __name__ == "__main__":
    main()
