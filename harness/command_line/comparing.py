"""The command that compares two versions: of a model, of an explainer, of an experiment."""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.harness.command_line.command import Command
from assay.harness.command_line.terminal import print_error
from assay.harness.command_line.waiting import waiting
from assay.tasks.errors import InputError


def compare(options: argparse.Namespace) -> int:
    """Show what moved beyond noise between two versions.

    A and B are names of experiments, STORE/NAME, or tables of `assay export --to`; @MODEL or @seed=0,1 behind
    one chooses some of its models. For every explainer, baseline and metric of both: the difference with its
    interval and test, adjusted over the table. Texts are paired where ids and texts are the same. Models of
    other training seeds are told apart only where several seeds show how much seeds differ. Exit status: 0; 1
    if a --fail-if holds; 2 if one cannot be read or judged.
    """
    from assay.results.versions.conditions import condition

    try:
        conditions = [condition(text) for text in options.fail_if]
    except InputError as error:
        print_error(f"error: {error}")
        return 2
    from assay.harness.exchange.atomic import whole_file
    from assay.harness.interface.comparing import compared
    from assay.results.inert import to_csv
    from assay.results.versions.conditions import status
    from assay.results.versions.text import comparison_json

    with waiting("comparison"):
        found = compared(options.a, options.b, options.store, these_models=options.these_models)
    try:
        found = found.judged(conditions)
    except InputError as error:
        print_error(f"error: {error}")
        return 2
    if options.json:
        lists = found.rows, found.notes, found.drift, found.moved_texts, found.conditions
        print(comparison_json(found.names, *lists))
    else:
        print(found)
    if options.csv is not None:
        with whole_file(options.csv, overwrite=options.overwrite) as scratch:
            scratch.write_bytes(to_csv(found.changes))
    return status(found.conditions)


def _options(command: argparse.ArgumentParser) -> None:
    command.add_argument("a", metavar="A", help="the version before: NAME, STORE/NAME or an exported table")
    command.add_argument("b", metavar="B", help="the version after")
    command.add_argument(
        "--fail-if",
        metavar="CONDITION",
        action="append",
        default=[],
        help='end with status 1 where it holds: "METRIC worse" (better, moved), "agreement < 0.8"',
    )
    command.add_argument(
        "--these-models",
        action="store_true",
        help="ask about these very models: differences include those of their training seeds",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--csv", metavar="FILE", type=Path, help="also write the table of differences")
    command.add_argument("--overwrite", action="store_true", help="replace an earlier FILE")
    command.add_argument(
        "--store", metavar="FOLDER", type=Path, default=Path("assay-store"), help="(assay-store)"
    )


COMMANDS = (Command("compare", compare, _options),)
