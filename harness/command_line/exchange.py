"""The commands that take numbers elsewhere, or bring explanations from there."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from assay.harness.command_line.command import Command, of_experiment, open_trials
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

FORMATS = ("eraser", "study", "inseq", "jsonl")
AXES = ("task", "model", "seed")
TRACKERS = ("mlflow", "wandb", "tensorboard")


def export(options: argparse.Namespace) -> int:
    """Write scores as one table, or explanations as a dataset.

    Take the numbers elsewhere: --to writes all scores of an experiment as one tidy table, --explanations a
    folder that Hugging Face datasets reads, texts included. What is not computed yet is left out. Exit
    status: 0 if everything is there, 1 if anything is missing.
    """
    from assay.harness.command_line.reports import exit_status
    from assay.harness.exchange.export_explanations import export_explanations
    from assay.harness.exchange.export_scores import export_scores

    table, folder, overwrite = options.to, options.explanations, options.overwrite
    if table is None and folder is None:
        raise InputError("nothing to export; give --to FILE for the scores or --explanations FOLDER, or both")
    experiment, trials = open_trials(options)
    if table is not None:
        rows, tables = export_scores(experiment, trials, table, overwrite=overwrite)
        print(f"{counted(rows, 'score')} of {counted(tables, 'table')}: {table}")
    if folder is not None:
        rows = export_explanations(experiment, trials, folder, overwrite=overwrite)
        print(f"{counted(rows, 'explanation')}, with their texts: {folder}")
    return exit_status(experiment, trials)


def import_scores(options: argparse.Namespace) -> int:
    """Score explanations that were computed elsewhere.

    Check a file of scores against a task, and make of it an explainer that can be chosen beside Assay's own.
    Prints the command that scores it. Nothing is written unless everything fits. Exit status: 0, or 1 if it
    does not fit.
    """
    from assay.harness.exchange import importing

    given = options.file, options.format, options.name, options.to, options.by, options.overwrite
    print(importing.import_scores(importing.Order(*given), of_experiment(options)))
    return 0


def track(options: argparse.Namespace) -> int:
    """Hand results to MLflow, Weights & Biases or TensorBoard.

    Write a run for every finished cell on disk: its axes as parameters, its scores with their intervals as
    metrics. What the tracker has already is not written again.
    """
    from assay.harness.exchange import tracking

    tracked = tracking.track(*open_trials(options), options.to, options.folder)
    print(f"Runs written: {tracked.written}, there already: {tracked.known}. Folder: {tracked.folder}")
    return 0


def _export_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", metavar="FILE", type=Path, help="all scores: a .parquet or a .csv")
    command.add_argument("--explanations", metavar="FOLDER", type=Path, help="all explanations: a dataset")
    command.add_argument("--overwrite", action="store_true", help="replace an earlier export")


def _import_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", type=Path, help="the scores, plain or gzipped")
    command.add_argument(
        "--format",
        choices=FORMATS,
        required=True,
        help="ERASER's predictions, a saliency file of the diagnostic study, what inseq saves, plain JSONL",
    )
    command.add_argument(
        "--as", dest="name", metavar="NAME", required=True, help="what to call the explainer"
    )
    command.add_argument(
        "--to", metavar="FOLDER", type=Path, default=Path("imported"), help="where to put it (imported)"
    )
    command.add_argument(
        "--by",
        metavar="AXIS,...",
        type=_axes,
        default=(),
        help="axes with a file per value, such as model,seed,model.path; FILE is that of the chosen values",
    )
    command.add_argument("--overwrite", action="store_true", help="replace an earlier import of that name")


def _axes(text: str) -> tuple[str, ...]:
    axes = tuple(text.split(","))
    if not all(axis in AXES or re.fullmatch(r"(task|model)(\.\w+)+", axis) for axis in axes):
        raise argparse.ArgumentTypeError(
            f"{text!r}; expected some of {', '.join(AXES)} or settings such as model.path, with commas"
        )
    return axes


def _track_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", required=True, choices=TRACKERS, help="the tracker to write for")
    command.add_argument(
        "--folder", metavar="DIR", type=Path, help="where its files go (STORE/experiments/NAME/tracking/TO)"
    )


COMMANDS = (
    Command("export", export, _export_options),
    Command("import", import_scores, _import_options, "whose scores: task=, experiment= ..."),
    Command("track", track, _track_options),
)
