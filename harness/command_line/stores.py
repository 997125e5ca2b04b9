"""The commands that look after a store."""

from __future__ import annotations

import argparse
import shlex

from assay.harness.command_line.command import Command, of_experiment, open_trials


def verify(options: argparse.Namespace) -> int:
    """Check that stored files are whole, and where they are from.

    Check the seal of every file, its columns, that every text is there once, that a name follows from what
    its record tells, and that models have the weights they are named by. Of one experiment (experiment=,
    task= ...), or of a whole store (store= alone). Exit status: 0 if no fault was found, 1 if one was.
    """
    from assay.harness.upkeep import verify as integrity
    from assay.harness.upkeep.references import existing_store, names_experiment, used

    given = of_experiment(options)
    store = existing_store(given)
    if options.repair:
        store.require_writable()
    only = used(*open_trials(options)) if names_experiment(given) else None
    faults = list(integrity.verify(store, only))
    if options.repair:
        integrity.repair(faults)
    print(integrity.verify_text(store, faults, repaired=options.repair))
    return 1 if any(fault.aside for fault in faults) else 0


def clean(options: argparse.Namespace) -> int:
    """Remove from a store what is of no use.

    Without --yes nothing is removed, but what would be is listed with its size. What goes: files that were
    set aside as damaged, what killed jobs left half written more than a day ago, claims of dead jobs, cells
    and trials made by other versions of a method, and, where an experiment is given, failures of its cells
    that are done by now. Reports and links to other places are never touched. Exit status: 0.
    """
    from assay.harness.state.last_run import expanded
    from assay.harness.state.plan_snapshot import plan_work
    from assay.harness.upkeep.clean import clean_text, garbage, remove, unused
    from assay.harness.upkeep.references import existing_store, names_experiment, references_of_experiment

    given = of_experiment(options)
    store = existing_store(given)
    if options.yes:
        store.require_writable()
    planned = plan_work(*open_trials(options)) if names_experiment(given) else None
    useless = list(garbage(store, planned))
    if options.unused_by:
        shared = [text for text in given if text.startswith("hydra.searchpath=")] + [f"store={store.root}"]
        named = [expanded([*shlex.split(user), *shared], asks=True) for user in options.unused_by]
        users = list(map(references_of_experiment, named))
        listed = {entry.path for entry in useless}
        useless += [entry for entry in unused(store, users) if entry.path not in listed]
    if options.yes:
        remove(store, useless)
    print(clean_text(store, useless, removed=options.yes))
    return 0


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
    Command("verify", verify, _verify_options),
    Command("clean", clean, _clean_options),
)
