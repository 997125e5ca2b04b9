"""The toy task of DiffMask: labels and rationales by brute force, draws by the probabilities of the paper."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import prod, sqrt
from typing import Any

import numpy as np
import pytest

from assay.models.vocabulary import build_vocabulary
from assay.tasks.digit_counting import digit_counting
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task, fingerprint


@pytest.fixture(scope="module")
def task() -> Task:
    return digit_counting(seed=1)


def _examples(task: Task) -> list[Example]:
    return [*task.train, *task.dev, *task.test]


def _near(count: int, draws: int, chance: float) -> bool:
    """Whether a share is its probability but for four standard errors."""
    return abs(count / draws - chance) < 4 * sqrt(chance * (1 - chance) / draws)


def test_the_label_and_the_rationale_are_those_of_a_count(task: Task) -> None:
    for example in _examples(task):
        (n, m), words = example.texts[0].split(), example.texts[1].split()
        assert n != m
        assert example.labels == (int(words.count(n) > words.count(m)),)
        counted = [word for word in words if word in (n, m)]
        if not counted:
            assert not example.rationales
            continue
        (rationale,) = example.rationales
        assert rationale.label == example.labels[0]
        marked = [
            (span.segment, example.texts[span.segment][span.start : span.end]) for span in rationale.spans
        ]
        assert marked == [(0, n), (0, m), *((1, word) for word in counted)]
        starts = [span.start // 2 for span in rationale.spans[2:]]
        assert starts == [at for at, word in enumerate(words) if word in (n, m)]
    assert task.ground_truth and task.pairs


def test_draws_have_the_probabilities_of_the_paper(task: Task) -> None:
    drawn = [(example.texts[0].split(), example.texts[1].split()) for example in _examples(task)]
    assert len(drawn) == 11_000
    lengths = Counter(len(words) for _, words in drawn)
    assert set(lengths) == set(range(1, 11))
    assert all(_near(count, len(drawn), 0.1) for count in lengths.values())
    queries = Counter(tuple(query) for query, _ in drawn)
    assert len(queries) == 90
    assert all(_near(count, len(drawn), 1 / 90) for count in queries.values())
    digits = sum(len(words) for _, words in drawn)
    for place in (0, 1):
        assert _near(sum(words.count(query[place]) for query, words in drawn), digits, 0.25)
    # The other digits, by how far above the query's first they are; each is as likely as any.
    above = Counter((int(w) - int(query[0])) % 10 for query, words in drawn for w in words if w not in query)
    others = above.total()
    assert _near(others, digits, 0.5)
    assert all(_near(above[step], others, 1 / 9) for step in range(1, 10))


def test_the_share_of_each_label_is_that_of_all_sequences(task: Task) -> None:
    chance = {"n": 0.25, "m": 0.25, "other": 0.5}
    shares = [
        sum(
            prod(chance[kind] for kind in kinds)
            for kinds in product(chance, repeat=length)
            if kinds.count("n") > kinds.count("m")
        )
        for length in range(1, 11)
    ]
    examples = _examples(task)
    more = sum(example.labels[0] for example in examples)
    assert _near(more, len(examples), float(np.mean(shares)))


def test_the_same_seed_gives_the_same_bytes_and_a_larger_train_leaves_the_others_alone() -> None:
    small, large = digit_counting(train=20, dev=5, test=5), digit_counting(train=40, dev=5, test=5)
    assert (small.dev, small.test) == (large.dev, large.test) and large.train[:20] == small.train
    assert digit_counting(seed=2, train=20, dev=5, test=5).train != small.train
    # pinned: results are stored under this fingerprint, so a change of the generator must be noticed
    assert fingerprint(small.train) == "5eb25def61a21bb21de34a7768e0fde5da555ef1c4ae8d227454d2dd652d426d"


def test_word_models_read_every_digit_as_a_word(task: Task) -> None:
    vocabulary = build_vocabulary((e.texts for e in task.train), min_count=2, max_words=100)
    assert set("0123456789") <= set(vocabulary.words)


@pytest.mark.parametrize("settings", [{"seed": -1}, {"test": 0}])
def test_bad_settings_say_what_was_expected(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected at least"):
        digit_counting(**{"train": 5, "dev": 5, "test": 5, **settings})
