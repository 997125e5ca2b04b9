"""Dataset consistency as coded: which pairs of texts, and how far they are apart."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import numpy as np
import pytest
from metrics_world import World, encode, example, keyword_examples, keyword_model, oracle, same_table
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from assay.metrics.as_coded.dataset_consistency import DatasetConsistencyAsCoded, draw_pairs, padded_means
from assay.tasks.example import Example


def by_hand(examples: Sequence[Example], pairs: int, pool: int, seed: int) -> list[tuple[int, int, int]]:
    """All pairs in a list, as the script has them."""
    words = [{w for w in e.texts[-1].lower().split() if w not in ENGLISH_STOP_WORDS} for e in examples]
    same, different = [], []
    for i in range(len(examples)):
        for j in range(i + 1, len(examples)):
            if examples[i].id.split(".jpg")[0] == examples[j].id.split(".jpg")[0]:
                continue
            alike = examples[i].labels == examples[j].labels
            (same if alike else different).append((i, j, len(words[i] & words[j])))
    same = sorted((p for p in same if p[2]), key=lambda p: -p[2])[:pairs]
    different = sorted(different, key=lambda p: p[2])[:pool]
    return [*same, *random.Random(seed).sample(different, min(pairs, len(different)))]


@pytest.mark.parametrize("seed", range(12))
def test_pairs_of_texts_are_those_of_a_list_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    few = int(rng.integers(2, 30))
    examples = [
        Example(
            f"{at // 2 if seed % 2 else at}.jpg#{at}",
            ("premise", " ".join(rng.choice(["good", "Good", "the", "bad,", "bad", "film"], 4))),
            (int(rng.integers(3)),),
        )
        for at in range(few)
    ]
    pairs, pool = int(rng.integers(1, 30)), int(rng.integers(30, 60))
    found = draw_pairs(examples, pairs, pool, random.Random(seed))
    triples = list(zip(found.first, found.second, found.overlap.astype(int), strict=True))
    assert triples == by_hand(examples, pairs, pool, seed)
    assert [e.labels for e in examples] and (
        found.similar.tolist()
        == [examples[i].labels == examples[j].labels for i, j in zip(found.first, found.second, strict=True)]
    )


def test_pairs_among_many_texts_take_little_time() -> None:
    rng = np.random.default_rng(0)
    names = np.array([f"word{at}" for at in range(5000)])
    examples = [
        Example(f"x{at}", (" ".join(rng.choice(names, 10)),), (int(rng.integers(3)),)) for at in range(5000)
    ]
    began = time.process_time()
    found = draw_pairs(examples, 2000, 5000, random.Random(73))
    assert time.process_time() - began < 5
    assert len(found) == 4000
    assert len(np.unique(found.first[~found.similar])) < 10, "they are all about the first few texts"


def test_only_class_0_and_the_last_occurrence_count() -> None:
    texts = [example("a", "great film great", [2]), example("b", "film two", [2])]
    rows = {"a": [1.0, 2, 3, 5, 1], "b": [4.0, 8, 0, 9]}
    subject = World(texts).subject(lambda e, c, m: np.stack([rows[e.id], c.ids, c.ids]).astype(float))
    table = DatasetConsistencyAsCoded().score(subject)
    distance = float(table.loc[table["part"] == "explanation_distance", "value"].iloc[0])
    # Special token 1 against 9; film 3 against 8; great 5 and two 0 against what is missing.
    assert distance == pytest.approx((8 + 5 + (5 - 1e-7) + 1e-7) / 4)
    other = DatasetConsistencyAsCoded().score(
        World(texts).subject(lambda e, c, m: np.stack([rows[e.id], c.ids * 7, c.ids * 0]).astype(float))
    )
    same_table(table, other)


def test_activations_are_averaged_over_the_padded_text() -> None:
    of_one = World(keyword_examples(9), keyword_model())
    subject = of_one.subject(oracle)
    encodings = [encode(item.texts[0]) for item in of_one.examples]
    names, layers = padded_means(subject.engine, encodings, 8)
    assert names == ("tokens", "logits")
    for at, encoding in enumerate(encodings):
        weights = of_one.model.weights[encoding.ids]
        logits = weights.sum(axis=0) + of_one.model.bias
        expected = [weights.sum() / (max(8, len(encoding)) * 3), logits.mean()]
        assert layers[at] == pytest.approx(expected, abs=1e-6)
