"""What an explainer is asked, what it declares about itself, and which combinations make no sense."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.precision import FLOAT32, Precision
from assay.models.protocol import CLOSED, capabilities
from assay.tasks.errors import InputError
from assay.tasks.example import Example

# mixture: removal by a baseline that stands for many texts.
BaselineUse = Literal["removal", "reference", "mixture", "none"]
# What to do where a model lacks what a baseline needs, by its use; these two need nothing.
INSTEAD: dict[BaselineUse, str] = {
    "removal": "; choose baseline=[delete]",
    "reference": "; choose baseline=[pad]",
}

# For every request one explanation per target, in order.
Explanations = list[list[Explanation]]


@dataclass(frozen=True, slots=True)
class Traits:
    """What an explainer declares.

    signed: negative scores mean evidence against the target. additive: the scores sum to
    f(input) - f(baseline). stochastic: draws random numbers, so the explainer seed matters. needs:
    capabilities of the model ("gradients", "embeddings"), or "rationales" of the task. baseline: how it uses
    one. refuses: from capabilities to the reason, in one clause, why the method makes no sense for a model
    that has all it needs; None if it does. fixed: the scores were computed elsewhere, so that they cannot be
    made once more for a changed text or model. cost_known: whether `model_rows` tells what it asks of a
    model. strings: reads the text itself, so that one whose tokens alone were changed cannot be explained.
    from_texts: is made from training texts (`fitted`). from_model: is trained on the answers of one model, so
    that it has to be trained anew for a changed one.
    """

    signed: bool
    additive: bool
    stochastic: bool
    needs: frozenset[str] = frozenset()
    baseline: BaselineUse = "none"
    refuses: Callable[[frozenset[str]], str | None] | None = None
    fixed: bool = False
    cost_known: bool = True
    strings: bool = False
    from_texts: bool = False
    from_model: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Explain `targets` (M,) of one encoded example; `seed` is the request seed (harness/trials/seeds.py)."""

    example: Example
    encoding: Encoding
    targets: NDArray[np.intp]
    seed: int = 0


class Explainer(Protocol):
    """Turns requests into explanations. Implementations are frozen dataclasses holding parameters."""

    version: ClassVar[int]

    @property
    def traits(self) -> Traits: ...

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target, in order."""
        ...

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Forward and backward rows for a text of so many content tokens, duplicates not yet dropped."""
        ...


def incompatibility(
    explainer: Explainer,
    baseline: Baseline | None,
    *,
    capabilities: frozenset[str],
    rationales: bool,
    training_texts: bool = True,
) -> str | None:
    """Why this combination makes no sense on this model and task, in one clause; None if it does."""
    traits = explainer.traits
    if traits.from_texts and not training_texts:
        return "it is made from training texts, and the task has none"
    has = capabilities | ({"rationales"} if rationales else set())
    lacking = sorted(traits.needs - has)
    if lacking:
        owner = "the task has no" if lacking[0] == "rationales" else "the model gives no"
        why = [name.removeprefix(CLOSED) for name in capabilities if name.startswith(CLOSED)]
        reason = f" ({why[0]})" if why and lacking[0] == "open_layers" else ""
        return f"{owner} {lacking[0].replace('_', ' ')}{reason}"
    # A model that was not loaded yet shows no layers or steps; whether it is refused is found out then.
    seen = any(ability.startswith(("layer:", "step:")) for ability in capabilities)
    if traits.refuses and seen and (reason := traits.refuses(capabilities)):
        return reason
    if traits.baseline == "none":
        return None
    if baseline is None:
        return "the explainer needs a baseline and none was chosen"
    if traits.baseline == "mixture" and not baseline.mixture:
        return f"baseline {baseline.name!r} is no masked language model; choose baseline=[mlm]"
    if traits.baseline == "reference" and baseline.mixture:
        return f"baseline {baseline.name!r} stands for many texts, so no straight path leads to it"
    if traits.baseline == "reference" and not baseline.references:
        return f"baseline {baseline.name!r} changes the text's length, so no straight path leads to it"
    if traits.baseline == "removal" and not baseline.removes:
        return f"baseline {baseline.name!r} cannot remove single tokens"
    if baseline.from_texts and not training_texts:
        return f"baseline {baseline.name!r} is made from training texts, and the task has none"
    lacking = sorted(baseline.needs - has)
    if lacking:
        ability = lacking[0].replace("_", " ")
        instead = INSTEAD.get(traits.baseline, "")
        return f"the model has no {ability}, which baseline {baseline.name!r} needs{instead}"
    return None


@runtime_checkable
class FromTexts(Protocol):
    """An explainer that is made from training texts; until then it is a setting."""

    def fitted(self, engine: Engine, sample: Sequence[Example]) -> Explainer:
        """The explainer once it has seen training texts, and what the model makes of them. Raises InputError
        where they do not do."""
        ...


def fitted(explainer: Explainer, engine: Engine, sample: Sequence[Example]) -> Explainer:
    """The explainer once it has seen training texts; itself if it needs none."""
    if not explainer.traits.from_texts:
        return explainer
    if isinstance(explainer, FromTexts):
        return explainer.fitted(engine, sample)
    # One that passes on the scores of another, such as `Inverted`.
    passing_on: Any = explainer
    return replace(passing_on, of=fitted(passing_on.of, engine, sample))


def require_compatible(name: str, explainer: Explainer, engine: Engine, baseline: Baseline | None) -> None:
    """Raise InputError with the reason if the explainer makes no sense on this model and baseline."""
    reason = incompatibility(explainer, baseline, capabilities=capabilities(engine.model), rationales=True)
    if reason is not None:
        raise InputError(f"explainer {name!r}: {reason}")


def explanation(
    request: Request,
    target: int,
    scores: NDArray[np.floating],
    *,
    output_space: str = "none",
    value_input: float = float("nan"),
    value_baseline: float = float("nan"),
    standard_error: NDArray[np.floating] | None = None,
    saturated: int = 0,
    cost: Cost | None = None,
    by_layer: NDArray[np.float32] | None = None,
    precision: Precision = FLOAT32,
    asked_twice: float = 0.0,
    bound: NDArray[np.floating] | None = None,
) -> Explanation:
    """The record of one request's target; scores, standard_error: (T,), by_layer: (L, T)."""
    encoding = request.encoding
    return Explanation(
        example_id=request.example.id,
        target=target,
        tokens=encoding.tokens,
        segments=encoding.segments,
        offsets=encoding.offsets,
        word_ids=encoding.word_ids,
        scores=scores.astype(np.float32),
        output_space=output_space,
        value_input=value_input,
        value_baseline=value_baseline,
        standard_error=None if standard_error is None else standard_error.astype(np.float32),
        saturated=saturated,
        cost=cost or Cost(),
        by_layer=by_layer,
        precision=precision.kind,
        asked_twice=asked_twice,
        bound=None if bound is None else bound.astype(np.float32),
    )


def explanations(
    request: Request,
    scores: NDArray[np.floating],
    value_input: NDArray[np.floating],
    value_baseline: NDArray[np.floating] | None = None,
    *,
    standard_error: NDArray[np.floating] | None = None,
    saturated: NDArray[np.intp] | None = None,
    output_space: str = "logit",
    cost: Cost,
    precision: Precision = FLOAT32,
    asked_twice: float = 0.0,
    bound: NDArray[np.floating] | None = None,
) -> list[Explanation]:
    """One record per target of a request.

    scores, standard_error, bound: (M, T), in the order of the targets. values: (K,), None without a baseline.
    saturated: (K,), None where nobody counted.
    """
    return [
        explanation(
            request,
            target,
            scores[nth],
            output_space=output_space,
            value_input=float(value_input[target]),
            value_baseline=float("nan") if value_baseline is None else float(value_baseline[target]),
            standard_error=None if standard_error is None else standard_error[nth],
            saturated=0 if saturated is None else int(saturated[target]),
            cost=cost,
            precision=precision,
            asked_twice=asked_twice,
            bound=None if bound is None else bound[nth],
        )
        for nth, target in enumerate(request.targets.tolist())
    ]
