"""Scores move only with a raised version: what every explainer said when its version was made.

    python tests/explainers/test_scores_stay.py

writes the file of scores anew: after a version was raised, never to make a test pass.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explainer_models import request
from test_invariances import BASELINES, explain, pairs_of, smooth

from assay.explainers.baselines import Baseline
from assay.explainers.protocol import Explainer
from assay.harness.config.keys import versions

FILE = Path(__file__).with_name("scores_of_versions.json")
TEXTS = [(4, 9, 5, 12, 7, 20), (11,), (8, 3, 9, 4, 15, 16, 17, 18, 19, 21, 22)]
ERROR = 1e-6
# Training amplifies the last digits of a sum, which differ between processors.
TRAINED = ("diffmask", "diffmask_per_example", "entropy_perturbation", "information_bottleneck")
# The version of another library decides.
OTHERS = ("captum", "captum_ablation", "shap_kernel", "lime_words")
of_every_explainer = pairs_of(
    lambda name, explainer: name not in TRAINED + OTHERS, baselines={"mask": BASELINES["mask"]}
)


def scores_of(explainer: Explainer, baseline: Baseline | None) -> dict[str, Any]:
    found = explain(explainer, smooth(), [request(ids, [2, 0]) for ids in TEXTS], baseline)
    return {
        "versions": [list(one) for one in versions(explainer)],
        "scores": [[record.scores.astype(float).tolist() for record in records] for records in found],
    }


@of_every_explainer
def test_scores_are_those_of_the_version(explainer, baseline, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.id
    known, found = json.loads(FILE.read_text(encoding="utf-8"))[name], scores_of(explainer, baseline)
    assert found["versions"] == known["versions"], "write the file of scores anew, and a **Scores** entry"
    for one, other in zip(found["scores"], known["scores"], strict=True):
        for new, old in zip(one, other, strict=True):
            largest = max(1e-9, np.abs(old).max())
            np.testing.assert_allclose(new, old, rtol=0, atol=ERROR * largest, err_msg="raise the version")


if __name__ == "__main__":
    made = {str(case.id): scores_of(*case.values) for case in of_every_explainer.args[1]}
    rows = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(made.items())]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
