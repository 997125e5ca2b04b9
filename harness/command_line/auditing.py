"""The commands for people who must answer for a model: explainer cards, and a bundle for an audit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from assay.harness.command_line.command import Command, open_trials
from assay.harness.command_line.terminal import print_error, print_json
from assay.harness.command_line.waiting import waiting
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    from assay.harness.reporting.cards import Asked

ASKED = ("explainer", "baseline", "task", "model", "use", "by")


def card(options: argparse.Namespace) -> int:
    """Print or write explainer cards for an audit file.

    A card says of one explainer, with its baseline, on one task and model of a finished experiment: the model
    and the data with their hashes, method and settings, the evidence per property and what the checks of the
    metrics say of it, known limits of each label, warnings, versions, the command to repeat it, and who made
    it. Without --explainer there is one for every candidate. Nothing is computed with a model. Exit status:
    0, or 1 if a card cannot be made.
    """
    from assay.harness.exchange.cards import write_cards
    from assay.harness.reporting.cards import cards, finished
    from assay.results.card.write import record, to_markdown

    experiment, trials = open_trials(options)
    with waiting("cards"):
        made = cards(finished(experiment, trials), _asked(options))
    if options.to is not None:
        names = write_cards(made, options.to, overwrite=options.overwrite)
        print(f"{counted(len(made), 'card')} as .md, .json and .html: {', '.join(names)}, in {options.to}")
    elif options.json:
        print_json([record(one) for one in made])
    else:
        print("\n".join(to_markdown(one) for one in made))
    return 0


def audit(options: argparse.Namespace) -> int:
    """Write a bundle for an audit, or verify one.

    FOLDER gets the decisions, explanations and cards of a finished experiment, the evidence behind them, and
    the hashes of model, data and code, with a SHA256SUMS that `sha256sum -c` reads. Printed is one root hash,
    to be filed elsewhere. --verify FOLDER names every file that was changed, is missing or was added. Exit
    status: 0, or 1 if the bundle cannot be made, or is not what was written.
    """
    from assay.harness.exchange.audit import write_bundle
    from assay.harness.exchange.audit_sums import verify_bundle

    if options.verify:
        if options.overrides:
            raise InputError(
                f"--verify asks of the folder alone; expected nothing behind it, not {options.overrides[0]!r}"
            )
        found = verify_bundle(options.folder, options.root)
        for line in found.faults:
            print_error(f"error: {line}")
        said = "fits" if not found.faults else f"has {counted(len(found.faults), 'fault')}"
        print(f"{counted(found.files, 'file')}; the bundle {said}. Root hash: {found.root}")
        return 1 if found.faults else 0
    if options.root is not None:
        raise InputError("--root is what a bundle is verified against; expected --verify")
    experiment, trials = open_trials(options)
    with waiting("bundle"):
        written = write_bundle(experiment, trials, options.folder, _asked(options))
    print(f"{counted(written.files, 'file')}: {options.folder}. Root hash: {written.root}")
    return 0


def _asked(options: argparse.Namespace) -> Asked:
    from assay.harness.reporting.cards import Asked, today

    # Nothing of who or where is read from the system.
    given = {name: getattr(options, name, None) or "" for name in ASKED}
    return Asked(**given, date=today())


def _card_options(command: argparse.ArgumentParser) -> None:
    for name in ("explainer", "baseline", "task", "model"):
        command.add_argument(f"--{name}", metavar="NAME", help=f"of this {name} alone")
    command.add_argument("--use", metavar="TEXT", help="what the explanations are meant for")
    _add_by(command)
    command.add_argument("--to", metavar="FOLDER", type=Path, help="write Markdown, JSON and HTML into it")
    command.add_argument("--overwrite", action="store_true", help="replace earlier cards of the same names")
    command.add_argument("--json", action="store_true", help="print a JSON list")


def _audit_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="FOLDER", type=Path, help="the bundle: new, or empty")
    command.add_argument("--verify", action="store_true", help="verify the bundle in FOLDER; writes nothing")
    command.add_argument("--root", metavar="HASH", help="with --verify: the root hash that was filed")
    command.add_argument("--use", metavar="TEXT", help="what the explanations are meant for")
    _add_by(command)


def _add_by(command: argparse.ArgumentParser) -> None:
    command.add_argument("--by", metavar="NAME", help="who makes the card; never read from the system")


COMMANDS = (Command("card", card, _card_options), Command("audit", audit, _audit_options))
