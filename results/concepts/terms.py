"""What pages of concepts call things that a reader may not know, in words."""

from __future__ import annotations

from collections.abc import Sequence

from assay.results.concepts.cases import Case, Portfolio, decided

# By `ConceptExplanation.method`: how contributions are found.
METHODS = {
    "bottleneck": "exactly: the model decides by the concepts alone",
    "side_heads": "by the words that carry a concept and what they add to the decision",
    "tcav": "by how the decision changes if the text moves towards texts with a concept (TCAV)",
}


def method_in_words(name: str) -> str:
    """How contributions were found; a method that is not known by its own name."""
    return METHODS.get(name, name.replace("_", " "))


def about_another(case: Case, portfolio: Portfolio) -> str:
    """What to bear in mind where the page explains a label that the model does not decide for; else ""."""
    target, chosen = case.explanation.target, decided(case, portfolio)
    if target in chosen:
        return ""
    name = f"“{portfolio.labels[target]}”"
    if len(portfolio.labels) == 2 and not portfolio.multi_label:
        other = portfolio.labels[chosen[0]]
        return f"The model says “{other}”. So what speaks against {name} here, speaks for its decision."
    return (
        f"The model does not say {name}. So what speaks against {name} here, speaks for its decision on it."
    )


def heading_of(parts: Sequence[str]) -> str:
    """ "By month and cause" of the tables that there are."""
    return f"By {' and '.join(parts)}"
