"""shap's KernelExplainer on the presence of tokens or words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.peers.calls import ModelCalls
from assay.explainers.peers.library import count, load, split_arguments
from assay.explainers.peers.peer import Attribution, Peer
from assay.explainers.perturbation.output_spaces import Output
from assay.explainers.perturbation.units import Unit, check_unit, units_of
from assay.explainers.protocol import Request, Traits
from assay.models.engine import Engine
from assay.tasks.errors import InputError, check_choice

# What Assay itself says, and what shap takes without naming it.
KEPT = frozenset(("X",))


@dataclass(frozen=True, slots=True)
class ShapKernel(Peer):
    """shap.KernelExplainer(f, zeros).shap_values(ones): 1 is a unit that is present, 0 an absent one.

    arguments: of shap_values, as shap names them: nsamples, l1_reg (by default shap keeps ten units,
    "num_features(10)"). unit: what is present or absent as a whole; its value is shared out evenly among its
    tokens. Source: Lundberg & Lee, NeurIPS 2017.
    """

    arguments: Mapping[str, Any] | None = None
    output: Output = "probability"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    library: ClassVar[str] = "shap"
    name: ClassVar[str] = "shap_kernel"
    traits = Traits(signed=True, additive=True, stochastic=True, baseline="removal")

    def __post_init__(self) -> None:
        check_choice("explainer.shap_kernel.output", self.output, get_args(Output))
        check_unit(self.name, self.unit)
        # shap reads these from **kwargs, whatever they are called.
        split_arguments("explainer.shap_kernel.arguments", self.arguments, (_shap_values,), KEPT)
        self.model_rows(1, 1)

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """shap's samples of all targets together, and four times one of the ends."""
        samples = count(self.arguments, "nsamples", 2 * tokens + 2048)
        return min(samples, 2 ** min(tokens, 30)) + 5, 0

    def check(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> None:
        """Raise InputError without a baseline that removes."""
        if baseline is None or not baseline.removes:
            raise InputError(
                "explainer 'shap_kernel' needs a baseline that says what a single absent token means, not "
                f"{baseline.name if baseline else None!r}; choose another"
            )

    def attribute(self, calls: ModelCalls, baseline: Baseline | None, seed: int) -> Attribution:
        """Scores (M, T): shap's values, of all targets together."""
        assert baseline is not None
        request = calls.request
        units = units_of(request, self.unit)
        ends = calls.of_tokens(baseline, units.keep(np.array([[True], [False]]).repeat(len(units), axis=1)))
        if not len(units):
            return Attribution(np.zeros((len(request.targets), len(request.encoding))), ends[0], ends[1])

        def answer(present: Any) -> Any:
            return calls.of_tokens(baseline, units.keep(np.asarray(present) > 0.5))

        explainer = load("shap", "shap").KernelExplainer(answer, np.zeros((1, len(units))))
        found = explainer.shap_values(np.ones((1, len(units))), silent=True, **(self.arguments or {}))
        values = units.spread(np.asarray(found, dtype=np.float64)[0])
        return Attribution(values[:, request.targets].T, ends[0], ends[1])


def _shap_values(nsamples: Any = "auto", l1_reg: Any = "num_features(10)", gc_collect: bool = False) -> None:
    """The arguments that shap's KernelExplainer.shap_values documents."""
