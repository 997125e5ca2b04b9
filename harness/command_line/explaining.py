"""The command that explains a text given on the command line."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence, Set
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from assay.harness.command_line.command import Command
from assay.harness.command_line.shown_explanations import every_explanation, show, write_html
from assay.harness.command_line.terminal import print_json
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    from assay.harness.interface.explanations import Explanations
    from assay.tasks.example import Example, Task

# What is an override and no text: a key before the first "=", without a space.
OVERRIDE = re.compile(r"[~+]{0,2}[A-Za-z_][\w./@-]*=", re.ASCII)
# What is explained, and by what, where nothing else is chosen.
DEFAULTS = ("explainer=[shapley_gp]", "targets=predicted")


def explain(options: argparse.Namespace) -> int:
    """Explain texts with a stored classifier.

    Overrides choose one task, one model and one seed, as `assay run` does, and the explainers
    (shapley_gp); the name of an experiment in the store stands for its own, without its controls. Texts are
    given, or named by their ids in the task (--id). Each is shown with its words
    coloured by what they say for the predicted label, the strongest words below it, how far another run
    would repeat them, and how good the explainer was where this store has measured it on this model.
    Nothing is stored but the model. Exit status: 0.
    """
    from assay.harness.config.build import build
    from assay.harness.config.choice import Built
    from assay.harness.interface.configured import configured
    from assay.harness.interface.explaining import explain_quietly as explain_texts
    from assay.harness.interface.unknown_words import unknown_words
    from assay.harness.reporting.benchmarks import benchmarks

    given = _parted(options)
    wanted = configured(given.overrides, with_texts=bool(options.id), experiment=given.experiment)
    settings = _to_explain(wanted.settings, given)
    built = {
        group: {name: Built(entry, build(entry)) for name, entry in settings[group].items()}
        for group in ("explainer", "baseline")
    }
    texts = _as_pairs(given.texts) if wanted.classifier.pairs else given.texts
    explained: Explanations = explain_texts(
        wanted.classifier,
        [*_of_task(wanted.task, options.id), *texts] if wanted.task and options.id else texts,
        built["explainer"],
        baseline=built["baseline"],
        targets=settings["targets"],
        seed=settings["explainer_seeds"][0],
        task=wanted.task,
    )
    measured = benchmarks(wanted.store, wanted.model_key, settings, explained)
    unknown = [
        unknown_words(wanted.classifier.model, example.texts) for example in explained.loaded.trial.task.test
    ]
    if options.html is not None:
        write_html(options.html, wanted, explained, measured, unknown)
    if options.json:
        for record in _records(explained, measured, unknown):
            print_json(record)
    else:
        show(wanted, explained, measured, unknown)
    return 0


class _Given(NamedTuple):
    """What a command line asks for.

    Attributes:
        texts: those in quotes, of a file or piped.
        overrides: of one classifier, complete.
        experiment: whose overrides are among these; None without one.
        chosen: the keys of the overrides beside it.
    """

    texts: list[str]
    overrides: list[str]
    experiment: str | None
    chosen: Set[str]


def _to_explain(settings: dict[str, Any], given: _Given) -> dict[str, Any]:
    """The settings; of an experiment without what is for its measurements only, unless it is asked for.

    That is, the predicted label is explained, by the explainers that are no controls.
    """
    if given.experiment is None:
        return settings
    explainers = settings["explainer"]
    others = {name: entry for name, entry in explainers.items() if name not in settings["controls"]}
    return settings | {
        "targets": settings["targets"] if "targets" in given.chosen else "predicted",
        "explainer": explainers if "explainer" in given.chosen or not others else others,
    }


def _parted(options: argparse.Namespace) -> _Given:
    """The texts and the overrides that were given."""
    from assay.harness.command_line.command import overrides as all_overrides

    given = all_overrides(options)
    overrides = [argument for argument in given if OVERRIDE.match(argument)]
    texts = [argument for argument in given if not OVERRIDE.match(argument)]
    texts, experiment = _without_experiment(texts, overrides)
    if options.file is not None:
        texts += _lines(options.file)
    elif not texts and not options.id and not sys.stdin.isatty():
        texts = [line.rstrip("\r\n") for line in sys.stdin if line.strip()]
    if not texts and not options.id:
        if experiment is not None:
            raise InputError(
                f"{experiment!r} is an experiment and no text; give a text in quotes beside it, or --id ID "
                "for one of its task"
            )
        raise InputError(
            'there is no text to explain; give one in quotes, as in assay explain "a fine film" task=reviews '
            "model=cnn, or --file FILE with one on each line"
        )
    keys = _keys(overrides)
    if experiment is not None:
        from assay.harness.state.last_run import expanded

        return _Given(texts, expanded([experiment, *overrides], asks=True), experiment, keys)
    if "experiment" in keys:
        (*_, name) = (one for one in overrides if one.startswith("experiment="))
        return _Given(texts, overrides, name.partition("=")[2], keys)
    defaults = [one for one in DEFAULTS if one.split("=")[0] not in keys]
    return _Given(texts, [*defaults, *overrides], None, keys)


def _keys(overrides: Sequence[str]) -> Set[str]:
    return {re.split("[=@.]", override)[0] for override in overrides}


def _without_experiment(texts: list[str], overrides: Sequence[str]) -> tuple[list[str], str | None]:
    """The texts without the name of an experiment of the store, and that name if it is among them.

    Raises InputError on several names, and on a single word that is neither such a name nor, because no
    model was chosen, a text for one.
    """
    words = [text for text in texts if re.fullmatch(r"\S+", text)]
    if not words:
        return texts, None
    from assay.harness.state.last_run import not_run, run_before

    known = [word for word in words if run_before(word, overrides)]
    if len(known) > 1:
        raise InputError(f"{' and '.join(map(repr, known))} are experiments; expected one, and texts")
    if known:
        return [text for text in texts if text != known[0]], known[0]
    if not _keys(overrides) & {"task", "model", "experiment"}:
        raise InputError(
            f"{not_run(words[0], overrides)}; for {words[0]!r} as a text choose a model (task=, model=)"
        )
    return texts, None


def _lines(file: Path) -> list[str]:
    try:
        # Not `splitlines`, which also cuts at characters that may stand inside a text.
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--file {str(file)!r} cannot be read ({error}); expected UTF-8, one text per line"
        ) from error
    return [line for line in lines if line.strip()]


def _of_task(task: Task, ids: Sequence[str]) -> list[Example]:
    """The texts of the task with these ids, within its limits."""
    known = {example.id: example for example in (*task.train, *task.dev, *task.test)}
    for id in ids:
        if id not in known:
            near = get_close_matches(id, known, n=1) or list(known)[-1:]
            raise InputError(
                f"--id {id!r}: none of the {len(known):,} texts of task {task.name!r} has this id; expected "
                f"one such as {near[0]!r}"
            )
    return [known[id] for id in ids]


def _as_pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of texts, with a tab between them."""
    pairs = []
    for text in texts:
        first, tab, second = text.partition("\t")
        if not tab or "\t" in second:
            raise InputError(
                f"the model reads pairs of texts; expected one tab between two texts in {text!r}"
            )
        pairs.append((first, second))
    return pairs


def _records(
    explained: Explanations, measured: dict[str, list[str]], unknown: Sequence[Sequence[str]]
) -> Iterable[dict[str, Any]]:
    from assay.harness.reporting.constant_text import is_constant

    for name, place, one in every_explanation(explained):
        yield {
            "text": place,
            "texts": list(one.texts),
            "method": one.method,
            "label": one.label,
            "probability": one.probability,
            "words": [{"word": word, "score": score} for word, score in one.words()],
            "signed": one.signed,
            "constant": is_constant(one.record),
            "unknown_words": list(unknown[place]),
            "output_space": one.record.output_space,
            "reliability": None if one.record.standard_error is None else _finite(one.record.reliability),
            "measured": measured[name],
        }


def _finite(value: float) -> float | None:
    return None if value != value else value


def _options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--id",
        metavar="ID",
        action="append",
        default=[],
        help="a text of the task, by its id; may be repeated",
    )
    command.add_argument(
        "--file", metavar="FILE", type=Path, help="texts, one on each line; a tab between those of a pair"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object per explanation")
    command.add_argument("--html", metavar="FILE", type=Path, help="also write a page with coloured texts")


COMMANDS = (Command("explain", explain, _options, "texts in quotes, and overrides; texts may also be piped"),)
