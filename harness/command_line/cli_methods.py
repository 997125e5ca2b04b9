"""The commands that question methods, explainers by retraining and metrics by known answers."""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.harness.command_line.cli_command import Command, overrides


def _roar(options: argparse.Namespace) -> int:
    from assay.harness.command_line import commands

    return commands.roar(
        overrides(options), shares=options.shares, recursive=options.recursive, absent=options.absent
    )


def _check_metrics(options: argparse.Namespace) -> int:
    from assay.harness.command_line import commands

    return commands.check_metrics(overrides(options), csv=options.csv, quick=options.quick)


def _choices(_: argparse.Namespace) -> int:
    from assay.harness.command_line.show import choices

    print(choices())
    return 0


def _roar_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--shares",
        metavar="PERCENT,...",
        type=_percentages,
        default=(10, 30, 50, 70, 90),
        help="percent of the words of each text that go (10,30,50,70,90)",
    )
    command.add_argument("--recursive", action="store_true", help="explain what is left before each share")
    command.add_argument(
        "--absent",
        choices=("delete", "mask"),
        default="delete",
        help="whether words are deleted or replaced by one that stands for all (delete)",
    )


def _percentages(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; expected percentages such as 10,30,50") from None


def _check_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quick", action="store_true", help="fewer texts and repetitions, rougher numbers")
    command.add_argument("--csv", metavar="FILE", type=Path, help="also write the table here")


COMMANDS = (
    Command(
        "roar",
        "retrain without the words each explainer ranks first (ROAR)",
        "Take the words that an explainer ranks first out of all texts, training texts included, train the "
        "model anew on what is left, and show its accuracy beside that after random removal. Trains a model "
        "for every explainer, baseline, share and trial. What is on disk already is not computed again. Exit "
        "status: 0 if everything is there, 1 if anything failed.",
        _roar,
        _roar_options,
    ),
    Command(
        "check-metrics",
        "check whether each metric tells good explanations from bad ones",
        "Give every metric exact, noisy, random and inverted explanations of models whose answers can be "
        "explained exactly, and print how well it tells them apart. The last line names those that fail. "
        "Takes minutes. Exit status: 0.",
        _check_metrics,
        _check_options,
        overrides="names of metrics (all that are shipped), and settings of theirs: metric.NAME.KEY=VALUE",
    ),
    Command("choices", "list every name that a group offers", "", _choices, overrides=""),
)
