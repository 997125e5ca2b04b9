"""A function of a user's own as an explainer: from texts to stretches of them with their scores."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, ClassVar, cast

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.peers.calls import Floats, ModelCalls
from assay.explainers.peers.library import alone, seed_of, told
from assay.explainers.peers.mapping import every_text, token_scores, warn_of_empty
from assay.explainers.protocol import Explanations, Request, Traits, explanation
from assay.models.engine import Engine
from assay.models.matching import locate
from assay.tasks.errors import InputError
from assay.tasks.example import Span

log = logging.getLogger(__name__)

# What a function gives of a text: tokens or offsets, and scores.
Given = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class FunctionExplainer:
    """What `explainer` makes of a function; its fields are that function's arguments."""

    name: str
    signed: bool = True
    stochastic: bool = True
    fingerprint: str = ""
    function: Callable[..., Any] | None = field(default=None, init=False, repr=False, compare=False)
    version: ClassVar[int] = 1

    @property
    def traits(self) -> Traits:
        # It knows nothing of a model that Assay changes.
        draws = self.stochastic
        return Traits(self.signed, additive=False, stochastic=draws, fixed=True, cost_known=False)

    @property
    def run_by(self) -> str:
        """Whose code explains, and how, for the record of a cell."""
        return f"the function {self.name!r}, one text at a time; what it asks of a model is not counted"

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        """None that Assay knows of."""
        return 0, 0

    def explain(self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None) -> Explanations:
        """For every request one explanation per target.

        Raises InputError with how many texts have no usable scores, and the first reason.
        """
        asked = [request for request in requests if len(request.targets)]
        found = every_text(self.name, asked, lambda request: self._explain(engine, request))
        about = f"the function {self.name!r}"
        warn_of_empty(about, sum(empty for _, empty, _ in found), len(found))
        blank = sum(blank for _, _, blank in found)
        if blank:
            log.warning("%s scores white space in %d of %d texts; that is left out", about, blank, len(found))
        given = (explanations for explanations, _, _ in found)
        return [next(given) if len(request.targets) else [] for request in requests]

    def _explain(self, engine: Engine, request: Request) -> tuple[list[Explanation], bool, bool]:
        """The explanations, whether nothing of the text is scored, and whether white space is."""
        calls = ModelCalls.begin(engine, request, "probability")
        with told(f"the function {self.name!r}", request):
            given = self._given(engine, request)
        where = f"example {request.example.id!r}: the function {self.name!r}"
        # One that takes targets was told which class its scores explain.
        ask = None if "targets" in inspect.signature(cast(Any, self.function)).parameters else calls
        read = [_of_tokens(ask, engine, of_one, result, where) for of_one, result in given]
        scores = np.concatenate([scores for scores, _, _ in read])
        empty, blank = any(empty for _, empty, _ in read), any(blank for _, _, blank in read)
        cost = calls.end(engine)
        cost = Cost(cost.forward_rows, 0, cost.tokens, cost.seconds)
        targets = request.targets.tolist()
        rows = zip(targets, scores, strict=True)
        return [explanation(request, one, row, cost=cost) for one, row in rows], empty, blank

    def _given(self, engine: Engine, request: Request) -> list[tuple[Request, Any]]:
        """What the function gives: once for every target if it takes targets, else once for all."""
        function, texts = self.function, request.example.texts
        if function is None:
            raise InputError("only the function's name is at hand; call assay.explainer(function)")
        text, seed = texts[0] if len(texts) == 1 else texts, seed_of(request, self.name)
        if "targets" not in inspect.signature(function).parameters:
            with alone(seed):
                return [(request, function([text]))]
        given = []
        for target in request.targets.tolist():
            # With the same draws, whatever other classes are explained.
            with alone(seed):
                result = function([text], targets=[engine.model.labels[target]])
            given.append((_with_target(request, target), result))
        return given


def explainer(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    signed: bool = True,
    stochastic: bool = True,
    fingerprint: str = "",
) -> FunctionExplainer:
    """A function as an explainer, to be used wherever a name of conf/explainer/ can.

    It is called with a list of one text (of a pair: a tuple of two), and gives a list of one entry: what was
    scored, and the scores. Scored are tokens (as a tokenizer writes them, in order, none left out on the way)
    or offsets: (start, end), half-open; of a pair (which text, start, end). Scores are (K, n), a row per
    class; or (n,), which then explain the predicted class only. A function with a parameter `targets` is
    called for every class and told its name; it gives (n,). A score is shared out evenly among the model's
    tokens that overlap its characters; tokens and offsets without characters ([CLS], (0, 0)) are left out.

    Python's, numpy's and torch's generators are seeded for every text and restored afterwards; calls of
    several threads wait for each other. Model calls of the function's own are not counted: rows are 0,
    seconds are right, and a plan says that it does not know them.

    Args:
        function: texts to a list of (tokens or offsets, scores).
        name: in tables; by default the function's.
        signed: whether negative scores mean evidence against the class.
        stochastic: whether it draws, so that explainer seeds matter.
        fingerprint: any text that changes when the function does; needed to store results.

    Returns:
        The explainer. It raises InputError on offsets outside the text, tokens that are not what comes next,
        scores that are not finite or too few, with the number of such texts.

    Example:
        >>> def length(texts):
        ...     words = [text.split() for text in texts]
        ...     return [(of_one, [[len(word) for word in of_one]] * 2) for of_one in words]
        >>> explainer(length, signed=False, stochastic=False).name
        'length'
    """
    if not callable(function):
        raise InputError(f"a {type(function).__name__} is no explainer; expected a function of texts")
    title = name or str(getattr(function, "__name__", type(function).__name__))
    made = FunctionExplainer(title, signed, stochastic, str(fingerprint))
    object.__setattr__(made, "function", function)
    return made


def _with_target(request: Request, target: int) -> Request:
    return Request(request.example, request.encoding, np.array([target], dtype=np.intp), request.seed)


def _of_tokens(
    calls: ModelCalls | None, engine: Engine, request: Request, given: Any, where: str
) -> tuple[Floats, bool, bool]:
    """(M, T) scores of the model's tokens of one text, whether nothing of it is scored, and whether a score
    other than 0 is of white space. Raises InputError on what cannot be read.

    calls: asked which class is predicted, where that is the one that a single row of scores explains.
    """
    try:
        ((places, values),) = given
        places, values = list(places), np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{where} gave {_shown(given)}; expected a list of one (tokens or offsets, scores)"
        ) from error
    spans = _spans(places, request, where)
    scores = _per_target(request, values, (len(engine.model.labels), len(places)), where)
    if calls is not None and values.ndim == 1:
        _check_predicted(calls, where)
    if not np.isfinite(scores).all():
        raise InputError(f"{where} gave a score that is NaN or infinite")
    own = [at for at, span in enumerate(spans) if span is not None]
    kept, scores = [span for span in spans if span is not None], scores[:, own]
    texts = request.example.texts
    blank = np.array([not texts[span.segment][span.start : span.end].strip() for span in kept], dtype=bool)
    return token_scores(request, kept, scores), bool(blank.all()), bool(scores[:, blank].any())


def _per_target(request: Request, values: Floats, shape: tuple[int, int], where: str) -> Floats:
    """(M, n) of the targets, of scores of the shape (K, n), or (n,)."""
    classes, count = shape
    if values.shape == shape:
        return values[request.targets]
    if values.shape != (count,):
        raise InputError(
            f"{where} gave scores of shape {values.shape} for {count} tokens or offsets; expected "
            f"({count},), or ({classes}, {count}) with a row per class"
        )
    return values[None]


def _check_predicted(calls: ModelCalls, where: str) -> None:
    """Raise InputError unless the predicted class is the only one to be explained."""
    predicted = int(calls.of_text().argmax())
    if calls.request.targets.tolist() != [predicted]:
        raise InputError(
            f"{where} gave one row of scores, which explains the predicted class "
            f"{calls.engine.model.labels[predicted]!r}, but other classes are to be explained, too; give a "
            "row per class, take a parameter `targets`, or choose targets=predicted"
        )


def _spans(places: list[Any], request: Request, where: str) -> list[Span | None]:
    """The characters of tokens or offsets, None for those that have none."""
    texts = request.example.texts
    if all(isinstance(place, str) for place in places):
        try:
            return locate(places, texts)
        except InputError as error:
            raise InputError(f"{where}: {error}; or give offsets in place of tokens") from error
    return [_span(place, texts, where) for place in places]


def _span(place: Any, texts: Sequence[str], where: str) -> Span | None:
    expected = "(start, end)" if len(texts) == 1 else "(which text, start, end)"
    numbers = list(place) if isinstance(place, (tuple, list, np.ndarray)) else []
    whole = all(isinstance(number, Integral) and not isinstance(number, bool) for number in numbers)
    if len(numbers) != expected.count(",") + 1 or not whole:
        raise InputError(f"{where} gave the offset {_shown(place)}; expected whole numbers {expected}")
    segment, start, end = (int(number) for number in ([0] * (3 - len(numbers)) + numbers))
    if not 0 <= segment < len(texts) or not 0 <= start <= end <= len(texts[segment]):
        raise InputError(
            f"{where} gave the offset {_shown(place)}, which lies outside of the text; expected "
            f"0 <= start <= end <= {len(texts[min(max(segment, 0), len(texts) - 1)])}"
        )
    return Span(start, end, segment) if start < end else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
