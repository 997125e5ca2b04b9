"""The commands that look after a store."""

from __future__ import annotations

import argparse

from assay.harness.command_line.cli_command import Command, overrides


def _verify(options: argparse.Namespace) -> int:
    from assay.harness.command_line.ledger_commands import verify

    return verify(overrides(options), repaired=options.repair)


def _clean(options: argparse.Namespace) -> int:
    from assay.harness.command_line.ledger_commands import clean

    return clean(overrides(options), unused_by=options.unused_by, yes=options.yes)


def _verify_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--repair", action="store_true", help="set aside what has a fault, so that the next run computes it"
    )


def _clean_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--yes", action="store_true", help="remove it; without this, it is only listed")
    command.add_argument(
        "--unused-by",
        metavar="OVERRIDES",
        action="append",
        default=[],
        help='also everything that this experiment does not use, as in --unused-by "experiment=quickstart '
        'seed=0"; several times: that none of them uses',
    )


COMMANDS = (
    Command(
        "verify",
        "check that stored files are whole and say truly where they come from",
        "Check the seal of every file, its columns, that every text is there once, that a name follows from "
        "what its record tells, and that models have the weights they are named by. Of one experiment "
        "(experiment=, task= ...), or of a whole store (store= alone). Exit status: 0 if no fault was found, "
        "1 if one was.",
        _verify,
        _verify_options,
    ),
    Command(
        "clean",
        "remove from a store what is of no use",
        "Without --yes nothing is removed, but what would be is listed with its size. What goes: files that "
        "were set aside as damaged, what killed jobs left half written more than a day ago, claims of dead "
        "jobs, cells and trials made by other versions of a method, and, where an experiment is given, "
        "failures of its cells that are done by now. Reports and links to other places are never touched. "
        "Exit status: 0.",
        _clean,
        _clean_options,
    ),
)
