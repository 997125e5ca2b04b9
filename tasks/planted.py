"""Generated texts whose label is caused by known words, so that the gold rationale is exact."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Rationale, Span, Task
from assay.tasks.preview import SAMPLE, Preview, Sizes, fingerprint_all, previewed
from assay.tasks.rules import Block, Lexicon, Rule, make_lexicon, named_rule

# a draw that repeats a text is drawn anew; so many repeats in a row mean that hardly a new text is left
_PATIENCE = 1000
_MOST_CLASSES = 100
# a task of more texts than this is previewed
LARGE_TEXTS = 20_000


def _preview(options: Mapping[str, Any]) -> Preview | None:
    """The task with at most SAMPLE texts per split; None up to LARGE_TEXTS texts."""
    sizes = Sizes(*(int(options[split]) for split in Sizes._fields))
    if sum(sizes) <= LARGE_TEXTS:
        return None
    few = Sizes(*(min(size, SAMPLE) for size in sizes))
    began = time.perf_counter()
    sample = planted(**{**options, **few._asdict()})
    fingerprint_all(sample)
    return Preview(sample, sizes, (time.perf_counter() - began) * sum(sizes) / sum(few))


@previewed(by=_preview)
def planted(
    *,
    name: str = "planted",
    rule: str = "keyword",
    seed: int = 0,
    train: int = 2000,
    dev: int = 500,
    test: int = 500,
    length: Sequence[int] = (8, 20),
    noise: float = 0.0,
    pair: bool = False,
    classes: int = 2,
) -> Task:
    """A task that obeys `rule`, with other words and other texts for every seed. No text occurs twice.

    rule, with its rationale:
    "keyword": one keyword among filler, each class has a few; that word.
    "presence": label 1 if a keyword is there, once or, in half of the texts, twice, where either would do;
    all copies of it; nothing for label 0.
    "negation": one keyword of two classes, perhaps after "not", which flips the label; both words.
    "conjunction": a word of kind A and one of kind B, each plus or minus, label 1 if both are plus; both
    words for label 1, the minus words for label 0.
    "counting": keywords of two classes, the label is the more frequent one; all its keywords. Those of the
    other class, which speak against the label, are marked as the rationale of that class.
    train, dev, test: numbers of texts, labels balanced. length: least and greatest number of words. noise:
    probability in [0, 1) that a train or dev label is replaced by another one; such examples have no
    rationale, and test labels are never noisy. pair: the words are cut into two texts. classes: of the
    rule "keyword".
    Raises InputError on a value out of range, or when there are too few different texts.
    """
    obeyed = named_rule(rule)
    least, most = _check_length(length, obeyed, rule, pair)
    if seed < 0 or not 0 <= noise < 1:
        raise InputError(
            f"task.seed is {seed} and task.noise is {noise}; expected seed >= 0 and 0 <= noise < 1"
        )
    if not 2 <= classes <= _MOST_CLASSES or (classes > 2 and rule != "keyword"):
        raise InputError(f"task.classes is {classes}; expected 2, or with rule=keyword up to {_MOST_CLASSES}")
    if min(train, dev, test) < 1:
        raise InputError(f"task sizes are {train}, {dev}, {test}; expected at least 1 text per split")
    lexicon = make_lexicon(obeyed.groups(classes), seed)
    seen: set[tuple[str, ...]] = set()
    splits: dict[str, tuple[Example, ...]] = {}
    # test comes first and every split has its own stream, so that a larger train leaves test as it is
    for stream, (split, size) in enumerate((("test", test), ("dev", dev), ("train", train))):
        rng = np.random.default_rng([seed, stream])
        noisy = 0.0 if split == "test" else noise
        examples: list[Example] = []
        for number, label in enumerate(rng.permutation(np.arange(size) % classes).tolist()):
            texts, reasons = _new_text(obeyed, lexicon, label, (least, most), pair, seen, rng)
            labels, rationales = (label,), _rationales(reasons, label)
            if noisy and rng.random() < noisy:
                labels, rationales = ((label + int(rng.integers(1, classes))) % classes,), ()
            examples.append(Example(f"{split}-{number}", texts, labels, rationales))
        splits[split] = tuple(examples)
    names = tuple(f"class_{k}" for k in range(classes))
    return Task(name, names, splits["train"], splits["dev"], splits["test"], ground_truth=True)


def _check_length(length: Sequence[int], rule: Rule, name: str, pair: bool) -> tuple[int, int]:
    # a pair is cut between blocks, so it needs one word more than may be bound in a block
    shortest = rule.shortest + 1 if pair else rule.shortest
    if len(length) != 2 or not shortest <= length[0] <= length[1]:
        raise InputError(
            f"task.length is {list(length)}; expected [least, greatest] number of words, "
            f"with at least {shortest} for rule={name}{' in pairs' if pair else ''}"
        )
    return length[0], length[1]


def _new_text(
    rule: Rule,
    lexicon: Lexicon,
    label: int,
    length: tuple[int, int],
    pair: bool,
    seen: set[tuple[str, ...]],
    rng: np.random.Generator,
) -> tuple[tuple[str, ...], list[tuple[int, Span]]]:
    """A text (or pair) that was not seen before, and its words that speak for a class."""
    for _ in range(_PATIENCE):
        words = int(rng.integers(length[0], length[1] + 1))
        blocks = rule.draw(lexicon, label, words, rng)
        missing = words - sum(len(block.words) for block in blocks)
        drawn = rng.integers(len(lexicon.filler), size=missing).tolist()
        blocks += [Block((lexicon.filler[index],)) for index in drawn]
        blocks = [blocks[index] for index in rng.permutation(len(blocks)).tolist()]
        cut = len(blocks) // 2 if pair else len(blocks)
        parts = [_join(part, segment) for segment, part in enumerate((blocks[:cut], blocks[cut:])) if part]
        texts = tuple(text for text, _ in parts)
        if texts not in seen:
            seen.add(texts)
            return texts, [reason for _, reasons in parts for reason in reasons]
    raise InputError(
        f"no new text of {length[0]} to {length[1]} words was found after {len(seen)} texts; "
        "ask for fewer texts, or longer ones"
    )


def _join(blocks: Sequence[Block], segment: int) -> tuple[str, list[tuple[int, Span]]]:
    """The words of the blocks with single spaces between; class and span of each word that speaks for one."""
    words: list[str] = []
    reasons: list[tuple[int, Span]] = []
    at = 0
    for block in blocks:
        for word in block.words:
            if block.speaks_for is not None:
                reasons.append((block.speaks_for, Span(at, at + len(word), segment)))
            words.append(word)
            at += len(word) + 1
    return " ".join(words), reasons


def _rationales(reasons: Sequence[tuple[int, Span]], label: int) -> tuple[Rationale, ...]:
    """One rationale per class that words speak for, that of the label first."""
    classes = sorted({speaks_for for speaks_for, _ in reasons}, key=lambda k: (k != label, k))
    return tuple(Rationale(tuple(span for k, span in reasons if k == one), label=one) for one in classes)
