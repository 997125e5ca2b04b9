from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from metrics_world import keyword_examples, same_table, scored, spearman
from reexplained_world import DRAWS, small_model, subject_of

from assay.explainers.baselines import Mask
from assay.explainers.controls.controls import Random
from assay.explainers.gradient.saliency import Saliency
from assay.explainers.perturbation.lime import Lime
from assay.metrics.long_table import wide
from assay.metrics.seed_stability import SeedStability
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

EXAMPLES = keyword_examples(40)


@dataclass(frozen=True)
class Noisy:
    """Places of tokens, with noise of a given spread."""

    spread: float

    def explain(self, engine: Any, requests: Any, baseline: Any) -> Any:
        return [
            [
                replace(
                    record,
                    scores=(np.arange(len(record.tokens)) + self.spread * (record.scores - 0.5)).astype(
                        np.float32
                    ),
                )
                for record in records
            ]
            for records in Random().explain(engine, requests, baseline)
        ]


def stability(explainer: Any, **options: Any) -> float:
    return scored(SeedStability(**options), subject_of(small_model(EXAMPLES), EXAMPLES, explainer))


def test_an_explainer_that_draws_nothing_agrees_with_itself() -> None:
    assert stability(Saliency()) == 1.0


def test_pure_noise_is_at_the_random_level() -> None:
    # 40 texts of 4 to 12 tokens with 2 runs each: one standard error is about 0.05.
    assert abs(stability(Random())) < 0.2


def test_more_noise_is_less_stable() -> None:
    values = [stability(Noisy(spread)) for spread in (0.0, 4.0, 16.0, 1000.0)]
    assert values[0] == 1.0
    assert values == sorted(values, reverse=True)
    assert values[1] > 0.5 and abs(values[3]) < 0.2


def test_a_larger_budget_is_more_stable() -> None:
    model = small_model(EXAMPLES)
    few, many = (
        scored(SeedStability(), subject_of(model, EXAMPLES, Lime(rows=rows), baseline=Mask()))
        for rows in (20, 500)
    )
    assert few < many <= 1.0


def test_it_equals_a_loop_over_texts_and_runs() -> None:
    model = small_model(EXAMPLES)
    subject = subject_of(model, EXAMPLES, Random())
    units, labels, parts = wide(SeedStability(runs=3, texts=10).score(subject))
    assert len(units) == 10
    asked: Any = subject.explain
    from assay.explainers.protocol import Request

    checked = 0
    for shard in subject.shards:
        for row, example in enumerate(shard.examples):
            if example.id not in units:
                continue
            encoding, target = shard.encodings[row], int(shard.probabilities[row].argmax())
            first = shard.scores[row, target, : len(encoding)][encoding.content].astype(np.float64)
            for run in (1, 2, 3):
                seed = int(generator(DRAWS, "seed_stability", run).integers(2**63))
                ((record,),) = asked(subject.engine, [Request(example, encoding, np.array([target]), seed)])
                other = record.scores[encoding.content].astype(np.float64)
                value = parts[f"rho@{run}"][units.index(example.id), labels.index(target)]
                # Closer than a hundred-thousandth of the largest counts as equal.
                first, other = (np.round(scores / scores.max() * 1e5) for scores in (first, other))
                assert value == pytest.approx(spearman(first, other), abs=1e-12)
                checked += 1
    assert checked == 30


def test_shards_and_order_do_not_matter() -> None:
    model = small_model(EXAMPLES)
    whole = SeedStability().score(subject_of(model, EXAMPLES, Random(), size=40))
    same_table(whole, SeedStability().score(subject_of(model, EXAMPLES[::-1], Random(), size=3)))


def test_each_predicted_label_is_judged_alone_and_texts_without_any_are_left_out() -> None:
    model = small_model(EXAMPLES, multi_label=True)
    subject = subject_of(model, EXAMPLES, Random())
    table = SeedStability(runs=1).score(subject)
    expected = sum(int((shard.probabilities >= 0.5).sum()) for shard in subject.shards)
    assert 0 < len(table) == expected
    nothing = [replace(shard, probabilities=0 * shard.probabilities) for shard in subject.shards]
    empty = SeedStability().score(replace(subject, shards=nothing))
    assert len(empty) == 0


def test_missing_explanations_are_named() -> None:
    subject = subject_of(small_model(EXAMPLES), EXAMPLES, Random(), targets=[0])
    with pytest.raises(InputError, match="seed_stability needs explanations of class"):
        SeedStability(target="gold").score(subject)


@pytest.mark.parametrize("options", [{"runs": 0}, {"texts": 0}, {"target": "any"}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="seed_stability"):
        SeedStability(**options)
