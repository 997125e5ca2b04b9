"""What the metrics as coded count, and what distinguishes them from the described ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_world import (
    BagModel,
    Noise,
    World,
    constant,
    encode,
    example,
    inverted,
    keyword_examples,
    keyword_model,
    oracle,
    same_table,
    scored,
)

from assay.metrics.as_coded.confidence_indication import (
    ConfidenceIndicationAsCoded,
    ConfidenceIndicationMaxAsCoded,
    constant_predictor,
    upsample_as_coded,
)
from assay.metrics.as_coded.dataset_consistency import DatasetConsistencyAsCoded
from assay.metrics.as_coded.faithfulness import FaithfulnessAsCoded, masked
from assay.metrics.as_coded.human_agreement import HumanAgreementAsCoded, greedy_mask
from assay.metrics.cell_data import CellData
from assay.metrics.confidence_indication import ConfidenceIndication
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.metrics.faithfulness import Faithfulness
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.long_table import wide
from assay.models.encoding import Encoding
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Rationale, Span

CELL_METRICS = [
    HumanAgreementAsCoded(),
    ConfidenceIndicationAsCoded(),
    ConfidenceIndicationMaxAsCoded(),
    FaithfulnessAsCoded(),
    DatasetConsistencyAsCoded(),
]


@dataclass
class TextModel(BagModel):
    """A bag model that also cuts texts into words."""

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoding]:
        return [encode(text[0]) for text in texts]


def text_model(**options: Any) -> TextModel:
    model = keyword_model(**options)
    return TextModel(model.weights, model.bias, multi_label=model.multi_label)


def world(count: int = 60, **options: Any) -> World:
    return World(keyword_examples(count), text_model(**options))


@pytest.mark.parametrize("metric", CELL_METRICS, ids=lambda metric: metric.name)
def test_shards_do_not_matter(metric: Any) -> None:
    whole = metric.score(world().subject(oracle, size=60))
    same_table(whole, metric.score(world().subject(oracle, size=7)))


@pytest.mark.parametrize("metric", [HumanAgreementAsCoded(), FaithfulnessAsCoded()], ids=lambda m: m.name)
def test_order_of_the_texts_does_not_matter_to(metric: Any) -> None:
    turned = World(world().examples[::-1], world().model)
    same_table(metric.score(world().subject(oracle)), metric.score(turned.subject(oracle)))


@pytest.mark.parametrize("metric", [HumanAgreementAsCoded(), FaithfulnessAsCoded()], ids=lambda m: m.name)
def test_true_contributions_before_noise_before_the_opposite(metric: Any) -> None:
    # Scores of the sum over classes: a world in which a word speaks for its class and against no other.
    model = text_model()
    model.weights = np.maximum(model.weights, 0)
    of_one = World(keyword_examples(60), model)
    sign = 1 if metric.direction == "higher" else -1
    found = [sign * scored(metric, of_one.subject(explainer)) for explainer in (oracle, Noise(), inverted)]
    assert found[0] > found[1] > found[2]


@pytest.mark.parametrize("metric", CELL_METRICS, ids=lambda metric: metric.name)
def test_missing_explanations_are_refused(metric: Any) -> None:
    subject = world(20).subject(oracle, only=lambda at: np.arange(3) != at % 3)
    with pytest.raises(InputError, match="explain"):
        metric.score(subject)


@pytest.mark.parametrize("metric", CELL_METRICS, ids=lambda metric: metric.name)
def test_one_text_and_several_labels_give_a_table(metric: Any) -> None:
    alone = metric.score(world(1).subject(oracle))
    assert not np.isinf(alone["value"].astype(float)).any()
    several = World(keyword_examples(30), text_model(multi_label=True))
    assert not metric.score(several.subject(oracle)).empty


def marked(text: str, *phrases: str) -> list[list[int]]:
    """Per phrase, which of the text's tokens are found for it."""
    found = []
    for phrase in phrases:
        start = text.index(phrase)
        item = Example("a", (text,), (0,))
        span = Span(start, start + len(phrase))
        model: Any = text_model()
        found.append(np.flatnonzero(greedy_mask(item, encode(text), span, model)).tolist())
    return found


def test_a_rationale_is_the_first_run_of_its_letters() -> None:
    assert marked("the great film", "great", "great film") == [[2], [2, 3]]
    text = "great film of great people"
    model: Any = text_model()
    second = greedy_mask(Example("a", (text,), (0,)), encode(text), Span(14, 19), model)
    assert np.flatnonzero(second).tolist() == [1], "the phrase occurs before, where nobody marked it"


def test_half_words_are_found_within_words_or_not_at_all() -> None:
    # "a" is a word of this vocabulary, and the first word that holds its letter is another one.
    assert marked("the plain a film", "a film") == [[3, 4]]
    assert marked("plain a film", "a")[0] == [1]


def test_only_the_first_annotator_counts_and_special_tokens_are_ranked() -> None:
    text = "great film"
    spans = [Rationale((Span(0, 5),), "one"), Rationale((Span(6, 10),), "two")]
    item = Example("a", (text,), (2,), tuple(spans))
    scores = np.tile([4.0, 3, 2, 1], (3, 1))
    subject = World([item], text_model()).subject(lambda e, c, m: scores)
    # [CLS] is ranked above "great".
    assert scored(HumanAgreementAsCoded(), subject) == 1 / 2
    assert scored(HumanAgreement(), subject) == 1.0


def test_examples_without_a_rationale_are_left_out_and_counted() -> None:
    plain = [example("b", "the film", [0]), example("c", "awful film", [0], ["awful"])]
    table = HumanAgreementAsCoded().score(World(plain, text_model()).subject(oracle))
    _, _, parts = wide(table)
    np.testing.assert_array_equal(np.nansum(parts["no_rationale"], axis=1), [1, 0])
    np.testing.assert_array_equal(np.nansum(parts["ap"], axis=1), [0, 1])
    nothing = HumanAgreementAsCoded().score(World(plain[:1], text_model()).subject(oracle))
    assert np.isnan(HumanAgreementAsCoded().summarise(wide(nothing)[2], np.zeros((1, 1), dtype=int))[0])


def test_rationales_of_some_labels_only() -> None:
    subject = world(30).subject(oracle)
    chosen: Any = ["positive"]
    one_sided = HumanAgreementAsCoded(labels=chosen).score(subject)
    assert set(one_sided.loc[one_sided["part"] == "ap", "target"]) == {2}
    with pytest.raises(InputError, match="no label 'positve'; did you mean 'positive'"):
        HumanAgreementAsCoded(labels=("positve",)).score(subject)
    with pytest.raises(InputError, match="expected 'all' or a list"):
        HumanAgreementAsCoded(labels="positive")


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 9))
def test_upsampling_evens_out_eleven_buckets(values: list[float], seed: int) -> None:
    confidence = np.array(values)
    taken = upsample_as_coded(confidence, np.random.RandomState(seed))
    before = np.bincount((confidence * 10).astype(int), minlength=11)
    after = np.bincount((confidence[taken] * 10).astype(int), minlength=11)
    assert after.tolist() == [before.max() if count else 0 for count in before]
    for bucket in np.flatnonzero(before == before.max()):
        of_bucket = [at for at in taken if int(confidence[at] * 10) == bucket]
        assert len(set(of_bucket)) == len(of_bucket), "the largest is drawn without replacement"


def test_a_confidence_of_one_has_a_bucket_of_its_own() -> None:
    taken = upsample_as_coded(np.array([1.0, 0.95, 0.91]), np.random.RandomState(0))
    assert sorted(taken.tolist()) == [0, 0, 1, 2]


def test_confidence_features_count_special_tokens() -> None:
    subject = world().subject(oracle)
    before = ConfidenceIndicationAsCoded().score(subject)
    described = ConfidenceIndication().score(subject)
    for shard in subject.shards:
        shard.scores[:, 0, 0] += 100
    assert not before.equals(ConfidenceIndicationAsCoded().score(subject))
    same_table(described, ConfidenceIndication().score(subject))


def test_the_constant_predictor_is_what_a_constant_explainer_reaches() -> None:
    metric = ConfidenceIndicationAsCoded()
    mean, largest = constant_predictor(wide(metric.score(world().subject(constant)))[2])
    assert scored(metric, world().subject(constant)) == pytest.approx(mean)
    assert largest >= mean


def test_special_tokens_are_masked_and_count() -> None:
    encoding = encode("the great film")
    rows = masked(encoding, np.array([9.0, 0, 5, 0, 7]), mask=0)
    assert rows.ids.shape == (10, 5)
    gone = [np.flatnonzero(row == 0).tolist() for row in rows.ids]
    # 10, 20, ... percent of five tokens; of equal scores the later goes first.
    of_size = {0: [], 1: [0], 2: [0, 4], 3: [0, 2, 4], 4: [0, 2, 3, 4], 5: [0, 1, 2, 3, 4]}
    assert gone == [of_size[size] for size in (0, 1, 1, 2, 2, 3, 3, 4, 4, 5)]


def test_faithfulness_begins_at_the_clean_score_and_ends_with_masks_alone() -> None:
    of_one = world()
    _, _, parts = wide(FaithfulnessAsCoded().score(of_one.subject(oracle)))
    _, _, described = wide(Faithfulness().score(of_one.subject(oracle)))
    np.testing.assert_array_equal(parts["predicted@0"], described["predicted@0"])
    np.testing.assert_array_equal(parts["predicted@100"], np.tile([1.0, 0, 0], (60, 1)))
    noise = wide(FaithfulnessAsCoded().score(of_one.subject(Noise())))[2]
    np.testing.assert_array_equal(parts["predicted@100"], noise["predicted@100"])


def test_a_model_without_a_mask_token_is_refused() -> None:
    of_one = world(3)
    of_one.model.mask_id = None
    with pytest.raises(InputError, match="no mask token"):
        FaithfulnessAsCoded().score(of_one.subject(oracle))


def test_bad_options_are_refused() -> None:
    refused: tuple[dict[str, Any], ...] = ({"pairs": 0}, {"pairs": 10, "pool": 5}, {"padded": 0})
    for options in refused:
        with pytest.raises(InputError, match="a pool no smaller"):
            DatasetConsistencyAsCoded(**options)


def test_names_differ_from_the_described_metrics_and_nothing_else_does() -> None:
    twins = [
        (HumanAgreementAsCoded, HumanAgreement),
        (ConfidenceIndicationAsCoded, ConfidenceIndication),
        (FaithfulnessAsCoded, Faithfulness),
        (DatasetConsistencyAsCoded, DatasetConsistency),
    ]
    for coded, described in twins:
        assert coded.name == f"{described.name}_as_coded"
        assert (coded.property, coded.direction, coded.bounds) == (
            described.property,
            described.direction,
            described.bounds,
        )


def test_an_explainer_that_sums_to_zero_has_no_order_as_coded() -> None:
    """Scores of probabilities sum to 0 over the classes: the order is void, and only its ties speak."""

    def shared(e: Example, c: Encoding, m: BagModel) -> np.ndarray:
        scores = oracle(e, c, m)
        return np.round(scores - scores.mean(axis=0), 3) * np.array([[1], [1], [0]])

    of_one = world()
    void: CellData = of_one.subject(lambda e, c, m: np.stack([s := shared(e, c, m)[0], -s, 0 * s]))
    flat = of_one.subject(lambda e, c, m: np.zeros((3, len(c))))
    assert scored(FaithfulnessAsCoded(), void) == scored(FaithfulnessAsCoded(), flat)
    assert scored(Faithfulness(target="gold"), void) != scored(Faithfulness(target="gold"), flat)


def test_other_shards_are_left_as_they_are() -> None:
    subject = world(10).subject(oracle)
    kept = [replace(shard, scores=shard.scores.copy()) for shard in subject.shards]
    for metric in CELL_METRICS:
        metric.score(subject)
    for before, after in zip(kept, subject.shards, strict=True):
        np.testing.assert_array_equal(before.scores, after.scores)
