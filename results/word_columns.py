"""The rows of the tables of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from assay.results.columns import Baseline, Explainer, GroupRow, SeedDeviation


@dataclass(frozen=True, slots=True)
class GlobalWordRow(GroupRow):
    """One word of one class as one explainer sees it: a row of `global_words.csv`."""

    explainer: Explainer
    baseline: Baseline
    label: Annotated[str, "the class"]
    word: Annotated[str, "the word in small letters, sub-words joined"]
    value: Annotated[
        float,
        "its mean attribution over the texts with it that were explained for the class; of several "
        "occurrences in a text the mean counts; averaged over model seeds",
    ]
    low: Annotated[float, "lower end of the interval of `value`, over texts"]
    high: Annotated[float, "upper end of the interval of `value`, over texts"]
    seed_deviation: SeedDeviation
    n_seeds: Annotated[int, "number of model seeds in which enough texts have it"]
    n_texts: Annotated[int, "number of texts with it, in the run with fewest"]
    occurrences: Annotated[int, "how often it stands in them, likewise"]
    texts: Annotated[str, "the ids of the texts in which it has most weight, as a JSON list"]
    interval_note: Annotated[str, "why there is no interval, where that is so"] = ""


@dataclass(frozen=True, slots=True)
class WordStabilityRow(GroupRow):
    """How far the order of a class's words is kept: a row of `global_words_stability.csv`."""

    explainer: Explainer
    baseline: Baseline
    label: Annotated[str, "the class"]
    over: Annotated[str, "what changes: `model seeds`, `explainer seeds` or `explainers` (all others)"]
    rho: Annotated[float, "Spearman's correlation of the words' means, averaged over pairs"]
    n_pairs: Annotated[int, "number of pairs of runs, or of other explainers"]
    n_words: Annotated[int, "number of words that both have, in the pair with fewest"]
