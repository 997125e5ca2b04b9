from __future__ import annotations

from typing import Any

import pytest
from metrics_world import World, example, inverted, oracle, scored
from one_by_one import belief, decided, ranked, same_parts, worlds

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.long_table import wide
from assay.metrics.post_hoc import Aopc, PostHocAccuracy
from assay.tasks.errors import InputError


def agreements(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
    order = ranked(subject, shard, row, label)
    before = decided(subject, belief(subject, shard, row), label)
    return {
        f"agrees@{k}": float(decided(subject, belief(subject, shard, row, order[k:]), label) == before)
        for k in range(1, 5)
    }


def drops(subject: CellData, shard: Shard, row: int, label: int) -> dict[str, float]:
    order = ranked(subject, shard, row, label)
    parts = {f"removed@{k}": belief(subject, shard, row, order[:k])[label] for k in range(1, 5)}
    return {"full": belief(subject, shard, row)[label], **parts}


@pytest.mark.parametrize(("kind", "reference"), [(PostHocAccuracy, agreements), (Aopc, drops)])
def test_parts_are_those_of_a_loop_over_texts_and_tokens(kind: Any, reference: Any) -> None:
    for subject, target in worlds():
        same_parts(subject, target, kind(target=target, tokens=4).score(subject), reference)


def test_accuracy_is_against_the_model_not_against_gold() -> None:
    world = World([example("a", "the great film of two people", [1])])
    assert scored(PostHocAccuracy(tokens=5), world.subject(oracle)) == 1.0
    assert scored(PostHocAccuracy(tokens=5), world.subject(inverted)) == 0.0
    # The whole text agrees with itself.
    assert scored(PostHocAccuracy(tokens=10), world.subject(inverted)) == 0.5


def test_aopc_counts_the_full_text_as_a_drop_of_nothing() -> None:
    world = World([example("a", "the great film", [2])])
    for explainer in (oracle, inverted):
        subject = world.subject(explainer)
        _, _, parts = wide(Aopc(tokens=5).score(subject))
        falls = [parts["full"][0, 0] - parts[f"removed@{k}"][0, 0] for k in range(1, 6)]
        # Three tokens: from the third on the text is empty.
        assert falls[2] == falls[3] == falls[4]
        assert scored(Aopc(tokens=5), subject) == pytest.approx(sum(falls) / 6, rel=1e-12)


@pytest.mark.parametrize("kind", [PostHocAccuracy, Aopc])
def test_too_few_tokens_are_refused(kind: Any) -> None:
    with pytest.raises(InputError, match=f"metric.{kind.name}.tokens is 0"):
        kind(tokens=0)
