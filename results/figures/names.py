"""The figures of an experiment by name; METRIC stands for the name of one of its metrics."""

from __future__ import annotations

KINDS = {
    "overview": "every explainer by every property, with intervals",
    "metric-METRIC": "every explainer by one metric, a panel per task and model",
    "curves-METRIC": "macro-F1 as the highest tokens are taken away (faithfulness)",
    "cost": "every property against passes through the model",
    "cost_of_training": "from how many texts training an explainer pays (explainers that are trained)",
    "pareto": "overall quality against passes through the model, with the Pareto front",
    "radar": "a radar of the properties per explainer, from random (0) to the best (1)",
    "critical_difference": "average ranks, and who cannot be told apart by them",
    "seeds": "how far model seeds move each value",
    "labels-METRIC": "a heat map of one metric, label by label",
    "agreement": "which metrics rank explainers alike",
    "stability": "how many texts until the winner stays",
    "layers": "by which layer the tokens of a text become needless (methods that tell)",
    "baseline_sensitivity": "how attributions, completeness and faithfulness move with the baseline",
    "global_words": "the words of each class",
}
