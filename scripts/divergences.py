"""What each divergence between the diagnostic study's paper and its scripts does to the numbers.

    python scripts/divergences.py --path FOLDER [--texts N] [--quick]

FOLDER holds train.csv of Tweet Sentiment Extraction. There are five small convolutional networks, three of
them trained; every line is a measure of one explainer, the mean over the trained networks. Most numbers as
coded are computed twice, by the metrics and by the line-by-line transcription of the scripts in
tests/metrics/transcription.py.
The bar: the two agree to 1e-5 on every line. --quick: generated texts instead of tweets; under a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from bar import Table, finish, options
from divergences_lab import Lab, mean, pair_tables, pooled, prepared, study_world, summary, transcription
from divergences_remaining import dropout, one_stream, print_effects
from inputs import explainer, metric
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from assay.explainers.controls.as_coded import WithDropout
from assay.explainers.protocol import Explainer
from assay.metrics.long_table import wide
from assay.models.training import fit

# Near ties change ranks with the last digit of float32 activations, which depends on the batch.
BAR = 1e-5
RUNS = 4
NAMES = ("random", "saliency_l2", "input_x_gradient_mean", "input_x_gradient_l2", "occlusion")
EXPLAINERS = {name: explainer(name) for name in NAMES}
# Row of the ledger, name of the explainer as described, the explainer as coded.
SWITCHED: list[tuple[int, str, Explainer]] = [
    (1, "saliency_l2", explainer("saliency_l1")),
    (1, "input_x_gradient_l2", explainer("input_x_gradient_l1")),
    (2, "saliency_l2", WithDropout(explainer("saliency_l2"))),
    (2, "input_x_gradient_mean", WithDropout(explainer("input_x_gradient_mean"))),
    (2, "occlusion", WithDropout(explainer("occlusion"))),
    (3, "guided_backprop_mean", explainer("guided_backprop_as_coded")),
]
# Row of the ledger of the metrics that are called NAME and NAME_as_coded.
TWINS = {
    "confidence_indication": 4,
    "confidence_indication_max": 4,
    "faithfulness": 5,
    "dataset_consistency": 7,
    "human_agreement": 8,
}
CONSISTENCY = metric("rationale_consistency_as_coded", runs=RUNS)
MEASURES = metric("human_agreement"), metric("faithfulness")


class Line(NamedTuple):
    """A measure of one explainer. transcribed: as coded, by the transcription, where it has a part."""

    row: int
    measure: str
    explainer: str
    described: float
    coded: float
    transcribed: float | None = None

    @property
    def gap(self) -> float:
        """Between both numbers as coded; 0 where there is only one, or both are undefined."""
        if self.transcribed is None or np.isnan([self.coded, self.transcribed]).all():
            return 0.0
        return float(np.nan_to_num(abs(self.coded - self.transcribed), nan=np.inf))


def switched(lab: Lab) -> Iterator[Line]:
    """Rows 1 to 3: other explanations, the same measures."""
    for row, name, coded in SWITCHED:
        cells = [lab.cells(method, lab.trained) for method in (explainer(name), coded)]
        for measure in MEASURES:
            yield Line(row, measure.title, name, *(mean(measure, of_method) for of_method in cells))


def measured(lab: Lab) -> Iterator[Line]:
    """Rows 4, 5, 7, 8 and 11: other measures of the same explanations."""
    for name, method in EXPLAINERS.items():
        cells = lab.cells(method, lab.trained)
        again = transcribed(cells)
        for twin, row in TWINS.items():
            described, coded = metric(twin), metric(f"{twin}_as_coded")
            yield Line(row, described.title, name, mean(described, cells), mean(coded, cells), again[twin])
        all_labels = metric("human_agreement_as_coded")
        last_label = metric("human_agreement_as_coded", labels=lab.task.labels[-1:])
        yield Line(11, MEASURES[0].title, name, mean(all_labels, cells), mean(last_label, cells))


def transcribed(cells: Sequence[Any]) -> dict[str, float]:
    """Metric to value by the transcription, the mean over models."""
    values = []
    for cell in cells:
        reader = cell.reader()
        texts = transcription.pairs_of_texts(reader.instances, ENGLISH_STOP_WORDS)
        mae, largest = transcription.confidence(reader.instances)
        faithfulness = transcription.faithfulness(reader.instances, cell.predict, cell.model.mask_id)
        agreement = transcription.human_agreement(reader.instances)
        consistency = transcription.dataset_consistency(reader, texts, cell.model.embedding_rows)
        values.append((mae, largest, faithfulness, consistency, agreement))
    return dict(zip(TWINS, np.mean(values, axis=0).tolist(), strict=True))


def compared(lab: Lab) -> Iterator[Line]:
    """Row 6: pairs of models."""
    described, coded = metric("rationale_consistency", rescale=False), CONSISTENCY
    for name, method in EXPLAINERS.items():
        trained, untrained = lab.cells(method, lab.trained), lab.cells(method, lab.untrained)
        pairs = pair_tables(described, trained)
        within = float(np.mean([summary(described, table) for table in pairs]))
        together = summary(metric("rationale_consistency_pooled"), pooled(pairs))
        kinds = ((trained, None), (untrained, None), (untrained, trained))
        points = pooled([table for kind in kinds for table in pair_tables(coded, *kind)])
        readers = [[cell.reader() for cell in cells] for cells in (trained, untrained)]
        again = transcription.rationale_consistency(*readers, range(1, RUNS + 1))
        for how, value in (("within pairs", within), ("pooled", together)):
            measure = f"{described.title}, {how}"
            yield Line(6, measure, name, value, summary(coded, points), again)


def kept(lab: Lab) -> Iterator[Line]:
    """Row 10: the same training, other weights."""
    last = replace(lab.spec, training=replace(lab.spec.training, keep="last"))
    specs = lab.spec, last
    best, others = ([fit(spec, lab.task, seed) for seed in range(len(lab.trained))] for spec in specs)
    quality = (float(np.mean([report.test.macro_f1 for _, report in fits])) for fits in (best, others))
    yield Line(10, "macro-F1 of the networks", "", *quality)
    for name in ("saliency_l2", "occlusion"):
        of_best = lab.cells(EXPLAINERS[name], lab.trained)
        cells = [study_world.explained(model, lab.task.test, EXPLAINERS[name]) for model, _ in others]
        for measure in MEASURES:
            yield Line(10, measure.title, name, mean(measure, of_best), mean(measure, cells))


def remarks(lab: Lab) -> Iterator[str]:
    """Counts behind the numbers, on the first network."""
    cell = lab.cells(EXPLAINERS["occlusion"], lab.trained)[0]
    subject = cell.subject()
    # Scores that say nothing leave the regression its constant.
    nothing = replace(cell, scores=[np.zeros_like(scores) for scores in cell.scores]).subject()
    for coded in ("", "_as_coded"):
        names = f"confidence_indication{coded}", f"confidence_indication_max{coded}"
        mae, largest = (summary(metric(name), metric(name).score(nothing)) for name in names)
        yield f"{names[0]}: the constant predictor's MAE is {mae:.3f}, its MAX {largest:.3f}"
    for name in ("human_agreement", "human_agreement_as_coded"):
        left_out = np.nansum(wide(metric(name).score(subject))[2]["no_rationale"])
        yield f"{name}: {left_out:.0f} of {len(lab.task.test)} texts left out"
    table = metric("dataset_consistency_as_coded").score(subject)
    unlike = table.loc[(table["part"] == "similar") & (table["value"] == 0), "unit"].tolist()
    first = len({str(names).split("|")[0] for names in unlike})
    yield f"dataset_consistency_as_coded: {len(unlike)} different pairs begin with {first} texts"
    coded = CONSISTENCY
    drawn = coded.pairs(len(lab.trained), None)
    same = sum(i == j for i, j in drawn)
    yield f"{coded.name}: {same} of {len(drawn)} trained pairs are a network and itself"
    for name, method in EXPLAINERS.items():
        pairs = combinations(lab.cells(method, lab.trained), 2)
        within = [summary(coded, pair_tables(coded, [one], [other])[0]) for one, other in pairs]
        yield f"{coded.name}: within pairs of different trained networks {name} has {np.mean(within):.3f}"


def main() -> None:
    chosen = options(
        __doc__,
        "generated texts; under a minute",
        path=(str, "the folder with train.csv; not needed with --quick"),
        texts=(300, "explained tweets"),
    )
    if not chosen.quick and not chosen.path:
        raise SystemExit("give --path, or --quick")
    began = time.perf_counter()
    lab = prepared(None if chosen.quick else chosen.path, chosen.texts)
    lines = [*switched(lab), *measured(lab), *compared(lab), *kept(lab)]
    numbers = dict.fromkeys(("described", "as_coded", "transcription"), ".3f")
    table = Table("ledger", "measure", "explainer", **numbers)
    for line in sorted(lines, key=lambda line: (line.row, line.measure)):
        table.row(*line)
    for remark in remarks(lab):
        print(f"- {remark}")
    print()
    print_effects([*one_stream(lab, EXPLAINERS), *dropout(lab, EXPLAINERS, CONSISTENCY)])
    gaps = [line.gap for line in lines if line.transcribed is not None]
    finish(
        max(gaps) <= BAR,
        f"{len(gaps)} numbers as coded and by the transcription differ by at most {max(gaps):.1e} (bar: "
        f"{BAR:.0e}); {time.perf_counter() - began:.0f} s",
    )


if __name__ == "__main__":
    main()
