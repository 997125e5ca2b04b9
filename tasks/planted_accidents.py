"""Generated accident narratives whose long absences have known causes, in known words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from assay.tasks.accident_phrases import (
    BODY_PARTS,
    CAUSES,
    CHORES,
    EVENTS,
    HELD_OUT,
    NATURES,
    SEVERE,
    SHIFTS,
    TRAINING,
    WORKERS,
    Frames,
    Verb,
)
from assay.tasks.auxiliary import Auxiliary
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Mention, Rationale, Span, Task

LABELS = ("under 90 days", "90 days or more")
_VALUES: Mapping[str, Sequence[str]] = {
    "event_type": tuple(EVENTS),
    "body_part": tuple(BODY_PARTS),
    "nature": tuple(NATURES),
    "cause": tuple(CAUSES),
}
AUXILIARY = tuple(Auxiliary(column, tuple(values)) for column, values in _VALUES.items())
# How often a text also denies what would have spoken for the other label.
_DENIED = 0.8
_PATIENCE = 1000

T = TypeVar("T")


def planted_accidents(
    *,
    name: str = "planted_accidents",
    seed: int = 0,
    train: int = 6000,
    dev: int = 500,
    test: int = 500,
    confounding: float = 0.8,
    test_confounding: float = 0.0,
    missing: float = 0.0,
) -> Task:
    """Narratives of an injury, and whether the injured worker was away for 90 days or more.

    The absence is long if the worker fell from a height or was caught in machinery, or if the back or the
    neck was hurt: one of the two in two thirds of the long cases, both in a third. Every text tells the
    event, the part of the body, the nature of the injury and its cause; most deny another event or part, as
    in "did not fall off the scaffold". Each concept has several wordings. The sentences of the test texts
    occur in no other split. The night shift goes along with long absences, but causes none.

    `mentions` of an example name each concept with its words ("event_type: fall from height", also "shift:
    night"); its rationale marks the causes of its label; its auxiliary labels are event_type, body_part,
    nature and cause.

    Args:
        name: of the task.
        seed: of the draws; every split has its own stream.
        train: number of texts.
        dev: number of texts.
        test: number of texts.
        confounding: the correlation of night shift and long absence in train and dev, from 0 to 1.
        test_confounding: the same in test.
        missing: the share of auxiliary labels in train that are not known.

    Raises:
        InputError: on a value out of range, or where there are too few different texts.

    Example:
        >>> task = planted_accidents(train=20, dev=5, test=5)
        >>> [question.name for question in task.auxiliary]
        ['event_type', 'body_part', 'nature', 'cause']
    """
    for option, share in (
        ("confounding", confounding), ("test_confounding", test_confounding), ("missing", missing)
    ):  # fmt: skip
        if not 0 <= share <= 1:
            raise InputError(f"task.{option} is {share}; expected from 0 to 1")
    if seed < 0 or min(train, dev, test) < 1:
        raise InputError(
            f"task.seed is {seed} and task sizes are {train}, {dev}, {test}; expected a seed from 0 and at "
            "least 1 text per split"
        )
    splits: dict[str, tuple[Example, ...]] = {}
    seen: set[str] = set()
    # test comes first, so that a larger train leaves it as it is
    for stream, (split, size) in enumerate((("test", test), ("dev", dev), ("train", train))):
        rng = np.random.default_rng([seed, stream])
        frames, correlation = (HELD_OUT, test_confounding) if split == "test" else (TRAINING, confounding)
        unknown = missing if split == "train" else 0.0
        splits[split] = tuple(
            _new(f"{split}-{number}", label, frames, correlation, unknown, seen, rng)
            for number, label in enumerate(rng.permutation(np.arange(size) % 2).tolist())
        )
    return Task(
        name, LABELS, splits["train"], splits["dev"], splits["test"], ground_truth=True, auxiliary=AUXILIARY
    )


def causes(example: Example) -> tuple[str, ...]:
    """The concepts that cause the label of a narrative: the severe ones that hold; without any, its event and
    its part of the body."""
    held = [mention.concept for mention in example.mentions if mention.affirmed]
    severe = tuple(concept for concept in held if _is_severe(concept))
    return severe or tuple(concept for concept in held if concept.partition(":")[0] in SEVERE)


def _is_severe(concept: str) -> bool:
    column, _, value = concept.partition(": ")
    return value in SEVERE.get(column, ())


def _new(
    name: str,
    label: int,
    frames: Frames,
    correlation: float,
    missing: float,
    seen: set[str],
    rng: np.random.Generator,
) -> Example:
    for _ in range(_PATIENCE):
        values = _values(label, rng)
        shift = "night" if (label == 1) == (rng.random() < (1 + correlation) / 2) else "day"
        story = _story(values, shift, frames, rng)
        if story.text not in seen:
            seen.add(story.text)
            break
    else:
        raise InputError(f"no new text was found after {len(seen)} texts; ask for fewer texts")
    answers = tuple(
        None if rng.random() < missing else question.labels.index(values[question.name])
        for question in AUXILIARY
    )
    mentions = tuple(story.mentions)
    example = Example(name, (story.text,), (label,), auxiliary=answers, mentions=mentions)
    marked = causes(example)
    spans = [
        span
        for mention in mentions
        if mention.affirmed and mention.concept in marked
        for span in mention.spans
    ]
    rationale = Rationale(tuple(sorted(spans)), label=label)
    return Example(name, example.texts, (label,), (rationale,), auxiliary=answers, mentions=mentions)


def _values(label: int, rng: np.random.Generator) -> dict[str, str]:
    """The answers to the auxiliary questions: of a long absence, the event or the part or both are severe."""
    severe = {"event_type": False, "body_part": False}
    if label:
        which = int(rng.integers(3))
        severe = {"event_type": which != 1, "body_part": which != 0}
    return {column: _pick(_of_kind(column, severe.get(column, False)), rng) for column in _VALUES}


def _of_kind(column: str, severe: bool) -> list[str]:
    """The values of a column that are severe, or those that are not."""
    return [value for value in _VALUES[column] if (value in SEVERE.get(column, ())) == severe]


def _story(values: Mapping[str, str], shift: str, frames: Frames, rng: np.random.Generator) -> _Story:
    """A narrative of an accident."""
    story = _Story(rng, _pick(WORKERS, rng))
    story.add(_pick(frames.opening, rng), "shift", shift, _pick(SHIFTS[shift], rng))
    told = [(column, values[column], True) for column in SEVERE]
    for column in SEVERE:
        if rng.random() < _DENIED:
            # What would speak for the other label, so that the words alone tell little.
            other = _of_kind(column, values[column] not in SEVERE[column])
            told.append((column, _pick(other, rng), False))
    for place in rng.permutation(len(told)).tolist():
        column, value, holds = told[place]
        if column == "event_type":
            story.add(
                _pick(frames.event if holds else frames.no_event, rng),
                column,
                value,
                _pick(EVENTS[value], rng),
            )
        else:
            frame = _pick(frames.body_part if holds else frames.no_body_part, rng)
            story.add(frame, column, value, _pick(BODY_PARTS[value], rng))
    story.add(_pick(frames.nature, rng), "nature", values["nature"], _pick(NATURES[values["nature"]], rng))
    story.add(_pick(frames.cause, rng), "cause", values["cause"], _pick(CAUSES[values["cause"]], rng))
    story.add(_pick(frames.closing, rng))
    return story


@dataclass(slots=True)
class _Story:
    """A narrative while it is written.

    Attributes:
        rng: draws the words that tell nothing.
        worker: who was hurt.
        text: what is written.
        mentions: of concepts in it.
    """

    rng: np.random.Generator
    worker: str
    text: str = ""
    mentions: list[Mention] = field(default_factory=list)

    def add(self, frame: str, column: str = "", value: str = "", phrase: str | Verb = "") -> None:
        """Write a sentence, and note where it speaks of the concept.

        A frame names the place of the phrase by "past" or "base" of a verb, or by any other word than "who"
        and "chore".
        """
        if not frame:
            return
        start = len(self.text) + bool(self.text)
        written, spans, denies = "", list[Span](), False
        for part in re.split(r"(\{\w+\}|\[[\w ]+\])", frame):
            words = part
            if part[:1] == "[":
                words, denies = part[1:-1], True
            elif part[:1] == "{":
                words = self._fill(part[1:-1], phrase)
            if part[:1] == "[" or (part[:1] == "{" and part not in ("{who}", "{chore}")):
                at = start + len(written)
                spans.append(Span(at, at + len(words)))
            written += words
        self.text = f"{self.text} {written[0].upper()}{written[1:]}".lstrip()
        if column:
            self.mentions.append(Mention(f"{column}: {value}", tuple(spans), not denies))

    def _fill(self, place: str, phrase: str | Verb) -> str:
        if place == "who":
            return self.worker
        if place == "chore":
            return _pick(CHORES, self.rng)
        if isinstance(phrase, Verb):
            return phrase.past if place == "past" else phrase.base
        return phrase


def _pick(choices: Sequence[T], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]
