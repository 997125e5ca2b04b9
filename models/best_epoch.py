"""Which epoch of a training is the best, and when a training has come to its end."""

from __future__ import annotations

from collections.abc import Sequence

from assay.models.report import Epoch


def rank(epoch: Epoch) -> tuple[float, float, float]:
    """Higher is better: a lower weight of the penalty, macro-F1, a lower development loss, in this order."""
    return -(epoch.penalty_weight or 0.0), epoch.dev_macro_f1, -epoch.dev_loss


def ended(epochs: Sequence[Epoch], best_epoch: int, most: int, patience: int, least: float) -> bool:
    """Whether there were as many epochs as there may be, or `patience` since the best one.

    least: the weight of the penalty at the end; while it is still to fall, patience does not begin.
    """
    if len(epochs) >= most:
        return True
    falls = bool(epochs) and (epochs[-1].penalty_weight or 0.0) > least
    return bool(epochs) and not falls and len(epochs) - best_epoch >= patience
