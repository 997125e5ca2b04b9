"""Data sets in the ERASER layout: jsonl annotations, a folder of documents, evidence as token spans."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import Any, Literal

from assay.tasks.archive import Reader, reader
from assay.tasks.errors import InputError, check_choice, located
from assay.tasks.example import Example, Rationale, Span, Task, is_blank
from assay.tasks.files import Row, decoded, given_path, json_rows
from assay.tasks.labels import given_labels, label_index, natural_order, plain_text
from assay.tasks.sampling import rank

_SOURCE = "https://www.eraserbenchmark.com"

# Text and (start, end) of each token.
Document = tuple[str, list[tuple[int, int]]]
# From the id of a document; None if it is missing.
Documents = Callable[[str], Document | None]

logger = logging.getLogger(__name__)


def eraser(
    *,
    name: str = "eraser",
    path: str | None = None,
    pair: bool | None = None,
    query: Literal["first", "second"] = "first",
    labels: Sequence[str | int | float | bool] | None = None,
    missing_documents: Literal["error", "skip"] = "error",
    train_from_dev: float | None = None,
    seed: int = 0,
) -> Task:
    """The data set in a folder, or in a .tar.gz that is read without unpacking.

    It holds train.jsonl, val.jsonl, test.jsonl, and docs/ or docs.jsonl ("docid" and "document" of each). The
    document is the text, and the group of its examples. pair=True makes pairs of query and document, in the
    order that `query` says; None does so where the queries differ. missing_documents: "skip" leaves out
    examples whose document is not there, and logs how many. train_from_dev: without train.jsonl, this share
    of val.jsonl becomes train; examples of one document stay together, and `seed` chooses the documents.
    labels: None takes those that occur, in natural order.
    Evidence counts in white-space tokens of the document; it is turned into characters and compared with the
    evidence text. All groups of evidence together form the rationale of annotator "0", as in the benchmark's
    rationale_benchmark/metrics.py; the single groups, each of them enough, are its alternatives.
    Raises InputError naming file and line on evidence that does not match, or on a missing document.
    Source: DeYoung et al. (2020), "ERASER: A Benchmark to Evaluate Rationalized NLP Models".
    """
    check_choice("task.missing_documents", missing_documents, ("error", "skip"))
    check_choice("task.query", query, ("first", "second"))
    place = given_path(path, option="task.path", what="an ERASER folder or .tar.gz", source=_SOURCE)
    read = reader(place, marker="test.jsonl")
    documents = _documents(read, str(place))
    rows = {split: _rows(read, f"{split}.jsonl", str(place)) for split in ("train", "val", "test")}
    kept = [
        [row for row in rows[split] if _available(row, documents, missing_documents)]
        for split in ("train", "val", "test")
    ]
    skipped = sum(map(len, rows.values())) - sum(map(len, kept))
    if skipped:
        logger.warning("%s: %d example(s) left out for want of their document", place, skipped)
    if not rows["train"]:
        kept[:2] = _divide(kept[1], train_from_dev, seed, str(place))
    elif train_from_dev is not None:
        raise InputError(f"{place} has a train.jsonl; leave task.train_from_dev at null")
    occurring = {_label(row) for row in chain.from_iterable(kept)}
    names = natural_order(occurring) if labels is None else given_labels(labels, occurring)
    if pair is None:
        pair = len({_query(row) for row in chain.from_iterable(kept)}) > 1
    order = query if pair else None
    train, dev, test = (tuple(_example(row, documents, names, order) for row in split) for split in kept)
    return Task(name, names, train, dev, test)


def _documents(read: Reader, where: str) -> Documents:
    """A reader of documents, which reads each and cuts it into tokens once."""
    listed = _listed_documents(read, f"{where}, docs.jsonl")

    @cache
    def document(id: str) -> Document | None:
        data = read(f"docs/{id}")
        if listed is not None and data is not None:
            raise InputError(
                f"{where} holds docs/{id} and docs.jsonl; expected one of both, remove the other"
            )
        text = (listed or {}).get(id) if data is None else decoded(data, f"{where}, docs/{id}")
        return None if text is None else (text, [match.span() for match in re.finditer(r"\S+", text)])

    return document


def _listed_documents(read: Reader, place: str) -> dict[str, str] | None:
    """The documents of docs.jsonl by their ids; None without that file."""
    data = read("docs.jsonl")
    if data is None:
        return None
    found: dict[str, str] = {}
    for row in json_rows(decoded(data, place), place, wanted=("docid", "document")):
        id, text = str(row.values["docid"]), row.values["document"]
        if not isinstance(text, str) or is_blank(text):
            raise InputError(f"{row.where}: document {id!r} holds no text ({text!r}); fill it in")
        if found.setdefault(id, text) != text:
            raise InputError(f"{row.where}: a second document has the docid {id!r}; rename one")
    return found


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


def _available(row: Row, documents: Documents, missing: str) -> bool:
    id = _document_id(row)
    available = documents(id) is not None
    if not available and missing == "error":
        raise InputError(
            f"{row.where}: annotation {row.values['annotation_id']!r} needs the document {id!r}, which docs/ "
            "does not hold; add it, or set task.missing_documents=skip to leave out such examples"
        )
    return available


def _divide(rows: list[Row], share: float | None, seed: int, where: str) -> tuple[list[Row], list[Row]]:
    """(train, dev) from the dev rows; no document in both."""
    if share is None or not 0 < share < 1:
        raise InputError(
            f"{where} has no train.jsonl and task.train_from_dev is {share}; expected a share of val.jsonl, "
            "such as 0.5, to train on"
        )
    ids = [_document_id(row) for row in rows]
    by_document = Counter(ids)
    chosen: set[str] = set()
    count = 0
    for id in sorted(by_document, key=lambda id: rank(id, seed)):
        if count >= share * len(rows):
            break
        chosen.add(id)
        count += by_document[id]
    train = [row for row, id in zip(rows, ids, strict=True) if id in chosen]
    dev = [row for row, id in zip(rows, ids, strict=True) if id not in chosen]
    return train, dev


def _label(row: Row) -> str:
    label = row.values["classification"]
    if isinstance(label, (dict, list)) or not plain_text(label):
        raise InputError(f"{row.where}: the classification is {label!r}; expected the name of a label")
    return str(label)


def _query(row: Row) -> str:
    query = row.values.get("query")
    if query is not None and not isinstance(query, str):
        raise InputError(f"{row.where}: the query is {query!r}; expected a text")
    return query or ""


def _example(row: Row, documents: Documents, labels: Sequence[str], order: str | None) -> Example:
    """order: whether the query is the "first" or "second" text of a pair; None: no pair."""
    id = _document_id(row)
    document = documents(id)
    assert document is not None, "rows without a document were left out"
    text, tokens = document
    groups = [
        {
            _span(row, evidence, text, tokens, segment=int(order == "first"))
            for evidence in group
            if not _empty(evidence)
        }
        for group in row.values["evidences"]
    ]
    # Two annotators may have chosen the same evidence.
    alternatives = tuple(dict.fromkeys(tuple(sorted(group)) for group in groups if group))
    spans = tuple(sorted(set(chain.from_iterable(alternatives))))
    several = alternatives if len(alternatives) > 1 else ()
    rationales = (Rationale(spans, alternatives=several),) if spans else ()
    texts = (text,) if order is None else (text, _query(row))
    with located(row.where):
        label = label_index(_label(row), labels)
        name = str(row.values["annotation_id"])
        return Example(name, texts[::-1] if order == "first" else texts, (label,), rationales, group=id)


def _empty(evidence: dict[str, Any]) -> bool:
    """Whether evidence marks no token at all, as some of the movies' does."""
    return evidence.get("text") == "" and evidence.get("start_token") == evidence.get("end_token")


def _span(row: Row, evidence: dict[str, Any], text: str, tokens: list[tuple[int, int]], segment: int) -> Span:
    first, last, quoted = (evidence.get(key) for key in ("start_token", "end_token", "text"))
    if isinstance(quoted, list) and all(isinstance(token, str) for token in quoted):
        quoted = " ".join(quoted)
    if isinstance(first, int) and isinstance(last, int) and 0 <= first < last <= len(tokens):
        start, end = tokens[first][0], tokens[last - 1][1]
        if isinstance(quoted, str) and text[start:end].split() == quoted.split():
            return Span(start, end, segment)
    raise InputError(
        f"{row.where}: annotation {row.values['annotation_id']!r} has the evidence {quoted!r} at tokens "
        f"{first} to {last}, but the document's {len(tokens)} tokens do not hold it there; mend the offsets"
    )
