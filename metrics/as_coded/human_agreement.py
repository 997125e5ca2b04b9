"""Human agreement as the diagnostic study's script measures it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from assay.metrics.cell_data import CellData, Shard, gold
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.info import MetricBase, as_coded
from assay.metrics.long_table import long
from assay.metrics.options import option
from assay.metrics.targets import require_explained
from assay.tasks.arrays import Bools
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Span
from assay.tasks.labels import plain_text

if TYPE_CHECKING:
    from assay.models.encoding import Encoding
    from assay.models.protocol import Model


def _check_labels(labels: str | Sequence[Any], path: str) -> str | tuple[str, ...]:
    if not isinstance(labels, str):
        # Configuration files give lists, in which YAML reads some names as numbers.
        return tuple(map(plain_text, labels))
    if labels != "all":
        raise InputError(f"{path} is {labels!r}; expected 'all' or a list of labels")
    return labels


@dataclass(frozen=True, slots=True)
class HumanAgreementAsCoded(MetricBase):
    """Mean average precision of the gold class's scores over all tokens, special ones too.

    Other than `HumanAgreement`: special tokens are ranked, as irrelevant ones; the rationale is that of the
    first annotator alone; and it is found by its letters (`greedy_mask`), not by its place. Where it is not
    found the script's mean is not a number; here the example is left out and counted.

    labels: names of the labels whose rationales are read, or "all". The study's movie reviews as released
    have those of the positive ones only. In a multi-label task an example counts once, with the mean over
    its labels. Source: human_agreement.py and saliency_utils.py of Atanasova et al. 2020.
    """

    info = as_coded(
        HumanAgreement.info, random_level="a little above the mean of part `prevalence`: see the random row"
    )
    target: ClassVar[str] = "gold"

    labels: str | tuple[str, ...] = option("all", _check_labels)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and gold class: `ap`, and the share of rationale tokens among all, `prevalence`; per
        example (target -1): `no_rationale`, 1 if it was left out.

        Raises InputError when a gold class was not explained, or on a label that the task does not have.
        """
        read = self._read(subject.labels)
        model = subject.engine.model
        tables = [_score(shard, read, subject.labels, model) for shard in subject.shards]
        return pd.concat(tables, ignore_index=True)

    def _read(self, labels: Sequence[str]) -> Bools:
        """(K,) bool: the classes whose rationales are read."""
        for label in () if isinstance(self.labels, str) else self.labels:
            if label not in labels:
                raise InputError(f"{self.name}: no label {label!r}; {did_you_mean(label, list(labels))}")
        return np.array([self.labels == "all" or label in self.labels for label in labels])


def _score(shard: Shard, read: Bools, labels: Sequence[str], model: Model) -> pd.DataFrame:
    targets = gold(shard.examples, len(labels)) & read
    masks = {
        (row, label): first_rationale(shard.examples[row], shard.encodings[row], label, model)
        for row, label in np.argwhere(targets).tolist()
    }
    ids = shard.ids
    masks = {place: mask for place, mask in masks.items() if mask.any()}
    rows, classes = np.array(list(masks), dtype=np.intp).reshape(-1, 2).T
    explained = np.zeros_like(targets)
    explained[rows, classes] = True
    require_explained(shard, explained, labels, HumanAgreementAsCoded.name)
    parts = {
        "ap": [
            average_precision_score(mask, shard.scores[row, label, : len(mask)])
            for (row, label), mask in masks.items()
        ],
        "prevalence": [mask.mean() for mask in masks.values()],
    }
    left_out = long(ids, {"no_rationale": ~explained.any(axis=1)})
    return pd.concat([long([ids[row] for row in rows], parts, classes), left_out], ignore_index=True)


def first_rationale(example: Example, encoding: Encoding, label: int, model: Model) -> Bools:
    """(T,) bool: the tokens found for what the first annotator of a label marked; none if there is nobody."""
    rationales = [rationale for rationale in example.rationales if rationale.label in (None, label)]
    mask = np.zeros(len(encoding), dtype=bool)
    for rationale in rationales:
        if rationale.annotator == rationales[0].annotator:
            for span in rationale.spans:
                mask |= greedy_mask(example, encoding, span, model)
    return mask


def greedy_mask(example: Example, encoding: Encoding, span: Span, model: Model) -> Bools:
    """(T,) bool: the first run of tokens that holds the letters of a marked phrase; none if no run does.

    The phrase is tokenised by itself and compared with runs of as many tokens, special ones included.
    Half words, and phrases that occur twice, are where this differs from `assay.models.alignment`.
    """
    text = example.texts[span.segment]
    phrase = text[span.start : span.end]
    mask = np.zeros(len(encoding), dtype=bool)
    if not phrase.strip():
        return mask
    pieces = [piece for piece in _surfaces(phrase, model.encode([(phrase,)])[0]) if piece]
    places = np.flatnonzero(encoding.segments == span.segment)
    surfaces = _surfaces(text, encoding)
    for start in range(len(places)):
        run = places[start : start + len(pieces)]
        if "".join(pieces) in "".join(surfaces[place] for place in run):
            mask[run] = True
            break
    return mask


def _surfaces(text: str, encoding: Encoding) -> list[str]:
    """Every token's characters in lower case; those of special tokens are none."""
    return [text[start:end].strip().lower() for start, end in encoding.offsets.tolist()]
