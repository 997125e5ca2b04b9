"""The seeds of explainers' random draws."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from assay.harness.config.keys import canonical


def request_seed(
    data: Sequence[Any], model: Mapping[str, Any], model_seed: int, explainer_seed: int, *more: str | int
) -> int:
    """The seed of the requests of a trial and explainer seed; explainers add their name and the example's id.

    It goes by what is explained, not by how Assay stores or builds it: no store version, no class and no
    `_target_` is part of it, so renamed code draws the same. Each model has draws of its own, since two
    models' random explanations must not agree by construction. Models go by settings and seed, not by
    weights: a weight that differs in its last digit must not change every draw.

    Args:
        data: what names the training texts and labels, as `Trial.data`.
        model: the model's configuration.
        model_seed: the seed it was trained with.
        explainer_seed: the configured explainer seed.
        more: what else must draw anew, such as the step of a repeated retraining.

    Returns:
        A non-negative integer below 2**80.

    Example:
        >>> request_seed(["texts"], {"name": "cnn"}, 0, 0) == request_seed(["texts"], {"name": "cnn"}, 0, 1)
        False
    """
    parts = [list(data), _without_targets(model), model_seed, explainer_seed, *more]
    return int.from_bytes(hashlib.sha256(canonical(parts).encode()).digest()[:10])


def _without_targets(settings: Any) -> Any:
    if isinstance(settings, Mapping):
        return {name: _without_targets(value) for name, value in settings.items() if name != "_target_"}
    return settings
