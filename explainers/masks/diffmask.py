"""DiffMask with gates learned over many texts: one pass per text says what every layer still needs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost
from assay.explainers.masks.gate_report import warnings
from assay.explainers.masks.gate_training import GateSettings, train_gates
from assay.explainers.masks.gates import Gates
from assay.explainers.protocol import Explanations, Request, Traits, explanation
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.known_weights import Weights
from assay.models.paths import check_layer
from assay.models.protocol import Model, OpenModel
from assay.tasks.errors import InputError
from assay.tasks.example import Example

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffMask(GateSettings):
    """How probable it is that a token is needed for the answer, by networks that read the model's layers.

    Gate networks are trained once on training texts (`fitted`): as few open gates as possible, subject to a
    divergence KL(f(x) || f(masked x)) of at most `epsilon` nats. Then one pass of the model over a text
    gives its scores P(z > 0), the same for every target, at `layer`, and those of all layers beside them:
    what the layers up to there can tell to be needless. Special tokens stay and count for nothing.

    Source: De Cao, Schlichtkrull, Aziz and Titov, EMNLP 2020. Here RMSprop has no Lookahead, the multipliers
    move ten times more slowly, gates stand where the model's first layer reads (behind positions and
    normalisation), and the last layer of an encoder, of which the classifier reads one token, has none.

    Attributes:
        epsilon: the bound of the divergence in nats; with several labels, of the sum of theirs.
        gating: "input", where an absent token is absent from all layers and a gate is the product of those of
            the layers up to its own, or "hidden", where it is absent from its own layer on.
        layer: whose gates are the scores; the last one by default.
        units: of the hidden layer of each gate network; by default a quarter of the width of its layer.
        batch_size: texts in each step, which trains the gates of one layer.
        steps, minutes: training ends after so many steps or minutes of the processor, or when for 1,600 steps
            no more gates have closed and the divergence is about `epsilon`, at every layer.
        rate, placeholder_rate, multiplier_rate: RMSprop's, of the networks, of what absent tokens become and
            of the multipliers of the constraint, which stay in [0, 200].
        warmup: steps over which these rates rise from 0.
        seed: of training.

    Raises:
        InputError: on a value out of range.
    """

    layer: str | None = None
    version: ClassVar[int] = 2
    name: ClassVar[str] = "diffmask"
    traits = Traits(
        signed=False,
        additive=False,
        stochastic=False,
        needs=frozenset({"open_layers"}),
        from_texts=True,
        from_model=True,
    )

    @property
    def settings(self) -> GateSettings:
        """What the gates depend on: everything but the layer that is read off."""
        return GateSettings(**{one.name: getattr(self, one.name) for one in fields(GateSettings)})

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> TrainedDiffMask:
        """The explainer once its gates are trained. Raises InputError without texts, or on a model that does
        not show its layers, or not that layer."""
        self.check(engine)
        gates, report = train_gates(
            self.settings, engine, engine.model.encode([example.texts for example in sample])
        )
        for warning in warnings(report.record()):
            log.warning("%s", warning)
        return self.using(gates, report.record(), engine.model)

    def check(self, engine: Engine) -> None:
        """Raise InputError on a model that does not show its layers, or not that one."""
        if not isinstance(engine.model, OpenModel):
            raise InputError(
                "diffmask reads the layers of a model, and this one does not show any; choose "
                "diffmask_per_example, which asks for gradients alone, or an explainer that asks for answers"
            )
        if self.layer is not None:
            check_layer(engine.model, self.layer)

    def using(self, gates: Gates, about: dict[str, Any], model: Model) -> TrainedDiffMask:
        """With gates that were trained on a model, and the record of their training."""
        return TrainedDiffMask(gates, self.layer or gates.shape.layers[-1], about, Weights.of(model))

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        raise InputError("diffmask has no gates yet; use what `fitted(engine, examples)` returns")

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """The text itself; training is counted apart."""
        return int(targets > 0), 0


@dataclass(frozen=True, slots=True, eq=False)
class TrainedDiffMask:
    """`DiffMask` with its gates. about: the record of `assay.explainers.masks.gate_training.GateReport`.
    model: the weights of the model that they were trained on, the only one that they explain."""

    gates: Gates
    layer: str
    about: dict[str, Any]
    model: Weights
    version: ClassVar[int] = DiffMask.version
    traits = replace(DiffMask.traits, from_texts=False)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target, in order.

        Raises InputError on a model with other layers or weights than that which the gates were trained on.
        """
        asked = [at for at, request in enumerate(requests) if len(request.targets)]
        explained: Explanations = [[] for _ in requests]
        place, began = self.gates.shape.layers.index(self.layer), time.perf_counter()
        found = list(self._read(engine, [requests[at].encoding for at in asked]))
        # Batches hold many texts, so seconds are shared out by their tokens.
        seconds = (time.perf_counter() - began) / max(sum(len(requests[at].encoding) for at in asked), 1)
        for nth, opened, logits in found:
            request, tokens = requests[asked[nth]], len(requests[asked[nth]].encoding)
            cost = Cost(1, 0, tokens, seconds * tokens)
            explained[asked[nth]] = [
                explanation(
                    *(request, target, opened[place]),
                    value_input=float(logits[target]),
                    cost=cost,
                    by_layer=opened,
                )
                for target in request.targets.tolist()
            ]
        return explained

    def by_layer(self, engine: Engine, encodings: Sequence[Encoding]) -> list[NDArray[np.float32]]:
        """(L, T) scores of every layer, for each text; one pass over each."""
        found: dict[int, NDArray[np.float32]] = {n: scores for n, scores, _ in self._read(engine, encodings)}
        return [found[nth] for nth in range(len(encodings))]

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """The text itself; training is counted apart."""
        return int(targets > 0), 0

    def _read(
        self, engine: Engine, encodings: Sequence[Encoding]
    ) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
        """In ascending length every text's position, its scores (L, T), and its logits (K,)."""
        shape = self.gates.shape
        device, dtype = next(self.gates.parameters()).device, getattr(torch, shape.dtype)
        if getattr(engine.model, "layers", ()) != shape.layers:
            raise InputError(
                f"the gates of diffmask were trained on a model with the layers {', '.join(shape.layers)}; "
                "train them for this one with `fitted`"
            )
        if not self.model.are_those_of(engine.model):
            raise InputError(
                "the gates of diffmask were trained on a model with other weights, and say nothing of this "
                "one; train them for this one with `fitted`"
            )
        for batch in engine.activations(encodings, of_tokens=True):
            states = {name: torch.from_numpy(batch.layers[name]).to(device, dtype) for name in shape.layers}
            with torch.inference_mode():
                opened = self.gates.log_open(states).exp().float().cpu().numpy()
            for row, nth in enumerate(batch.index.tolist()):
                content = encodings[nth].content
                scores = np.where(content, opened[:, row, : len(content)], np.float32(0))
                yield nth, scores, batch.layers["logits"][row]
