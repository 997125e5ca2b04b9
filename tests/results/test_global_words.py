"""The words of a class: against brute force, flat in memory, and with intervals that hold."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pytest

from assay.results.records import Group, Method
from assay.results.statistics.global_words import WordRun, global_words
from assay.results.statistics.word_totals import FLAT, ScoredWords, Vocabulary, WordMean, word_means

GROUP = Group("planted", "cnn")
VOCABULARY = ("good", "bad", "Film", "film", "the", "plot", "=1+1")


class Written(NamedTuple):
    """An explanation by the words as they are written."""

    text: str
    label: str
    words: list[tuple[str, float]]
    cluster: str = ""

    def scored(self) -> ScoredWords:
        vocabulary = Vocabulary.of(word for word, _ in self.words)
        scores = np.array([score for _, score in self.words])
        return vocabulary.scored(self.text, self.label, scores, self.cluster)


def means_of(every: Iterable[Written], fewest: int) -> dict[str, dict[str, WordMean]]:
    return word_means((one.scored() for one in every), fewest)


def texts(count: int, seed: int, clusters: int = 0) -> Iterator[Written]:
    """Texts of two labels with words that come once or more; some hang together."""
    rng = np.random.default_rng(seed)
    for place in range(count):
        words = [
            (VOCABULARY[at], float(rng.gamma(2) * (1 if at % 2 else -1)))
            for at in rng.integers(0, len(VOCABULARY), 6)
        ]
        cluster = f"document {place % clusters}" if clusters and place % 3 else ""
        yield Written(f"text {place}", ("pos", "neg")[place % 2], words, cluster)


def brute(label: str, word: str, every: list[Written]) -> list[tuple[float, str, str]]:
    """Of each text with the word its mean score there, with the text's id and cluster."""
    found = []
    for one in every:
        scores = [score for written, score in one.words if written.lower() == word]
        if one.label == label and scores:
            found.append((float(np.mean(scores)), one.text, one.cluster))
    return found


@pytest.mark.parametrize("clusters", [0, 15])
def test_means_counts_intervals_and_texts_are_those_of_brute_force(clusters: int) -> None:
    every = list(texts(200, 0, clusters))
    means = means_of(every, fewest=3)
    assert set(means) == {"pos", "neg"} and set(means["pos"]) == {word.lower() for word in VOCABULARY}
    for label, of_label in means.items():
        for word, mean in of_label.items():
            known = brute(label, word, every)
            values = np.array([value for value, _, _ in known])
            assert math.isclose(mean.value, values.mean(), rel_tol=1e-12) and mean.texts == len(known)
            assert mean.occurrences == sum(
                written.lower() == word for one in every if one.label == label for written, _ in one.words
            )
            strongest = sorted(known, key=lambda each: -abs(each[0]))[:3]
            assert mean.named == tuple(text for _, text, _ in strongest)
            # Deviations summed within what hangs together, each unit once.
            units: dict[str, float] = {}
            for value, text, cluster in known:
                units[cluster or text] = units.get(cluster or text, 0.0) + value - values.mean()
            gaps, n = np.array(list(units.values())), len(units)
            error = math.sqrt((gaps**2).sum() * n / (n - 1)) / len(known)
            assert math.isclose(mean.high - mean.low, 2 * critical(n) * error, rel_tol=1e-9)
            middle = values.mean() + (gaps**3).sum() / (gaps**2).sum() / 6 / len(known)
            assert math.isclose((mean.high + mean.low) / 2, middle, rel_tol=1e-9)


def critical(units: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, units - 1))


def test_few_texts_and_equal_scores_have_no_interval() -> None:
    few = means_of(list(texts(12, 1)), fewest=2)["pos"]
    assert all(math.isnan(mean.low) and "fewer than 10" in mean.note for mean in few.values())
    same = [Written(str(place), "pos", [("good", 0.3), ("good", 0.3)]) for place in range(20)]
    mean = means_of(same, 10)["pos"]["good"]
    assert (mean.value, mean.texts, mean.occurrences, mean.note) == (pytest.approx(0.3), 20, 40, FLAT)
    together = [Written(str(place), "pos", [("good", place)], "one") for place in range(20)]
    assert "1 group of texts" in means_of(together, 10)["pos"]["good"].note
    assert means_of(same, 21) == {"pos": {}}


def test_memory_is_flat_in_the_number_of_texts() -> None:
    peaks = []
    means_of(texts(50, 2), 10)
    for count in (300, 6000):
        tracemalloc.start()
        means_of(texts(count, 2), 10)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize(
    ("draw", "least"),
    [("normal", 0.935), ("exponential", 0.90), ("lognormal", 0.87), ("clustered", 0.92)],
)
def test_intervals_hold_the_true_mean(draw: str, least: float) -> None:
    """Of 1,000 draws of 20 texts, or of 20 documents of 1 to 5 texts that share half of their variance."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(1000):
        if draw == "clustered":
            sizes = rng.integers(1, 6, 20)
            values = np.concatenate([rng.normal() + rng.normal(size=size) for size in sizes])
            names = np.repeat([f"d{place}" for place in range(20)], sizes).tolist()
            truth = 0.0
        else:
            drawn = {
                "normal": rng.normal,
                "exponential": rng.standard_exponential,
                "lognormal": rng.lognormal,
            }
            values, names = drawn[draw](size=20), [""] * 20
            truth = {"normal": 0.0, "exponential": 1.0, "lognormal": math.exp(0.5)}[draw]
        every = [
            Written(str(place), "pos", [("good", value)], name)
            for place, (value, name) in enumerate(zip(values.tolist(), names, strict=True))
        ]
        mean = means_of(every, 10)["pos"]["good"]
        held += mean.low <= truth <= mean.high
    assert held / 1000 >= least


def runs() -> list[WordRun]:
    """Two methods, two model seeds, one of them with two explainer seeds."""
    made = [("lime", "mask", "0", 0, 1), ("lime", "mask", "0", 1, 2), ("lime", "mask", "1", 0, 3)]
    made += [("saliency", "", "0", 0, 1), ("saliency", "", "1", 0, 4)]
    return [
        WordRun(GROUP, Method(*names), seed, drawn, means_of(texts(120, source), 5))
        for *names, seed, drawn, source in made
    ]


def test_means_over_runs_and_seeds() -> None:
    known = runs()
    found = global_words(known)
    row = next(row for row in found.words if (row.explainer, row.label, row.word) == ("lime", "pos", "good"))
    one, two, three = (known[place].words["pos"]["good"] for place in range(3))
    first = (one.value + two.value) / 2
    assert row.value == pytest.approx((first + three.value) / 2)
    assert row.low == pytest.approx(((one.low + two.low) / 2 + three.low) / 2)
    assert row.seed_deviation == pytest.approx(abs(first - three.value) / math.sqrt(2)) and row.n_seeds == 2
    assert row.n_texts == min(one.texts, two.texts, three.texts)
    assert set(json.loads(row.texts)) <= {*one.named, *two.named, *three.named}
    sizes = [abs(row.value) for row in found.words if (row.explainer, row.label) == ("lime", "pos")]
    assert sizes == sorted(sizes, reverse=True)
    assert len(global_words(known, listed=2).words) == 2 * 2 * 2


def test_stability_over_seeds_and_explainers() -> None:
    from scipy.stats import spearmanr

    known = runs()
    found = {(row.explainer, row.label, row.over): row for row in global_words(known).stability}
    words = sorted(known[0].words["pos"])
    values = [[run.words["pos"][word].value for word in words] for run in known]

    def rho(one: int, two: int) -> float:
        return float(spearmanr(values[one], values[two]).statistic)  # pyright: ignore[reportAttributeAccessIssue]

    assert found["lime", "pos", "model seeds"].rho == pytest.approx(rho(0, 2))
    assert found["lime", "pos", "explainer seeds"].rho == pytest.approx(rho(0, 1))
    assert ("saliency", "pos", "explainer seeds") not in found
    mine = [(values[0][at] + values[1][at]) / 4 + values[2][at] / 2 for at in range(len(words))]
    theirs = [(values[3][at] + values[4][at]) / 2 for at in range(len(words))]
    expected = float(spearmanr(mine, theirs).statistic)  # pyright: ignore[reportAttributeAccessIssue]
    assert found["lime", "pos", "explainers"].rho == pytest.approx(expected)
    assert found["saliency", "pos", "explainers"].n_words == len(words)
