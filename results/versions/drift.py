"""How far explanations of the same texts moved: the rank correlation between two versions, text by text."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.results.records import Group, Method
from assay.results.statistics.rank_correlation import rank_correlation

# So many texts are named.
MOST = 10
OTHER_CLASS, OTHER_TOKENS, ONE_TOKEN = "explained for other classes", "cut into other tokens", "of one token"
CONSTANT = "with one score for all tokens"


class Scores(NamedTuple):
    """One explanation: what names its tokens and where they stand, and the (T,) scores of content tokens."""

    tokens: bytes
    scores: NDArray[np.float64]


# By text and class the explanation of one method by one model.
Explained = Mapping[tuple[str, int], Scores]


@dataclass(frozen=True, slots=True)
class DriftRow:
    """The agreement of one method's explanations in both versions."""

    task: Annotated[str, "the task"]
    model: Annotated[str, "the model of A"]
    other_model: Annotated[str, "the model of B"]
    explainer: Annotated[str, "the explainer"]
    baseline: Annotated[str, "what an absent token becomes"]
    agreement: Annotated[
        float,
        "mean over texts of Spearman's correlation of A's scores with B's; empty where none can be told",
    ]
    within: Annotated[float, "the same between two model seeds of A; empty with one seed"]
    n_texts: Annotated[int, "number of texts"]
    left_out: Annotated[str, "texts that cannot be compared, and why"]
    control: Annotated[bool, "a control (random, gold, ...)"]


@dataclass(frozen=True, slots=True)
class MovedText:
    """One text; agreement: mean over the candidates."""

    task: str
    id: str
    agreement: float
    text: str


class OfTexts(NamedTuple):
    """By text the mean agreement over models, and how many texts were left out for which reason."""

    agreement: dict[str, float]
    left_out: Counter[str]


def between(pairs: Iterable[tuple[Explained, Explained]], texts: frozenset[str]) -> OfTexts:
    """The agreement of explanations text by text, mean over classes and over pairs of models.

    Args:
        pairs: the explanations by a model of each version.
        texts: those that are the same in both.
    """
    found: defaultdict[str, list[float]] = defaultdict(list)
    reasons: dict[str, str] = {}
    for one, other in pairs:
        for (text, target), mine in one.items():
            theirs = other.get((text, target))
            if text not in texts:
                continue
            if theirs is None:
                reasons.setdefault(text, OTHER_CLASS)
            elif theirs.tokens != mine.tokens:
                reasons.setdefault(text, OTHER_TOKENS)
            elif len(mine.scores) < 2:
                reasons.setdefault(text, ONE_TOKEN)
            elif math.isnan(value := rank_correlation(mine.scores, theirs.scores)):
                reasons.setdefault(text, CONSTANT)
            else:
                found[text].append(value)
    left = Counter(reason for text, reason in reasons.items() if text not in found)
    return OfTexts({text: float(np.mean(values)) for text, values in found.items()}, left)


def drift_row(
    groups: tuple[Group, Group], method: Method, found: OfTexts, within: OfTexts | None, *, control: bool
) -> DriftRow:
    """One method as a row."""
    left = "; ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items()))
    values = list(found.agreement.values())
    inside = [] if within is None else list(within.agreement.values())
    return DriftRow(
        groups[0].task,
        groups[0].model,
        groups[1].model,
        *method,
        agreement=float(np.mean(values)) if values else float("nan"),
        within=float(np.mean(inside)) if inside else float("nan"),
        n_texts=len(values),
        left_out=left,
        control=control,
    )


def most_moved(
    task: str, by_method: Sequence[OfTexts], texts: Mapping[str, str], most: int = MOST
) -> list[MovedText]:
    """The texts with the lowest agreement, mean over methods; equal ones in the order of their ids. A text
    whose agreement is 1.00 did not move, and is none of them.

    Args:
        task: its name.
        by_method: of each candidate.
        texts: by id the text as it is shown.
        most: how many.
    """
    values: defaultdict[str, list[float]] = defaultdict(list)
    for found in by_method:
        for text, agreement in found.agreement.items():
            values[text].append(agreement)
    means = {text: float(np.mean(of_text)) for text, of_text in values.items()}
    moved = [text for text, mean in means.items() if round(mean, 2) < 1]
    lowest = sorted(moved, key=lambda text: (means[text], text))[:most]
    return [MovedText(task, text, means[text], texts.get(text, "")) for text in lowest]
