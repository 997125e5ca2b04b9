"""inseq's JSON (`FeatureAttributionOutput.save`): a model that generates a text's label, token by token."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.harness.exchange.importers.base import (
    ScoredExample,
    TaskLookup,
    align_tokens,
    open_text,
    whole_text,
)
from assay.tasks.errors import InputError
from assay.tasks.example import Example
from assay.tasks.files import json_value


def read_inseq(path: Path, lookup: TaskLookup) -> Iterator[ScoredExample]:
    """The explanations of a file that is an explanation of a classification: one generated token, which is a
    label, and one score per token of the text. Raises InputError naming the sequence otherwise.

    Sequences have no ids: they belong to the test texts that equal their input text.
    """
    with open_text(path) as file:
        try:
            content = _plain(json_value(whole_text(file, path)))
            sequences, info = content["sequence_attributions"], content["info"]
            inputs, generated = list(info["input_texts"]), list(info["generated_texts"])
        except InputError:
            raise
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{path} is not what inseq's FeatureAttributionOutput.save writes ({error})"
            ) from error
    if not len(sequences) == len(inputs) == len(generated):
        raise InputError(f"{path}: {len(sequences)} sequences, but {len(inputs)} input texts")
    by_text: dict[str, list[Example]] = {}
    for example in lookup.task.test:
        by_text.setdefault("".join(example.texts[0].split()), []).append(example)
    for number, sequence in enumerate(sequences):
        where = f"{path}, sequence {number}"
        examples = [] if lookup.task.pairs else by_text.get("".join(str(inputs[number]).split()), [])
        if not examples:
            raise InputError(
                f"{where}: its input {str(inputs[number])[:40]!r} is no test text of task "
                f"{lookup.task.name!r}; expected the text alone, without a prompt and not one of a pair"
            )
        target = lookup.target(_label(str(generated[number]), str(inputs[number])), where)
        tokens, scores = _scored(sequence, where)
        for example in examples:
            spans = align_tokens(tokens, scores, example, where)
            yield ScoredExample(where, example, target, spans)


def _plain(value: Any) -> Any:
    """Without the names of inseq's classes, which are written where `use_primitives` was false."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        inner = value.get("attributes") if "__instance_type__" in value else value
        return {name: _plain(item) for name, item in (inner or {}).items()}
    return value


def _label(generated: str, text: str) -> str:
    # Models without an encoder repeat their prompt.
    return generated.removeprefix(text).strip()


def _scored(sequence: dict[str, Any], where: str) -> tuple[list[str], list[float]]:
    """The tokens of the input, and what each adds to the one token that was generated."""
    of_source = sequence.get("source_attributions") is not None
    coded = sequence.get("source_attributions" if of_source else "target_attributions")
    scores = _array(coded, where)
    if scores.ndim != 2:
        raise InputError(
            f"{where}: {scores.ndim} dimensions of scores; expected one score per token, so save what "
            "out.aggregate() gives"
        )
    if scores.shape[1] != 1:
        raise InputError(
            f"{where}: {scores.shape[1]} generated tokens are explained; only a single one is the "
            "decision of a classifier, so attribute it alone (attr_pos_start, attr_pos_end)"
        )
    if of_source:
        tokens = _tokens(sequence["source"])
    else:
        tokens = _tokens(sequence["target"])[: int(sequence["attr_pos_start"])]
    return tokens, scores[: len(tokens), 0].tolist()


def _tokens(tokens: Sequence[dict[str, Any]]) -> list[str]:
    return [str(token["token"]) for token in tokens]


def _array(coded: Any, where: str) -> NDArray[np.float32]:
    """An array that inseq wrote as safetensors in base64."""
    # torch reads the 8-bit floats that inseq can write; the harness starts without it.
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(base64.b64decode(coded, validate=True))["attribution"].float().numpy()
    except (SafetensorError, binascii.Error, TypeError, KeyError, ValueError) as error:
        raise InputError(
            f"{where}: its scores cannot be read ({error}); expected what inseq 0.6 and later save"
        ) from error
