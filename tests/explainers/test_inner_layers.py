"""Three path methods where a model reads and at an inner layer, on a planted model with answers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from explainer_models import explain, request, scores
from open_models import OpenHandModel

from assay.explainers.baselines import Zero
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.paths.layer_conductance import LayerConductance
from assay.explainers.propagation.deep_lift import DeepLift
from assay.models.backward_rule import BackwardRule, Hook, no_hook
from assay.models.protocol import Batch

A, B, C = 2.0, 1.5, 1.0


class Planted(OpenHandModel):
    """Reads a and b, has the inner layer (a², b), and answers relu(a² - c) b."""

    layers = ("embedding", "inner")

    def __init__(self) -> None:
        super().__init__(lambda entry, rule: self._answer(entry, rule, no_hook), 1, {"relu", "multiply"})
        self.table[2, 0], self.table[4, 0] = A, B

    def open_logits(self, entry: torch.Tensor, batch: Batch, rule: BackwardRule, hook: Hook) -> torch.Tensor:
        return self._answer(hook("embedding", entry), rule, hook)

    def _answer(self, entry: torch.Tensor, rule: BackwardRule, hook: Hook) -> torch.Tensor:
        first, second = entry[:, :1, :1], entry[:, 1:2, :1]
        inner = hook("inner", torch.cat([rule.multiply(first, first), second], dim=1))
        return rule.multiply(rule.elementwise("relu", inner[:, 0] - C), inner[:, 1])


def found(explainer: IntegratedGradients | DeepLift | LayerConductance) -> np.ndarray:
    """The scores of a and b against zeros."""
    return np.asarray(scores(explain(explainer, Planted(), [request((2, 4), (0,))], Zero())[0]))[0]


def test_they_differ_at_an_inner_layer_and_two_coincide_where_the_model_reads() -> None:
    total, share = (A**2 - C) * B, C / A**2
    root = share**0.5
    expected = {
        # Straight at the layer: the relu opens after `share` of the way.
        "inner integrated gradients": (A**2 * B * (1 - share**2) / 2, A**2 * B * (1 - share) ** 2 / 2),
        # Straight where the model reads: a² grows with the square, so the relu opens after its root.
        "inner conductance": (
            2 * A**2 * B * (1 - root**3) / 3,
            A**2 * B * (1 - root**3) / 3 - C * B * (1 - root),
        ),
        # From end to end: a product is shared out in halves.
        "inner DeepLift": (total / 2, total / 2),
    }
    methods = {
        "inner integrated gradients": IntegratedGradients(layer="inner", steps=400),
        "inner conductance": LayerConductance(layer="inner", steps=400),
        "inner DeepLift": DeepLift(layer="inner", products="shapley"),
    }
    for name, explainer in methods.items():
        np.testing.assert_allclose(found(explainer), expected[name], atol=0.02, err_msg=name)
        assert found(explainer).sum() == pytest.approx(total, abs=0.02)
    values = np.array(list(expected.values()))
    assert min(abs(values[i] - values[j]).max() for i, j in ((0, 1), (0, 2), (1, 2))) > 0.2
    entry = found(IntegratedGradients(steps=400)), found(LayerConductance(steps=400))
    np.testing.assert_allclose(*entry, atol=0.02)
    np.testing.assert_allclose(entry[0], expected["inner conductance"], atol=0.02)
