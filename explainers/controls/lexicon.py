"""A lexicon as a control: words that are known to speak for a label, whatever the model makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from assay.explainers.controls.heuristics import OfWords, words_of
from assay.explainers.protocol import Traits
from assay.models.protocol import Model
from assay.tasks.arrays import Floats
from assay.tasks.content import digest_now, file_digest
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.files import Row, csv_rows, given_path

COLUMNS = ("word", "weight", "label")
# Scores, and differences of weights, are in single precision.
HEAVIEST = 1e30
# From the words of an entry, a single one or a phrase, to its weight by label; "" is every label.
Entries = Mapping[tuple[str, ...], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Lexicon(OfWords):
    """The weights of a list of words, such as a sentiment lexicon; 0 for words that are not in it.

    Entries match without case, phrases word by word, the longest first. With labels a word scores its weight
    for the target and, where exactly one label is right, less the largest of its weights for the others: so
    what speaks for another label is negative.

    Attributes:
        path: A CSV file with the columns word, weight and, optionally, label. A row without a label counts
            for every label, so its weight must not be negative.
    """

    path: str | None = None
    _kept: dict[str, LexiconFile] = field(default_factory=dict, init=False, repr=False, compare=False)
    traits = Traits(signed=True, additive=False, stochastic=False, strings=True)

    @property
    def fingerprint(self) -> str:
        """The content of the file, by which stored results are named. Raises InputError without one."""
        return self._file().digest

    def values(self, words: Sequence[str], target: int, model: Model) -> Floats:
        """Raises InputError on a label of the file that the model does not have."""
        file, labels = self._file(), model.labels
        for label in file.labels:
            if label not in labels:
                near = did_you_mean(label, labels)
                raise InputError(f"{self.path} has the label {label!r}, which the task lacks; {near}")
        values, at = np.zeros(len(words)), 0
        while at < len(words):
            size = file.match(words[at : at + file.longest])
            if size:
                weights = file.entries[tuple(words[at : at + size])]
                values[at : at + size] = _score(weights, target, labels, multi_label=model.multi_label)
            at += size or 1
        return values

    def _file(self) -> LexiconFile:
        if "file" not in self._kept:
            path = given_path(
                self.path,
                option="explainer.lexicon.path",
                what="a lexicon, a CSV file with the columns word, weight and perhaps label",
                source="a list of your own",
            )
            if not path.is_file():
                raise InputError(f"{path} is a folder; set explainer.lexicon.path to a CSV file")
            self._kept["file"] = read_lexicon(path)
        return self._kept["file"]


@dataclass(frozen=True, slots=True, eq=False)
class LexiconFile:
    """What a file says, and the digest of its bytes.

    labels: those that some entry has a weight for. longest: the number of words of the longest entry.
    """

    entries: Entries
    digest: str
    labels: tuple[str, ...]
    longest: int

    def match(self, words: Sequence[str]) -> int:
        """How many words the longest entry has that these words begin with; 0 if there is none."""
        sizes = range(len(words), 0, -1)
        return next((size for size in sizes if tuple(words[:size]) in self.entries), 0)


def read_lexicon(path: Path) -> LexiconFile:
    """Read a CSV file.

    Raises InputError on other columns and, with the line, on a row without a word, a weight that is no
    number, a negative weight for every label, and a word with two weights for one label.
    """
    entries: dict[tuple[str, ...], dict[str, float]] = {}
    digest = file_digest(path)
    for row in csv_rows(path, wanted=("word", "weight")):
        for column in row.values:
            if column not in COLUMNS:
                near = did_you_mean(column, COLUMNS)
                raise InputError(f"{path} has a column {column!r}, which a lexicon does not have; {near}")
        words, label = tuple(words_of(row.values["word"])), row.values.get("label", "").strip()
        weight = _weight(row)
        if not words:
            raise InputError(f"{row.where}: column 'word' is empty; fill it in or remove the row")
        if weight < 0 and not label:
            raise InputError(
                f"{row.where}: {row.values['word']!r} has the weight {weight:g} for every label; name the "
                "label that it speaks against in the column label"
            )
        if entries.setdefault(words, {}).setdefault(label, weight) != weight:
            raise InputError(
                f"{row.where}: {row.values['word']!r} has two weights, {entries[words][label]:g} and "
                f"{weight:g}; expected one for each label, case does not count"
            )
    if digest_now(path) != digest:
        raise InputError(f"{path} changed while it was read; run the same command once more")
    labels = dict.fromkeys(label for weights in entries.values() for label in weights if label)
    return LexiconFile(entries, digest, tuple(labels), max(map(len, entries)))


def _weight(row: Row) -> float:
    cell = row.values["weight"].strip()
    try:
        weight = float(cell)
    except ValueError:
        weight = float("nan")
    # Python reads 1_000 as a number, no other program does.
    if not abs(weight) <= HEAVIEST or "_" in cell:
        raise InputError(
            f"{row.where}: column 'weight' holds {cell!r}; expected a number such as 1.5, at most "
            f"{HEAVIEST:g} for or against"
        )
    return weight


def _score(weights: Mapping[str, float], target: int, labels: Sequence[str], *, multi_label: bool) -> float:
    own = weights.get(labels[target], 0.0)
    others = [weights.get(label, 0.0) for label in labels if label != labels[target]]
    return weights.get("", 0.0) + own - (0.0 if multi_label else max(others, default=0.0))
