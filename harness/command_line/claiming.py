"""The command that tests the claims of the diagnostic study."""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.harness.command_line.command import Command, open_trials
from assay.harness.command_line.terminal import print_error, print_json
from assay.harness.command_line.waiting import waiting
from assay.tasks.errors import InputError


def claims(options: argparse.Namespace) -> int:
    """Test the claims of the diagnostic study on an experiment.

    Of each claim: holds, does not hold, or cannot be told and why, with the estimate and its interval for
    every task and model that was measured. Nothing is computed with a model. --published sets numbers that
    you supply beside the measured ones: a CSV with the columns task, model, explainer, metric, value, and
    perhaps baseline and source. Exit status: 0, or 2 where nothing is scored or a file cannot be used.
    """
    from assay.harness.exchange.atomic import whole_file
    from assay.harness.reporting.claims import tested_claims
    from assay.results.claims.claims import claims_table
    from assay.results.claims.page import claims_text, plain_rows
    from assay.results.inert import to_csv

    try:
        experiment, trials = open_trials(options)
        with waiting("claims"):
            found, numbers = tested_claims(experiment, trials, options.published)
        if options.csv is not None:
            with whole_file(options.csv, overwrite=options.overwrite) as scratch:
                scratch.write_bytes(to_csv(claims_table(found)))
    except InputError as error:
        print_error(f"error: {error}")
        return 2
    if options.json:
        print_json(plain_rows(found, numbers))
    else:
        print(claims_text(found, numbers))
    return 0


def _options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--published", metavar="FILE", type=Path, help="a CSV of published numbers, to stand beside"
    )
    command.add_argument("--csv", metavar="FILE", type=Path, help="also write the table of the claims")
    command.add_argument("--overwrite", action="store_true", help="replace an earlier FILE")
    command.add_argument("--json", action="store_true", help="print one JSON object")


COMMANDS = (Command("claims", claims, _options, overrides="the experiment's name, or overrides"),)
