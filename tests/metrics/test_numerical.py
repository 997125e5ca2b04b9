from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from metrics_world import World, keyword_examples, oracle, scored

from assay.metrics.cell_data import CellData, Checks, Shard
from assay.metrics.long_table import wide
from assay.metrics.numerical_quality import Completeness, SelfAgreement


def _checked(gap: float, effect: float, reliability: float) -> CellData:
    """Two shards of a world whose explanations all say the same of themselves."""
    subject = World(keyword_examples(10)).subject(oracle)

    def checked(shard: Shard) -> Shard:
        shape = shard.scores.shape[:2]
        found = Checks(*(np.full(shape, value) for value in (effect, gap, reliability)))
        return replace(shard, checks=lambda: found)

    return replace(subject, shards=[checked(shard) for shard in subject.shards])


def test_the_gap_is_a_share_of_the_effect_whatever_their_signs() -> None:
    assert scored(Completeness(), _checked(gap=-0.5, effect=2.0, reliability=0.0)) == 0.25
    assert scored(Completeness(), _checked(gap=0.0, effect=-2.0, reliability=0.0)) == 0.0


def test_a_text_whose_absence_changes_nothing_does_not_rule_the_mean() -> None:
    parts = {"gap": np.array([[0.1], [0.1]]), "effect": np.array([[2.0], [0.0]])}
    assert Completeness().summarise(parts, np.array([[0, 1]])) == pytest.approx(0.1)


def test_self_agreement_is_the_mean_reliability() -> None:
    assert scored(SelfAgreement(), _checked(gap=0.0, effect=1.0, reliability=0.75)) == 0.75


@pytest.mark.parametrize("metric", [Completeness(), SelfAgreement()])
def test_methods_that_say_nothing_of_themselves_get_no_number(metric) -> None:
    assert np.isnan(scored(metric, _checked(*[np.nan] * 3)))


def test_only_explained_classes_have_rows() -> None:
    subject = _checked(gap=0.5, effect=1.0, reliability=0.5)
    some = []
    for shard in subject.shards:
        scores = shard.scores.copy()
        scores[:, 1] = np.nan
        some.append(replace(shard, scores=scores))
    _, targets, parts = wide(SelfAgreement().score(replace(subject, shards=some)))
    assert targets == [0, 2]
    assert set(parts) == {"reliability"}
