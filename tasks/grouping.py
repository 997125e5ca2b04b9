"""Examples that hang together: those of one group, and those of equal texts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.tasks.arrays import Ints
from assay.tasks.counted import counted
from assay.tasks.example import Example, Task


def text_key(texts: Sequence[str]) -> bytes:
    """A key that texts share if they differ in white space and case only, as many models read them.

    Example:
        >>> text_key(["Good  film "]) == text_key(["good film"])
        True
    """
    plain = "\0".join(" ".join(text.split()).lower() for text in texts)
    return hashlib.blake2b(plain.encode(), digest_size=16).digest()


def together(examples: Sequence[Example], *, by_group: bool = True) -> list[list[int]]:
    """The positions of examples that hang together, directly or through others, in order of the first.

    by_group: whether those of one group do, or only equal texts.
    """
    # The position that stands for each example; joining two makes the smaller one stand for both.
    first = list(range(len(examples)))

    def root(place: int) -> int:
        while first[place] != place:
            first[place] = first[first[place]]
            place = first[place]
        return place

    seen: dict[bytes | str, int] = {}
    for place, example in enumerate(examples):
        for name in (text_key(example.texts), example.group if by_group else None):
            if name is not None:
                low, high = sorted((root(seen.setdefault(name, place)), root(place)))
                first[high] = low
    units: dict[int, list[int]] = {}
    for place in range(len(examples)):
        units.setdefault(root(place), []).append(place)
    return list(units.values())


def unit_keys(examples: Sequence[Example]) -> list[bytes]:
    """A key per example that those which hang together share (`together`), made of their texts: it does not
    depend on ids, nor on the order of the examples."""
    keys = [text_key(example.texts) for example in examples]
    found = [b""] * len(examples)
    for unit in together(examples):
        key = min(keys[place] for place in unit)
        for place in unit:
            found[place] = key
    return found


def folds_of(units: Sequence[bytes], folds: int, *names: object) -> Ints:
    """(N,) the fold of each text: those of one unit share one, and the folds are of equal size, as far as the
    units allow. The order of the texts changes nothing.

    Args:
        units: what each text hangs together with, by `unit_keys`.
        folds: how many.
        names: what the random order of the units depends on, such as a seed.
    """
    sizes = Counter(units)
    filled, fold = [0] * folds, dict[bytes, int]()
    for unit in in_random_order(sizes, *names):
        fold[unit] = filled.index(min(filled))
        filled[fold[unit]] += sizes[unit]
    return np.array([fold[unit] for unit in units], dtype=np.intp)


def in_random_order(keys: Iterable[bytes], *names: object) -> list[bytes]:
    """The different keys in an order that depends on them and on the names alone."""
    salt = "\x1f".join(map(str, names)).encode()
    return sorted({*keys}, key=lambda key: hashlib.blake2b(key + salt).digest())


def clusters(examples: Sequence[Example]) -> dict[str, str]:
    """The group of each example that is in one with another, by id; empty where none hang together.

    Example:
        >>> one, two, three = (Example(name, (name,), (0,), group=name[0]) for name in ("a1", "a2", "b1"))
        >>> clusters([one, two, three])
        {'a1': 'a', 'a2': 'a'}
    """
    sizes = Counter(example.group for example in examples)
    return {
        example.id: example.group
        for example in examples
        if example.group is not None and sizes[example.group] > 1
    }


def cluster_numbers(ids: Sequence[str], clusters: Mapping[str, str]) -> Ints:
    """(n,) the number of each text's cluster, from 0 in order of appearance.

    Args:
        ids: of the texts.
        clusters: the name of a text's cluster by its id; a text that is not in it is one by itself.

    Example:
        >>> cluster_numbers(["a", "b", "c", "d"], {"a": "x", "c": "x"}).tolist()
        [0, 1, 0, 2]
    """
    numbers: dict[tuple[bool, str], int] = {}
    names = ((name in clusters, clusters.get(name, name)) for name in ids)
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How often the texts of a task repeat, and what its splits share. Texts are equal by `text_key`.

    Attributes:
        repeated: examples whose text stands before them.
        repeated_within: of train, dev and test, examples whose text stands before them in the same split.
        contradictory: texts that occur with different labels.
        test, dev: the numbers of these examples.
        test_seen: test examples whose text is also in train or dev.
        dev_seen: dev examples whose text is also in train.
        test_group_seen: test examples whose group is also in train or dev, but whose text is not.
        dev_group_seen: dev examples whose group is also in train, but whose text is not.
    """

    repeated: int
    repeated_within: tuple[int, int, int]
    contradictory: int
    test: int
    dev: int
    test_seen: int
    dev_seen: int
    test_group_seen: int
    dev_group_seen: int

    def sentences(self) -> Iterator[str]:
        """What a reader should know, a sentence each; none where no text and no group repeats."""
        if self.repeated:
            labels = (
                f"; {self.contradictory} text(s) occur with different labels" if self.contradictory else ""
            )
            yield f"{self.repeated} text(s) repeat another one, white space and case aside{labels}"
        for seen, of, split, what in (
            (self.test_seen, self.test, "test", "texts are also in train or dev"),
            (self.dev_seen, self.dev, "dev", "texts are also in train"),
            (
                self.test_group_seen,
                self.test,
                "test",
                "texts are new, but of a group that is also in train or dev",
            ),
            (self.dev_group_seen, self.dev, "dev", "texts are new, but of a group that is also in train"),
        ):
            if seen:
                yield f"{seen} of {of} {split} {what}"


def overlap(task: Task) -> Overlap:
    """How the texts and groups of a task overlap."""
    labels: dict[bytes, tuple[int, ...]] = {}
    contradictory: set[bytes] = set()
    groups: set[str] = set()
    repeated, within, seen, group_seen = 0, list[int](), {}, {}
    for split in ("train", "dev", "test"):
        examples: tuple[Example, ...] = getattr(task, split)
        keys = [text_key(example.texts) for example in examples]
        within.append(len(keys) - len(set(keys)))
        seen[split] = sum(key in labels for key in keys)
        group_seen[split] = sum(
            example.group in groups and key not in labels for key, example in zip(keys, examples, strict=True)
        )
        for key, example in zip(keys, examples, strict=True):
            repeated += key in labels
            unlabelled = task.partial and not example.labels
            if labels.setdefault(key, example.labels) != example.labels and not unlabelled:
                contradictory.add(key)
        groups.update(example.group for example in examples if example.group is not None)
    return Overlap(
        repeated,
        (within[0], within[1], within[2]),
        len(contradictory),
        len(task.test),
        len(task.dev),
        seen["test"],
        seen["dev"],
        group_seen["test"],
        group_seen["dev"],
    )


def remarks(task: Task, known: Overlap | None = None) -> tuple[str, ...]:
    """What a reader of results on these texts should know of them, a sentence each; known: their overlap, if
    it is counted already."""
    found = [*(known or overlap(task)).sentences(), *_hanging_together(task)]
    if any(rationale.graded for example in task.test for rationale in example.rationales):
        least = "above 0" if task.rationale_threshold is None else f"of at least {task.rationale_threshold:g}"
        found.append(f"marks are graded; metrics of marks as yes or no take those with a grade {least}")
    return tuple(found)


def _hanging_together(task: Task) -> Iterator[str]:
    """How many test texts are in groups; of pairs that are in none, how many share a text with others."""
    several = clusters(task.test)
    if several:
        groups = counted(len(set(several.values())), "group")
        yield (
            f"{len(several)} of {len(task.test)} test texts hang together, in {groups}; intervals and tests "
            "count a group as one text"
        )
    elif task.pairs and all(example.group is None for example in task.test):
        pairs = {text_key(example.texts): example.texts for example in task.test}.values()
        sides = [Counter(text_key([pair[side]]) for pair in pairs) for side in (0, 1)]
        sharing = sum(
            any(side[text_key([text])] > 1 for side, text in zip(sides, pair, strict=True)) for pair in pairs
        )
        if sharing:
            yield (
                f"{sharing} test pairs share one of their two texts with another pair; if such pairs hang "
                "together, give the column of that text as group, or intervals are too narrow"
            )
