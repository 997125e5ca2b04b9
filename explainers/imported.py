"""Explanations that were computed elsewhere, beside Assay's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.protocol import Explanations, Request, Traits, explanation
from assay.explainers.score_file import ScoreFile, Scores, digest, open_scores, text_print
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.limit import visible
from assay.tasks.content import digest_now
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Imported:
    """The scores of a file that `assay import` wrote, looked up by example and class.

    A score belongs to a stretch of characters, and is shared out evenly among the tokens of the model that
    overlap it, so that the sum over a word stays, however the model cuts it; a token that several scores meet
    gets the sum of its shares, one that none meets gets 0. Stretches behind the model's limit are left out.
    path: the file; it may hold ${seed} or ${model.name}, because scores explain one model.
    Raises InputError when the file lacks an example or class, or was made for another text or other classes.
    """

    path: str | None = None
    _kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    version: ClassVar[int] = 1
    traits = Traits(signed=True, additive=False, stochastic=False, fixed=True)

    @property
    def fingerprint(self) -> str:
        """The content of the file, by which stored results are named. Raises InputError without a file."""
        if "fingerprint" not in self._kept:
            self._kept["fingerprint"] = digest(self._place())
        return self._kept["fingerprint"]

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """None: no model is asked."""
        return 0, 0

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        file, labels = self._file(), tuple(engine.model.labels)
        if file.labels != labels:
            raise InputError(
                f"{self.path} scores the classes {', '.join(file.labels)}, but the model has "
                f"{', '.join(labels)}; import scores for this task"
            )
        scores = file.find([request.example.id for request in requests])
        return [
            [self._explained(request, target, scores) for target in request.targets.tolist()]
            for request in requests
        ]

    def _explained(self, request: Request, target: int, stored: dict[tuple[str, int], Scores]) -> Explanation:
        example, file = request.example, self._file()
        scores = stored.get((example.id, target))
        if scores is None:
            has = "scores of other classes only" if example.id in file.groups else "no scores"
            raise InputError(
                f"{self.path} has {has} for example {example.id!r}, of which class "
                f"{file.labels[target]!r} is to be explained; import them too, or explain what it has "
                "(targets=predicted, targets=gold)"
            )
        if scores.text != text_print(example.texts):
            raise InputError(
                f"{self.path} was made for another text of the id {example.id!r}; import scores of this one"
            )
        return explanation(
            request,
            target,
            spread(scores, request.encoding, example.texts),
            output_space=scores.output_space,
            value_input=scores.value_input,
            value_baseline=scores.value_baseline,
            cost=scores.cost,
        )

    def _place(self) -> Path:
        if self.path is None:
            raise InputError("explainer.imported.path is not set; expected a file that `assay import` wrote")
        return Path(self.path)

    def _file(self) -> ScoreFile:
        if "file" not in self._kept:
            named = self.fingerprint
            if digest_now(self._place()) != named:
                raise InputError(f"{self.path} changed while it was read; run the same command once more")
            self._kept["file"] = open_scores(self._place())
        return self._kept["file"]


def spread(scores: Scores, encoding: Encoding, texts: Sequence[str]) -> NDArray[np.float64]:
    """(T,) scores of tokens, each score shared out evenly among the tokens that overlap its characters.

    Raises InputError on a score other than 0 that meets no token, unless it lies behind the model's limit or
    on white space.
    """
    starts, ends = encoding.offsets.T
    own = encoding.content & (starts < ends)
    hit = (
        own
        & (encoding.segments == scores.segments[:, None])
        & (starts < scores.ends[:, None])
        & (ends > scores.starts[:, None])
    )
    sizes = hit.sum(axis=1)
    for lost in np.flatnonzero((sizes == 0) & (scores.scores != 0)).tolist():
        segment, start, end = int(scores.segments[lost]), int(scores.starts[lost]), int(scores.ends[lost])
        first, last = visible(encoding, segment)
        cut = encoding.truncated and (start >= last or end <= first)
        if texts[segment][start:end].strip() and not cut:
            raise InputError(
                f"example {scores.example_id!r}: no token of the model overlaps the score at characters "
                f"{start} to {end} of text {segment} ({texts[segment][start:end]!r}); leave it out, or set "
                "it to 0"
            )
    shares = np.divide(scores.scores, sizes, out=np.zeros(len(sizes)), where=sizes > 0)
    return shares @ hit
