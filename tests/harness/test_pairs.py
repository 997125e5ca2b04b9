"""Pairs of models: which are compared, what is pooled, and the study's variants beside the described ones."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from assay.harness.cli import main
from assay.harness.config.build import build
from assay.harness.config.compose import configuration
from assay.models.engine import Engine

METRICS = [
    "rationale_consistency",
    "rationale_consistency_pooled",
    "rationale_consistency_as_coded",
    "human_agreement_as_coded",
    "confidence_indication_as_coded",
    "confidence_indication_max_as_coded",
    "faithfulness_as_coded",
    "dataset_consistency_as_coded",
]
TEXTS = 20
RUN = [
    "name=pairs",
    "task=planted",
    "task.train=60",
    "task.dev=20",
    f"task.test={TEXTS}",
    "model=maxpool",
    "model.training.epochs=2",
    "model.init_only=false,true",
    "seed=0,1,2",
    "explainer=[random,saliency_l1,occlusion]",
    "baseline=[mask]",
    f"metric=[{','.join(METRICS)}]",
    "metric.rationale_consistency.pairs_budget=2",
    "metric.rationale_consistency_pooled.layers=[logits]",
    "metric.rationale_consistency_as_coded.runs=4",
    "report.bootstrap=20",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    assert main(["run", *RUN, f"store={folder}"]) == 0
    return folder


@pytest.fixture(scope="module")
def table(store: Path) -> pd.DataFrame:
    found = pd.read_csv(store / "experiments" / "pairs" / "comparison.csv", keep_default_na=False)
    for column in ("value", "n_seeds", "n_units"):
        found[column] = pd.to_numeric(found[column], errors="coerce")
    return found.set_index(["metric", "kind", "explainer"]).sort_index()


def _points(store: Path, metric: str) -> list[pd.DataFrame]:
    """Every stored table of a metric, a row per unit."""
    files = sorted(store.glob(f"pairs/*/scores/{metric}-*.parquet"))
    return [pd.read_parquet(file).pivot(index="unit", columns="part", values="value") for file in files]


def _rho(points: pd.DataFrame) -> float:
    return spearmanr(points["activation_distance"], points["explanation_distance"]).statistic  # pyright: ignore


def test_every_kind_of_pair_is_compared_up_to_the_budget(table: pd.DataFrame) -> None:
    of_metric = table.loc["rationale_consistency"].xs("occlusion", level="explainer")
    # Three seeds make three pairs of a kind, and nine mixed ones.
    assert of_metric["n_seeds"].to_dict() == {"trained": 2, "untrained": 2, "mixed": 2}
    assert of_metric["value"].notna().all()


def test_pooled_is_one_correlation_of_all_points_of_a_kind(store: Path, table: pd.DataFrame) -> None:
    of_metric = table.loc["rationale_consistency_pooled"].xs("occlusion", level="explainer")
    assert of_metric["n_seeds"].to_dict() == {"trained": 1, "untrained": 1, "mixed": 1}
    assert of_metric["n_units"].to_dict() == {
        "trained": 3 * TEXTS,
        "untrained": 3 * TEXTS,
        "mixed": 9 * TEXTS,
    }
    stored = {round(_rho(points), 9) for points in _points(store, "rationale_consistency_pooled")}
    assert {round(value, 9) for value in of_metric["value"]} <= stored


def test_as_coded_pools_all_kinds_and_models_with_themselves(store: Path, table: pd.DataFrame) -> None:
    row = table.loc["rationale_consistency_as_coded", "trained", "occlusion"]
    drawn = set()
    for seed in range(1, 5):
        rng = random.Random(seed)
        drawn.add((rng.randint(0, 2), rng.randint(0, 2)))
    assert row["n_units"] == 3 * len(drawn) * TEXTS
    tables = _points(store, "rationale_consistency_as_coded")
    assert len(tables) == 3, "one per explainer"
    assert row["value"] == pytest.approx(
        min((_rho(points) for points in tables), key=lambda r: abs(r - row["value"]))
    )
    identical = sum(i == j for i, j in drawn)
    assert identical, "the runs draw a model with itself"
    for points in tables:
        at_origin = (points == 0).all(axis=1)
        # Trained and untrained; an untrained model and a trained one are never the same.
        assert at_origin.sum() >= 2 * identical * TEXTS
        assert {unit.split("|")[0].split()[0] for unit in points.index} == {"trained", "untrained", "mixed"}


def test_a_pool_of_all_kinds_says_where_its_value_stands(table: pd.DataFrame) -> None:
    rows = table.loc["rationale_consistency_as_coded", "untrained"]
    assert len(rows) and rows["value"].isna().all()
    assert set(rows["reason"]) == {
        "it pools trained and untrained models; its value stands with the trained ones"
    }
    assert set(table.loc["rationale_consistency_pooled", "untrained"]["reason"]) == {""}


def test_the_variants_stand_in_one_table(table: pd.DataFrame) -> None:
    for metric in METRICS:
        assert np.isfinite(table.loc[metric, "trained", "occlusion"]["value"]), metric


def test_a_second_run_asks_no_model(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the model was asked")

    stored = {path: path.read_bytes() for path in store.glob("pairs/**/*.parquet")}
    for method in ("logits", "gradients", "activations", "probabilities"):
        monkeypatch.setattr(Engine, method, refuse)
    assert main(["run", *RUN, f"store={store}"]) == 0
    assert {path: path.read_bytes() for path in store.glob("pairs/**/*.parquet")} == stored


def test_dropout_can_be_asked_for_by_configuration() -> None:
    saliency = "{_target_: assay.explainers.gradient.saliency.Saliency}"
    wrapped = f"{{_target_: assay.explainers.controls.as_coded.WithDropout, of: {saliency}}}"
    config = configuration([f"+explainer.saliency_dropout={wrapped}"])
    explainer = build(config.explainer.saliency_dropout)
    assert explainer.traits.stochastic and type(explainer.of).__name__ == "Saliency"
