"""What all metrics promise that take tokens away and are means over texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from metrics_world import (
    BagEngine,
    Noise,
    World,
    constant,
    example,
    inverted,
    keyword_examples,
    keyword_model,
    oracle,
    same_table,
    scored,
    value,
)
from one_by_one import random_world, special_only

from assay.metrics.correlation import FaithfulnessCorrelation, LeaveOneOutCorrelation
from assay.metrics.curves import AucRep, Deletion, Insertion
from assay.metrics.decision_flip import DecisionFlip
from assay.metrics.erasure import Comprehensiveness, LogOdds, Sufficiency
from assay.metrics.infidelity import Infidelity
from assay.metrics.long_table import wide
from assay.metrics.post_hoc import Aopc, PostHocAccuracy
from assay.metrics.resampling import mean_drop, mean_of
from assay.metrics.soft_erasure import SoftComprehensiveness, SoftSufficiency
from assay.tasks.errors import InputError

KINDS = (
    *(Comprehensiveness, Sufficiency, LogOdds, DecisionFlip, PostHocAccuracy, Aopc, Deletion, Insertion),
    *(AucRep, SoftComprehensiveness, SoftSufficiency, LeaveOneOutCorrelation, FaithfulnessCorrelation),
    Infidelity,
)
METRICS = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@METRICS
def test_oracle_is_better_than_random_and_random_than_inverted(kind: Any) -> None:
    metric, world = kind(), World(keyword_examples(60))
    values = [scored(metric, world.subject(e)) for e in (oracle, Noise(), inverted)]
    assert values == sorted(values, reverse=metric.direction == "higher")
    assert len(set(values)) == 3


@METRICS
def test_one_call_of_the_engine_per_shard(kind: Any) -> None:
    subject = World(keyword_examples(21)).subject(Noise(), size=7)
    kind().score(subject)
    engine: Any = subject.engine
    assert isinstance(engine, BagEngine) and engine.calls == 3


@METRICS
@pytest.mark.parametrize("multi_label", [False, True])
def test_shards_and_order_do_not_matter(kind: Any, multi_label: bool) -> None:
    world = World(keyword_examples(20), keyword_model(1.0, multi_label=multi_label))
    whole = kind().score(world.subject(constant, size=20))
    same_table(whole, kind().score(World(world.examples[::-1], world.model).subject(constant, size=3)))


@METRICS
def test_the_scale_of_the_scores_does_not_matter(kind: Any) -> None:
    # By a power of two, so that not even the last digit moves.
    world, noise = random_world(7), Noise()
    same_table(
        kind().score(world.subject(noise)), kind().score(world.subject(lambda e, c, m: 4 * noise(e, c, m)))
    )


@METRICS
def test_scores_of_special_tokens_do_not_matter(kind: Any) -> None:
    subject = World(keyword_examples(9)).subject(Noise())
    before = kind().score(subject)
    for shard in subject.shards:
        shard.scores[:, :, 0] = 1e6
    same_table(before, kind().score(subject))


@METRICS
def test_texts_of_special_tokens_alone_are_left_out(kind: Any) -> None:
    examples = keyword_examples(12)
    with_empty = special_only(World(examples).subject(Noise()), "t0004")
    without = World([item for item in examples if item.id != "t0004"]).subject(Noise())
    assert scored(kind(), with_empty) == pytest.approx(scored(kind(), without), rel=1e-12)
    only = special_only(World(examples[4:5]).subject(Noise()), "t0004")
    assert np.isnan(scored(kind(), only))


@METRICS
def test_texts_without_any_predicted_label_leave_nothing(kind: Any) -> None:
    model = keyword_model(multi_label=True)
    model.bias[:] = -50.0
    subject = World([example("a", "the film", [1]), example("b", "a story", [])], model).subject(oracle)
    table = kind().score(subject)
    assert table.empty
    _, _, parts = wide(table)
    assert np.isnan(kind().summarise(parts, np.zeros((2, 0), dtype=np.intp))).all()


@METRICS
def test_missing_explanations_are_named(kind: Any) -> None:
    subject = World(keyword_examples(3)).subject(oracle, only=lambda _: np.array([True, False, True]))
    with pytest.raises(InputError, match="class 'neutral' for example 't0001'"):
        kind().score(subject)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not AucRep], ids=lambda kind: kind.name)
def test_unknown_target_is_refused(kind: Any) -> None:
    with pytest.raises(InputError, match="did you mean 'gold'"):
        kind(target="golden")


@METRICS
def test_classes_of_a_text_are_averaged_before_texts(kind: Any) -> None:
    """A text counts once, however many labels it has."""
    world = World(keyword_examples(15), keyword_model(1.0, multi_label=True))
    world.model.bias[:] = (3.0, 1.0, -1.0)
    metric = kind() if kind is AucRep else kind(target="all")
    table = metric.score(world.subject(Noise()))
    alone = [value(metric, group) for _, group in table.groupby("unit")]
    assert value(metric, table) == pytest.approx(np.nanmean(alone), rel=1e-9)


def test_means_of_numbered_parts() -> None:
    parts = {
        "full": np.array([[1.0, np.nan], [0.5, 0.25], [np.nan, np.nan]]),
        "removed@5": np.array([[0.5, np.nan], [0.5, 0.0], [0.1, 0.1]]),
        "removed@10": np.array([[0.0, np.nan], [0.0, 0.25], [0.1, 0.1]]),
    }
    index = np.array([[0, 1, 2], [1, 1, 1], [2, 2, 2]])
    np.testing.assert_allclose(mean_of(parts, "removed", index)[:2], [(0.25 + 0.1875 + 0.1) / 3, 0.1875])
    np.testing.assert_allclose(mean_drop(parts, "removed", index), [(0.75 + 0.1875) / 2, 0.1875, np.nan])
    assert np.isnan(mean_of(parts, "kept", index)).all()


def test_equal_rows_of_several_classes_are_asked_once() -> None:
    """What does not depend on the scores is asked once for all classes of a text."""
    subject = World(keyword_examples(5)).subject(Noise(), size=5)
    engine: Any = subject.engine
    rows: list[int] = []

    class Counting(BagEngine):
        def logits(self, pool: Any) -> Any:
            rows.append(sum(len(asked) for asked in pool))
            return super().logits(pool)

    counted: Any = Counting(engine.model)
    for metric in (LeaveOneOutCorrelation, FaithfulnessCorrelation, Infidelity):
        rows.clear()
        metric(target="predicted").score(replace(subject, engine=counted))
        metric(target="all").score(replace(subject, engine=counted))
        assert rows[0] == rows[1] > 0
