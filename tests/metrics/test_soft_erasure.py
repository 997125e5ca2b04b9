from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from metrics_world import Noise, World, constant, example, inverted, keyword_examples, oracle, scored
from one_by_one import belief, positions, same_parts, worlds

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.long_table import wide
from assay.metrics.soft_erasure import SoftComprehensiveness, SoftSufficiency, rescaled_to_unit
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator


def drawn(subject: CellData, shard: Shard, row: int, label: int) -> list[set[int]]:
    """The positions that each of three draws marks as important."""
    places = positions(shard, row)
    scores = [float(shard.scores[row, label, at]) for at in places]
    luck = generator(subject.seed, "soft_erasure", shard.examples[row].id).random((3, len(places)))
    low, high = min(scores), max(scores)
    chance = [0.5 if low == high else (score - low) / (high - low) for score in scores]
    return [{at for at, p, u in zip(places, chance, draw, strict=True) if u < p} for draw in luck]


def removed(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
    after = [belief(subject, shard, row, gone)[label] for gone in drawn(subject, shard, row, label)]
    return {"full": belief(subject, shard, row)[label], "removed": sum(after) / 3}


def kept(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
    places = set(positions(shard, row))
    after = [belief(subject, shard, row, places - stay)[label] for stay in drawn(subject, shard, row, label)]
    return {"full": belief(subject, shard, row)[label], "kept": sum(after) / 3}


@pytest.mark.parametrize(("kind", "reference"), [(SoftComprehensiveness, removed), (SoftSufficiency, kept)])
def test_parts_are_those_of_a_loop_over_texts_and_draws(kind: Any, reference: Any) -> None:
    for subject, target in worlds():
        same_parts(subject, target, kind(target=target, draws=3).score(subject), reference)


def test_scores_are_stretched_to_the_unit_interval() -> None:
    np.testing.assert_allclose(rescaled_to_unit(np.array([-2.0, 0.0, 2.0, 1.0])), [0.0, 0.5, 1.0, 0.75])
    np.testing.assert_array_equal(rescaled_to_unit(np.full(3, 7.0)), 0.5)
    np.testing.assert_array_equal(rescaled_to_unit(np.array([0.1])), 0.5)
    assert rescaled_to_unit(np.array([])).shape == (0,)


def test_the_highest_always_goes_and_the_lowest_never() -> None:
    world = World([example("a", "great film", [2])])
    for explainer, gone in ((oracle, [1]), (inverted, [2])):
        subject = world.subject(explainer)
        (shard,) = subject.shards
        _, _, parts = wide(SoftComprehensiveness().score(subject))
        assert parts["removed"][0, 0] == pytest.approx(belief(subject, shard, 0, gone)[2])
        _, _, parts = wide(SoftSufficiency().score(subject))
        assert parts["kept"][0, 0] == pytest.approx(belief(subject, shard, 0, {1, 2} - set(gone))[2])


def test_equal_scores_take_half_of_the_tokens() -> None:
    world = World([example("a", "great", [2])])
    subject = world.subject(constant)
    (shard,) = subject.shards
    _, _, parts = wide(SoftComprehensiveness(draws=4000).score(subject))
    expected = (belief(subject, shard, 0)[2] + belief(subject, shard, 0, [1])[2]) / 2
    assert parts["removed"][0, 0] == pytest.approx(expected, abs=0.03)


def test_the_seed_of_the_subject_draws() -> None:
    world = World(keyword_examples(12))
    first, second = (scored(SoftComprehensiveness(), world.subject(Noise(), seed=seed)) for seed in (0, 1))
    assert first != second
    assert first == pytest.approx(second, abs=0.1)


@pytest.mark.parametrize("kind", [SoftComprehensiveness, SoftSufficiency])
def test_no_draws_are_refused(kind: Any) -> None:
    with pytest.raises(InputError, match=f"metric.{kind.name}.draws is 0"):
        kind(draws=0)
