"""What can be asked of a network of transformers, found out by asking it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from assay.models.batching import pad
from assay.models.checkpoint import UNLIMITED
from assay.models.limit import Limit
from assay.models.probe_texts import probe_texts
from assay.models.protocol import Batch
from assay.models.seeding import seeded
from assay.models.tokenizing import encode_texts
from assay.tasks.errors import InputError
from assay.tasks.example import Task

if TYPE_CHECKING:
    from assay.models.transformer_model import TransformerModel

ACCESS_FILE = "access.json"
TOLERANCE = 1e-4
TASK_TEXTS = 6
QUOTED = 200
CHOOSE = "choose a classifier that reads text alone, such as BERT, RoBERTa or DeBERTa"

# Pieces, scripts, and marks that tokenizers treat in different ways.
ODD_TEXTS = (
    "a",
    "a b c",
    "Don't  stop!",
    "naïve 中文 🙂 عربي",
    "one two three four five six seven eight nine ten",
    "on and on " * 30,
)


@dataclass(frozen=True, slots=True)
class Access:
    """What a network allows beyond being asked rows of equal length by their ids.

    padding: rows of different length in one batch. embeddings: starting from token embeddings, with
    gradients. entry: exchanging what its embedding block answers. activations: showing its layers.
    """

    padding: bool = True
    embeddings: bool = True
    entry: bool = True
    activations: bool = True

    def write(self, folder: Path) -> None:
        (folder / ACCESS_FILE).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


def read_access(folder: Path) -> Access:
    """The access that was found when the model was saved."""
    path = folder / ACCESS_FILE
    # Before there was such a file, only networks with full access were accepted.
    return Access(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else Access()


def access_texts(task: Task) -> list[tuple[str, ...]]:
    """Odd texts, and the shortest, longest and oddest of a task."""
    texts = [example.texts for examples in (task.train, task.dev, task.test) for example in examples]
    arity = len(texts[0]) if texts else 1
    own = probe_texts(texts, TASK_TEXTS) if texts else []
    return list(dict.fromkeys([*((text,) * arity for text in ODD_TEXTS), *own]))


def find_access(
    build: Callable[[Access], TransformerModel], texts: Sequence[tuple[str, ...]], name: str
) -> Access:
    """The most that a network allows while it answers as in the library's own call on one text at a time.

    Args:
        build: makes the model with an access.
        texts: to try; those over the model's limit are left out.
        name: of the model, for messages.

    Raises:
        InputError: if there is no way to ask it.
    """
    least = Access(padding=False, embeddings=False, entry=False, activations=False)
    embeddings = replace(least, embeddings=True)
    own = _attempt(lambda: _Answers.of(build(least), texts))
    problem: str | None = own if isinstance(own, str) else None
    if not isinstance(own, str):
        for access in (replace(embeddings, entry=True), embeddings, least):
            problem = _attempt(lambda access=access: own.problem(build(access)))
            if problem is None:
                shows_layers = own.shows_layers(build(replace(access, activations=True)))
                pads = own.reads_no_padding(build(access))
                return replace(access, activations=shows_layers, padding=pads)
    raise InputError(f"{name} cannot be explained: {problem}; {CHOOSE}")


Result = TypeVar("Result")


def _attempt(call: Callable[[], Result]) -> Result | str:
    """What a call returns, or why it fails."""
    try:
        return call()
    except InputError:
        raise
    # A network meets what it was not written for with whatever error its code runs into.
    except Exception as error:
        reason = " ".join(str(error).split())
        return f"its network fails with {type(error).__name__} ({reason[:QUOTED]})"


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """The library's own answers (N, K) to N texts, and these texts as a padded batch."""

    logits: Tensor
    batch: Batch

    @classmethod
    def of(cls, model: TransformerModel, texts: Sequence[tuple[str, ...]]) -> _Answers:
        unlimited = encode_texts(model.tokenizer, texts, Limit(UNLIMITED))
        read = [
            (text, encoding)
            for text, encoding in zip(texts, unlimited, strict=True)
            if 0 < len(encoding) <= model.limit.max_tokens
            # A padding token that is written in a text moves positions in some networks' own call.
            and not (encoding.ids[encoding.content] == model.pad_id).any()
        ]
        if not read:
            raise InputError(
                f"the model reads {model.limit.max_tokens} tokens, too few for a text; raise model.max_tokens"
            )
        with torch.no_grad():
            logits = torch.cat([model.own_logits(text) for text, _ in read])
            longest = max(read, key=lambda pair: len(pair[1]))[0]
            with seeded(1):
                first = model.own_logits(longest)
            with seeded(2):
                if not torch.equal(first, model.own_logits(longest)):
                    raise RuntimeError(
                        "it draws at random while it answers; set config.hash_seed or the like"
                    )
        batch = pad([encoding for _, encoding in read], model.pad_id, device=logits.device)
        return cls(logits, batch)

    def problem(self, model: TransformerModel) -> str | None:
        """Why a model is not to be asked with its access, or None."""
        with torch.no_grad():
            if self._differ(model.logits(self.batch)):
                return "its logits differ from those of its network's own call on each text alone"
        if not model.access.embeddings:
            return None
        embeddings = model.embed(self.batch.ids).detach().requires_grad_(True)
        entry = model.enter(embeddings, self.batch) if model.access.entry else embeddings
        again = model.logits_from_entry if model.access.entry else model.logits_from_embeddings
        logits = again(entry, self.batch)
        if entry.shape[:2] != self.batch.ids.shape or self._differ(logits.detach()):
            return "its logits differ when it starts from embeddings"
        (gradient,) = torch.autograd.grad(logits.sum(), embeddings)
        return None if torch.isfinite(gradient).all() else "its gradients are not finite"

    def shows_layers(self, model: TransformerModel) -> bool:
        """Whether every layer has a vector per token."""

        def shown() -> bool:
            *layers, logits = model.activations(self.batch).values()
            shapes = {layer.shape[:2] for layer in layers if layer.ndim == 3}
            return len(layers) > 0 and shapes == {self.batch.ids.shape} and not self._differ(logits)

        with torch.no_grad():
            return _attempt(shown) is True

    def reads_no_padding(self, model: TransformerModel) -> bool:
        """Whether rows may be padded to one length in one call."""
        with torch.no_grad():
            return _attempt(lambda: not self._differ(model.padded_logits(self.batch))) is True

    def _differ(self, logits: Tensor) -> bool:
        bound = TOLERANCE * max(1.0, float(self.logits.abs().max()))
        # So that NaN differs, too.
        return logits.shape != self.logits.shape or not float((logits - self.logits).abs().max()) <= bound
