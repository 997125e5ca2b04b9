"""captum's attribution classes, by name and with their own arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch

from assay.explainers.baselines import Baseline
from assay.explainers.peers.calls import ModelCalls
from assay.explainers.peers.captum_inputs import AttributedTo, Network, by_embeddings, by_ids, by_layer
from assay.explainers.peers.captum_methods import METHODS, CaptumMethod
from assay.explainers.peers.library import alone, load, split_arguments
from assay.explainers.peers.peer import Attribution, Peer
from assay.explainers.perturbation.output_spaces import Output
from assay.explainers.perturbation.units import Unit, check_unit
from assay.explainers.protocol import Request, Traits
from assay.models.engine import Engine
from assay.tasks.errors import InputError, check_choice

Reduce = Literal["sum", "mean", "l1", "l2"]
# What Assay itself says, and what is no plain value.
KEPT = (
    *("forward_func", "model", "layer", "device_ids", "inputs", "baselines", "target", "feature_mask"),
    *("additional_forward_args", "return_convergence_delta", "return_input_shape", "show_progress"),
    *("verbose", "custom_attribution_func", "grad_kwargs", "interpretable_model", "similarity_func"),
    *("perturb_func", "memory_efficient", "attribute_to_layer_input"),
)


@dataclass(frozen=True, slots=True)
class Captum(Peer):
    """One of captum's attribution classes, run by captum; logits are explained.

    method: the class (assay.explainers.peers.captum_methods). arguments: of it, as captum names them, such as
    {n_steps: 20}. reduce: what becomes of a token's attributions, one per dimension of the embedding. unit:
    of classes that replace token ids, what is replaced together; a unit's score is shared out evenly.

    A class that differentiates attributes to what the model's first layer reads (with a baseline, from its
    reference on), one of captum's Layer classes to the layer that gives it. All others attribute to the ids
    of the content tokens; an id that captum replaces is a token that the baseline makes absent. captum is
    called once for every target. Classes that hook modules run the network's own; what captum does not
    reach (functions, products) it takes as it is, and where the class promises a sum, the record's
    completeness gap shows it.
    Source: Kokhlikyan et al., 2020, arXiv:2009.07896.
    """

    method: str = "IntegratedGradients"
    arguments: Mapping[str, Any] | None = None
    reduce: Reduce = "sum"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    library: ClassVar[str] = "captum"
    name: ClassVar[str] = "captum"
    output: ClassVar[Output] = "logit"  # pyright: ignore[reportIncompatibleVariableOverride]

    def __post_init__(self) -> None:
        check_choice("explainer.captum.method", self.method, METHODS)
        check_choice("explainer.captum.reduce", self.reduce, get_args(Reduce))
        check_unit(self.name, self.unit)
        if self.unit != "token" and (self._method.reads != "ids" or self.method == "Occlusion"):
            raise InputError(
                f"explainer.captum.unit is {self.unit!r}, but {self.method} scores single tokens; expected "
                "unit=token"
            )
        if self.reduce != "sum" and self._method.reads == "ids":
            raise InputError(
                f"explainer.captum.reduce is {self.reduce!r}, but {self.method} gives one score per token; "
                "expected reduce=sum"
            )
        if self.arguments:
            self._arguments()
        self.model_rows(1, 1)

    @property
    def _method(self) -> CaptumMethod:
        return METHODS[self.method]

    @property
    def traits(self) -> Traits:
        method, absolute = self._method, (self.arguments or {}).get("abs", True)
        signed = self.reduce in ("sum", "mean") and not (self.method == "Saliency" and absolute)
        use = "none" if not method.baseline else "removal" if method.reads == "ids" else "reference"
        return Traits(
            signed=signed,
            additive=method.additive and self.reduce == "sum",
            stochastic=method.draws,
            needs=frozenset() if method.reads == "ids" else frozenset({"gradients"}),
            baseline=use,
            cost_known=method.rows is not None,
        )

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """captum's own for every target, and the text and the baseline once; none where it is not known."""
        if self._method.rows is None:
            return 0, 0
        forward, backward = self._method.rows(tokens, self.arguments or {})
        return targets * forward + 1 + self._method.baseline, targets * backward

    def check(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> None:
        """Raise InputError without the baseline that the class needs, or without a module that it hooks."""
        method = self._method
        if method.baseline and not (
            baseline and (baseline.removes if method.reads == "ids" else baseline.references)
        ):
            raise InputError(
                f"captum's {self.method} needs a baseline that says what an absent token is, not "
                f"{baseline.name if baseline else None!r}; choose another"
            )
        network = getattr(engine.model, "network", None)
        modules = network.modules() if isinstance(network, torch.nn.Module) else ()
        if method.needs_relu and not any(isinstance(module, torch.nn.ReLU) for module in modules):
            raise InputError(
                f"captum's {self.method} changes the way back through modules torch.nn.ReLU, and this "
                "network has none, so it would give the plain gradient; choose guided_backprop_mean"
            )

    def attribute(self, calls: ModelCalls, baseline: Baseline | None, seed: int) -> Attribution:
        """Scores (M, T): captum's attributions, called for each target with the same seed."""
        by = {"embeddings": by_embeddings, "layer": by_layer, "ids": by_ids}[self._method.reads]
        asked = by(calls, baseline, self.unit, modules=self._method.modules)
        targets = calls.request.targets.tolist()
        if not asked.inputs.numel():
            # A text of special tokens alone.
            scores = np.zeros((len(targets), len(calls.request.encoding)))
            return Attribution(scores, asked.full, asked.empty)
        found = [self._of_target(asked, target, seed).detach() for target in targets]
        if self._method.reads != "ids":
            found = [self._reduced(attribution[0]) for attribution in found]
        scores = np.stack([asked.spread(one.double().cpu().numpy()) for one in found])
        return Attribution(scores, asked.full, asked.empty)

    def _of_target(self, asked: AttributedTo, target: int, seed: int) -> torch.Tensor:
        construct, attribute = self._arguments()
        module = load("captum", "captum.attr")
        forward = Network(asked.forward, asked.network) if self._method.modules else asked.forward
        layer = [] if asked.layer is None else [asked.layer]
        reference = {} if asked.baselines is None else {"baselines": asked.baselines}
        masks = {} if asked.feature_mask is None else {"feature_mask": asked.feature_mask}
        with alone(seed):
            return getattr(module, self.method)(forward, *layer, **construct).attribute(
                asked.inputs, target=target, **reference, **masks, **attribute
            )

    def _arguments(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Those of the constructor, and those of `attribute`."""
        offered = getattr(load("captum", "captum.attr"), self.method)
        given = {**(self._method.defaults or {}), **(self.arguments or {})}
        option = f"explainer.captum.arguments of {self.method}"
        attribute, construct = split_arguments(option, given, (offered.attribute, offered.__init__), KEPT)
        return construct, attribute

    def _reduced(self, values: torch.Tensor) -> torch.Tensor:
        """(T,) of (T, D)."""
        if self.reduce in ("l1", "l2"):
            return values.norm(p=1 if self.reduce == "l1" else 2, dim=-1)
        return values.sum(-1) if self.reduce == "sum" else values.mean(-1)
