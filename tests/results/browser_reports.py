"""Reports of four kinds of experiments, small and fast, with names and texts that would like to be markup."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from results_synthetic import AGREEMENT, CONTROLS, FAITHFULNESS, METHODS, QUALITY, experiment, shown

from assay.harness.cli import main
from assay.metrics.cell_data import Metric
from assay.results.claims.published import Beside, Published
from assay.results.records import Group, Method, Results
from assay.results.shown import ShownScores, ShownText
from assay.results.statistics.estimates import Bootstrap
from assay.results.write import write_results

EVIL = '<script>alert(1)</script> & "quotes" =1+1'
SIZES = (
    *("limits.default.train=40", "limits.default.dev=10", "limits.default.test=14"),
    *(
        "model=linear",
        "model.training.epochs=30",
        "model.training.learning_rate=0.1",
        "report.bootstrap=20",
        "baseline=[mask]",
        "seed=0",
    ),
)


def single_label(folder: Path) -> Path:
    """Two tasks, explainers with two baselines, and texts of which some are predicted wrong."""
    results = experiment(groups=[Group("planted", "cnn"), Group(EVIL, "minilm")], n=20)
    names = {method: method._replace(explainer=f"{method.explainer} {EVIL}") for method in _judged(results)}
    cells = [replace(cell, method=names.get(cell.method, cell.method)) for cell in results.cells]
    texts = [
        _renamed(replace(text, id=f"{text.id} {place} {EVIL}", group=group), names)
        for group in (Group("planted", "cnn"), Group(EVIL, "minilm"))
        for place, text in enumerate([*results.texts, *_more_texts()])
    ]
    evil = replace(results, name=EVIL, cells=cells, texts=texts, explainers=(), command=f"assay run '{EVIL}'")
    numbers = Published("numbers.csv, line 2", EVIL, "minilm", f"lime {EVIL}", "agreement", 0.5, source=EVIL)
    return write_results(evil, folder, Bootstrap(n=20), claims=Beside((numbers,))).page


def thirty_explainers(folder: Path) -> Path:
    """Thirty explainers of one model, with long names."""
    names = [f"explainer_{'with_a_rather_long_name_' * (n % 4 == 0)}{n}" for n in range(30)]
    known = dict(QUALITY)
    try:
        QUALITY.update({name: 0.3 + 0.02 * n for n, name in enumerate(names)})
        methods = [*(Method(name, "mask" if n % 2 else "") for n, name in enumerate(names)), Method("random")]
        metrics = FAITHFULNESS, cast(Metric, AGREEMENT)
        results = experiment([Group("planted", "cnn")], methods, seeds=["0"], metrics=metrics, n=12)
    finally:
        QUALITY.clear()
        QUALITY.update(known)
    rng = np.random.default_rng(0)
    texts = [
        replace(
            text,
            explanations=[
                ShownScores(method, "neg", rng.normal(size=len(text.word_ids)).astype("f4"), place % 5 > 0)
                for place, method in enumerate(methods)
            ],
        )
        for text in _more_texts()[:2]
    ]
    return _written(replace(results, texts=texts, explainers=names), folder)


def with_rationales(folder: Path) -> Path:
    """A run of the command on texts with marked words: tweets with the phrase that carries the sentiment."""
    words = {"positive": "wonderful", "negative": "dreadful", "neutral": "ordinary"}
    rows = []
    for n in range(80):
        label = list(words)[n % 3]
        text = f"{EVIL} what a {words[label] if n % 7 else 'strange'} day number {n} it was"
        start = text.index("what a ") + 7
        rows.append((text, label, json.dumps([[start, start + len(text[start:].split()[0])]])))
    file = _csv(folder, ("text", "label", "why"), rows)
    explainers = "explainer=[gold,random,occlusion,saliency_l2,lime]"
    return _run(
        folder,
        f"task.path={file}",
        "task.rationale=why",
        explainers,
        "metric=[human_agreement,faithfulness,compute_time]",
    )


def multi_label(folder: Path) -> Path:
    """A run of the command on texts that have any number of labels."""
    topics = {"price": "costly", "food": "soup", EVIL: "waiter"}
    rows = []
    for n in range(80):
        has = [topic for place, topic in enumerate(topics) if n >> place & 1]
        rows.append((f"number {n} {' '.join(topics[topic] for topic in has)} {EVIL}", ";".join(has)))
    file = _csv(folder, ("text", "label"), rows)
    several = "task.multi_label=true", "task.separator=;"
    explainers = "explainer=[random,occlusion,saliency_l2]"
    return _run(folder, f"task.path={file}", *several, explainers, "metric=[faithfulness,compute_time]")


def many_groups(folder: Path) -> Path:
    """Six tasks and models, so that each has a page."""
    groups = [Group(task, model) for task in ("planted", "reviews", EVIL) for model in ("cnn", "minilm")]
    metrics = FAITHFULNESS, cast(Metric, AGREEMENT)
    return _written(experiment(groups, METHODS[:3], ["0"], metrics, n=12), folder)


KINDS = {
    "single label": single_label,
    "rationales": with_rationales,
    "multi-label": multi_label,
    "thirty explainers": thirty_explainers,
}


def _judged(results: Results) -> list[Method]:
    return list({cell.method: None for cell in results.cells if cell.method.explainer not in CONTROLS})


def _renamed(text: ShownText, names: dict[Method, Method]) -> ShownText:
    return replace(
        text,
        explanations=[replace(one, method=names.get(one.method, one.method)) for one in text.explanations],
    )


def _more_texts() -> list[ShownText]:
    """Texts of several lengths, right and wrong, with one word in two tokens and one text that is cut."""
    found = []
    for n in range(9):
        text = shown(f"sentence {n} {'of several more words ' * (n % 3)}{EVIL} {'end ' * n}tail")
        ids = text.word_ids.copy()
        ids[2:-1] -= 1
        ids[2] = ids[1]
        predicted = ("pos",) if n % 3 else ("neg",)
        found.append(replace(text, id=f"more-{n}", word_ids=ids, predicted=predicted))
    cut = found[-1]
    kept = slice(0, 6)
    short = [replace(one, scores=one.scores[kept]) for one in cut.explanations]
    found[-1] = replace(
        cut,
        offsets=cut.offsets[kept],
        segments=cut.segments[kept],
        word_ids=cut.word_ids[kept],
        explanations=short,
    )
    return found


def _written(results: Results, folder: Path) -> Path:
    return write_results(results, folder, Bootstrap(n=20)).page


def _csv(folder: Path, heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "texts.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([heading, *rows])
    return file


def _run(folder: Path, *overrides: str) -> Path:
    command = ["run", "name=small", "task=local", *SIZES, *overrides, f"store={folder / 'store'}"]
    assert main(command) == 0
    return folder / "store" / "experiments" / "small" / "report.html"
