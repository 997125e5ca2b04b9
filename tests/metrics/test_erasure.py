from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from metrics_world import World, constant, encode, example, inverted, keyword_model, oracle, scored, value
from one_by_one import asked, belief, positions, ranked, same_parts, worlds

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.erasure import Comprehensiveness, LogOdds, Sufficiency
from assay.metrics.long_table import wide
from assay.tasks.errors import InputError

BINS = (1, 5, 10, 20, 50)


def count(percent: int, tokens: int) -> int:
    return math.ceil(Fraction(percent * tokens, 100))


def removed(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
    order = ranked(subject, shard, row, label)
    parts = {"full": belief(subject, shard, row)[label]}
    for percent in BINS:
        gone = order[: count(percent, len(order))]
        parts[f"removed@{percent}"] = belief(subject, shard, row, gone)[label]
    return parts


def kept(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
    order = ranked(subject, shard, row, label)
    parts = {"full": belief(subject, shard, row)[label]}
    for percent in BINS:
        gone = order[count(percent, len(order)) :]
        parts[f"kept@{percent}"] = belief(subject, shard, row, gone)[label]
    return parts


def change(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
    order = ranked(subject, shard, row, label)
    after = belief(subject, shard, row, order[: count(20, len(order))])[label]
    return {"change": math.log(after) - math.log(belief(subject, shard, row)[label])}


@pytest.mark.parametrize(
    ("kind", "reference"), [(Comprehensiveness, removed), (Sufficiency, kept), (LogOdds, change)]
)
def test_parts_are_those_of_a_loop_over_texts_and_bins(kind: Any, reference: Any) -> None:
    for subject, target in worlds():
        same_parts(subject, target, kind(target=target).score(subject), reference)


def test_values_are_means_over_texts_of_means_over_bins() -> None:
    for subject, target in worlds():
        drops: dict[str, list[float]] = {}
        for shard, row, label in asked(subject, target):
            if positions(shard, row):
                parts = removed(subject, shard, row, label)
                fall = [parts["full"] - parts[f"removed@{percent}"] for percent in BINS]
                drops.setdefault(shard.examples[row].id, []).append(sum(fall) / len(fall))
        expected = np.mean([np.mean(texts) for texts in drops.values()])
        assert scored(Comprehensiveness(target=target), subject) == pytest.approx(expected, rel=1e-9)


def test_all_tokens_are_the_emptied_and_the_full_text() -> None:
    world = World([example("a", "great film", [2]), example("b", "the plain story", [1])])
    for explainer in (oracle, inverted):
        subject = world.subject(explainer)
        assert scored(Sufficiency(bins=(100,)), subject) == pytest.approx(0.0, abs=1e-12)
        emptied = [
            belief(subject, shard, row)[label] - belief(subject, shard, row, positions(shard, row))[label]
            for shard, row, label in asked(subject, "predicted")
        ]
        assert scored(Comprehensiveness(bins=(100,)), subject) == pytest.approx(np.mean(emptied))


def test_one_token_goes_at_every_bin_and_is_sufficient() -> None:
    subject = World([example("a", "great", [2])]).subject(oracle)
    _, _, parts = wide(Comprehensiveness().score(subject))
    assert len({parts[f"removed@{percent}"][0, 0] for percent in BINS}) == 1
    assert parts["removed@1"][0, 0] < 0.5 < parts["full"][0, 0]
    assert scored(Sufficiency(), subject) == pytest.approx(0.0, abs=1e-12)


def test_a_constant_explainer_is_random_not_first_or_last() -> None:
    """With the keyword always first, breaking ties by position would make a constant explainer perfect."""
    text = "great the film is a story of two people"
    world = World([example(f"t{at}", text, [2]) for at in range(60)])
    metric = Comprehensiveness(bins=(1,))
    found, best, worst = (scored(metric, world.subject(e)) for e in (constant, oracle, inverted))
    assert worst + 0.03 < found < best - 0.3


def test_multi_label_takes_each_label_by_its_own_order() -> None:
    model = keyword_model(multi_label=True)
    model.bias[:] = -1.0
    model.weights[:] = 0.0
    for label, word in enumerate(("awful", "plain", "great")):
        model.weights[encode(word).ids[1], label] = 3.0
    world = World([example("a", "awful the great film", [0, 2])], model)
    _, labels, parts = wide(Comprehensiveness(bins=(25,)).score(world.subject(oracle)))
    sure, unsure = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))
    assert labels == [0, 2]
    np.testing.assert_allclose(parts["full"], [[sure, sure]])
    np.testing.assert_allclose(parts["removed@25"], [[unsure, unsure]])
    _, _, parts = wide(Comprehensiveness(bins=(25,)).score(world.subject(inverted)))
    np.testing.assert_allclose(parts["removed@25"], [[sure, sure]])


def test_log_odds_of_a_hopeless_class_are_finite() -> None:
    world = World([example("a", "great film", [0])], keyword_model(strength=600.0))
    subject = world.subject(oracle)
    assert next(iter(subject.shards)).probabilities[0, 0] == 0.0
    table = LogOdds(target="gold", percent=100).score(subject)
    assert np.isfinite(value(LogOdds(), table)) and value(LogOdds(), table) > 500


@pytest.mark.parametrize("bins", [(), (0, 10), (50, 20), (101,), (0.5,)])
def test_bad_bins_are_refused(bins: Any) -> None:
    for kind in (Comprehensiveness, Sufficiency):
        with pytest.raises(InputError, match=f"metric.{kind.name}.bins"):
            kind(bins=bins)
    if len(bins) == 1:
        with pytest.raises(InputError, match=r"metric.log_odds.percent"):
            LogOdds(percent=bins[0])
