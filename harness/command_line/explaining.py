"""The command that explains a text given on the command line."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.harness.command_line.command import Command
from assay.harness.command_line.terminal import print_json, print_styled, shows_colours
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    from assay.harness.interface.configured import Configured
    from assay.harness.interface.explanations import Explanations, TextExplanation
    from assay.tasks.example import Example, Task

# What is an override and no text: a key before the first "=", without a space.
OVERRIDE = re.compile(r"[~+]{0,2}[A-Za-z_][\w./@-]*=", re.ASCII)
# What is explained, and by what, where nothing else is chosen.
DEFAULTS = ("explainer=[shapley_gp]", "targets=predicted")
# So many words stand below a text, the strongest first.
STRONGEST = 8
# Backgrounds for weak, middling and strong scores, with a colour of letters that can be read on them.
COLOURS = {
    "for": ("48;5;153;38;5;16", "48;5;75;38;5;16", "48;5;27;38;5;231"),
    "against": ("48;5;223;38;5;16", "48;5;215;38;5;16", "48;5;166;38;5;16"),
    "size": ("48;5;225;38;5;16", "48;5;177;38;5;16", "48;5;91;38;5;231"),
}


def explain(options: argparse.Namespace) -> int:
    """Explain texts with a stored classifier.

    Overrides choose one task, one model and one seed, as `assay run` does, and the explainers
    (shapley_gp); the name of an experiment in the store stands for its own. Texts are given, or named by
    their ids in the task (--id). Each is shown with its words
    coloured by what they say for the predicted label, the strongest words below it, how far another run
    would repeat them, and how good the explainer was where this store has measured it on this model.
    Nothing is stored but the model. Exit status: 0.
    """
    from assay.harness.config.build import build
    from assay.harness.config.choice import Built
    from assay.harness.interface.configured import configured
    from assay.harness.interface.explaining import explain as explain_texts
    from assay.harness.interface.unknown_words import unknown_words
    from assay.harness.reporting.benchmarks import benchmarks

    texts, overrides = _parted(options)
    wanted = configured(overrides, with_texts=bool(options.id))
    settings = wanted.settings
    built = {
        group: {name: Built(entry, build(entry)) for name, entry in settings[group].items()}
        for group in ("explainer", "baseline")
    }
    given = _as_pairs(texts) if wanted.classifier.pairs else texts
    explained: Explanations = explain_texts(
        wanted.classifier,
        [*_of_task(wanted.task, options.id), *given] if wanted.task and options.id else given,
        built["explainer"],
        baseline=built["baseline"],
        targets=settings["targets"],
        seed=settings["explainer_seeds"][0],
        task=wanted.task,
    )
    measured = benchmarks(wanted.store, wanted.model_key, settings, explained)
    if options.html is not None:
        _write_html(options.html, explained)
    unknown = [
        unknown_words(wanted.classifier.model, example.texts) for example in explained.loaded.trial.task.test
    ]
    if options.json:
        for record in _records(explained, measured, unknown):
            print_json(record)
    else:
        _show(wanted, explained, measured, unknown)
    return 0


def _parted(options: argparse.Namespace) -> tuple[list[str], list[str]]:
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
    if experiment is not None:
        from assay.harness.state.last_run import expanded

        return texts, expanded([experiment, *overrides], asks=True)
    if any(override.startswith("experiment=") for override in overrides):
        return texts, overrides
    keys = _keys(overrides)
    return texts, [*(one for one in DEFAULTS if one.split("=")[0] not in keys), *overrides]


def _keys(overrides: Sequence[str]) -> set[str]:
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


def _all(explained: Explanations) -> Iterable[tuple[str, int, TextExplanation]]:
    """Every explanation, text by text: the method's name, the number of the text, and what it says."""
    count = len(next(iter(explained.values())))
    for place in range(count):
        for name, method in explained.items():
            for record in method.records[place]:
                yield name, place, method[place, record.target]


def _show(
    wanted: Configured,
    explained: Explanations,
    measured: dict[str, list[str]],
    unknown: Sequence[Sequence[str]],
) -> None:
    from assay.harness.reporting.constant_text import is_constant

    coloured, before = shows_colours(), -1
    for name, place, one in _all(explained):
        if place > before:
            print("\n" * (place > 0) + _unknown(unknown[place]), end="")
        before = place
        print(f"{one.label} (p = {one.probability:.2f}), {one.method}, {wanted.classifier.name}:")
        if coloured:
            for segment in range(len(one.texts)):
                print_styled([("  ", ""), *_coloured(one, segment)])
        strongest = sorted(one.words(), key=lambda word: -abs(word[1]))[:STRONGEST]
        print("  " + ", ".join(f"{word} {one.number(score)}" for word, score in strongest))
        if is_constant(one.record):
            print("  It tells no token apart: all have the same score.")
        print(f"  {_reliability(one, draws=explained.cells[name].method.explainer.traits.stochastic)}")
    print()
    for name, reason in explained.left_out.items():
        print(f"{name}: left out, {reason}")
    for name, lines in measured.items():
        for line in lines:
            print(f"{name}: {line}")
    if unmeasured := [name for name, lines in measured.items() if not lines]:
        print(f"Not measured on this model in this store: {', '.join(unmeasured)}; assay run does it.")


def _unknown(words: Sequence[str]) -> str:
    """A line about words that the model does not know; "" without any."""
    if not words:
        return ""
    more = f" and {len(words) - STRONGEST:,} more" if len(words) > STRONGEST else ""
    number = "1 word is" if len(words) == 1 else f"{len(words):,} words are"
    return f"{number} unknown to the model: {', '.join(words[:STRONGEST])}{more}\n"


def _coloured(one: TextExplanation, segment: int) -> list[tuple[str, str]]:
    largest = max((abs(score) for _, score in one.words()), default=0.0)
    return [
        (characters, "" if score is None else _style(score, largest, signed=one.signed))
        for characters, score in one.pieces(segment)
    ]


def _style(score: float, largest: float, *, signed: bool) -> str:
    """In thirds of the largest score; none below a sixth of it."""
    if not largest or abs(score) < largest / 6:
        return ""
    side = ("for" if score > 0 else "against") if signed else "size"
    return COLOURS[side][min(2, int(3 * abs(score) / largest))]


def _reliability(one: TextExplanation, *, draws: bool) -> str:
    """What another seed would repeat; draws: whether the explainer draws anything."""
    value = one.record.reliability
    if one.record.standard_error is None:
        unknown = "It draws, and does not say how much of this another seed would repeat."
        return unknown if draws else "The explainer draws nothing: another seed of it gives the same scores."
    if value != value:
        return "Its reliability is unknown: there are fewer than two words."
    return f"Reliability {value:.2f}: the correlation to expect with another seed."


def _records(
    explained: Explanations, measured: dict[str, list[str]], unknown: Sequence[Sequence[str]]
) -> Iterable[dict[str, Any]]:
    from assay.harness.reporting.constant_text import is_constant

    for name, place, one in _all(explained):
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


def _write_html(path: Path, explained: Explanations) -> None:
    from assay.results.page.explained_texts import page

    rows = [(f"text {place}", one._repr_html_()) for _, place, one in _all(explained)]
    try:
        path.write_text(page(rows), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--html {str(path)!r} cannot be written ({error.strerror})") from error
    print(f"{counted(len(rows), 'explanation')} in {path}", file=sys.stderr)


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
