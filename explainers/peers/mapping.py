"""From a library's stretches of a text to the tokens that the model reads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.explainers.imported import spread
from assay.explainers.protocol import Request
from assay.explainers.score_file import Scores
from assay.models.engine import Engine
from assay.tasks.errors import InputError
from assay.tasks.example import Span

log = logging.getLogger(__name__)

Found = TypeVar("Found")


def token_scores(
    request: Request, spans: Sequence[Span], scores: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(M, T) scores of tokens from (M, n) of stretches: each is shared out evenly among the tokens that
    overlap it, a token that none overlaps gets 0.

    Raises InputError on a score other than 0 that meets no token, unless behind the model's limit.
    """
    columns = [[span.segment, span.start, span.end] for span in spans]
    segments, starts, ends = np.array(columns, dtype=np.int32).reshape(-1, 3).T
    encoding, texts = request.encoding, request.example.texts
    return np.array(
        [
            spread(Scores(request.example.id, target, "", segments, starts, ends, row), encoding, texts)
            for target, row in zip(request.targets.tolist(), np.asarray(scores), strict=True)
        ]
    ).reshape(len(request.targets), len(encoding))


def every_text(about: str, requests: Iterable[Request], read: Callable[[Request], Found]) -> list[Found]:
    """Read something of every text. Raises InputError with how many of them fail, and the first reason."""
    found: list[Found] = []
    failed: list[str] = []
    requests = list(requests)
    for request in requests:
        try:
            found.append(read(request))
        except InputError as error:
            failed.append(str(error))
    if failed:
        raise InputError(
            f"{about} has no scores for {len(failed)} of {len(requests)} texts, first: {failed[0]}"
        )
    return found


def single_text(about: str, engine: Engine, request: Request) -> str:
    """The text of a request. Raises InputError on a pair, and on tokens that are not those of the text."""
    if len(request.example.texts) != 1:
        raise InputError(
            f"{about} explains one text, and example {request.example.id!r} is a pair; choose captum, "
            "shap_kernel or an explainer of Assay's own"
        )
    (own,) = engine.model.encode([request.example.texts])
    if not np.array_equal(own.ids, request.encoding.ids):
        raise InputError(
            f"{about} reads texts, and the tokens of example {request.example.id!r} were changed without its "
            "text; choose captum, shap_kernel or an explainer of Assay's own"
        )
    return request.example.texts[0]


def warn_of_empty(about: str, empty: int, texts: int) -> None:
    """Say how many texts hold nothing that the library scores."""
    if empty:
        log.warning("%s finds nothing to score in %d of %d texts; their tokens get 0", about, empty, texts)
