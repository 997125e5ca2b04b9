"""The claims that are tested on a run of the diagnostic study.

Only the first is quoted from the study's abstract (Atanasova, Simonsen, Lioma & Augenstein, EMNLP 2020). The
others are statements on the same explainers and properties that are put to the test; no number here or in
what they print is from the study.
"""

from __future__ import annotations

from functools import partial

from assay.results.claims.claim import CNN, LSTM, TRANSFORMER, Claim, Family, together
from assay.results.claims.contrasts import (
    COST,
    above_random,
    better,
    better_overall,
    higher_on_right,
    ordered,
)

# Guided backpropagation is left out where a network has no ReLU to guide.
GUIDED = "guided_backprop_"
GRADIENTS = Family("gradients", ("saliency_", "input_x_gradient_"), (GUIDED,))
OCCLUSION, SHAPLEY, LIME = (Family(name, (name,)) for name in ("occlusion", "shapley_sampling", "lime"))
OTHERS = together(OCCLUSION, SHAPLEY, LIME)
L2, MEAN = (
    Family(end, (f"saliency_{end}", f"input_x_gradient_{end}"), (f"{GUIDED}{end}",)) for end in ("l2", "mean")
)
LEADING = Family("l2", ("saliency_l2", "input_x_gradient_l2"))
FOLLOWING = Family("the rest", ("saliency_mean", "input_x_gradient_mean", *OTHERS.needed), (GUIDED,))
EXPLAINERS = together(GRADIENTS, OTHERS)
# The study's tasks by their names here, with what they are called.
TASKS = {
    "tweet_sentiment": "Tweet Sentiment Extraction",
    "esnli": "e-SNLI",
    "eraser_movies": "IMDB movie reviews",
}
ARCHITECTURES = (CNN, LSTM, TRANSFORMER)
QUALITIES = (
    "faithfulness",
    "human agreement",
    "confidence indication",
    "rationale consistency",
    "dataset consistency",
)
ANCHORED = "difference on the common scale (random 0, best 1)"
IN_UNITS = "difference in the metric's units, above 0 being better"

STUDY = (
    Claim(
        "gradient_overall",
        "Gradient-based explainers perform best across tasks and model architectures.",
        ANCHORED,
        partial(better_overall, GRADIENTS, OTHERS),
        quoted="the abstract of the study",
        tasks=tuple(TASKS),
        architectures=ARCHITECTURES,
    ),
    *(
        Claim(
            f"gradient_{property.replace(' ', '_')}",
            f"Gradient-based explainers are better than occlusion, Shapley sampling and LIME in {property}.",
            IN_UNITS,
            partial(better, property, GRADIENTS, OTHERS),
        )
        for property in QUALITIES
    ),
    Claim(
        "lime_transformer",
        "LIME does well on transformers: it is more faithful than the other explainers are on average.",
        IN_UNITS,
        partial(better, "faithfulness", LIME, together(GRADIENTS, OCCLUSION, SHAPLEY)),
        architectures=(TRANSFORMER,),
    ),
    Claim(
        "l2_overall",
        "Gradients are better aggregated by the ℓ2 norm than by the mean.",
        ANCHORED,
        partial(better_overall, L2, MEAN),
    ),
    Claim(
        "l2_transformer",
        "On transformers, InputXGradient by the ℓ2 norm is more faithful than by the mean.",
        IN_UNITS,
        partial(
            better,
            "faithfulness",
            *(Family(f"{end}", (f"input_x_gradient_{end}",)) for end in ("l2", "mean")),
        ),
        architectures=(TRANSFORMER,),
    ),
    Claim(
        "l2_leads_transformer",
        "On transformers, saliency and InputXGradient by the ℓ2 norm lead the other explainers on average.",
        ANCHORED,
        partial(better_overall, LEADING, FOLLOWING),
        architectures=(TRANSFORMER,),
    ),
    Claim(
        "occlusion_behind",
        "Occlusion is behind the other explainers on average.",
        ANCHORED,
        partial(better_overall, together(GRADIENTS, SHAPLEY, LIME), OCCLUSION),
    ),
    *(
        Claim(
            f"random_{property.replace(' ', '_')}",
            f"Every explainer is better than random scores in {property}.",
            "least certain difference from random in the metric's units, above 0 being better",
            partial(above_random, property, EXPLAINERS),
        )
        for property in ("faithfulness", "human agreement")
    ),
    Claim(
        "right_human_agreement",
        "Explanations agree better with people where the model is right.",
        IN_UNITS,
        partial(higher_on_right, "human agreement", EXPLAINERS),
    ),
    Claim(
        "cost_order",
        "Gradients cost less than occlusion, occlusion less than Shapley sampling, and that less than LIME.",
        "least certain difference in the metric's units, above 0 being cheaper; it depends on the settings",
        partial(ordered, COST, (GRADIENTS, OCCLUSION, SHAPLEY, LIME)),
    ),
)
