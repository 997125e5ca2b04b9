"""Commands that validate models, explainers (ROAR) and metrics (known answers), and list their names."""

from __future__ import annotations

import argparse
from pathlib import Path

from assay.harness.command_line.command import Command, of_experiment, open_trials, overrides
from assay.harness.command_line.terminal import print_error
from assay.tasks.errors import InputError, did_you_mean


def roar(options: argparse.Namespace) -> int:
    """Retrain without the words each explainer ranks first (ROAR).

    Take the words that an explainer ranks first out of all texts, training texts included, train the model
    anew on what is left, and show its accuracy beside that after random removal. Trains a model for every
    explainer, baseline, share and trial. What is on disk already is not computed again. Exit status: 0 if
    everything is there, 1 if anything failed.
    """
    from assay.harness.reporting.collect import RANDOM
    from assay.harness.validation.roar import Settings, remove_and_retrain
    from assay.results.inert import to_csv
    from assay.results.tables.roar import roar_markdown

    settings = Settings(options.shares, options.recursive, options.absent)
    experiment, trials = open_trials(options)
    experiment.store.require_writable()
    outcome = remove_and_retrain(experiment, trials, settings)
    folder = experiment.store.experiment(experiment.name)
    if len(outcome.rows):
        table, name = roar_markdown(outcome.rows, RANDOM), "recursive_roar" if settings.recursive else "roar"
        (folder / f"{name}.csv").write_bytes(to_csv(outcome.rows))
        (folder / f"{name}.md").write_text(table, encoding="utf-8")
        print(f"{table}\nTable: {folder / name}.md")
    for line in outcome.left_out:
        print(f"Left out: {line}")
    for failure in outcome.failures:
        print_error(f"error: {failure.title}: {failure.sentence}")
    return 1 if outcome.failures else 0


def check_metrics(options: argparse.Namespace) -> int:
    """Check whether metrics tell good explanations from bad ones.

    Give every metric exact, noisy, random and inverted explanations of models whose answers can be explained
    exactly, and print how well it tells them apart. The last line names those that fail. Takes minutes. Exit
    status: 0.
    """
    from assay.harness.validation import check_metrics as checks
    from assay.results.tables.metric_checks import metric_checks_csv, summary, to_markdown

    csv = options.csv
    if csv is not None and not csv.parent.is_dir():
        raise InputError(f"--csv {str(csv)!r} is in no folder that exists; expected a file to write")
    given = overrides(options)
    names = [argument for argument in given if "=" not in argument]
    metrics = checks.chosen_metrics(names, [argument for argument in given if "=" in argument])
    effort = checks.QUICK if options.quick else checks.Effort()
    results = checks.check_metrics(metrics, checks.worlds(effort), effort)
    print(to_markdown(results), end="\n\n")
    if csv is not None:
        csv.write_bytes(metric_checks_csv(results))
    print(summary(results))
    return 0


def check_model(options: argparse.Namespace) -> int:
    """Check a model on 20 texts of its task, in seconds.

    Load the texts and the model as `assay run` with the same overrides would, untrained where it is to be
    trained, and ask about the shortest, the longest and the oddest texts. Says whether the labels fit, texts
    are cut, answers are those of the model's own call, alone and in batches, and whether a finished model is
    better than a constant. Nothing is stored. Exit status: 0 if nothing is wrong, else 1.
    """
    from assay.harness.config.compose import sweep
    from assay.harness.trials.experiment import checked_configurations
    from assay.harness.trials.titles import title
    from assay.harness.validation.check_model import WRONG, distinct, findings

    wrong, given = False, of_experiment(options)
    for config in distinct(checked_configurations(sweep(given), given)):
        print(title(config))
        for finding in findings(config):
            print(f"  {finding.kind}: {finding.sentence}")
            wrong |= finding.kind == WRONG
    return 1 if wrong else 0


def train_mlm(options: argparse.Namespace) -> int:
    """Train the masked language models of an experiment.

    One for each vocabulary of the experiment's classifiers, on the training texts of its tasks, as
    `assay run` does where the baseline `mlm` is chosen; what is in the store already is only reported.
    Exit status: 0.
    """
    from assay.harness.trials.experiment import load_trials, open_experiment
    from assay.harness.trials.train_mlm import train_all

    chosen = ["baseline=[mlm]", "explainer=[input_marginalization]"]
    experiment = open_experiment([*chosen, *of_experiment(options)])
    experiment.store.require_writable()
    for line in train_all(load_trials(experiment, record=False), experiment.store):
        print(line)
    return 0


def choices(options: argparse.Namespace) -> int:
    """List every name that a group offers, or the options of some.

    With NAMES: the options of these choices, with their defaults and what they mean; of a group, such as
    baseline, what it offers.
    """
    from assay.harness.config.described import description, summary
    from assay.harness.config.offered import LISTED, offered

    groups = {name: offered(name) for name in LISTED}
    every = sorted({name for names in groups.values() for name in names})
    for name in options.names:
        if name not in every and name not in groups:
            near = did_you_mean(name, [*groups, *every], "assay choices")
            raise InputError(f"there is no choice named {name!r}; {near}")

    def offer(group: str) -> str:
        wide = max(map(len, groups[group]), default=0)
        return "\n".join([group, *(f"  {name:{wide}}  {summary(group, name)}" for name in groups[group])])

    blocks = [
        *(offer(name) for name in options.names or groups if name in groups),
        *(description(group, name) for name in options.names for group in groups if name in groups[group]),
    ]
    print("\n\n".join(blocks))
    return 0


def _choices_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("names", metavar="NAME", nargs="*", help="choices whose options are listed (all)")


# Settings of the masked language models that are trained, below baseline.mlm.trained: what each is.
MLM_SETTINGS = {
    "dimensions": "of the embeddings",
    "units": "of the LSTM, in each direction",
    "layers": "of the LSTM",
    "dropout": "on embeddings and states, in training",
    "minutes": "of the processor, after which training ends",
    "seed": "of training",
    "training.epochs": "at most",
    "training.batch_size": "texts of a step",
    "training.learning_rate": "of AdamW",
    "training.weight_decay": "of AdamW",
    "training.patience": "epochs without an improvement, after which training ends",
    "training.mask_rate": "share of the tokens masked, in half of the texts",
}


def _train_mlm_options(command: argparse.ArgumentParser) -> None:
    width = max(map(len, MLM_SETTINGS)) + len("baseline.mlm.trained.")
    lines = [f"{f'baseline.mlm.trained.{name}':{width}}  {words}" for name, words in MLM_SETTINGS.items()]
    command.add_argument_group(
        "settings of a masked language model, as overrides (assay choices mlm: defaults)", "\n".join(lines)
    )


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
    Command("roar", roar, _roar_options),
    Command(
        "check-metrics",
        check_metrics,
        _check_options,
        "names of metrics (all that are shipped), and settings of theirs: metric.NAME.KEY=VALUE",
    ),
    Command("check-model", check_model),
    Command("train-mlm", train_mlm, _train_mlm_options),
    Command("choices", choices, _choices_options, overrides=""),
)
