"""Compare every explainer with what captum, shap, lime and transformers compute on the same model and text.

    python scripts/parity.py [--quick]

Families: maxpool, cnn and lstm (trained briefly on generated texts), a tiny random BERT, and MiniLM with a
random head. Each method is run on every text alone, and on all texts at once, where the shorter ones are
padded. "difference": the largest absolute difference to the peer over texts, classes and tokens, in units of
the peer's largest score (of 1 if that is less). "standard errors": for methods that draw, the largest
distance to the exact value, in the standard errors that Assay records. "Spearman": where the peer draws too,
the least rank correlation of a text and class. Peers run on a pass of their own: transformers' modules for
BERT, modules that captum can find for the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import captum.attr as captum
import numpy as np
from bar import Table, finish, options
from numpy.typing import NDArray
from parity_models import Family, Text, families
from parity_peers import (
    Peer,
    at_entry,
    at_layer,
    attention,
    exact,
    gradient_shap,
    lime,
    noise_tunnel,
    on_tokens,
    partition,
    shap_kernel,
    window,
)
from scipy.stats import spearmanr

from assay.explainers.baselines import Baseline, Mask
from assay.explainers.explanation import Explanation
from assay.explainers.gradient.saliency import InputXGradient, Saliency
from assay.explainers.gradient.smooth_grad import SmoothGrad
from assay.explainers.paths.expected_gradients import ExpectedGradients
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.paths.layer_conductance import LayerConductance
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.explainers.perturbation.lime import Lime
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.perturbation.owen import Owen
from assay.explainers.perturbation.shapley_gp import ShapleyGP
from assay.explainers.perturbation.shapley_sampling import ShapleySampling
from assay.explainers.propagation.attention import Attention
from assay.explainers.propagation.deep_lift import DeepLift
from assay.explainers.propagation.guided_backprop import GuidedBackprop
from assay.explainers.protocol import Explainer
from assay.models.engine import Engine

# No word twice: where two tokens tie for a maximum, its gradient is split here, and is one token's in captum.
TEXTS = (
    "a good film",
    "not bad at all , really good",
    "the plot is thin but its cast really very good",
    "good",
)
CLOSE = 1e-5
FAR = 4.0  # standard errors
ALIKE = 0.8  # Spearman


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A line of the table. measure: as the table says. note: why it deviates, if it may.

    only: families that have what the peer needs, None for all. bar: the largest difference or distance, or
    the least correlation.
    """

    method: str
    ours: Explainer
    baseline: Baseline | None
    peer_name: str
    peer: Peer
    measure: str = "difference"
    bar: float = CLOSE
    only: tuple[str, ...] | None = None
    note: str = ""


def cases(family: Family, *, draws: int) -> Iterator[Case]:
    """Every line for a family."""
    berts = ("tiny BERT", "MiniLM")
    for how in ("mean", "l2"):
        yield Case(
            f"saliency ({how})", Saliency(how), None, "captum Saliency", at_entry(captum.Saliency, how)
        )
        yield Case(
            f"input x gradient ({how})",
            InputXGradient(how),
            None,
            "captum InputXGradient",
            at_entry(captum.InputXGradient, how),
        )
    yield Case(
        "guided backprop (l2)",
        GuidedBackprop("l2"),
        None,
        "captum GuidedBackprop",
        at_entry(captum.GuidedBackprop, "l2"),
        only=("cnn", "lstm"),
        note="captum gates ReLU modules only; Assay gates GELU too, and refuses models with neither",
    )
    yield Case(
        "integrated gradients",
        IntegratedGradients(50),
        Mask(),
        "captum IntegratedGradients",
        at_entry(captum.IntegratedGradients, "sum", start=True, n_steps=50),
    )
    yield Case(
        "DeepLift",
        DeepLift(),
        Mask(),
        "captum DeepLift",
        at_entry(captum.DeepLift, "sum", start=True),
        only=("maxpool", "cnn"),
        bar=1e-4,
        note="captum takes the gradient where inputs differ by less than 1e-6, Assay where by less",
    )
    yield Case(
        "smooth grad (mean)",
        SmoothGrad(samples=draws, noise_level=0.1, aggregation="mean"),
        None,
        "captum NoiseTunnel",
        noise_tunnel(draws),
        note="captum is given Assay's noise, a tenth of the range of the text's numbers; with l2 the two "
        "differ, because Assay averages lengths and captum absolute gradients",
    )
    yield Case(
        "expected gradients",
        ExpectedGradients(samples=draws),
        Mask(),
        "captum GradientShap",
        gradient_shap(draws),
        note="captum is given Assay's points on the path",
    )
    yield Case(
        "expected gradients",
        ExpectedGradients(samples=draws),
        Mask(),
        "integrated gradients",
        at_entry(captum.IntegratedGradients, "sum", start=True, n_steps=2000, method="riemann_middle"),
        "standard errors",
        FAR,
    )
    if family.inner:
        yield Case(
            "layer integrated gradients",
            IntegratedGradients(50, layer=family.inner),
            Mask(),
            "captum LayerIntegratedGradients",
            at_layer(captum.LayerIntegratedGradients, n_steps=50),
            only=berts,
        )
        yield Case(
            "layer conductance",
            LayerConductance(family.inner, steps=100),
            Mask(),
            "captum LayerConductance",
            at_layer(captum.LayerConductance, n_steps=400, method="riemann_middle"),
            bar=1e-2,
            only=berts,
            note="two quadratures of one integral: captum's error falls with 1/steps, trapezoids' faster",
        )
    yield Case("attention", Attention(), None, "transformers", attention, only=berts)
    yield Case("occlusion", Occlusion(), Mask(), "captum FeatureAblation", on_tokens(captum.FeatureAblation))
    yield Case("occlusion (window 2)", Occlusion(window=2), Mask(), "captum Occlusion", window)
    yield Case("KernelSHAP, all rows", KernelShap(rows=2**12), Mask(), "shap KernelExplainer", shap_kernel)
    yield Case("KernelSHAP, all rows", KernelShap(rows=2**12), Mask(), "enumeration", exact)
    yield Case("Shapley GP, all rows", ShapleyGP(rows=2**12), Mask(), "enumeration", exact)
    yield Case("Owen values, all rows", Owen(rows=2**14), Mask(), "shap PartitionExplainer", partition)
    for name, ours in (
        ("KernelSHAP, 200 rows", KernelShap(rows=200)),
        ("Shapley sampling", ShapleySampling(draws)),
    ):
        yield Case(name, ours, Mask(), "enumeration", exact, "standard errors", FAR)
    yield Case(
        "Shapley sampling",
        ShapleySampling(draws),
        Mask(),
        "captum ShapleyValueSampling",
        on_tokens(captum.ShapleyValueSampling, n_samples=draws, perturbations_per_eval=8),
        "Spearman",
        ALIKE,
        note="both draw",
    )
    yield Case("LIME", Lime(rows=4000), Mask(), "lime", lime, "Spearman", ALIKE, note="both draw")


def explained(family: Family, case: Case, texts: Sequence[Text]) -> list[list[Explanation]]:
    return case.ours.explain(Engine(family.model), [text.request for text in texts], case.baseline)


def worst(family: Family, case: Case) -> tuple[float, float]:
    """The largest difference or distance, or the least correlation, over texts and classes: of each text
    alone, and of all at once."""
    alone = [explained(family, case, [text])[0] for text in family.texts]
    padded = explained(family, case, family.texts)
    found: tuple[list[float], list[float]] = ([], [])
    for text, *sides in zip(family.texts, alone, padded, strict=True):
        for nth, record in enumerate(sides[0]):
            theirs = case.peer(text, record.target)
            for side, records in zip(found, sides, strict=True):
                side.append(_apart(text, case, records[nth], theirs))
    extreme = np.nanmin if case.measure == "Spearman" else np.nanmax
    return float(extreme(found[0])), float(extreme(found[1]))


def _apart(text: Text, case: Case, record: Explanation, theirs: NDArray[np.floating]) -> float:
    ours = record.scores.astype(np.float64)
    if case.measure == "difference":
        return float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()))
    if case.measure == "Spearman":
        ranks: Any = spearmanr(ours[text.content], theirs[text.content])
        # The ranks of a few tokens say little.
        return float(ranks.statistic) if text.content.sum() > 4 else float("nan")
    assert record.standard_error is not None
    error = record.standard_error.astype(np.float64)
    # Where nothing is left to chance the error is 0, and the scores are equal up to rounding.
    return float(((np.abs(ours - theirs) - 1e-5).clip(0) / np.maximum(error, 1e-9)).max())


def main() -> None:
    chosen = options(__doc__, "three short texts, no MiniLM, under a minute")
    table = Table("method", "family", "peer", "measure", "bar", alone=".2g", padded=".2g")
    misses, notes = [], {}
    for one in families(TEXTS[:2] if chosen.quick else TEXTS, minilm=not chosen.quick):
        for case in cases(one, draws=100 if chosen.quick else 400):
            if case.only and one.name not in case.only:
                continue
            sides = worst(one, case)
            at_least = case.measure == "Spearman"
            met = min(sides) >= case.bar if at_least else max(sides) <= case.bar
            bar = f"{'>=' if at_least else '<='} {case.bar:g}{'' if met else ' **missed**'}"
            table.row(case.method, one.name, case.peer_name, case.measure, bar, *sides)
            misses += [] if met else [f"{case.method} on {one.name}"]
            if case.note:
                notes[f"{case.method}, {case.peer_name}"] = case.note
    print("\n" + "\n".join(f"- {where}: {note}." for where, note in notes.items()) + "\n")
    finish(not misses, f"missed by: {', '.join(misses) or 'none'}")


if __name__ == "__main__":
    main()
