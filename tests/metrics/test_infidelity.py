from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import (
    BagModel,
    World,
    constant,
    example,
    inverted,
    keyword_examples,
    keyword_model,
    oracle,
    scored,
)
from numpy.typing import NDArray
from one_by_one import belief, positions, same_parts, worlds
from scipy.optimize import nnls

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.infidelity import Infidelity, unexplained
from assay.metrics.token_masks import random_subsets
from assay.models.encoding import Encoding
from assay.tasks.errors import InputError
from assay.tasks.example import Example
from assay.tasks.randomness import generator

VALUES = st.floats(-3, 3, allow_subnormal=False).map(lambda value: round(value, 3))


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8))
def test_what_is_left_is_that_of_non_negative_least_squares(pairs: list[tuple[float, float]]) -> None:
    sums, losses = np.array(pairs).T
    total = float((losses**2).sum())
    if total == 0:
        assert np.isnan(unexplained(sums, losses))
    else:
        _, residual = nnls(sums[:, None], losses)
        assert unexplained(sums, losses) == pytest.approx(residual**2 / total, abs=1e-9)


def test_parts_are_those_of_a_loop_over_texts_and_subsets() -> None:
    def reference(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
        places = positions(shard, row)
        rng = generator(subject.seed, "infidelity", shard.examples[row].id)
        sizes = rng.integers(1, len(places) + 1, size=6)
        summed, losses = [], []
        for chosen in random_subsets(len(places), sizes, rng):
            gone = [at for at, is_in in zip(places, chosen, strict=True) if is_in]
            summed.append(sum(float(shard.scores[row, label, at]) for at in gone))
            losses.append(belief(subject, shard, row)[label] - belief(subject, shard, row, gone)[label])
        if not any(losses):
            return {"unexplained": math.nan}
        product = sum(s * e for s, e in zip(summed, losses, strict=True))
        squares = sum(s * s for s in summed)
        scale = max(0.0, product / squares) if squares else 0.0
        left = sum((scale * s - e) ** 2 for s, e in zip(summed, losses, strict=True))
        return {"unexplained": left / sum(e * e for e in losses)}

    for subject, target in worlds():
        same_parts(subject, target, Infidelity(target=target, subsets=6).score(subject), reference)


def test_extremes() -> None:
    """Where losses are sums of scores nothing is left; turned signs and silence explain nothing."""
    model = keyword_model(multi_label=True)
    # So small that the sigmoid is a straight line.
    model.weights[:] *= 1e-3
    model.bias[:] = 0.0
    world = World(keyword_examples(9), model)
    metric = Infidelity(target="all")
    assert scored(metric, world.subject(oracle)) < 1e-3
    assert scored(metric, world.subject(inverted)) == 1.0
    assert scored(metric, world.subject(lambda e, c, m: 0 * oracle(e, c, m))) == 1.0


def test_one_token_is_a_matter_of_its_sign() -> None:
    world = World([example("a", "great", [2])])
    assert scored(Infidelity(), world.subject(oracle)) == pytest.approx(0.0, abs=1e-12)
    assert scored(Infidelity(), world.subject(inverted)) == 1.0


def test_noise_of_both_signs_says_less_than_noise_of_one() -> None:
    world = World(keyword_examples(60))

    def signed(item: Example, encoding: Encoding, model: BagModel) -> NDArray[np.float64]:
        rng = np.random.default_rng([3, *item.id.encode()])
        return rng.normal(size=(3, len(encoding))) * encoding.content

    both, one = scored(Infidelity(), world.subject(signed)), scored(Infidelity(), world.subject(constant))
    assert one < both <= 1.0


def test_no_subsets_are_refused() -> None:
    with pytest.raises(InputError, match=r"metric.infidelity.subsets is 0"):
        Infidelity(subsets=0)
