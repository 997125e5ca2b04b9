"""An explainer that says nothing of one class is flagged, and a control that does so is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import assay
from assay.explainers.controls.controls import Control
from assay.explainers.protocol import Request, Traits
from assay.models.protocol import Model


@dataclass(frozen=True, slots=True)
class OneSided(Control):
    """The places of the tokens as scores for the first class, and the same score for the other."""

    traits = Traits(signed=False, additive=False, stochastic=False)

    def scores(self, request: Request, target: int, model: Model) -> NDArray[np.float32]:
        places = np.arange(len(request.encoding), dtype=np.float32)
        return places if target == 0 else np.full_like(places, 0.5)


@pytest.fixture(scope="module")
def table() -> Any:
    task = assay.task("planted", train=60, dev=20, test=12)
    model = assay.fit("linear", task, training={"epochs": 1})
    every = assay.explain(model, task.test, [OneSided(), "occlusion", "gold"], baseline="mask")
    return assay.score(every, "human_agreement").compare(resamples=0).set_index("method")["constant"]


def test_a_class_without_an_explanation_is_flagged_with_its_name(table: Any) -> None:
    assert table.iloc[:2].tolist() == ["for class_1 in all 12 texts", ""]


def test_gold_marks_of_the_gold_class_alone_are_none(table: Any) -> None:
    assert table["gold"] == ""
