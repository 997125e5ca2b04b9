"""The rules of planted tasks: which words cause a label, and how to write a text that obeys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.tasks.errors import check_choice

NOT = "not"
_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
_FILLER_WORDS = 300
_WORDS_PER_GROUP = 4


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of one planted task: neutral filler, and groups of keywords; no word is in two of them."""

    filler: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]

    def group(self, word: str) -> int | None:
        """The number of the group that a word belongs to, None for filler and `not`."""
        return next((number for number, words in enumerate(self.groups) if word in words), None)


class Block(NamedTuple):
    """Words that stand together, and the class they speak for, None for filler."""

    words: tuple[str, ...]
    speaks_for: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule over the words of a text.

    groups: how many keyword groups it needs for so many classes. label: the class of a text, None where the
    rule does not say. draw: blocks with keywords, at most so many words, whose label is the one asked for.
    shortest: the least number of words a text needs.
    """

    groups: Callable[[int], int]
    label: Callable[[Lexicon, Sequence[str]], int | None]
    draw: Callable[[Lexicon, int, int, np.random.Generator], list[Block]]
    shortest: int


def make_lexicon(groups: int, seed: int) -> Lexicon:
    """Pronounceable words of two syllables, nearly all made up, other ones for every seed."""
    syllables = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
    # no word ends in e, which leaves out most real words that have a meaning of their own, such as love
    words = [first + second for first in syllables for second in syllables if not second.endswith("e")]
    size = _FILLER_WORDS + groups * _WORDS_PER_GROUP
    order = np.random.default_rng(seed).permutation(len(words))[:size]
    chosen = tuple(words[index] for index in order)
    starts = range(_FILLER_WORDS, size, _WORDS_PER_GROUP)
    return Lexicon(chosen[:_FILLER_WORDS], tuple(chosen[at : at + _WORDS_PER_GROUP] for at in starts))


def rule_label(rule: str, lexicon: Lexicon, words: Sequence[str]) -> int | None:
    """The class that a rule gives to a text, None where it does not say."""
    return named_rule(rule).label(lexicon, words)


def named_rule(name: str) -> Rule:
    """The rule of that name. Raises InputError on an unknown one."""
    check_choice("task.rule", name, _RULES)
    return _RULES[name]


def _pick(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _keyword_label(lexicon: Lexicon, words: Sequence[str]) -> int | None:
    groups = {lexicon.group(word) for word in words} - {None}
    return groups.pop() if len(groups) == 1 else None


def _keyword_draw(lexicon: Lexicon, label: int, length: int, rng: np.random.Generator) -> list[Block]:
    return [Block((_pick(lexicon.groups[label], rng),), label)]


def _presence_label(lexicon: Lexicon, words: Sequence[str]) -> int | None:
    return int(any(lexicon.group(word) == 0 for word in words))


def _presence_draw(lexicon: Lexicon, label: int, length: int, rng: np.random.Generator) -> list[Block]:
    # Where the word stands twice, either suffices, and taking one away alone changes nothing.
    copies = min(int(rng.integers(1, 3)), length) if label else 0
    return [Block((_pick(lexicon.groups[0], rng),), label)] * copies


def _negation_label(lexicon: Lexicon, words: Sequence[str]) -> int | None:
    votes: set[int] = set()
    for at, word in enumerate(words):
        group = lexicon.group(word)
        if group is not None:
            negated = at > 0 and words[at - 1] == NOT
            votes.add(1 - group if negated else group)
    return votes.pop() if len(votes) == 1 else None


def _negation_draw(lexicon: Lexicon, label: int, length: int, rng: np.random.Generator) -> list[Block]:
    if rng.integers(2):
        return [Block((NOT, _pick(lexicon.groups[1 - label], rng)), label)]
    return [Block((_pick(lexicon.groups[label], rng),), label)]


# conjunction: groups 0 and 1 are A minus and A plus, groups 2 and 3 are B minus and B plus
def _conjunction_label(lexicon: Lexicon, words: Sequence[str]) -> int | None:
    groups = {lexicon.group(word) for word in words}
    if groups & {0, 2}:
        return 0
    return 1 if {1, 3} <= groups else None


def _conjunction_draw(lexicon: Lexicon, label: int, length: int, rng: np.random.Generator) -> list[Block]:
    signs = (1, 1) if label == 1 else ((0, 0), (0, 1), (1, 0))[int(rng.integers(3))]
    return [
        Block((_pick(lexicon.groups[2 * place + sign], rng),), label if sign == label else None)
        for place, sign in enumerate(signs)
    ]


def _counting_label(lexicon: Lexicon, words: Sequence[str]) -> int | None:
    found = [lexicon.group(word) for word in words]
    zeros, ones = found.count(0), found.count(1)
    if zeros == ones:
        return None
    return int(ones > zeros)


def _counting_draw(lexicon: Lexicon, label: int, length: int, rng: np.random.Generator) -> list[Block]:
    more = int(rng.integers(2, min(4, length) + 1))
    fewer = int(rng.integers(0, min(more - 1, length - more) + 1))
    groups = [label] * more + [1 - label] * fewer
    return [Block((_pick(lexicon.groups[group], rng),), group) for group in groups]


_RULES = {
    "keyword": Rule(lambda classes: classes, _keyword_label, _keyword_draw, shortest=1),
    "presence": Rule(lambda classes: 1, _presence_label, _presence_draw, shortest=1),
    "negation": Rule(lambda classes: 2, _negation_label, _negation_draw, shortest=2),
    "conjunction": Rule(lambda classes: 4, _conjunction_label, _conjunction_draw, shortest=2),
    "counting": Rule(lambda classes: 2, _counting_label, _counting_draw, shortest=2),
}
