"""The command that recommends an explainer."""

from __future__ import annotations

import argparse

from assay.harness.command_line.command import Command, open_trials
from assay.harness.command_line.terminal import print_error, print_json
from assay.harness.command_line.waiting import waiting
from assay.results.inert import inert
from assay.tasks.errors import InputError


def recommend(options: argparse.Namespace) -> int:
    """Recommend an explainer, or say why that cannot be told.

    Compare the explainers of an experiment in the store that keep all constraints by the weighted properties,
    and name those that cannot be told apart from the best, what each property and the price say, and what
    would change the answer. Nothing is computed with a model, except with --measure. Exit status: 0 if every
    task and model has a recommendation, 1 if that cannot be told of one, or if parts of the experiment are
    missing or failed and --partial is not given, 2 on bad usage.
    """
    from assay.harness.interface.recommending import of_experiment
    from assay.results.recommendation.answer import agreement
    from assay.results.recommendation.constraints import Constraints

    try:
        constraints = Constraints(
            latency=options.latency,
            memory=None if options.memory is None else options.memory * 2**20,
            rows=options.rows,
            gradients=not options.no_gradients,
            additive=options.additive,
            deterministic=options.deterministic,
            multi_label=options.multi_label,
        )
        weights = _weights(options.weight)
        experiment, trials = open_trials(options)
        with waiting("recommendation"):
            found = of_experiment(
                experiment, trials, constraints, weights, measure=options.measure, partial=options.partial
            )
    except InputError as error:
        print_error(f"error: {error}")
        return 2
    if options.json:
        said = {
            "incomplete": found.incomplete,
            "told": found.told,
            "agreement": agreement(found.of),
            "groups": found.records(),
        }
        print_json(said)
    else:
        print(inert(str(found)))
    return 0 if found.told else 1


def _weights(given: list[str] | None) -> dict[str, float] | None:
    """By property, of words PROPERTY=NUMBER with _ or - for a blank."""
    if not given:
        return None
    found = {}
    for word in given:
        name, _, number = word.partition("=")
        try:
            found[" ".join(name.replace("_", " ").replace("-", " ").split())] = float(number)
        except ValueError:
            raise InputError(f"--weight {word!r}: expected PROPERTY=NUMBER, such as faithfulness=2") from None
    return found


def _options(command: argparse.ArgumentParser) -> None:
    limits = (
        ("latency", "SECONDS", "longest p95 of the time per text, of which the upper 95 %% limit counts"),
        ("memory", "MIB", "most memory at the peak of a text; needs --measure"),
        ("rows", "N", "most rows of the model for any text"),
    )
    for name, unit, text in limits:
        command.add_argument(f"--{name}", metavar=unit, type=float, help=text)
    for name, text in (
        ("no-gradients", "no explainer that needs gradients"),
        ("additive", "only explainers whose scores sum to the change of the output"),
        ("deterministic", "no explainer that draws at random"),
        ("multi-label", "only what was measured on texts that may have several labels"),
        ("measure", "time each explainer now, one text at a time, in place of the times of its run"),
        ("partial", "answer from what is there, where parts of the experiment are missing or failed"),
        ("json", "as one JSON object"),
    ):
        command.add_argument(f"--{name}", action="store_true", help=text)
    command.add_argument(
        "--weight",
        metavar="PROPERTY=W",
        action="append",
        help="what counts and how much, as faithfulness=2; may be repeated (all measured properties alike)",
    )


COMMANDS = (Command("recommend", recommend, _options),)
