"""What contributions add up to, and how their sum gives the probability."""

from __future__ import annotations

from dataclasses import dataclass

from assay.results.concepts.cases import Portfolio


@dataclass(frozen=True, slots=True)
class Unit:
    """name: of what contributions add up to. converted: how the sum gives the probability."""

    name: str
    converted: str


def unit(portfolio: Portfolio, label: int) -> Unit:
    """That of the contributions to a label, where they add up.

    Of labels of which one holds, only differences between logits decide, so contributions are compared with
    their mean over labels: of two labels, the sum is half the difference of the logits.
    """
    name = f"“{portfolio.labels[label]}”"
    if portfolio.multi_label:
        return Unit(f"the logit of {name}", "its probability is 1 / (1 + exp(−sum))")
    if len(portfolio.labels) == 2:
        return Unit(
            f"half the log-odds of {name}",
            "its probability is 1 / (1 + exp(−2 × sum)), so 0.10 more moves it by at most 5 points",
        )
    return Unit(
        f"the logit of {name} above the mean over all labels",
        "its probability is exp(sum), divided by that of all labels together",
    )
