"""The command that draws one figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.harness.command_line.command import Command, open_trials
from assay.harness.command_line.terminal import print_error
from assay.harness.command_line.waiting import waiting
from assay.results.figures.names import KINDS
from assay.results.inert import inert
from assay.tasks.errors import InputError


def plot(options: argparse.Namespace) -> int:
    """Draw one figure of an experiment as SVG, PDF or PNG.

    Draw it from what is on disk, as the report has it; the suffix of --out chooses the format. Nothing is
    computed with a model. Exit status: 0, or 2 where there is no such figure or nothing to show.
    """
    from assay.harness.exchange.atomic import whole_file
    from assay.harness.reporting.figure_files import FORMATS, check_name, draw

    out: Path = options.out or Path(f"{options.figure}.svg")
    try:
        check_name(options.figure)
        suffix = out.suffix.lower().removeprefix(".")
        if suffix not in FORMATS:
            raise InputError(f"--out {str(out)!r}: expected a name that ends in .svg, .pdf or .png")
        experiment, trials = open_trials(options)
        with whole_file(out, overwrite=options.overwrite) as scratch:
            with waiting("figure"):
                drawn = draw(experiment, trials, options.figure)
            scratch.write_bytes({"svg": drawn.svg, "pdf": drawn.pdf, "png": drawn.png}[suffix])
    except InputError as error:
        print_error(f"error: {error}")
        return 2
    print(inert(f"{drawn.title}: {out}"))
    return 0


def _options(command: argparse.ArgumentParser) -> None:
    command.add_argument("figure", metavar="FIGURE", help=f"one of: {', '.join(KINDS)}")
    command.add_argument("--out", metavar="FILE", type=Path, help="where to write it (FIGURE.svg)")
    command.add_argument("--overwrite", action="store_true", help="replace an earlier FILE")


COMMANDS = (Command("plot", plot, _options, overrides="the experiment's name, or overrides"),)
