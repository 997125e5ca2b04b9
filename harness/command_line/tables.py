"""The command that writes the comparison as one table."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from assay.harness.command_line.command import Command, open_trials
from assay.harness.command_line.terminal import print_error
from assay.results.inert import inert
from assay.tasks.errors import InputError


def table(options: argparse.Namespace) -> int:
    """Write the comparison as one table for a paper or a program.

    The suffix of --out chooses LaTeX, Markdown, HTML, CSV or Parquet. LaTeX fits one column of an article
    with two and needs booktabs; beside it stands references.bib, with the methods and metrics that were used.
    CSV and Parquet have the columns of comparison.csv. Nothing is computed with a model. Exit status: 0, or 2
    on bad usage.
    """
    from assay.harness.exchange.atomic import whole_file
    from assay.harness.reporting.table_files import Layout, table_file

    out: Path = options.out
    try:
        names = [name for text in options.metrics for name in text.split(",") if name]
        layout = Layout(out.suffix.lower().removeprefix("."), tuple(names), options.transpose)
        experiment, trials = open_trials(options)
        content, references = table_file(experiment, trials, layout)
        files = {out: content} | ({out.with_name("references.bib"): references} if references else {})
        with ExitStack() as every:
            # All of them or none.
            for path, each in files.items():
                every.enter_context(whole_file(path, overwrite=options.overwrite)).write_bytes(each)
        print(inert(f"wrote {' and '.join(map(str, files))}"))
    except InputError as error:
        print_error(f"error: {error}")
        return 2
    return 0


def _options(command: argparse.ArgumentParser) -> None:
    formats = "FILE.tex, .md, .html, .csv or .parquet"
    command.add_argument("--out", metavar="FILE", type=Path, required=True, help=formats)
    command.add_argument(
        "--metrics",
        metavar="NAME,NAME",
        action="append",
        default=[],
        help="these metrics, in this order (the first of each of the six properties)",
    )
    command.add_argument(
        "--transpose",
        action="store_true",
        help="a row per metric and a column per explainer (.tex, .md, .html)",
    )
    command.add_argument("--overwrite", action="store_true", help="replace earlier files")


COMMANDS = (Command("table", table, _options, overrides="the experiment's name, or overrides"),)
