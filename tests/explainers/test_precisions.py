"""Which explainers ask in which precision, and that it names results only where it matters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.explainers import averaging
from assay.explainers.baselines import Mask
from assay.explainers.controls.controls import Inverted
from assay.explainers.explanation import Explanation
from assay.explainers.gradient.saliency import Saliency
from assay.explainers.perturbation.exact_search import ExactSearch
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.explainers.perturbation.lime import Lime
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.perturbation.owen import Owen
from assay.explainers.perturbation.shapley_gp import ShapleyGP
from assay.explainers.perturbation.shapley_sampling import ShapleySampling
from assay.explainers.perturbation.sobol import Sobol
from assay.explainers.precisions import key_parts, used_precision
from assay.explainers.protocol import Explainer, Request
from assay.harness.storage.store import write_table
from assay.harness.trials.records import read_explanations, to_table
from assay.models.engine import Engine
from assay.models.precision import FLOAT32, Precision
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example

BFLOAT16, MIXED = Precision("bfloat16"), Precision("mixed", 0.25)
REDUCED: list[Explainer] = [Occlusion(), Lime(), KernelShap(), ShapleySampling(), Owen(), Sobol()]
EXACT: list[Explainer] = [ShapleyGP(), ExactSearch(), Saliency()]


@dataclass(frozen=True)
class Both:
    """Explainers inside another one."""

    explainers: tuple[Any, ...]


@pytest.mark.parametrize("explainer", REDUCED, ids=lambda one: type(one).__name__)
def test_what_is_asked_in_bfloat16_has_another_key(explainer: Explainer) -> None:
    for asking in (explainer, Inverted(explainer), Both((Saliency(), explainer))):
        assert used_precision(asking, BFLOAT16) == BFLOAT16
        assert key_parts(asking, BFLOAT16) == [["precision", "bfloat16"]]
        assert key_parts(asking, FLOAT32) == []


@pytest.mark.parametrize("explainer", EXACT, ids=lambda one: type(one).__name__)
def test_what_stays_in_float32_keeps_its_key(explainer: Explainer) -> None:
    for asking in (explainer, Inverted(explainer), Both((explainer,))):
        for precision in (FLOAT32, BFLOAT16, MIXED):
            assert used_precision(asking, precision) == FLOAT32
            assert key_parts(asking, precision) == []


def test_the_share_names_results_of_mixed_precision_alone() -> None:
    assert key_parts(Lime(), MIXED) == [["precision", "mixed", 0.25]]
    assert key_parts(Lime(), replace(BFLOAT16, asked_twice=0.5)) == [["precision", "bfloat16"]]
    # A tree has no solve matrix, and Sobol's indices are quotients.
    assert used_precision(Owen(), MIXED) == used_precision(Sobol(), MIXED) == FLOAT32


def explained(model: TransformerModel, explainer: Explainer, precision: Precision) -> list[list[Explanation]]:
    examples = [Example(str(at), (text,), (0,)) for at, text in enumerate(["a b c d e f", "d c a", "b"])]
    encodings = model.encode([example.texts for example in examples])
    requests = [
        Request(example, encoding, np.arange(2), 3)
        for example, encoding in zip(examples, encodings, strict=True)
    ]
    return averaging.explain(explainer, Engine(model, precision=precision), requests, Mask())


@pytest.mark.parametrize("explainer", [KernelShap(rows=20), Occlusion(), Owen(), Lime(rows=30)], ids=repr)
def test_real_bfloat16_moves_scores_a_little_and_is_on_record(
    tiny_bert: TransformerModel, explainer: Explainer, tmp_path: Path
) -> None:
    exact, found = (explained(tiny_bert, explainer, precision) for precision in (FLOAT32, BFLOAT16))
    of_text = [(a[0], b[0]) for a, b in zip(exact, found, strict=True)]
    largest = max(np.abs(a.scores).max() for a, _ in of_text)
    away = max(np.abs(a.scores - b.scores).max() for a, b in of_text)
    assert 0 < away < 0.1 * largest
    assert {b.precision for _, b in of_text} == {"bfloat16"}
    assert all(a.cost.forward_rows == b.cost.forward_rows for a, b in of_text)
    path = tmp_path / "part.parquet"
    write_table(path, to_table(one[0] for one in found))
    assert [one.precision for one in read_explanations(path)] == ["bfloat16"] * 3
    # Tables in float32 are what they were before there was a choice.
    plain = to_table(one[0] for one in exact)
    assert isinstance(plain, pa.Table) and "precision" not in plain.column_names


@pytest.mark.parametrize("explainer", [ShapleyGP(rows=20), Saliency()], ids=repr)
def test_what_stays_in_float32_says_so_and_moves_nothing(
    tiny_bert: TransformerModel, explainer: Explainer
) -> None:
    for exact, found in zip(
        explained(tiny_bert, explainer, FLOAT32), explained(tiny_bert, explainer, BFLOAT16), strict=True
    ):
        np.testing.assert_array_equal(found[0].scores, exact[0].scores)
        assert found[0].precision == "float32"
