"""Assay tells which explainer to trust for a text classifier, how far, and at what price.

    import assay

    task = assay.task("planted", test=200)
    model = assay.fit("cnn", task)
    found = assay.explain(model, task.test, ["occlusion", "lime", "gold", "random"], baseline="mask")
    assay.score(found, ["faithfulness", "human_agreement"]).compare()

The command line and these functions share results and their keys. What is heavy is imported with the first
call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.explainers.peers.function import explainer
    from assay.harness.interface.attention import TextAttention, attention
    from assay.harness.interface.cards import Cards, card
    from assay.harness.interface.classifiers import Classifier, fit
    from assay.harness.interface.comparing import Comparison, compare
    from assay.harness.interface.concept_explanations import ConceptExplanations, explain_by_concepts
    from assay.harness.interface.concepts import Tcav
    from assay.harness.interface.corrections import corrected
    from assay.harness.interface.explaining import explain
    from assay.harness.interface.explanations import Explanations, MethodExplanations, TextExplanation
    from assay.harness.interface.finished import Runs, load
    from assay.harness.interface.layer_concepts import LayerConcepts, layer_concepts
    from assay.harness.interface.neurons import Neurons, neurons
    from assay.harness.interface.pooled import ImportantWords, important_words
    from assay.harness.interface.recommending import Recommendations, recommend
    from assay.harness.interface.scoring import Scores, score
    from assay.harness.interface.tasks import data_sheet, task, texts
    from assay.harness.interface.tcav import tcav
    from assay.harness.interface.words import ClassWords, global_words
    from assay.harness.interface.wrapping import wrap
    from assay.tasks.errors import InputError

_HOMES = {
    "Cards": "harness.interface.cards",
    "card": "harness.interface.cards",
    "Classifier": "harness.interface.classifiers",
    "fit": "harness.interface.classifiers",
    "Comparison": "harness.interface.comparing",
    "compare": "harness.interface.comparing",
    "ConceptExplanations": "harness.interface.concept_explanations",
    "explain_by_concepts": "harness.interface.concept_explanations",
    "explain": "harness.interface.explaining",
    "explainer": "explainers.peers.function",
    "Explanations": "harness.interface.explanations",
    "MethodExplanations": "harness.interface.explanations",
    "TextExplanation": "harness.interface.explanations",
    "ImportantWords": "harness.interface.pooled",
    "important_words": "harness.interface.pooled",
    "LayerConcepts": "harness.interface.layer_concepts",
    "layer_concepts": "harness.interface.layer_concepts",
    "TextAttention": "harness.interface.attention",
    "attention": "harness.interface.attention",
    "Neurons": "harness.interface.neurons",
    "neurons": "harness.interface.neurons",
    "Runs": "harness.interface.finished",
    "load": "harness.interface.finished",
    "Recommendations": "harness.interface.recommending",
    "recommend": "harness.interface.recommending",
    "Scores": "harness.interface.scoring",
    "score": "harness.interface.scoring",
    "data_sheet": "harness.interface.tasks",
    "corrected": "harness.interface.corrections",
    "task": "harness.interface.tasks",
    "Tcav": "harness.interface.concepts",
    "tcav": "harness.interface.tcav",
    "texts": "harness.interface.tasks",
    "ClassWords": "harness.interface.words",
    "global_words": "harness.interface.words",
    "wrap": "harness.interface.wrapping",
    "InputError": "tasks.errors",
}

__all__ = [
    "Cards",
    "ClassWords",
    "Classifier",
    "Comparison",
    "ConceptExplanations",
    "Explanations",
    "ImportantWords",
    "InputError",
    "LayerConcepts",
    "MethodExplanations",
    "Neurons",
    "Recommendations",
    "Runs",
    "Scores",
    "Tcav",
    "TextAttention",
    "TextExplanation",
    "attention",
    "card",
    "compare",
    "corrected",
    "data_sheet",
    "explain",
    "explain_by_concepts",
    "explainer",
    "fit",
    "global_words",
    "important_words",
    "layer_concepts",
    "load",
    "neurons",
    "recommend",
    "score",
    "task",
    "tcav",
    "texts",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    return getattr(import_module(f"assay.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
