"""The commands that plan an experiment, run it, and tell of it."""

from __future__ import annotations

import argparse

from assay.harness.command_line.cli_command import Command, overrides


def _run(options: argparse.Namespace) -> int:
    from assay.harness.command_line import commands

    return commands.run(overrides(options))


def _plan(options: argparse.Namespace) -> int:
    from assay.harness.command_line import commands

    return commands.plan(overrides(options), calibrated=options.calibrate, workers=options.workers)


def _status(options: argparse.Namespace) -> int:
    from assay.harness.command_line.status_command import status

    return status(overrides(options))


def _report(options: argparse.Namespace) -> int:
    from assay.harness.command_line import commands

    return commands.report(overrides(options))


def _retry(options: argparse.Namespace) -> int:
    from assay.harness.command_line import commands

    return commands.retry(overrides(options))


def _plan_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--calibrate",
        action="store_true",
        help="measure this machine for ten seconds; later plans in the same store remember it",
    )
    command.add_argument(
        "--workers", metavar="N", type=_workers, default=1, help="also the time of N workers (1)"
    )


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number of workers, at least 1")
    return int(text)


COMMANDS = (
    Command(
        "run",
        "compute whatever is missing, then write tables, figures and the report",
        "Train the models, explain the texts, score the explanations and report. What is on disk already is "
        "not computed again, so a run that was stopped goes on where it was. A cell that fails is written to "
        "the ledger and the rest goes on. Exit status: 0 if everything is there, 1 if anything failed.",
        _run,
    ),
    Command(
        "plan",
        "show what a run would do, without doing it",
        "List trials and cells, which of them are on disk, which combinations make no sense and why, how "
        "many model rows and tokens are to be computed, and how long that takes and how much disk it fills, "
        "as far as earlier runs or a calibration tell.",
        _plan,
        _plan_options,
    ),
    Command(
        "status",
        "show what is done, running, failed and missing",
        "Read the store and count cells by trial and by everything that varies, with the reason of every "
        "failure and, while jobs are at work, the time left. Exit status: 0 if everything is done, 1 if not.",
        _status,
    ),
    Command(
        "retry",
        "try again what failed, and only that",
        "Compute again the cells and pairs of models that the ledger holds a failure of, or all cells of a "
        "trial that failed as a whole, and report. What is missing but did not fail is left to `assay run`. "
        "Exit status: 0 if everything is there, 1 if not.",
        _retry,
    ),
    Command(
        "report",
        "write tables, figures and the report from what is on disk",
        "Aggregate whatever is finished, even of an experiment that is still running. Nothing is computed "
        "with a model.",
        _report,
    ),
)
