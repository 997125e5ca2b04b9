"""How well annotators agree on what they marked: Krippendorff's alpha, and the F1 of one by another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from assay.tasks.arrays import Bools
from assay.tasks.example import Example, rationales_for
from assay.tasks.words import marked_words, word_places


@dataclass(frozen=True, slots=True)
class AnnotatorAgreement:
    """The agreement of some annotators on the words of the texts that two or more of them saw.

    Attributes:
        group: of annotators; "" for all.
        label: for which they marked; "" for all.
        annotators: how many there are.
        texts: how many texts two or more of them saw and any of them marked.
        pairs: how often two of them are compared on a text and label.
        alpha: Krippendorff's alpha, nominal, over words: 1 for perfect agreement, 0 for what chance gives;
            NaN where all marked everything, and without pairs.
        f1: the mean over texts of the F1 of two annotators' words; 1 where both marked nothing; NaN without
            pairs.
    """

    group: str
    label: str
    annotators: int
    texts: int
    pairs: int
    alpha: float
    f1: float


def annotator_agreement(examples: Iterable[Example], labels: Sequence[str]) -> list[AnnotatorAgreement]:
    """The agreement of all annotators and of each group, for all labels and for each that differs.

    Words are the unit, because annotators saw no model's tokens; one is marked if any mark overlaps it. An
    annotator saw a text if anything of the text is theirs: marks, for any label, or an empty list. Who marked
    nothing for a label is counted as that.

    Args:
        examples: texts with rationales; walked once.
        labels: the names of their classes.

    Returns:
        None where no text was seen by two annotators; all annotators and all labels first. A group of which
        no text was seen by two, as a group of one, has the number of its annotators alone.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
    """
    tallies: dict[tuple[str, int], _Tally] = {}
    members: dict[str, set[str]] = {}
    for example in examples:
        groups = {rationale.annotator: rationale.group for rationale in example.rationales}
        for who, group in groups.items() if example.has_rationale else ():
            members.setdefault(group, set()).add(who)
        for label in range(len(labels)):
            marked = _marked(example, label) if len(groups) > 1 else {}
            for group in sorted({"", *groups.values()}) if marked else ():
                of_group = {who: marked[who] for who in marked if group in ("", groups[who])}
                if len(of_group) > 1 and any(mask.any() for mask in of_group.values()):
                    for place in (-1, label):
                        tallies.setdefault((group, place), _Tally()).add(example.id, of_group)
    by_label = len({label for _, label in tallies if label >= 0}) > 1
    found = [
        tallies[group, label].agreement(group, labels[label] if label >= 0 else "")
        for group, label in sorted(tallies)
        if label < 0 or by_label
    ]
    alone = [
        AnnotatorAgreement(group, "", len(who), 0, 0, np.nan, np.nan)
        for group, who in members.items()
        if found and group and (group, -1) not in tallies
    ]
    return sorted([*found, *alone], key=lambda one: one.group)


def _marked(example: Example, label: int) -> dict[str, Bools]:
    """(W,) bool, the words of all texts that each annotator marked for the label; none if nobody did."""
    found = list(rationales_for(example, label))
    if not found:
        return {}
    places = word_places(example)
    names = sorted({rationale.annotator for rationale in example.rationales})
    spans = {who: [span for one in found if one.annotator == who for span in one.spans] for who in names}
    return {who: marked_words(places, of_one) for who, of_one in spans.items()}


@dataclass(slots=True)
class _Tally:
    """What is counted text by text: words by how many annotators left and marked them, and F1."""

    names: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    words: Counter[tuple[int, int]] = field(default_factory=Counter)
    f1: list[float] = field(default_factory=list)
    pairs: int = 0

    def add(self, text: str, marked: Mapping[str, Bools]) -> None:
        self.names.update(marked)
        self.texts.add(text)
        votes = np.sum(list(marked.values()), axis=0)
        self.words.update((len(marked) - count, count) for count in votes.tolist())
        each = list(_f1_of_pairs(list(marked.values())))
        self.f1.append(float(np.mean(each)))
        self.pairs += len(each)

    def agreement(self, group: str, label: str) -> AnnotatorAgreement:
        counts = np.array(list(self.words), dtype=np.float64)
        alpha = krippendorff_alpha(counts, np.array(list(self.words.values()), dtype=np.float64))
        sizes = len(self.names), len(self.texts), self.pairs
        return AnnotatorAgreement(group, label, *sizes, alpha, float(np.mean(self.f1)))


def _f1_of_pairs(masks: Sequence[Bools]) -> Iterator[float]:
    for one, other in combinations(masks, 2):
        total = int(one.sum() + other.sum())
        yield 2 * int((one & other).sum()) / total if total else 1.0


def krippendorff_alpha(counts: NDArray[np.float64], times: NDArray[np.float64] | None = None) -> float:
    """Krippendorff's alpha for nominal values: 1 - observed / expected disagreement.

    Args:
        counts: (U, V) how many annotators gave each unit each of V values; units of fewer than two are left
            out.
        times: (U,) how often there is such a unit; by default once.

    Returns:
        At most 1; NaN if all values are equal.

    Example:
        >>> krippendorff_alpha(np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]))
        1.0
    """
    size = counts.sum(axis=1)
    several = size > 1
    counts, size = counts[several], size[several]
    times = np.ones(len(counts)) if times is None else times[several]
    totals = (times[:, None] * counts).sum(axis=0)
    n = totals.sum()
    expected = n * n - (totals * totals).sum()
    observed = (times * (size * size - (counts * counts).sum(axis=1)) / (size - 1)).sum()
    return float(1 - (n - 1) * observed / expected) if expected > 0 else float("nan")
