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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import captum.attr as captum
import numpy as np
from bar import Table, finish, options
from inputs import explainer
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

from assay.explainers.baselines import Mask
from assay.explainers.explanation import Explanation
from assay.explainers.protocol import Explainer
from assay.models.engine import Engine

# No word twice: where two tokens tie for a maximum, its gradient is split here, and is one token's in captum.
TEXTS = (
    "a good film",
    "not bad at all , really good",
    "the plot is thin but its cast really very good",
    "good",
)
# The largest difference, the largest distance, the least correlation.
BARS = {"difference": 1e-5, "standard errors": 4.0, "Spearman": 0.8}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A line of the table. measure: a key of BARS. note: why it deviates, if it may.

    only: families that have what the peer needs, None for all. bar: the largest difference or distance, or
    the least correlation; None for that of its measure.
    """

    method: str
    ours: Explainer
    peer: Peer
    measure: str = "difference"
    bar: float | None = None
    only: tuple[str, ...] | None = None
    note: str = ""

    @property
    def limit(self) -> float:
        return BARS[self.measure] if self.bar is None else self.bar


def cases(layer: str | None, *, draws: int) -> list[Case]:
    """Every line for a family. layer: one above the first, where captum can find it."""
    inside = [] if layer is None else layer_cases(layer)
    all_rows = explainer("kernel_shap", rows=2**12)
    sampling = explainer("shapley_sampling", permutations=draws)
    drawn_shapley = on_tokens(captum.ShapleyValueSampling, n_samples=draws, perturbations_per_eval=8)
    return [
        Case("saliency (mean)", explainer("saliency_mean"), at_entry(captum.Saliency, "mean")),
        Case("saliency (l2)", explainer("saliency_l2"), at_entry(captum.Saliency, "l2")),
        Case(
            "input x gradient (mean)",
            explainer("input_x_gradient_mean"),
            at_entry(captum.InputXGradient, "mean"),
        ),
        Case(
            "input x gradient (l2)", explainer("input_x_gradient_l2"), at_entry(captum.InputXGradient, "l2")
        ),
        Case(
            "guided backprop (l2)",
            explainer("guided_backprop_l2"),
            at_entry(captum.GuidedBackprop, "l2"),
            only=("cnn", "lstm"),
            note="captum gates ReLU modules only; Assay gates GELU too, and refuses models with neither",
        ),
        Case(
            "integrated gradients",
            explainer("integrated_gradients", steps=50),
            at_entry(captum.IntegratedGradients, "sum", n_steps=50),
        ),
        Case(
            "DeepLift",
            explainer("deep_lift"),
            at_entry(captum.DeepLift, "sum"),
            only=("maxpool", "cnn"),
            bar=1e-4,
            note="captum takes the gradient where inputs differ by less than 1e-6, Assay where by less",
        ),
        Case(
            "smooth grad (mean)",
            explainer("smooth_grad_mean", samples=draws, noise_level=0.1),
            noise_tunnel(draws),
            note="captum is given Assay's noise, a tenth of the range of the text's numbers; with l2 the two "
            "differ, because Assay averages lengths and captum absolute gradients",
        ),
        Case(
            "expected gradients",
            explainer("gradient_shap", samples=draws),
            gradient_shap(draws),
            note="captum is given Assay's points on the path",
        ),
        Case(
            "expected gradients",
            explainer("gradient_shap", samples=draws),
            at_entry(captum.IntegratedGradients, "sum", n_steps=2000, method="riemann_middle"),
            "standard errors",
        ),
        *inside,
        Case("occlusion", explainer("occlusion"), on_tokens(captum.FeatureAblation)),
        Case("occlusion (window 2)", explainer("occlusion", window=2), window),
        Case("KernelSHAP, all rows", all_rows, shap_kernel),
        Case("KernelSHAP, all rows", all_rows, exact),
        Case("Shapley GP, all rows", explainer("shapley_gp", rows=2**12), exact),
        Case("Owen values, all rows", explainer("owen", rows=2**14), partition(2**14)),
        Case("Owen values, 60 rows", explainer("owen", rows=60), partition(60)),
        Case("KernelSHAP, 200 rows", explainer("kernel_shap", rows=200), exact, "standard errors"),
        Case("Shapley sampling", sampling, exact, "standard errors"),
        Case("Shapley sampling", sampling, drawn_shapley, "Spearman", note="both draw"),
        Case("LIME", explainer("lime", rows=4000), lime, "Spearman", note="both draw"),
    ]


def layer_cases(layer: str) -> list[Case]:
    """The lines for BERT alone."""
    return [
        Case(
            "layer integrated gradients",
            explainer("layer_integrated_gradients", steps=50, layer=layer),
            at_layer(captum.LayerIntegratedGradients, n_steps=50),
        ),
        Case(
            "layer conductance",
            explainer("layer_conductance", layer=layer, steps=100),
            at_layer(captum.LayerConductance, n_steps=400, method="riemann_middle"),
            bar=1e-2,
            note="two quadratures of one integral: captum's error falls with 1/steps, trapezoids' faster",
        ),
        Case("attention", explainer("attention_last"), attention),
    ]


def explained(family: Family, case: Case, texts: Sequence[Text]) -> list[list[Explanation]]:
    baseline = None if case.ours.traits.baseline == "none" else Mask()
    return case.ours.explain(Engine(family.model), [text.request for text in texts], baseline)


def worst(family: Family, case: Case) -> tuple[float, float]:
    """The largest difference or distance, or the least correlation, over texts and classes: of each text
    alone, and of all at once."""
    alone = [explained(family, case, [text])[0] for text in family.texts]
    padded = explained(family, case, family.texts)
    distances = []
    for text, *sides in zip(family.texts, alone, padded, strict=True):
        for records in zip(*sides, strict=True):
            theirs = case.peer.scores(text, records[0].target)
            distances.append([_apart(text, case, record, theirs) for record in records])
    extreme = np.nanmin if case.measure == "Spearman" else np.nanmax
    of_alone, of_padded = extreme(distances, axis=0).tolist()
    return of_alone, of_padded


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
    for family in families(TEXTS[:2] if chosen.quick else TEXTS, minilm=not chosen.quick):
        for case in cases(family.inner, draws=100 if chosen.quick else 400):
            if case.only and family.name not in case.only:
                continue
            sides = worst(family, case)
            at_least = case.measure == "Spearman"
            met = min(sides) >= case.limit if at_least else max(sides) <= case.limit
            bar = f"{'>=' if at_least else '<='} {case.limit:g}{'' if met else ' **missed**'}"
            table.row(case.method, family.name, case.peer.name, case.measure, bar, *sides)
            misses += [] if met else [f"{case.method} on {family.name}"]
            if case.note:
                notes[f"{case.method}, {case.peer.name}"] = case.note
    print("\n" + "\n".join(f"- {where}: {note}." for where, note in notes.items()) + "\n")
    finish(not misses, f"missed by: {', '.join(misses) or 'none'}")


if __name__ == "__main__":
    main()
