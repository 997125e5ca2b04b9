"""Data sets in the ERASER layout: jsonl annotations, a folder of documents, evidence as token spans."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from assay.tasks.archive import Reader, reader
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Rationale, Span, Task
from assay.tasks.files import Row, decoded, given_path, json_rows
from assay.tasks.labels import given_labels, natural_order
from assay.tasks.sampling import rank

_SOURCE = "https://www.eraserbenchmark.com"

logger = logging.getLogger(__name__)


def eraser(
    *,
    name: str = "eraser",
    path: str | None = None,
    pair: bool = False,
    labels: Sequence[str | int | float | bool] | None = None,
    missing_documents: Literal["error", "skip"] = "error",
    train_from_dev: float | None = None,
    seed: int = 0,
) -> Task:
    """The data set in a folder, or in a .tar.gz that is read without unpacking.

    It holds train.jsonl, val.jsonl, test.jsonl and docs/. The document is the text; pair=True puts the query
    before it, as the first text of a pair. missing_documents: "skip" leaves out examples whose document is
    not there, and logs how many. train_from_dev: without train.jsonl, this share of val.jsonl becomes train;
    examples of one document stay together, and `seed` chooses the documents. labels: None takes those that
    occur, in natural order.
    Evidence counts in white-space tokens of the document; it is turned into characters and compared with the
    evidence text. All groups of evidence form the rationale of annotator "0".
    Raises InputError naming the annotation on evidence that does not match, or on a missing document.
    Source: DeYoung et al. (2020), "ERASER: A Benchmark to Evaluate Rationalized NLP Models".
    """
    if missing_documents not in ("error", "skip"):
        raise InputError(
            f"task.missing_documents is {missing_documents!r}; "
            f"{did_you_mean(missing_documents, ['error', 'skip'])}"
        )
    place = given_path(path, option="task.path", what="an ERASER folder or .tar.gz", source=_SOURCE)
    read = reader(place, marker="test.jsonl")
    documents = _Documents(read, str(place))
    rows = {split: _rows(read, f"{split}.jsonl", str(place)) for split in ("train", "val", "test")}
    found = {
        split: [row for row in rows[split] if _available(row, documents, missing_documents)] for split in rows
    }
    skipped = sum(len(rows[split]) - len(found[split]) for split in rows)
    if skipped:
        logger.warning("%s: %d example(s) left out for want of their document", place, skipped)
    if not rows["train"]:
        found["train"], found["val"] = _divide(found["val"], train_from_dev, seed, str(place))
    elif train_from_dev is not None:
        raise InputError(f"{place} has a train.jsonl; leave task.train_from_dev at null")
    occurring = {str(row.values["classification"]) for split in found.values() for row in split}
    names = natural_order(occurring) if labels is None else given_labels(labels, occurring)
    train, dev, test = (
        tuple(_example(row, documents, names, pair=pair) for row in found[split])
        for split in ("train", "val", "test")
    )
    return Task(name, names, train, dev, test)


@dataclass(slots=True)
class _Documents:
    """The documents, each read and cut into tokens once: text and (start, end) of each token."""

    read: Reader
    where: str
    seen: dict[str, tuple[str, list[tuple[int, int]]] | None] = field(default_factory=dict)

    def get(self, id: str) -> tuple[str, list[tuple[int, int]]] | None:
        """Text and token offsets of one document, None if it is missing."""
        if id not in self.seen:
            data = self.read(f"docs/{id}")
            if data is None:
                self.seen[id] = None
            else:
                text = decoded(data, f"{self.where}, docs/{id}")
                self.seen[id] = (text, [match.span() for match in re.finditer(r"\S+", text)])
        return self.seen[id]


def _rows(read: Reader, file: str, where: str) -> list[Row]:
    data = read(file)
    if data is None:
        return []
    place = f"{where}, {file}"
    wanted = ("annotation_id", "classification", "evidences")
    return list(json_rows(decoded(data, place), place, wanted=wanted))


def _document_id(row: Row) -> str:
    """The one document an annotation is about; without evidence or docids its own id names it (movies)."""
    try:
        named = {str(evidence["docid"]) for group in row.values["evidences"] for evidence in group}
    except (TypeError, KeyError) as error:
        raise InputError(
            f"{row.where}: expected evidences as lists of groups of objects with a docid"
        ) from error
    named |= set(row.values.get("docids") or ())
    if len(named) > 1:
        raise InputError(f"{row.where}: {len(named)} documents ({', '.join(sorted(named))}); expected one")
    return named.pop() if named else str(row.values["annotation_id"])


def _available(row: Row, documents: _Documents, missing: str) -> bool:
    id = _document_id(row)
    if documents.get(id) is None and missing == "error":
        raise InputError(
            f"{row.where}: annotation {row.values['annotation_id']!r} needs the document {id!r}, which docs/ "
            "does not hold; add it, or set task.missing_documents=skip to leave out such examples"
        )
    return documents.get(id) is not None


def _divide(rows: list[Row], share: float | None, seed: int, where: str) -> tuple[list[Row], list[Row]]:
    """(train, dev) from the dev rows; no document in both."""
    if share is None or not 0 < share < 1:
        raise InputError(
            f"{where} has no train.jsonl and task.train_from_dev is {share}; expected a share of val.jsonl, "
            "such as 0.5, to train on"
        )
    by_document: dict[str, int] = {}
    for row in rows:
        by_document[_document_id(row)] = by_document.get(_document_id(row), 0) + 1
    chosen: set[str] = set()
    count = 0
    for id in sorted(by_document, key=lambda id: rank(id, seed)):
        if count >= share * len(rows):
            break
        chosen.add(id)
        count += by_document[id]
    inside = [_document_id(row) in chosen for row in rows]
    train = [row for row, taken in zip(rows, inside, strict=True) if taken]
    dev = [row for row, taken in zip(rows, inside, strict=True) if not taken]
    return train, dev


def _example(row: Row, documents: _Documents, labels: Sequence[str], *, pair: bool) -> Example:
    label = str(row.values["classification"])
    if label not in labels:
        raise InputError(f"{row.where}: unknown label {label!r}; {did_you_mean(label, list(labels))}")
    document = documents.get(_document_id(row))
    assert document is not None, "rows without a document were left out"
    text, tokens = document
    spans = {
        _span(row, evidence, text, tokens, segment=int(pair))
        for group in row.values["evidences"]
        for evidence in group
        if not _empty(evidence)
    }
    rationales = (Rationale(tuple(sorted(spans))),) if spans else ()
    texts = (str(row.values.get("query") or ""), text) if pair else (text,)
    try:
        return Example(str(row.values["annotation_id"]), texts, (list(labels).index(label),), rationales)
    except InputError as error:
        raise InputError(f"{row.where}: {error}") from error


def _empty(evidence: dict[str, Any]) -> bool:
    """Whether evidence marks no token at all, as some of the movies' does."""
    return evidence.get("text") == "" and evidence.get("start_token") == evidence.get("end_token")


def _span(row: Row, evidence: dict[str, Any], text: str, tokens: list[tuple[int, int]], segment: int) -> Span:
    first, last, quoted = (evidence.get(key) for key in ("start_token", "end_token", "text"))
    if isinstance(first, int) and isinstance(last, int) and 0 <= first < last <= len(tokens):
        start, end = tokens[first][0], tokens[last - 1][1]
        if isinstance(quoted, str) and text[start:end].split() == quoted.split():
            return Span(start, end, segment)
    raise InputError(
        f"{row.where}: annotation {row.values['annotation_id']!r} has the evidence {quoted!r} at tokens "
        f"{first} to {last}, but the document's {len(tokens)} tokens do not hold it there; mend the offsets"
    )
