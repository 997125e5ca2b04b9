"""Sequential integrated gradients: a path of its own for every token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.paths.integrated_gradients import Rule, check_rule, nodes
from assay.explainers.paths.path_gradients import at_points, check_reference, directional, pools
from assay.explainers.protocol import Explanations, Request, Traits, explanations
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import full_rows


@dataclass(frozen=True, slots=True)
class SequentialIG:
    """For each token its difference to the baseline x mean gradient of the target logit on the straight path
    from the text with this one token absent to the whole text.

    Signed; each score approaches the drop of the logit when the token alone is absent, so they do not sum to
    f(x) - f(baseline). normalise: divide a text's scores by their Euclidean length, as the authors' code
    does. Rows: `steps` for every content token. Source: Enguehard 2023, "Sequential Integrated Gradients".
    """

    steps: int = 50
    rule: Rule = "gauss_legendre"
    normalise: bool = False
    version: ClassVar[int] = 1
    name: ClassVar[str] = "sequential_ig"
    traits = Traits(
        signed=True, additive=False, stochastic=False, needs=frozenset({"gradients"}), baseline="reference"
    )

    def __post_init__(self) -> None:
        check_rule(self.name, self.rule, self.steps)

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        baseline = check_reference(self.name, baseline)
        longest = max((len(request.encoding) for request in requests), default=0)
        return [
            records
            for pool in pools(requests, self.steps, width=longest)
            for records in self._explain(engine, pool, baseline)
        ]

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """Every step of every token forward and, per target, backward; and the text itself."""
        return tokens * self.steps + 1, tokens * self.steps * targets

    def _explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline
    ) -> Iterator[list[Explanation]]:
        alphas, weights = nodes(self.steps, self.rule)
        of_token = [_paths(engine, request, baseline, alphas) for request in requests]
        points = iter(at_points(engine, [path for paths in of_token for path in paths.values()], directional))
        texts = engine.answers([full_rows(request.encoding) for request in requests])
        for request, paths, text in zip(requests, of_token, texts, strict=True):
            cost = Cost(text.rows, 0, text.tokens) if len(request.targets) else Cost()
            scores = np.zeros((len(request.targets), len(request.encoding)))
            for token in paths:
                found = next(points)
                scores[:, token] = found.values[:, :, token] @ weights
                cost = cost + found.cost
            if self.normalise:
                length = np.linalg.norm(scores, axis=1, keepdims=True)
                scores = scores / np.where(length > 0, length, 1)
            space = "none" if self.normalise else "logit"
            yield explanations(request, scores, text.logits[0], output_space=space, cost=cost)


def _paths(engine: Engine, request: Request, baseline: Baseline, alphas: np.ndarray) -> dict[int, Path]:
    """For every content token the path on which it alone appears."""
    encoding, full = request.encoding, full_rows(request.encoding)
    paths = {}
    for token in np.flatnonzero(encoding.content).tolist():
        others = np.arange(len(encoding))[None] != token
        paths[token] = Path(baseline.rows(engine.model, encoding, others), full, alphas, request.targets)
    return paths
