from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from metrics_world import World, encode, example, inverted, keyword_model, oracle, scored
from one_by_one import belief, decided, ranked, same_parts, worlds

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.decision_flip import DecisionFlip
from assay.metrics.long_table import wide
from assay.tasks.errors import InputError


def share(subject: CellData, shard: Shard, row: int, label: int, steps: int = 0) -> dict[str, float]:
    order = ranked(subject, shard, row, label)
    before = decided(subject, belief(subject, shard, row), label)
    for count in range(1, len(order) + 1):
        at_a_step = steps == 0 or count in {step * len(order) // steps for step in range(1, steps + 1)}
        gone = order[:count]
        if at_a_step and decided(subject, belief(subject, shard, row, gone), label) != before:
            return {"share": count / len(order), "flips": 1.0}
    return {"share": 1.0, "flips": 0.0}


@pytest.mark.parametrize("steps", [0, 3])
def test_parts_are_those_of_a_loop_over_texts_and_tokens(steps: int) -> None:
    for subject, target in worlds():
        table = DecisionFlip(target=target, steps=steps).score(subject)
        same_parts(subject, target, table, lambda *case: share(*case, steps=steps))


def test_the_cause_first_or_last() -> None:
    world = World([example("a", "the great film of two people", [2])])
    assert scored(DecisionFlip(), world.subject(oracle)) == pytest.approx(1 / 6)
    # The prediction falls back to class 0 with the last token, the keyword.
    assert scored(DecisionFlip(), world.subject(inverted)) == 1.0
    assert scored(DecisionFlip(steps=2), world.subject(oracle)) == pytest.approx(3 / 6)


def test_a_decision_that_nothing_changes_costs_all_tokens() -> None:
    model = keyword_model()
    model.bias[0] = 50.0
    _, _, parts = wide(DecisionFlip().score(World([example("a", "great film", [2])], model).subject(oracle)))
    assert parts["share"].tolist() == [[1.0]] and parts["flips"].tolist() == [[0.0]]


def test_multi_label_decisions_are_the_labels_own() -> None:
    model = keyword_model(multi_label=True)
    model.bias[:] = -1.0
    model.weights[:] = 0.0
    for label, word in enumerate(("awful", "plain", "great")):
        model.weights[encode(word).ids[1], label] = 3.0
    subject: Any = World([example("a", "awful the great film", [0, 2])], model).subject(oracle)
    _, labels, parts = wide(DecisionFlip().score(subject))
    assert labels == [0, 2]
    np.testing.assert_array_equal(parts["share"], [[0.25, 0.25]])


def test_bad_steps_are_refused() -> None:
    with pytest.raises(InputError, match=r"metric.decision_flip.steps is -1"):
        DecisionFlip(steps=-1)
