"""Unfair terms of service (CLAUDETTE): sentences of online contracts and the ways in which each is unfair."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from assay.tasks.archive import Reader, reader
from assay.tasks.errors import InputError, did_you_mean, located
from assay.tasks.example import Example, Task
from assay.tasks.files import decoded, given_path
from assay.tasks.sampling import rank

_SOURCE = "https://github.com/nlp-unibo/Multilingual-Unfair-Clause-Detection"
_DOCUMENTS = "corpus/lists/LIST_ALL.txt"
_CATEGORIES = {
    "a": "arbitration",
    "ch": "unilateral_change",
    "cr": "content_removal",
    "j": "jurisdiction",
    "law": "choice_of_law",
    "ltd": "limitation_of_liability",
    "pinc": "privacy_included",
    "ter": "unilateral_termination",
    "use": "contract_by_using",
}
# Marks terms for some countries only; says nothing about unfairness.
_PASSED_OVER = frozenset({"countrym"})


def unfair_tos(
    *,
    name: str = "unfair_tos",
    path: str | None = None,
    min_degree: int = 2,
    dev_documents: int = 5,
    test_documents: int = 10,
    negatives: float = 1.0,
    test_negatives: float = 1.0,
    seed: int = 0,
) -> Task:
    """The English sentences of the corpus in a folder, or in a .tar.gz that is read without unpacking.

    Multi-label; most sentences have no label. min_degree: how unfair a clause must be to get its category's
    label, 1 clearly fair, 2 potentially unfair, 3 clearly unfair; 2 is the reading of CLAUDETTE. A document
    is a group, wholly in one split; `seed` chooses those of dev and test. negatives, test_negatives: the
    share of sentences without a label that stays in train and in test; below 1, precision on test is too
    high.
    Raises InputError naming file and line.
    Source: Lippi et al. (2019), "CLAUDETTE"; Galassi et al. (2024), "Unfair clause detection in terms of
    service across multiple languages".
    """
    if min_degree not in (1, 2, 3):
        raise InputError(f"task.min_degree is {min_degree}; expected 1, 2 or 3")
    for option, share in (("negatives", negatives), ("test_negatives", test_negatives)):
        if not 0 <= share <= 1:
            raise InputError(f"task.{option} is {share}; expected a share from 0 to 1")
    place = given_path(path, option="task.path", what="the corpus as folder or .tar.gz", source=_SOURCE)
    read = reader(place, marker="README.md")
    documents = sorted(_documents(read, str(place)), key=lambda document: rank(document, seed))
    held = test_documents + dev_documents
    if min(dev_documents, test_documents) < 1 or held >= len(documents):
        raise InputError(
            f"task.dev_documents is {dev_documents} and task.test_documents {test_documents}; expected at "
            f"least 1 each and together fewer than the {len(documents)} of {place}, to leave some to train on"
        )
    parts = documents[held:], documents[test_documents:held], documents[:test_documents]
    train, dev, test = (
        [
            example
            for document in sorted(part)
            for example in _examples(read, document, str(place), min_degree)
        ]
        for part in parts
    )
    return Task(
        name,
        tuple(_CATEGORIES.values()),
        _thinned(train, negatives, seed),
        tuple(dev),
        _thinned(test, test_negatives, seed),
        multi_label=True,
    )


def _documents(read: Reader, where: str) -> list[str]:
    names = _lines(read, _DOCUMENTS, where)
    if len(set(names)) < len(names):
        raise InputError(f"{where}, {_DOCUMENTS} names a document twice; remove one of the lines")
    return names


def _lines(read: Reader, file: str, where: str) -> list[str]:
    """The stripped lines of a file, empty ones too: a sentence without a tag has an empty line of tags."""
    data = read(file)
    if data is None:
        raise InputError(f"{where} has no file {file}; expected the corpus as published ({_SOURCE})")
    text = decoded(data, f"{where}, {file}") if data.strip() else data.decode("ascii")
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


def _examples(read: Reader, document: str, where: str, min_degree: int) -> Iterator[Example]:
    texts, tags = (
        _lines(read, f"corpus/{kind}/en/original/{document}", where) for kind in ("sentences", "tags")
    )
    if len(texts) != len(tags):
        raise InputError(
            f"{where}: {document} has {len(texts)} sentences, but {len(tags)} lines of tags; expected as many"
        )
    for number, (text, line) in enumerate(zip(texts, tags, strict=True), start=1):
        place = f"{where}, {document}, line {number}"
        labels = _classes(line.split(), min_degree, place)
        with located(place):
            stem = PurePosixPath(document).stem
            example = Example(f"{stem}-{number}", (text,), labels, group=stem)
        yield example


def _classes(tags: Sequence[str], min_degree: int, place: str) -> tuple[int, ...]:
    names = list(_CATEGORIES)
    found: set[int] = set()
    for tag in tags:
        if tag in _PASSED_OVER:
            continue
        match = re.fullmatch(r"([a-z]+)([123])", tag)
        if match is None or match[1] not in names:
            choices = [f"{name}{degree}" for name in names for degree in (1, 2, 3)]
            raise InputError(f"{place}: unknown tag {tag!r}; {did_you_mean(tag, choices)}")
        if int(match[2]) >= min_degree:
            found.add(names.index(match[1]))
    return tuple(sorted(found))


def _thinned(examples: Sequence[Example], share: float, seed: int) -> tuple[Example, ...]:
    """The examples with a label, and a share of the others."""
    without = sorted((e.id for e in examples if not e.labels), key=lambda id: rank(id, seed))
    kept = set(without[: round(share * len(without))])
    return tuple(example for example in examples if example.labels or example.id in kept)
