"""Explanations of single texts as a terminal shows them, and as a page."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.harness.command_line.terminal import print_styled, shows_colours
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    from assay.harness.interface.configured import Configured
    from assay.harness.interface.explanations import Explanations, TextExplanation

# So many words stand below a text, the strongest first.
STRONGEST = 8
# Backgrounds for weak, middling and strong scores, with a colour of letters that can be read on them.
COLOURS = {
    "for": ("48;5;153;38;5;16", "48;5;75;38;5;16", "48;5;27;38;5;231"),
    "against": ("48;5;223;38;5;16", "48;5;215;38;5;16", "48;5;166;38;5;16"),
    "size": ("48;5;225;38;5;16", "48;5;177;38;5;16", "48;5;91;38;5;231"),
}
# So many characters of a text stand in a heading.
HEADING = 60


def every_explanation(explained: Explanations) -> Iterable[tuple[str, int, TextExplanation]]:
    """Every explanation, text by text: the method's name, the number of the text, and what it says."""
    count = len(next(iter(explained.values())))
    for place in range(count):
        for name, method in explained.items():
            for record in method.records[place]:
                yield name, place, method[place, record.target]


def show(
    wanted: Configured,
    explained: Explanations,
    measured: dict[str, list[str]],
    unknown: Sequence[Sequence[str]],
) -> None:
    from assay.harness.interface.unknown_words import unknown_line

    coloured, before = shows_colours(), -1
    for name, place, one in every_explanation(explained):
        if place > before:
            print("\n" * (place > 0), end="")
            if line := unknown_line(unknown[place]):
                print(line)
        before = place
        print(f"{one.label} (p = {one.probability:.2f}), {one.method}, {wanted.classifier.name}:")
        if coloured:
            for segment in range(len(one.texts)):
                print_styled([("  ", ""), *_coloured(one, segment)])
        strongest = sorted(one.words(), key=lambda word: -abs(word[1]))[:STRONGEST]
        print("  " + ", ".join(f"{word} {one.number(score)}" for word, score in strongest))
        for line in _judged(one, draws=explained.cells[name].method.explainer.traits.stochastic):
            print(f"  {line}")
    print()
    for line in _measured(explained, measured):
        print(line)


def _judged(one: TextExplanation, *, draws: bool) -> Iterator[str]:
    """How far an explanation can be trusted by itself."""
    from assay.harness.reporting.constant_text import is_constant

    if is_constant(one.record):
        yield "It tells no token apart: all have the same score."
    yield _reliability(one, draws=draws)


def _measured(explained: Explanations, measured: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What was left out, and how good the explainers were where they were measured."""
    for name, reason in explained.left_out.items():
        yield f"{name}: left out, {reason}"
    for name, lines in measured.items():
        yield from (f"{name}: {line}" for line in lines)
    if unmeasured := [name for name, lines in measured.items() if not lines]:
        yield f"Not measured on this model in this store: {', '.join(unmeasured)}; assay run does it."


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


def write_html(
    path: Path,
    wanted: Configured,
    explained: Explanations,
    measured: Mapping[str, Sequence[str]],
    unknown: Sequence[Sequence[str]],
) -> None:
    """Write a page that says what a terminal shows. Raises InputError if it cannot be written."""
    from assay.harness.interface.unknown_words import unknown_line
    from assay.results.page.explained_texts import OnText, page

    sections: dict[int, OnText] = {}
    count = 0
    for name, place, one in every_explanation(explained):
        if place not in sections:
            whole = " / ".join(" ".join(text.split()) for text in one.texts)
            short = whole if len(whole) <= HEADING else f"{whole[:HEADING].rstrip()} ..."
            sections[place] = OnText(f"Text {place + 1}: {short}", unknown_line(unknown[place]), [])
        draws = explained.cells[name].method.explainer.traits.stochastic
        sections[place].explanations.append((one._repr_html_(), " ".join(_judged(one, draws=draws))))
        count += 1
    model = wanted.classifier
    about = f"Model {model.name}, trained on the task {wanted.task_name}, seed {model.seed}."
    try:
        path.write_text(
            page(about, sections.values(), list(_measured(explained, measured))), encoding="utf-8"
        )
    except OSError as error:
        raise InputError(f"--html {str(path)!r} cannot be written ({error.strerror})") from error
    print(f"{counted(count, 'explanation')} in {path}", file=sys.stderr)
