"""What is on record about gates that were trained, and what it says against them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from assay.explainers.masks.diffmask_per_example import MET

# Gates begin open; where more than this share of them still is, training has not begun to tell tokens apart.
OPEN = 0.95


@dataclass(frozen=True, slots=True)
class LayerReport:
    """Of the gates of one layer, on texts that are measured: the mean divergence from the answers to the
    whole texts in nats, the share of decisions that stay the same, and the mean probability that a content
    token is open."""

    layer: str
    divergence: float
    agreement: float
    open: float


@dataclass(frozen=True, slots=True)
class GateReport:
    """What is on record about trained gates. texts: how many were measured. stopped: what ended training:
    "steps", "settled" (no more gates closed) or "time". looks: the share of open gates and the divergence in
    training, for each 200 steps. forward_rows, backward_rows: what training asked of the model, measuring
    included. cpu_seconds: of training, by `assay.models.training_clock`."""

    epsilon: float
    layers: tuple[LayerReport, ...]
    texts: int
    steps: int
    stopped: str
    looks: tuple[tuple[float, float], ...]
    forward_rows: int
    backward_rows: int
    cpu_seconds: float

    def record(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def warnings(record: dict[str, Any]) -> list[str]:
    """What the record of a report says against the gates."""
    told, layers = [], record["layers"]
    if unmet := [of for of in layers if of["divergence"] > MET * record["epsilon"]]:
        found = "; ".join(
            f"{of['layer']} {of['divergence']:.3g} nats, with {of['open']:.0%} of the tokens open and "
            f"{of['agreement']:.0%} of the decisions unchanged"
            for of in unmet
        )
        told.append(
            f"diffmask: the gates did not come to a divergence of {record['epsilon']} nats at {len(unmet)} "
            f"of {len(layers)} layers ({found}); scores there do not say which tokens keep the answer. "
            "Raise explainer.diffmask.steps, minutes or epsilon"
        )
    if still := [of for of in layers if of["open"] > OPEN]:
        found = "; ".join(f"{of['layer']} {of['open']:.1%}" for of in still)
        told.append(
            f"diffmask: nearly all gates are still open at {len(still)} of {len(layers)} layers ({found}), "
            "so scores there hardly tell tokens apart. Raise explainer.diffmask.steps, minutes or rate"
        )
    return told
