"""What is on record about gates that were trained, and what it says against them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from assay.explainers.masks.diffmask_per_example import MET


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
    training, for each 200 steps. forward_rows, backward_rows, cpu_seconds: what training asked of the model,
    measuring included, and how long it took."""

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
    unmet = [of for of in record["layers"] if of["divergence"] > MET * record["epsilon"]]
    if not unmet:
        return []
    told = "; ".join(
        f"{of['layer']} {of['divergence']:.3g} nats, with {of['open']:.0%} of the tokens open and "
        f"{of['agreement']:.0%} of the decisions unchanged"
        for of in unmet
    )
    return [
        f"diffmask: the gates did not come to a divergence of {record['epsilon']} nats at {len(unmet)} of "
        f"{len(record['layers'])} layers ({told}); scores there do not say which tokens keep the answer. "
        "Raise explainer.diffmask.steps, minutes or epsilon"
    ]
