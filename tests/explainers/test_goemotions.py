"""The baseline of negatives on real multi-label texts: of its own for each label, and complete."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from assay.explainers import averaging
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.protocol import Request
from assay.explainers.sampled_baselines import FixedEmbedding, Negatives
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.training import Training, fit
from assay.tasks.goemotions import goemotions
from assay.tasks.sampling import limit

pytestmark = pytest.mark.data


def test_each_label_has_its_own_complete_explanation():
    folder = Path(os.environ.get("ASSAY_DATA", "")) / "goemotions"
    if not folder.is_dir():
        pytest.skip("set ASSAY_DATA to the folder that holds goemotions/")
    task = limit(goemotions(path=str(folder)), train=4000, dev=200, test=20)
    model = fit(Cnn(training=Training(epochs=3, mask_rate=0.1)), task, 0)[0]
    engine = Engine(model)
    negatives = Negatives().fitted(engine, task.train)
    labels = [task.labels.index(name) for name in ("admiration", "gratitude", "love", "neutral")]
    replacements = [negatives.parts(label)[0] for label in labels]
    assert all(isinstance(replacement, FixedEmbedding) for replacement in replacements)
    requests = [
        Request(example, encoding, np.array(labels))
        for example, encoding in zip(task.test, model.encode([e.texts for e in task.test]), strict=True)
    ]
    records = averaging.explain(IntegratedGradients(until=0.01, max_steps=513), engine, requests, negatives)
    own = [[found.value_baseline for found in of_one] for of_one in records]
    for of_one in records:
        for found in of_one:
            change = abs(found.value_input - found.value_baseline)
            assert abs(found.completeness_gap) <= max(0.02 * change, 2e-3)
    # Against another label's negatives the same logit starts elsewhere.
    for label, replacement in zip(labels, replacements, strict=True):
        alone = [Request(r.example, r.encoding, np.array(labels)) for r in requests[:3]]
        other = averaging.explain(IntegratedGradients(until=0.01, max_steps=513), engine, alone, replacement)
        at = labels.index(label)
        for row, of_one in enumerate(other):
            assert of_one[at].value_baseline == pytest.approx(own[row][at], abs=1e-5)
            elsewhere = [abs(of_one[k].value_baseline - own[row][k]) for k in range(len(labels)) if k != at]
            assert max(elsewhere) > 1e-5
