"""Judging the embedding table of a model beside its sparse re-coding and a random table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from assay.explainers.embeddings.sparse_codes import SparseCoding
from assay.metrics.cell_data import gold, predicted
from assay.metrics.embedding_tables import FEWEST_WORDS, EmbeddingKnowledge, JudgedTable, Judging
from assay.metrics.word_intrusion import WordIntrusion, cooccurrence_space, random_table
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.models.protocol import EmbeddingModel, Model
from assay.models.recoded import Recoded
from assay.models.report import quality
from assay.tasks.arrays import Floats, Ints
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

# Texts encoded at a time.
CHUNK = 512


def embedding_knowledge(
    engine: Engine, task: Task, coding: SparseCoding, intrusion: WordIntrusion, judging: Judging
) -> EmbeddingKnowledge:
    """Judge the embedding table of a model.

    The independent space in which intruders are told is made from which words stand near each other in the
    training texts: no table is in it, it needs no other model, and it covers the words of any task.

    Raises:
        InputError: the model has no table of named words, or the texts have too few of them.
    """
    model, rows, names = _named(engine.model)
    ids = _judged_ids(model, task.train, names, judging)
    rank = np.full(rows, -1)
    rank[ids] = np.arange(len(ids))
    space = cooccurrence_space((rank[text] for text in _tokens(model, task.train)), len(ids))
    table = engine.embed(np.arange(rows)).astype(np.float64)
    # Words that no text has change nothing, and there may be many of them.
    seen = {int(id) for part in (task.train, task.test) for text in _tokens(model, part) for id in text}
    named = np.array(sorted(seen & names.keys()))
    codes = coding.fit(table[named], np.flatnonzero(np.isin(named, ids)))
    drawn = random_table(table[named], coding.seed)
    # Special tokens keep their vectors in all tables.
    tables = {
        "sparse": (_of(ids, named, codes.codes), codes.table),
        "raw": (table[ids], table[named]),
        "random": (_of(ids, named, drawn), drawn),
    }
    judged = []
    for name, (values, read) in tables.items():
        whole = table.copy()
        whole[named] = read
        judged.append(
            JudgedTable(name, values, intrusion.score(values, space), *_quality(engine, task, whole))
        )
    return EmbeddingKnowledge(
        tuple(names[at] for at in ids.tolist()),
        tuple(judged),
        codes.density,
        codes.explained(table[named]),
        intrusion.chance,
    )


def _named(model: Model) -> tuple[EmbeddingModel, int, Mapping[int, str]]:
    """The model, the rows of its table, and their words by id. Raises InputError where it has none."""
    rows, names = getattr(model, "embedding_rows", None), getattr(model, "word_names", None)
    if not isinstance(model, EmbeddingModel) or rows is None or names is None:
        raise InputError(
            "the model has no table of word embeddings whose words have names; choose one that has, such as "
            "maxpool, cnn, lstm or minilm"
        )
    return model, int(rows), names()


def _judged_ids(model: Model, train: Sequence[Example], names: Mapping[int, str], judging: Judging) -> Ints:
    counts: Counter[int] = Counter()
    for text in _tokens(model, train):
        counts.update(text.tolist())
    known = [
        (-count, id)
        for id, count in counts.items()
        if count >= judging.min_count and any(map(str.isalnum, names.get(id, "")))
    ]
    if len(known) < FEWEST_WORDS:
        raise InputError(
            f"the training texts of task hold {len(known)} known words at least {judging.min_count} times; "
            f"expected at least {FEWEST_WORDS}, give more texts or a smaller knowledge.min_count"
        )
    return np.array([id for _, id in sorted(known)[: judging.words]])


def _tokens(model: Model, examples: Sequence[Example]) -> Iterator[Ints]:
    """The ids of each text."""
    for part in _encoded(model, examples):
        for encoding in part:
            yield encoding.ids.astype(np.intp)


def _encoded(model: Model, examples: Sequence[Example]) -> Iterator[list[Encoding]]:
    for start in range(0, len(examples), CHUNK):
        yield model.encode([example.texts for example in examples[start : start + CHUNK]])


def _of(ids: Ints, named: Ints, rows: Floats) -> Floats:
    """The rows of some ids, from those of all named ones."""
    return rows[np.searchsorted(named, ids)]


def _quality(engine: Engine, task: Task, table: Floats) -> tuple[float, float]:
    """Accuracy and macro-F1 on the test texts of the model that reads a table; NaN without labels."""
    model = engine.model
    assert isinstance(model, EmbeddingModel)
    if not task.labelled:
        return float("nan"), float("nan")
    reader = Engine(Recoded(model, table, engine.device), engine.device, engine.budget)
    parts = [reader.probabilities(encodings) for encodings in _encoded(model, task.test)]
    engine.add(reader.counters)
    decided = predicted(np.concatenate(parts), multi_label=task.multi_label)
    found = quality(gold(task.test, len(task.labels)), decided, task.labels)
    return found.accuracy, found.macro_f1
