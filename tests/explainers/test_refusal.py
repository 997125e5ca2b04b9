from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from assay.explainers.baselines import Baseline, Delete, Mask, Pad, Unknown, Zero
from assay.explainers.controls.controls import Gold, Inverted, Random
from assay.explainers.gradient.saliency import Saliency
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Explainer, incompatibility
from assay.explainers.sampled_baselines import Mean, Negatives, RandomTokens
from assay.models.encoding import Encoding
from assay.models.masked_inputs import MaskedInputs
from assay.models.protocol import Model

NO_MASK = "the model has no mask token, which baseline 'mask' needs"
EVERYTHING = frozenset({"gradients", "embeddings", "activations", "mask_token", "unk_token"})


@dataclass(frozen=True)
class OnlyAReference(Baseline):
    """A baseline that is an input of its own and cannot take out single tokens."""

    name: ClassVar[str] = "blank"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()
    removes: ClassVar[bool] = False
    references: ClassVar[bool] = True
    policy: ClassVar[str] = "does not matter"

    def rows(self, model: Model, encoding: Encoding, keep: np.ndarray) -> MaskedInputs:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("explainer", "baseline", "lacks", "reason"),
    [
        (Saliency(), None, {"gradients"}, "the model gives no gradients"),
        (IntegratedGradients(), Pad(), {"gradients"}, "the model gives no gradients"),
        (Inverted(of=Saliency()), None, {"gradients"}, "the model gives no gradients"),
        (Gold(), None, {"rationales"}, "the task has no rationales"),
        (Occlusion(), None, set(), "the explainer needs a baseline and none was chosen"),
        (IntegratedGradients(), Delete(), set(), "baseline 'delete' changes the text's length"),
        (Occlusion(), OnlyAReference(), set(), "baseline 'blank' cannot remove single tokens"),
        (Inverted(of=Occlusion()), OnlyAReference(), set(), "baseline 'blank' cannot remove single tokens"),
        (Occlusion(), Mask(), {"mask_token"}, f"{NO_MASK}; choose baseline=[delete]"),
        (IntegratedGradients(), Mask(), {"mask_token"}, f"{NO_MASK}; choose baseline=[pad]"),
        (
            Occlusion(),
            Unknown(),
            {"unk_token"},
            "the model has no unk token, which baseline 'unk' needs; choose",
        ),
        (Occlusion(), Mean(), {"embeddings"}, "the model has no embeddings, which baseline 'mean' needs"),
        (
            Occlusion(),
            Negatives(),
            {"embeddings"},
            "the model has no embeddings, which baseline 'negatives' needs",
        ),
        (Occlusion(), Zero(), {"embeddings"}, "the model has no embeddings, which baseline 'zero' needs"),
    ],
)
def test_reasons(explainer: Explainer, baseline: Baseline | None, lacks: set[str], reason: str):
    found = incompatibility(
        explainer, baseline, capabilities=EVERYTHING - lacks, rationales="rationales" not in lacks
    )
    assert found is not None and found.startswith(reason)


@pytest.mark.parametrize(
    ("explainer", "baseline"),
    [
        (Random(), None),
        (Saliency(), Delete()),  # uses none
        (Occlusion(), Delete()),
        (IntegratedGradients(), OnlyAReference()),
        (IntegratedGradients(), Negatives()),
        (IntegratedGradients(), RandomTokens()),
        (Gold(), None),
    ],
)
def test_what_makes_sense_is_not_refused(explainer: Explainer, baseline: Baseline | None):
    assert incompatibility(explainer, baseline, capabilities=EVERYTHING, rationales=True) is None


def test_a_black_box_is_explained_by_removal_alone():
    nothing = frozenset[str]()
    assert incompatibility(Occlusion(), Pad(), capabilities=nothing, rationales=False) is None
    assert incompatibility(Occlusion(), Delete(), capabilities=nothing, rationales=False) is None
    assert incompatibility(Occlusion(), RandomTokens(), capabilities=nothing, rationales=False) is None
