"""The commands that plan an experiment, run it, and tell of it."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.harness.command_line.command import Command, of_experiment, open_trials
from assay.harness.command_line.terminal import print_error

if TYPE_CHECKING:
    from assay.harness.state.manifest import Manifest


def run(options: argparse.Namespace) -> int:
    """Compute what is missing, then write tables and the report.

    Train the models, explain the texts, score the explanations and report. What is on disk already is not
    computed again, so a run that was stopped goes on where it was. A cell that fails is written to the ledger
    and the rest goes on. Exit status: 0 if everything is there, 1 if anything failed.
    """
    from assay.harness.command_line.reports import compute_and_report
    from assay.harness.trials.experiment import open_experiment

    experiment = open_experiment(of_experiment(options, asks=False))
    config, ask = experiment.configs[0], None
    if config.knowledge.ask:
        from assay.harness.command_line.knowledge import write_knowledge

        ask = partial(write_knowledge, experiment)
    status = compute_and_report(experiment, ask=ask)
    if config.concepts.ask:
        from assay.harness.command_line.concepts import write_concepts
        from assay.harness.trials.experiment import load_trials

        status = max(status, write_concepts(experiment, load_trials(experiment, record=False)))
    return status


def plan(options: argparse.Namespace) -> int:
    """Show what a run would do, without doing it.

    List trials and cells, which of them are on disk, which combinations make no sense and why, how many model
    rows and tokens are to be computed, and how long that takes and how much disk it fills, as far as earlier
    runs or a calibration tell. Exit status: 0, or 1 if the texts of no trial can be read.
    """
    from assay.harness.costs import planning
    from assay.harness.reporting.data_sheets import task_sizes
    from assay.harness.trials.experiment import load_trials, open_experiment
    from assay.results.tables.data_sheet_layout import sheets, sheets_markdown

    experiment = open_experiment(of_experiment(options, asks=False))
    if options.calibrate:
        experiment.store.require_writable()
    planned = planning.plan(experiment, calibrated=options.calibrate, workers=options.workers)
    print(planned.text)
    if options.data_sheet:
        print(sheets_markdown(sheets(task_sizes(load_trials(experiment, record=False)))))
    return 0 if planned.trials else 1


def status(options: argparse.Namespace) -> int:
    """Show what is done, running, failed and missing.

    Read the store and count cells by trial and by everything that varies, with the reason of every failure
    and, while jobs are at work, the time left. Exit status: 0 if everything is done, 1 if not.
    """
    from assay.harness.state.eta import remaining
    from assay.harness.state.last_run import other_run
    from assay.harness.state.manifest import recall
    from assay.harness.state.status import State, survey
    from assay.harness.state.status_text import status_text
    from assay.harness.state.store_state import jobs, living_claims, model_remarks, read_store_state

    overrides = of_experiment(options)
    manifest = recall(overrides) or _new_manifest(options)
    store, planned = manifest.store, manifest.planned
    claims = living_claims(store, planned)
    state = survey(planned, read_store_state(store, planned, claims))
    print(status_text(manifest.name, state, claims, remaining(state, store, jobs(claims))))
    for remark in model_remarks(store, planned):
        print(f"\nwarning: {remark}")
    if not state.counts()[State.done] and (note := other_run(store, manifest.name, overrides)):
        print_error(note)
    if state.nothing_fits:
        print_error("error: no explainer fits, so there is nothing to compute; assay plan gives the reasons")
    return 0 if state.done and not state.nothing_fits else 1


def _new_manifest(options: argparse.Namespace) -> Manifest:
    """The manifest of an experiment that the store has no valid snapshot of; this imports torch."""
    from assay.harness.state.manifest import Manifest
    from assay.harness.state.plan_snapshot import plan_work

    experiment, trials = open_trials(options)
    return Manifest(experiment.name, experiment.store, plan_work(experiment, trials))


def retry(options: argparse.Namespace) -> int:
    """Try again what failed, and only that.

    Compute again the cells and pairs of models that the ledger holds a failure of, or all cells of a trial
    that failed as a whole, and report. What is missing but did not fail is left to `assay run`. Exit status:
    0 if everything is there, 1 if not.
    """
    from assay.harness.command_line.reports import compute_and_report, exit_status
    from assay.harness.state.retry import retry_text, what_failed

    experiment, trials = open_trials(options)
    experiment.store.require_writable()
    failed = what_failed(experiment, trials)
    print(retry_text(failed))
    if not failed.failures:
        return exit_status(experiment, trials)
    return compute_and_report(failed.experiment, everything=False)


def report(options: argparse.Namespace) -> int:
    """Write tables, figures and the report from what is on disk.

    Aggregate whatever is finished, even of an experiment that is still running. Nothing is computed with a
    model. The report lies in the store, or elsewhere with --to. Exit status: 0 if everything is there, 1 if
    not.
    """
    from assay.harness.command_line.early import early_processes

    with early_processes(options.overrides) as pool:
        # Slow to import, as are the processes.
        from assay.harness.command_line.reports import exit_status, write_report

        experiment, trials = open_trials(options)
        write_report(experiment, trials, to=options.to, published=options.published, pool=pool)
        return exit_status(experiment, trials)


def _plan_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--calibrate",
        action="store_true",
        help="measure this machine for ten seconds; later plans in the same store remember it",
    )
    command.add_argument(
        "--workers", metavar="N", type=_workers, default=1, help="also the time of N workers (1)"
    )
    command.add_argument(
        "--data-sheet",
        action="store_true",
        help="also read all texts and show their lengths, labels, duplicates, rationales and annotators",
    )


def _report_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--to", metavar="FOLDER", type=Path, help="where to write it (STORE/experiments/NAME)"
    )
    command.add_argument(
        "--published",
        metavar="FILE",
        type=Path,
        help="a CSV of published numbers, to stand beside (assay claims)",
    )


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number of workers, at least 1")
    return int(text)


COMMANDS = (
    Command("run", run),
    Command("plan", plan, _plan_options),
    Command("status", status),
    Command("retry", retry),
    Command("report", report, _report_options),
)
