"""What planted accident narratives are made of: phrases for each concept, and sentences to put them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Verb(NamedTuple):
    """A phrase in the past tense, and its infinitive."""

    past: str
    base: str


# Events. Affirmed and denied sentences have both forms, so that the form tells nothing.
EVENTS: Mapping[str, Sequence[Verb]] = {
    "fall from height": (
        Verb("fell off the scaffold", "fall off the scaffold"),
        Verb("dropped from the roof", "drop from the roof"),
        Verb("came down from the ladder head first", "come down from the ladder head first"),
        Verb("plunged from the upper platform", "plunge from the upper platform"),
    ),
    "caught in machinery": (
        Verb("got caught in the conveyor", "get caught in the conveyor"),
        Verb("became wedged in the rollers", "become wedged in the rollers"),
        Verb("got drawn into the crusher", "get drawn into the crusher"),
    ),
    "slip on level ground": (
        Verb("slipped on the walkway", "slip on the walkway"),
        Verb("tripped over a hose", "trip over a hose"),
        Verb("stumbled on a doorstep", "stumble on a doorstep"),
        Verb("lost balance next to the ladder", "lose balance next to the ladder"),
    ),
    "contact with heat": (
        Verb("touched a hot pipe", "touch a hot pipe"),
        Verb("came into contact with steam", "come into contact with steam"),
        Verb("brushed against the furnace door", "brush against the furnace door"),
    ),
    "struck by object": (
        Verb("took a blow from a small rock", "take a blow from a small rock"),
        Verb("ran into a swinging gate", "run into a swinging gate"),
        Verb("met a flying piece of wood", "meet a flying piece of wood"),
    ),
}
BODY_PARTS: Mapping[str, Sequence[str]] = {
    "back": ("lower back", "spine", "upper back"),
    "neck": ("neck", "cervical area"),
    "hand": ("left hand", "right thumb", "index finger"),
    "foot": ("right foot", "left heel", "big toe"),
    "face": ("face", "chin", "left cheek"),
}
NATURES: Mapping[str, Sequence[str]] = {
    "fracture": ("a fracture", "a cracked bone"),
    "strain": ("a strain", "a pulled muscle"),
    "cut": ("a cut", "an open wound"),
    "bruise": ("a bruise", "a contusion"),
}
CAUSES: Mapping[str, Sequence[str]] = {
    "wet surface": ("a wet surface", "spilled water", "ice on the floor"),
    "missing guard": ("a missing guard", "an open cover"),
    "worn equipment": ("worn equipment", "a rusty bolt"),
    "haste": ("haste", "a rush to finish"),
}
SHIFTS: Mapping[str, Sequence[str]] = {
    "night": ("night", "graveyard", "late"),
    "day": ("day", "morning", "early"),
}
# What makes an absence long, whatever else happened.
SEVERE: Mapping[str, Sequence[str]] = {
    "event_type": ("fall from height", "caught in machinery"),
    "body_part": ("back", "neck"),
}
WORKERS = ("the miner", "the operator", "the mechanic", "the laborer", "the driver", "the welder")
CHORES = (
    "moving supplies", "cleaning the plant", "checking a motor", "loading a truck", "changing a screen",
    "hanging cable", "sorting tools", "greasing a pump",
)  # fmt: skip


class Frames(NamedTuple):
    """Sentences for the concepts of a split. `{...}` is a place to fill, and `[...]` the words that deny."""

    opening: Sequence[str]
    event: Sequence[str]
    no_event: Sequence[str]
    body_part: Sequence[str]
    no_body_part: Sequence[str]
    nature: Sequence[str]
    cause: Sequence[str]
    closing: Sequence[str]


# Both sets have the same words next to the phrases, so that who reads the one can read the other; their
# sentences differ.
TRAINING = Frames(
    opening=(
        "On the {shift} shift {who} was {chore}.",
        "{who} was {chore} on the {shift} shift.",
        "The {shift} shift had begun, and {who} was {chore}.",
        "It was the {shift} shift, with {who} {chore} alone.",
    ),
    event=(
        "{who} {past}.",
        "A coworker saw {who} {base}.",
        "Witnesses agree that {who} {past}.",
        "After a few minutes {who} {past}.",
        "It is certain that {who} {past}, and the work stopped.",
        "Suddenly {who} {past} in front of the others.",
        "In the end {who} did {base}.",
        "Before lunch {who} {past} at the gate.",
    ),
    no_event=(
        "{who} [did not] {base}.",
        "{who} [never] {past}.",
        "Witnesses agree that {who} [did not] {base}.",
        "After a few minutes an alarm rang, but {who} [did not] {base}.",
        "It is certain that {who} [never] {past}.",
        "Although some said so, {who} [never] {past} in front of the others.",
        "In the end {who} [did not] {base}.",
        "Before lunch {who} [did not] {base} at the gate.",
    ),
    body_part=(
        "The {part} was hurt.",
        "{who} hurt the {part}.",
        "There was damage to the {part}.",
        "A doctor saw that the {part} was injured.",
        "It turned out that the {part} was damaged.",
        "At home the {part} was hurt still, a relative says.",
        "The report mentions damage to the {part}.",
    ),
    no_body_part=(
        "The {part} was [not] hurt.",
        "{who} [did not] hurt the {part}.",
        "There was [no] damage to the {part}.",
        "A doctor saw that the {part} was [not] injured.",
        "It turned out that the {part} was [not] damaged.",
        "At home the {part} was [not] hurt, a relative says.",
        "The report mentions [no] damage to the {part}.",
    ),
    nature=("A nurse noted {nature}.", "The diagnosis was {nature}.", "It was a case of {nature}."),
    cause=("The reason was {cause}.", "It happened because of {cause}.", "There had been {cause}."),
    closing=("Work went on after an hour.", "A report was written.", "The area was closed.", ""),
)
HELD_OUT = Frames(
    opening=(
        "During the {shift} shift, while {chore}, {who} had an accident.",
        "This concerns the {shift} shift: {who} had been {chore}.",
    ),
    event=(
        "By all accounts {who} {past}.",
        "Two colleagues saw {who} {base} and ran for help.",
        "Then {who} {past}, as the foreman wrote.",
    ),
    no_event=(
        "By all accounts {who} [never] {past}.",
        "Two colleagues are sure that {who} [did not] {base}.",
        "As the foreman wrote, {who} [did not] {base} then.",
    ),
    body_part=(
        "Later a test proved that the {part} was injured.",
        "According to the nurse the {part} was hurt.",
        "The insurer was told of damage to the {part}.",
    ),
    no_body_part=(
        "Later a test proved that the {part} was [not] injured.",
        "According to the nurse the {part} was [not] hurt.",
        "The insurer was told of [no] damage to the {part}.",
    ),
    nature=("He was left with {nature}.", "X-rays and tests pointed to {nature}."),
    cause=("Investigators blame {cause}.", "What led to it was {cause}."),
    closing=("Photos are on file.", "The crew was told.", ""),
)
