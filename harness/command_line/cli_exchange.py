"""The commands that take numbers elsewhere, or bring explanations from there."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from assay.harness.command_line.cli_command import Command, overrides

FORMATS = ("eraser", "study", "inseq", "jsonl")
AXES = ("task", "model", "seed")
TRACKERS = ("mlflow", "wandb", "tensorboard")


def _export(options: argparse.Namespace) -> int:
    from assay.harness.command_line import commands

    return commands.export(
        overrides(options), to=options.to, explanations=options.explanations, overwrite=options.overwrite
    )


def _import(options: argparse.Namespace) -> int:
    from assay.harness.command_line import commands
    from assay.harness.exchange.importing import Order

    order = Order(options.file, options.format, options.name, options.to, options.by, options.overwrite)
    return commands.import_scores(order, overrides(options))


def _track(options: argparse.Namespace) -> int:
    from assay.harness.command_line import commands

    return commands.track(overrides(options), to=options.to, folder=options.folder)


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
    found = tuple(text.split(","))
    if not all(axis in AXES or re.fullmatch(r"(task|model)(\.\w+)+", axis) for axis in found):
        raise argparse.ArgumentTypeError(
            f"{text!r}; expected some of {', '.join(AXES)} or settings such as model.path, with commas"
        )
    return found


def _track_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", required=True, choices=TRACKERS, help="the tracker to write for")
    command.add_argument(
        "--folder", metavar="DIR", type=Path, help="where its files go (STORE/experiments/NAME/tracking/TO)"
    )


COMMANDS = (
    Command(
        "export",
        "write the scores as one table, or the explanations as a dataset",
        "Take the numbers elsewhere: --to writes all scores of an experiment as one tidy table, "
        "--explanations a folder that Hugging Face datasets reads, texts included. What is not computed yet "
        "is left out. Exit status: 0 if everything is there, 1 if anything is missing.",
        _export,
        _export_options,
    ),
    Command(
        "import",
        "score explanations that were computed elsewhere",
        "Check a file of scores against a task, and make of it an explainer that can be chosen beside "
        "Assay's own. Prints the command that scores it. Nothing is written unless everything fits. Exit "
        "status: 0, or 1 if it does not fit.",
        _import,
        _import_options,
        overrides="whose scores: task=, experiment= ...",
    ),
    Command(
        "track",
        "hand finished cells over to MLflow, Weights & Biases or TensorBoard",
        "Write a run for every finished cell on disk: its axes as parameters, its scores with their "
        "intervals as metrics. What the tracker has already is not written again.",
        _track,
        _track_options,
    ),
)
