"""What must hold for every explainer that follows a model step by step, on every model that can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from explainer_models import explain, scores
from open_models import OPEN, requests_for
from open_networks import OPEN_NETWORKS, USUAL, networks

from assay.explainers.baselines import Baseline, Mask, Pad
from assay.explainers.explanation import Explanation
from assay.explainers.masks.diffmask import DiffMask
from assay.explainers.pooled.pooled_words import PooledIG, PooledShapley
from assay.explainers.propagation.attention import (
    Attention,
    AttentionRelevance,
    AttentionRollout,
    AttentionValueWeighted,
    AttentionXGradient,
)
from assay.explainers.propagation.deep_lift import DeepLift
from assay.explainers.propagation.guided_backprop import GuidedBackprop
from assay.explainers.propagation.lrp import Lrp
from assay.explainers.protocol import Explainer, fitted, incompatibility
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.models.protocol import capabilities
from assay.tasks.example import Task

Case = tuple[Explainer, Baseline | None]
EXPLAINERS: dict[str, Case] = {
    "guided_backprop_mean": (GuidedBackprop("mean"), None),
    "guided_backprop_l2": (GuidedBackprop("l2"), None),
    "deep_lift": (DeepLift(), Pad()),
    "deep_lift_products": (DeepLift(products="shapley"), Mask()),
    "lrp": (Lrp(), None),
    "attention": (Attention(), None),
    "attention_rollout": (AttentionRollout(), None),
    "attention_value_weighted": (AttentionValueWeighted(), None),
    "attention_x_gradient": (AttentionXGradient(), None),
    "attention_relevance": (AttentionRelevance(), None),
    "diffmask": (DiffMask(steps=4, batch_size=8, warmup=0), None),
    "diffmask_hidden": (DiffMask(steps=4, batch_size=8, warmup=0, gating="hidden"), None),
    "pooled_ig": (PooledIG(steps=3), Mask()),
    "pooled_shapley": (PooledShapley(steps=3), Pad()),
}
REFUSED = {
    "linear": {name for name in EXPLAINERS if name.startswith(("guided", "attention", "pooled"))},
    "maxpool": {name for name in EXPLAINERS if name.startswith(("guided", "attention"))},
    "meanpool": {name for name in EXPLAINERS if name.startswith(("guided", "attention"))},
    "cnn": {name for name in EXPLAINERS if name.startswith("attention")},
    "lstm": {name for name in EXPLAINERS if name.startswith(("attention", "pooled"))} | {"deep_lift"},
    "tiny_bert": {"deep_lift", "pooled_ig", "pooled_shapley"},
}
REFUSED |= {
    f"vmask_{name}": REFUSED[base] for name, base in [("cnn", "cnn"), ("lstm", "lstm"), ("bert", "tiny_bert")]
}
REFUSED |= {"concept_cnn": REFUSED["cnn"], "bottleneck_cnn": REFUSED["cnn"] | {"deep_lift"}}
REFUSED["bottleneck_bert"] = REFUSED["tiny_bert"]
REFUSED |= dict.fromkeys(OPEN_NETWORKS, REFUSED["tiny_bert"])
REFUSED["modernbert_mean"] = REFUSED["tiny_bert"] | {name for name in EXPLAINERS if "attention" in name}
# Twins of a network whose embeddings are masked, or that has concepts beside its decision.
TWINS = {"vmask_lstm", "vmask_bert", "concept_cnn"}
SLOW = OPEN_NETWORKS.keys() - {*USUAL} | TWINS
pairs = pytest.mark.parametrize(
    ("chosen", "model"),
    [
        pytest.param(chosen, model, id=f"{name}-{model}", marks=pytest.mark.slow if model in SLOW else ())
        for name, chosen in EXPLAINERS.items()
        for model in (*OPEN, *OPEN_NETWORKS)
        if name not in REFUSED[model]
    ],
    indirect=["model"],
)


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param in OPEN_NETWORKS:
        return request.getfixturevalue("open_network")(request.param)
    if request.param.endswith("_bert"):
        return request.getfixturevalue(request.param)
    return request.getfixturevalue("word_model")(request.param, trained=True)


@pytest.mark.parametrize("model", [*OPEN, *networks(USUAL)], indirect=True)
def test_the_rest_is_refused(model, request: pytest.FixtureRequest):
    name = request.node.callspec.params["model"]
    has = capabilities(model)
    found = {
        n for n, pair in EXPLAINERS.items() if incompatibility(*pair, capabilities=has, rationales=False)
    }
    assert found == REFUSED[name]


def _alike(left: list[list[Explanation]], right: list[list[Explanation]]) -> None:
    for one, other in zip(left, right, strict=True):
        scale = max(1.0, float(np.abs(scores(one)).max()))
        np.testing.assert_allclose(scores(one), scores(other), rtol=0, atol=1e-5 * scale)
        ends = [[(record.value_input, record.value_baseline) for record in side] for side in (one, other)]
        np.testing.assert_allclose(ends[0], ends[1], rtol=0, atol=1e-5)


@pairs
def test_padding_batch_mates_order_and_budget_change_nothing(chosen: Case, model, toy_task: Task):
    explainer, baseline = fitted(chosen[0], Engine(model), toy_task.train), chosen[1]
    requests = requests_for(model, toy_task)
    together = explain(explainer, model, requests, baseline)
    assert len({len(found[0].tokens) for found in together}) > 1
    _alike(together, [explain(explainer, model, [one], baseline)[0] for one in requests])
    _alike(together, explain(explainer, model, requests[::-1], baseline)[::-1])
    for budget in (1, 30):
        _alike(together, explain(explainer, model, requests, baseline, budget=budget))


@pairs
def test_records_are_in_order_carry_their_logit_and_cost_what_was_run(chosen: Case, model, toy_task: Task):
    explainer, baseline = fitted(chosen[0], Engine(model), toy_task.train), chosen[1]
    requests = requests_for(model, toy_task)
    engine = Engine(model)
    logits = engine.logits([full_rows(asked.encoding) for asked in requests])
    before = engine.counters.copy()
    together = explainer.explain(engine, requests, baseline)
    spent = engine.counters.since(before)
    costs = [found[0].cost for found in together]
    assert sum(cost.forward_rows for cost in costs) == spent.forward_rows
    assert sum(cost.backward_rows for cost in costs) == spent.backward_rows
    assert sum(cost.tokens for cost in costs) == spent.forward_tokens
    for asked, found, expected in zip(requests, together, logits, strict=True):
        assert [record.target for record in found] == asked.targets.tolist()
        assert {record.example_id for record in found} == {asked.example.id}
        rows = explainer.model_rows(len(asked.encoding), len(found))
        assert (found[0].cost.forward_rows, found[0].cost.backward_rows) == rows
        for record in found:
            assert record.value_input == pytest.approx(expected[0, record.target], abs=1e-5)
            assert explainer.traits.signed or record.scores.min() >= 0


@pairs
def test_targets_do_not_see_each_other_and_may_be_none(chosen: Case, model, toy_task: Task):
    explainer, baseline = fitted(chosen[0], Engine(model), toy_task.train), chosen[1]
    (asked, *_) = requests_for(model, toy_task)
    both, none, one = (
        explain(explainer, model, [replace(asked, targets=np.array(targets, dtype=np.intp))], baseline)[0]
        for targets in ((2, 0), (), (0,))
    )
    assert none == []
    np.testing.assert_allclose(both[1].scores, one[0].scores, atol=1e-6)
