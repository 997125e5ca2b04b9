"""On a linear model exact explainers give the same scores up to rounding: no metric may tell them apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import assay

EXACT = ["occlusion", "integrated_gradients", "deep_lift", "kernel_shap", "shapley_gp", "shapley_sampling"]
METRICS = [
    "aopc",
    "completeness",
    "auc_rep",
    "auprc_steps",
    "comprehensiveness",
    "confidence_indication",
    "dataset_consistency",
    "decision_flip",
    "deletion",
    "entropy",
    "faithfulness",
    "faithfulness_correlation",
    "ground_truth_agreement",
    "human_agreement",
    "infidelity",
    "insertion",
    "iou_f1",
    "leave_one_out_correlation",
    "log_odds",
    "post_hoc_accuracy",
    "soft_comprehensiveness",
    "soft_sufficiency",
    "sparsity",
    "sufficiency",
    "token_f1",
    "top_k_agreement",
]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    # Words repeat in these texts, and most have no effect: most scores tie.
    task = assay.task("planted_counting", train=300, dev=40, test=40)
    training = {"epochs": 12, "learning_rate": 0.01, "mask_rate": 0.1}
    model = assay.fit("linear", task, training=training)
    explanations = assay.explain(model, task.test, [*EXACT, "random"], baseline="mask")
    return assay.score(explanations, METRICS).compare(resamples=100)


@pytest.mark.parametrize("metric", METRICS)
def test_exact_explainers_tie_in_every_metric(table: pd.DataFrame, metric: str) -> None:
    rows = pd.DataFrame(table[(table["metric"] == metric) & table["method"].isin(EXACT)])
    assert len(rows) == len(EXACT)
    # All are called best, or none, where none is better than the random control.
    assert set(rows["p"]) == {1.0} and len(set(rows["best"])) == 1
    values = np.asarray(rows["value"], dtype=np.float64)
    assert np.ptp(values) <= 1e-5 * max(1.0, np.abs(values).max())
