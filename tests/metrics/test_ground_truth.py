from __future__ import annotations

import numpy as np
import pytest
from metrics_world import (
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
)
from sklearn.metrics import average_precision_score

from assay.metrics.ground_truth import GroundTruthAgreement
from assay.metrics.long_table import wide
from assay.tasks.errors import InputError

METRIC = GroundTruthAgreement()


def half_wrong() -> World:
    """Every second text's label is not what its keyword says, so the model is wrong there."""
    examples = keyword_examples(40)
    return World(
        [
            item
            if at % 2
            else example(item.id, item.texts[0], [(item.labels[0] + 1) % 3], [item.texts[0].split()[0]])
            for at, item in enumerate(examples)
        ]
    )


def test_only_texts_count_whose_label_is_predicted() -> None:
    world = half_wrong()
    subject = world.subject(Noise())
    expected, wrong = [], 0
    for shard in subject.shards:
        for row, item in enumerate(shard.examples):
            (label,), text = item.labels, item.texts[0]
            if shard.probabilities[row].argmax() != label:
                wrong += 1
                continue
            spans = item.rationales[0].spans
            starts = np.cumsum([0, *(len(word) + 1 for word in text.split())])[:-1]
            truth = [int(any(span.start <= start < span.end for span in spans)) for start in starts]
            scores = shard.scores[row, label, shard.content[row]]
            expected.append(average_precision_score(truth, scores))
    assert wrong == 20 and len(expected) == 20
    assert scored(METRIC, subject) == pytest.approx(np.mean(expected), rel=1e-12)
    _, _, parts = wide(METRIC.score(subject))
    assert np.nansum(parts["right"]) == 20 and (~np.isnan(parts["ap"])).sum() == 40


def test_oracle_above_random_above_inverted() -> None:
    world = World(keyword_examples(90))
    best, middle, worst = (scored(METRIC, world.subject(e)) for e in (oracle, Noise(), inverted))
    assert best == 1.0 and worst < middle < best
    _, _, parts = wide(METRIC.score(world.subject(Noise())))
    assert middle == pytest.approx(np.nanmean(parts["ap_random"]), abs=0.1)
    assert scored(METRIC, world.subject(constant)) == pytest.approx(np.nanmean(parts["ap_random"]))


def test_evidence_against_the_label_ranks_last() -> None:
    world = World([example("a", "great story film", [2], ["great"])])
    scores = np.tile([0.0, 1.0, -5.0, 0.0, 0.0], (3, 1))
    assert scored(METRIC, world.subject(lambda e, c, m: scores)) == 1.0
    assert scored(METRIC, world.subject(lambda e, c, m: np.abs(scores))) == 0.5


def test_wrong_texts_need_no_explanation_but_right_ones_do() -> None:
    world = half_wrong()
    predicted = np.concatenate([s.probabilities.argmax(axis=1) for s in world.shards(oracle)])
    subject = world.subject(Noise(), only=lambda at: np.arange(3) == predicted[at])
    assert scored(METRIC, subject) == scored(METRIC, world.subject(Noise()))
    _, _, parts = wide(METRIC.score(subject))
    assert (~np.isnan(parts["ap"])).sum() == 20 and np.nansum(parts["no_rationale"]) == 0
    with pytest.raises(InputError, match="ground_truth_agreement needs explanations of class"):
        METRIC.score(world.subject(Noise(), only=lambda at: np.arange(3) != predicted[at]))


def test_texts_without_a_cause_are_left_out_and_counted() -> None:
    world = World([example("with", "the great film", [2], ["great"]), example("without", "great film", [2])])
    units, _, parts = wide(METRIC.score(world.subject(oracle)))
    assert dict(zip(units, parts["no_rationale"][:, 0], strict=True)) == {"with": 0, "without": 1}
    nothing = World([example("without", "great film", [2])]).subject(oracle)
    assert np.isnan(scored(METRIC, nothing))


def test_a_model_that_is_never_right_has_no_value() -> None:
    world = World([example("a", "the great film", [0], ["great"])])
    assert np.isnan(scored(METRIC, world.subject(oracle)))


def test_labels_are_judged_alone_where_there_are_several() -> None:
    item = example("a", "great film the", [0, 2], ["great"])
    world = World([item], keyword_model(multi_label=True))
    _, targets, parts = wide(METRIC.score(world.subject(oracle)))
    # "great" speaks for label 2 and against label 0, which is not predicted.
    assert targets == [-1, 0, 2]
    assert parts["right"][0, 1:].tolist() == [0, 1]
    assert scored(METRIC, world.subject(oracle)) == 1.0


def test_shards_and_order_do_not_matter() -> None:
    examples = half_wrong().examples
    whole = METRIC.score(World(examples).subject(Noise(), size=40))
    same_table(whole, METRIC.score(World(examples[::-1]).subject(Noise(), size=3)))
