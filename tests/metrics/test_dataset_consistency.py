from __future__ import annotations

import random
import time
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics_world import (
    BagEngine,
    Noise,
    World,
    encode,
    example,
    keyword_examples,
    keyword_model,
    oracle,
    same_table,
    spearman,
    value,
)

from assay.metrics import dataset_consistency, text_pairs
from assay.metrics.as_coded.dataset_consistency import DatasetConsistencyAsCoded, draw_pairs
from assay.metrics.dataset_consistency import (
    DatasetConsistency,
    TypeScores,
    pooled_activations,
    type_distances,
    type_scores,
)
from assay.metrics.long_table import pair_name, pair_texts, wide
from assay.metrics.text_pairs import choose_pairs, content_words
from assay.models.encoding import Encoding
from assay.tasks.errors import InputError
from assay.tasks.example import Example

METRIC = DatasetConsistency(pairs=60)


def random_texts(count: int, words: int = 40, seed: int = 0) -> list[Example]:
    rng = np.random.default_rng(seed)
    names = np.array([f"word{at}" for at in range(words)])
    return [
        Example(f"x{at:05d}", (" ".join(rng.choice(names, rng.integers(3, 9))),), (int(rng.integers(3)),))
        for at in range(count)
    ]


def jaccard(a: Example, b: Example) -> float:
    left, right = content_words(a), content_words(b)
    return len(left & right) / len(left | right)


def test_similar_pairs_are_the_most_overlapping_of_all() -> None:
    examples = random_texts(60)
    pairs = choose_pairs(examples, 50, np.random.default_rng(0))
    every = [
        jaccard(a, b) for a, b in combinations(examples, 2) if a.labels == b.labels and jaccard(a, b) > 0
    ]
    found = pairs.overlap[pairs.similar]
    np.testing.assert_allclose(np.sort(found), sorted(every)[-50:])
    for i, j, overlap in zip(pairs.first, pairs.second, pairs.overlap, strict=True):
        assert jaccard(examples[i], examples[j]) == pytest.approx(overlap)


def test_different_pairs_share_no_label_and_few_words() -> None:
    examples = random_texts(60)
    pairs = choose_pairs(examples, 50, np.random.default_rng(0))
    unlike = ~pairs.similar
    assert unlike.sum() == 50
    assert all(
        examples[i].labels != examples[j].labels
        for i, j in zip(pairs.first[unlike], pairs.second[unlike], strict=True)
    )
    some = [jaccard(a, b) for a, b in combinations(examples, 2) if a.labels != b.labels]
    assert pairs.overlap[unlike].max() <= np.median(some)
    assert len(set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))) == len(pairs)


def test_pairs_do_not_depend_on_the_order_of_the_examples() -> None:
    examples = random_texts(80)
    names = []
    for order in (examples, examples[::-1]):
        pairs = choose_pairs(order, 30, np.random.default_rng(4))
        names.append([(order[i].id, order[j].id) for i, j in zip(pairs.first, pairs.second, strict=True)])
    assert names[0] == names[1]


@pytest.mark.parametrize(("texts", "pairs"), [(60, 400), (300, 20)])
def test_no_pair_lies_within_a_group(texts: int, pairs: int) -> None:
    """Of few texts all pairs are looked at, of many some are drawn."""
    plain = random_texts(texts)
    grouped = [replace(item, group=f"doc {n % 12}" if n % 5 else None) for n, item in enumerate(plain)]
    found = {}
    for examples in (plain, grouped):
        chosen = choose_pairs(examples, pairs, np.random.default_rng(0))
        assert chosen.similar.any() and not chosen.similar.all()
        groups = [
            (grouped[i].group, grouped[j].group) for i, j in zip(chosen.first, chosen.second, strict=True)
        ]
        found[len(found)] = [one is not None and one == other for one, other in groups]
    assert any(found[0]) and not any(found[1])
    # The most similar are still the most overlapping of all that may be a pair.
    every = [
        jaccard(a, b)
        for a, b in combinations(grouped, 2)
        if a.labels == b.labels and jaccard(a, b) > 0 and (a.group is None or a.group != b.group)
    ]
    chosen = choose_pairs(grouped, 50, np.random.default_rng(0))
    np.testing.assert_allclose(np.sort(chosen.overlap[chosen.similar]), sorted(every)[-50:])


def test_groups_of_one_text_change_no_pair_and_as_coded_nothing_does() -> None:
    plain = random_texts(60)
    alone = [replace(item, group=f"doc {item.id}") for item in plain]
    together = [replace(item, group="doc") for item in plain]
    one, other = (choose_pairs(examples, 50, np.random.default_rng(0)) for examples in (plain, alone))
    assert (one.first.tolist(), one.second.tolist()) == (other.first.tolist(), other.second.tolist())
    assert len(choose_pairs(together, 50, np.random.default_rng(0))) == 0
    coded = [draw_pairs(examples, 50, 100, random.Random(0)) for examples in (plain, together)]
    assert len(coded[1]) == 100 and coded[0].first.tolist() == coded[1].first.tolist()


def test_stop_words_do_not_make_texts_similar() -> None:
    examples = [Example("a", ("the and of you",), (0,)), Example("b", ("the and of it",), (0,))]
    assert len(choose_pairs(examples, 5, np.random.default_rng(0))) == 0


def test_multi_label_pairs() -> None:
    labels = {"a": (0, 1), "b": (1, 0), "c": (0,), "d": (2,), "e": ()}
    examples = [Example(name, ("good film",), value) for name, value in labels.items()]
    pairs = choose_pairs(examples, 50, np.random.default_rng(0))
    names = [{examples[i].id, examples[j].id} for i, j in zip(pairs.first, pairs.second, strict=True)]
    assert [n for n, similar in zip(names, pairs.similar, strict=True) if similar] == [{"a", "b"}]
    unlike = {frozenset(n) for n, similar in zip(names, pairs.similar, strict=True) if not similar}
    assert unlike == {frozenset(p) for p in ("ad", "ae", "bd", "be", "cd", "ce", "de")}


def test_common_words_are_dropped_before_the_work_explodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_pairs, "CANDIDATES", 100)
    examples = [Example(f"x{at}", (f"common rare{at // 2}",), (0,)) for at in range(50)]
    pairs = choose_pairs(examples, 1000, np.random.default_rng(0))
    found = {frozenset(pair) for pair in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)}
    assert found == {frozenset((at, at + 1)) for at in range(0, 50, 2)}
    assert (pairs.overlap == 1.0).all()


def test_many_texts_take_little_time() -> None:
    examples = random_texts(10_000, words=20_000)
    began = time.process_time()
    pairs = choose_pairs(examples, 2000, np.random.default_rng(0))
    assert pairs.similar.sum() == 2000 and (~pairs.similar).sum() == 2000
    assert time.process_time() - began < 5


def test_type_scores_sum_words_and_occurrences() -> None:
    text = "Great film great"
    item = example("a", text, [2])
    # As a word-piece tokenizer would split it: gre at film great.
    encoding = Encoding(
        ("[CLS]", "gre", "at", "film", "great"),
        np.zeros(5, dtype=np.int32),
        np.zeros(5, dtype=np.int32),
        np.array([(0, 0), (0, 3), (3, 5), (6, 10), (11, 16)], dtype=np.int32),
        np.array([-1, 0, 0, 1, 2], dtype=np.int32),
    )
    found = type_scores(item, encoding, np.array([[100.0, 1, 2, 4, 8], [100, 0, 0, 1, 0]]))
    assert found.types.tolist() == ["film", "great"]
    assert found.scores.tolist() == [[4, 11], [1, 0]]


def test_type_scores_read_the_text_of_their_segment() -> None:
    item = Example("a", ("one", "two"), (0,))
    encoding = Encoding(
        ("one", "[SEP]", "two"),
        np.zeros(3, dtype=np.int32),
        np.array([0, 0, 1], dtype=np.int32),
        np.array([(0, 3), (0, 0), (0, 3)], dtype=np.int32),
        np.array([0, -1, 1], dtype=np.int32),
    )
    found = type_scores(item, encoding, np.array([[1.0, 9.0, 2.0]]))
    assert dict(zip(found.types.tolist(), found.scores[0].tolist(), strict=True)) == {"one": 1, "two": 2}


def test_distance_counts_missing_types_as_zero() -> None:
    a = type_scores(example("a", "great film", [0]), encode("great film"), np.array([[0.0, 1, 2, 0]]))
    b = type_scores(example("b", "film story", [0]), encode("film story"), np.array([[0.0, 5, 7, 0]]))
    found = type_distances([a, b], np.array([0, 1, 0]), np.array([1, 0, 0]))
    assert found.tolist() == [(1 + 3 + 7) / 3, (1 + 3 + 7) / 3, 0.0]


def one_distance(a: TypeScores, b: TypeScores) -> float:
    """The definition, a pair at a time."""
    union = np.union1d(a.types, b.types)
    difference = np.zeros((len(a.scores), len(union)))
    difference[:, np.searchsorted(union, a.types)] += a.scores
    difference[:, np.searchsorted(union, b.types)] -= b.scores
    return float(np.abs(difference).mean()) if difference.size else float("nan")


@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("at_once", [1, 700, 1_000_000])
def test_distances_of_many_pairs_are_those_of_each_to_the_last_digit(
    classes: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_consistency, "AT_ONCE", at_once)
    rng = np.random.default_rng(classes)
    words = np.array([f"w{number}" for number in range(300)], dtype=np.str_)
    texts = [
        TypeScores(np.sort(rng.choice(words, size, replace=False)), rng.normal(size=(classes, size)))
        for size in [0, 0, 1, *rng.integers(0, 60, 20), 200]
    ]
    first, second = rng.integers(0, len(texts), (2, 400))
    first[:2], second[:2] = 0, (1, 0)
    expected = [one_distance(texts[i], texts[j]) for i, j in zip(first, second, strict=True)]
    assert np.isnan(expected[:2]).all()
    np.testing.assert_array_equal(type_distances(texts, first, second), expected)
    assert np.isnan(type_distances(texts[:2], np.array([0]), np.array([1]))).all()
    assert len(type_distances([], np.zeros(0, dtype=int), np.zeros(0, dtype=int))) == 0


def test_pooled_activations_leave_padding_out() -> None:
    model = keyword_model()
    texts = [item.texts[0] for item in keyword_examples(10)]
    engine: Any = BagEngine(model)
    layers = pooled_activations(engine, [encode(text) for text in texts])
    for at, text in enumerate(texts):
        expected = model.weights[encode(text).ids].mean(axis=0)
        np.testing.assert_allclose(layers["tokens"][at], expected, atol=1e-6)
    assert {name: layer.shape for name, layer in layers.items()} == {"tokens": (10, 3), "logits": (10, 3)}


def test_parts_and_correlation_equal_a_loop() -> None:
    world = World(keyword_examples(40))
    table = METRIC.score(world.subject(oracle))
    units, _, parts = wide(table)
    by_id = {item.id: item for item in world.examples}
    for at, unit in enumerate(units):
        a, b = (by_id[name] for name in unit.split("|"))
        ids = [encode(item.texts[0]).ids for item in (a, b)]
        rows = [world.model.weights[i] for i in ids]
        tokens = np.abs(rows[0].mean(axis=0) - rows[1].mean(axis=0)).mean()
        logits = np.abs(rows[0].sum(axis=0) - rows[1].sum(axis=0)).mean()
        assert parts["activation_distance"][at, 0] == pytest.approx((tokens + logits) / 2, rel=1e-4)
        bags: list[dict[str, np.ndarray]] = [{}, {}]
        for bag, item in zip(bags, (a, b), strict=True):
            for word in item.texts[0].split():
                bag[word] = bag.get(word, 0) + world.model.weights[encode(word).ids[1]]
        nothing = np.zeros(3)
        gaps = [np.abs(bags[0].get(w, nothing) - bags[1].get(w, nothing)) for w in {**bags[0], **bags[1]}]
        assert parts["explanation_distance"][at, 0] == pytest.approx(np.mean(gaps), rel=1e-4)
        assert (a.labels == b.labels) == bool(parts["similar"][at, 0])
    rho = spearman(parts["activation_distance"][:, 0], parts["explanation_distance"][:, 0])
    assert value(METRIC, table) == pytest.approx(rho)


def test_true_contributions_above_noise() -> None:
    world = World(keyword_examples(60))
    best = value(METRIC, METRIC.score(world.subject(oracle)))
    noise = value(METRIC, METRIC.score(world.subject(Noise())))
    assert best > noise + 0.2


def test_every_explainer_sees_the_same_pairs_whatever_shards_order_and_seed() -> None:
    examples = keyword_examples(40)
    whole = METRIC.score(World(examples).subject(oracle, size=40))
    same_table(whole, METRIC.score(World(examples[::-1]).subject(oracle, size=3)))
    noise = METRIC.score(World(examples).subject(Noise(), seed=9))
    assert noise["unit"].tolist() == whole["unit"].tolist()
    moved = replace(METRIC, seed=1).score(World(examples).subject(oracle))
    assert set(moved["unit"]) != set(whole["unit"])


def test_given_activations_save_asking_the_model() -> None:
    subject = World(keyword_examples(40)).subject(oracle)
    encodings = [encoding for shard in subject.shards for encoding in shard.encodings]
    known = pooled_activations(subject.engine, encodings)
    nobody: Any = None
    kept = replace(subject, engine=nobody, activations=lambda: known)
    some = replace(METRIC, texts=10)
    same_table(some.score(subject), some.score(kept))


def test_few_texts_are_chosen_among_many() -> None:
    table = replace(METRIC, texts=10).score(World(keyword_examples(60)).subject(oracle))
    assert len({name for unit in table["unit"] for name in unit.split("|")}) <= 10


def test_one_text_gives_no_pair() -> None:
    table = METRIC.score(World(keyword_examples(1)).subject(oracle))
    assert table.empty
    assert np.isnan(value(METRIC, table))


def test_missing_explanations_and_bad_parameters_are_refused() -> None:
    subject = World(keyword_examples(6)).subject(oracle, only=lambda _: np.array([True, True, False]))
    with pytest.raises(InputError, match="has only some"):
        METRIC.score(subject)
    with pytest.raises(InputError, match=r"pairs is 0; expected a whole number of at least 1"):
        DatasetConsistency(pairs=0)


@given(st.tuples(st.text(), st.text()))
def test_a_pair_is_read_back_from_its_name(ids: tuple[str, str]) -> None:
    assert pair_texts(pair_name(*ids)) == ids


def test_names_of_pairs_of_plain_ids_are_plain() -> None:
    assert pair_name("a", "b") == "a|b"
    assert len({pair_name("a|b", "c"), pair_name("a", "b|c"), pair_name("a\\", "b|c")}) == 3


@pytest.mark.parametrize("name", ["", "a", "a|b|c", "a\\|b", "a|b\\"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="names no pair of texts; expected two ids with a bar between"):
        pair_texts(name)


@pytest.mark.parametrize("metric", [METRIC, DatasetConsistencyAsCoded()])
def test_units_name_their_texts_even_if_ids_have_bars(metric: DatasetConsistency) -> None:
    examples = [replace(item, id=f"{item.id}|x") for item in keyword_examples(20)]
    table = metric.score(World(examples).subject(oracle))
    assert metric.of_pairs
    named = {name for unit in table["unit"] for name in pair_texts(unit)}
    assert named and named <= {item.id for item in examples}
