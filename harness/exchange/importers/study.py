"""The diagnostic study's saliency files: line i explains test text i, every token with a score per class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.harness.exchange.importers.base import ScoredExample, TaskLookup, align_tokens, json_lines
from assay.tasks.errors import InputError


def read_study(path: Path, lookup: TaskLookup) -> Iterator[ScoredExample]:
    """The explanations of a file, each class of each line. Raises InputError naming the line.

    The files name neither texts nor classes: text i is the task's test text i, which the tokens must match,
    and class k its label k.
    """
    classes = [str(label) for label in range(len(lookup.task.labels))]
    texts, count = lookup.task.test, 0
    for where, row in json_lines(path, ("tokens",)):
        if count == len(texts):
            raise InputError(
                f"{where}: the task has {len(texts)} test texts and the file more lines; expected "
                "one for each"
            )
        example = texts[count]
        count += 1
        tokens = row["tokens"]
        if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
            raise InputError(f"{where}: the tokens are no list of objects")
        for token in tokens:
            _check(token, classes, where)
        words = [token["token"] for token in tokens]
        for target, name in enumerate(classes):
            spans = align_tokens(words, [token[name] for token in tokens], example, where)
            yield ScoredExample(where, example, target, spans)
    if count < len(texts):
        raise InputError(
            f"{path} has {count} lines, but the task {len(texts)} test texts; expected one for each, in order"
        )


def _check(token: dict[str, Any], classes: list[str], where: str) -> None:
    given = sorted(set(token) - {"token"})
    if "token" not in token or set(given) != set(classes):
        raise InputError(
            f"{where}: a token has scores of the classes {', '.join(given) or 'none'}, but the task has the "
            f"classes {', '.join(classes)}; expected a score for each of them"
        )
