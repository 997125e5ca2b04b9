from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from metrics_world import (
    BagEngine,
    World,
    encode,
    example,
    inverted,
    keyword_examples,
    keyword_model,
    oracle,
    scored,
)
from one_by_one import EXPLAINERS, asked, belief, positions, random_world, ranked, same_parts, worlds

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.curves import AucRep, Deletion, Insertion, area
from assay.metrics.long_table import wide
from assay.tasks.errors import InputError


def grid(tokens: int, steps: int) -> list[int]:
    return (
        list(range(tokens + 1)) if steps == 0 else sorted({at * tokens // steps for at in range(steps + 1)})
    )


def deletion(subject: CellData, shard: Shard, row: int, label: int, steps: int = 0) -> dict[str, float]:
    order = ranked(subject, shard, row, label)
    counts = grid(len(order), steps)
    heights = [belief(subject, shard, row, order[:count])[label] for count in counts]
    total = np.trapezoid(heights, np.array(counts) / len(order))
    return {"area": float(total), "full": heights[0], "emptied": heights[-1]}


def insertion(subject: CellData, shard: Shard, row: int, label: int, steps: int = 0) -> dict[str, float]:
    order = ranked(subject, shard, row, label)
    counts = grid(len(order), steps)
    heights = [belief(subject, shard, row, order[count:])[label] for count in counts]
    total = np.trapezoid(heights, np.array(counts) / len(order))
    return {"area": float(total), "full": heights[-1], "emptied": heights[0]}


@pytest.mark.parametrize("steps", [0, 3, 10])
@pytest.mark.parametrize(("kind", "reference"), [(Deletion, deletion), (Insertion, insertion)])
def test_parts_are_those_of_a_loop_over_texts_and_steps(kind: Any, reference: Any, steps: int) -> None:
    for subject, target in worlds():
        table = kind(target=target, steps=steps).score(subject)
        same_parts(subject, target, table, lambda *case: reference(*case, steps=steps))


@pytest.mark.parametrize("percent", [20, 70])
@pytest.mark.parametrize("multi_label", [False, True])
def test_auc_rep_is_that_of_a_loop_over_right_texts(percent: int, multi_label: bool) -> None:
    for seed in range(6):
        for explainer in EXPLAINERS:
            subject = random_world(seed, multi_label=multi_label).subject(explainer, seed=seed)
            table = AucRep(percent=percent).score(subject)
            found = {
                (unit, label): value
                for unit, label, part, value in table.itertuples(index=False, name=None)
                if part == "area"
            }
            expected = {}
            for shard, row, label in asked(subject, "predicted"):
                item = shard.examples[row]
                if label in item.labels:
                    order = ranked(subject, shard, row, label)
                    last = -(-percent * len(order) // 100)
                    heights = [belief(subject, shard, row, order[:count])[label] for count in range(last + 1)]
                    expected[item.id, label] = float(np.trapezoid(heights)) / last
            assert found == pytest.approx(expected, rel=1e-9)


def test_a_known_area() -> None:
    assert area(np.array([1.0, 0.5, 0.0]), np.array([0, 1, 4])) == pytest.approx((0.75 + 3 * 0.25) / 4)


def test_a_curve_of_one_level_has_its_height() -> None:
    model = keyword_model()
    model.weights[:] = 0.0
    world = World([example("a", "great film", [0]), example("b", "the plain story of a film", [0])], model)
    height = np.exp(0.5) / (np.exp(0.5) + 1 + np.exp(-0.5))
    for metric in (Deletion(), Deletion(steps=0), Insertion(), AucRep()):
        assert scored(metric, world.subject(oracle)) == pytest.approx(height, rel=1e-6)


def test_the_order_reversed_turns_deletion_into_insertion() -> None:
    """What goes first of one order comes last of the other; without ties the curves mirror each other."""
    model = keyword_model()
    words = ["awful", "plain", "great", "film"]
    for at, word in enumerate(words):
        model.weights[encode(word).ids[1], 2] = at + 1.0
    world = World([example("a", "film great plain awful", [2])], model)
    down = scored(Deletion(steps=0), world.subject(inverted))
    up = scored(Insertion(steps=0), world.subject(oracle))
    assert down == pytest.approx(up, rel=1e-9)


def test_only_what_is_not_known_is_asked() -> None:
    """The full text was asked before; steps that fall on the same number of tokens are one."""
    rows: list[int] = []

    class Counting(BagEngine):
        def logits(self, pool: Any) -> Any:
            rows.append(sum(len(asked) for asked in pool))
            return super().logits(pool)

    subject: Any = World([example("a", "great film of two people", [2])]).subject(oracle)
    subject = replace(subject, engine=Counting(subject.engine.model))
    for metric in (Deletion(), Deletion(steps=2), Insertion(), Insertion(steps=2), AucRep()):
        metric.score(subject)
    assert rows == [5, 2, 5, 2, 1]


def test_one_token() -> None:
    subject = World([example("a", "great", [2])]).subject(oracle)
    (shard,) = subject.shards
    middle = (belief(subject, shard, 0)[2] + belief(subject, shard, 0, positions(shard, 0))[2]) / 2
    for metric in (Deletion(), Insertion(), AucRep()):
        assert scored(metric, subject) == pytest.approx(middle)


def test_auc_rep_without_right_predictions_is_nan() -> None:
    world = World([example("a", "great film", [0]), example("b", "awful film", [1])])
    table = AucRep().score(world.subject(oracle))
    assert table.empty
    assert np.isnan(scored(AucRep(), world.subject(oracle)))


def test_auc_rep_needs_the_gold_class_alone() -> None:
    """Right predictions are gold, so explanations of the gold classes are enough."""
    examples = keyword_examples(9)
    world = World(examples)
    gold = world.subject(oracle, only=lambda at: np.arange(3) == examples[at].labels[0])
    assert scored(AucRep(), gold) == scored(AucRep(), world.subject(oracle))


def test_bad_options_are_refused() -> None:
    for kind in (Deletion, Insertion):
        with pytest.raises(InputError, match=f"metric.{kind.name}.steps is -1"):
            kind(steps=-1)
    with pytest.raises(InputError, match=r"metric.auc_rep.percent is 0"):
        AucRep(percent=0)


def test_parts_give_the_ends() -> None:
    _, _, parts = wide(Deletion().score(World(keyword_examples(6)).subject(oracle)))
    assert sorted(parts) == ["area", "emptied", "full"]
