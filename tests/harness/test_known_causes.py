"""Where the causes are known, the diagnostics put explainers in the order they must have."""

from __future__ import annotations

import numpy as np
import pytest

from assay.harness.reporting.collect import collect
from assay.harness.trials.experiment import load_trials, open_experiment, run
from assay.results.records import CellScores

Values = dict[tuple[str, str], float]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[CellScores]:
    """A model trained on texts in which a keyword stands once, twice or not at all.

    Where the keyword stands twice, leaving one out shows nothing, so occlusion is worse than the truth.
    """
    experiment = open_experiment(
        [
            "task=planted_presence",
            "model=maxpool",
            "explainer=[gold,occlusion,random,inverted]",
            "metric=[human_agreement,auprc_steps,faithfulness]",
            # A text of nothing but mask tokens is like none the model has seen; what it guesses there would
            # decide who wins.
            "baseline@removal=[delete]",
            "limits.default.test=200",
            f"store={tmp_path_factory.mktemp('store')}",
        ]
    )
    run(experiment)
    results = collect(experiment, load_trials(experiment))
    assert results.models[0].macro_f1 > 0.8
    return list(results.cells)


def _values(cells: list[CellScores]) -> Values:
    from assay.metrics.faithfulness import Faithfulness
    from assay.metrics.human_agreement import HumanAgreement
    from assay.metrics.token_overlap import AuprcSteps

    by_name = {metric.name: metric for metric in (Faithfulness(), HumanAgreement(), AuprcSteps())}
    return {
        (cell.metric, cell.method.explainer): float(
            by_name[cell.metric].summarise(dict(cell.parts), np.arange(len(cell.units))[None])[0]
        )
        for cell in cells
    }


def test_faithfulness_orders_gold_occlusion_random_inverted(cells: list[CellScores]) -> None:
    values = _values(cells)
    areas = [values["faithfulness", name] for name in ("gold", "occlusion", "random", "inverted")]
    assert areas[0] < areas[1] < areas[2] < areas[3]


def test_gold_agrees_with_itself_and_random_with_prevalence(cells: list[CellScores]) -> None:
    values = _values(cells)
    assert values["human_agreement", "gold"] == 1.0
    parts = next(cell.parts for cell in cells if cell.metric == "human_agreement")
    prevalence, expected = (float(np.nanmean(parts[part])) for part in ("prevalence", "ap_random"))
    # On short texts a random order does a little better than the prevalence; by how much is known exactly.
    assert prevalence < expected < prevalence + 0.25
    assert values["human_agreement", "random"] == pytest.approx(expected, abs=0.05)
    assert values["human_agreement", "inverted"] < expected
    assert values["auprc_steps", "occlusion"] > 0.7
    # Half of the way from a random order to the causes: many scores tie at 0, in any order.
    assert values["human_agreement", "occlusion"] > (1 + expected) / 2
