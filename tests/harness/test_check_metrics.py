"""The metrics' check: are its exact explanations exact, and does it find out which metrics are useless?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from assay.explainers.baselines import Baseline, Delete, Mask, Pad
from assay.explainers.controls.known_quality import (
    EXACT,
    INVERTED,
    NOISY,
    RANDOM,
    Cached,
    KnownQuality,
    Quality,
)
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Request
from assay.harness.cli import main
from assay.harness.validation import check_metrics as checking
from assay.harness.validation.check_metrics import Effort, check_metrics, chosen_metrics
from assay.harness.validation.exact_worlds import World, additive, interacting
from assay.harness.validation.known_cells import known_cells
from assay.metrics.cell_data import CellData
from assay.metrics.confidence_indication import ConfidenceIndicationMax
from assay.metrics.faithfulness import Faithfulness
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.long_table import long
from assay.metrics.rationale_consistency import RationaleConsistency
from assay.metrics.resampling import resampled_mean
from assay.models.engine import Engine
from assay.results.checks import packaged_checks, read_checks, warning
from assay.results.statistics.diagnosis import Diagnosis
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.metric_checks import FAILS, TELLS, UNCHECKED, metric_checks_csv, to_markdown
from assay.results.tables.text import escape_markdown
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

TINY = Effort(texts=45, train=500, randoms=4, compared=2, diagnosis=Diagnosis(10, Bootstrap(n=100)))


@pytest.fixture(scope="module")
def bag() -> World:
    return additive(texts=TINY.texts, train=TINY.train)


@pytest.fixture(scope="module")
def convolutions() -> World:
    return interacting(texts=20, train=200)


def requests(world: World, seed: int = 0) -> list[Request]:
    encodings = world.engines[0].model.encode([example.texts for example in world.task.test])
    classes = np.arange(len(world.task.labels))
    return [Request(e, c, classes, seed) for e, c in zip(world.task.test, encodings, strict=True)]


@dataclass(frozen=True, slots=True)
class Useless:
    """A number that has nothing to do with how good an explanation is."""

    name: ClassVar[str] = "useless"
    title: ClassVar[str] = "Useless"
    property: ClassVar[str] = "faithfulness"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()
    random_level: ClassVar[str] = "0.5"

    def score(self, subject: CellData) -> pd.DataFrame:
        (shard,) = list(subject.shards)
        drawn = generator(shard.scores.tobytes()).random(len(shard))
        return long([example.id for example in shard.examples], {"value": drawn})

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        return resampled_mean(parts["value"][:, 0], index)


@dataclass(frozen=True, slots=True)
class WrongWay(HumanAgreement):
    name: ClassVar[str] = "wrong_way"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"


@dataclass(frozen=True, slots=True)
class Broken(HumanAgreement):
    name: ClassVar[str] = "broken"

    def score(self, subject: CellData) -> pd.DataFrame:
        raise ValueError("no such thing")


@dataclass(frozen=True, slots=True)
class Shortness(Useless):
    name: ClassVar[str] = "shortness"
    property: ClassVar[str] = "complexity"


@pytest.mark.parametrize("removal", [Mask(), Delete(), Pad()], ids=lambda removal: removal.name)
def test_additive_explanations_are_the_weights(bag: World, removal: Baseline):
    model: Any = bag.engines[0].model
    weights = model.network.embedding.weight.numpy().astype(np.float64)
    absent = weights[model.mask_id] if removal.name == "mask" else 0.0
    asked = requests(bag)
    for request, records in zip(asked, bag.exact.explain(bag.engines[0], asked, removal), strict=True):
        expected = (weights[request.encoding.ids] - absent).T * request.encoding.content
        for record in records:
            np.testing.assert_allclose(record.scores, expected[record.target], atol=1e-4)


@pytest.mark.parametrize("removal", [Mask(), Delete()], ids=lambda removal: removal.name)
def test_interacting_explanations_are_shapley_values(convolutions: World, removal: Baseline):
    engine = convolutions.engines[0]
    short = [request for request in requests(convolutions) if request.encoding.content.sum() <= 5][:3]
    assert short
    for request, records in zip(short, convolutions.exact.explain(engine, short, removal), strict=True):
        players = np.flatnonzero(request.encoding.content)
        expected = np.zeros((len(engine.model.labels), len(request.encoding)))
        orders = list(permutations(players.tolist()))
        for order in orders:
            keep = np.tile(~request.encoding.content, (len(order) + 1, 1))
            for step, player in enumerate(order):
                keep[step + 1 :, player] = True
            gains = np.diff(engine.logits([removal.rows(engine.model, request.encoding, keep)])[0], axis=0)
            for step, player in enumerate(order):
                expected[:, player] += gains[step] / len(orders)
        for record in records:
            np.testing.assert_allclose(record.scores, expected[record.target], atol=1e-4)


def test_models_have_learnt_and_their_twin_has_not(bag: World):
    right = []
    gold = np.array([example.labels[0] for example in bag.task.test])
    for engine in bag.engines:
        found = engine.probabilities([request.encoding for request in requests(bag)])
        right.append(float((found.argmax(axis=1) == gold).mean()))
    assert min(right[at] for at in bag.trained) > 0.9 and max(right[at] for at in bag.untrained) < 0.8


def explained(world: World, quality: Quality, seed: int = 0, scale: float = 1.0) -> list[list[NDArray]]:
    explainer = KnownQuality(world.exact, quality, scale)
    found = explainer.explain(world.engines[0], requests(world, seed), Mask())
    return [[record.scores for record in records] for records in found]


def test_noise_is_as_large_as_it_says(bag: World):
    exact, inverted = explained(bag, EXACT), explained(bag, INVERTED)
    content = [request.encoding.content for request in requests(bag)]
    for quality in NOISY:
        ratios = []
        for seed in range(20):
            for mask, truth, found in zip(content, exact, explained(bag, quality, seed), strict=True):
                for a, b in zip(truth, found, strict=True):
                    ratios.append(((b - a)[mask] ** 2).mean() / a[mask].astype(np.float64).var())
                    assert not b[~mask].any()
        assert np.sqrt(np.mean(ratios)) == pytest.approx(quality.noise, rel=0.05)
    np.testing.assert_array_equal(np.concatenate(exact[0]), -np.concatenate(inverted[0]))
    drawn = np.concatenate(
        [
            scores[mask]
            for mask, of in zip(content, explained(bag, RANDOM, 0, 3.0), strict=True)
            for scores in of
        ]
    )
    assert drawn.std() == pytest.approx(3.0, rel=0.1) and abs(drawn.mean()) < 0.5


def test_draws_depend_on_seed_example_and_target_alone(bag: World):
    explainer = KnownQuality(bag.exact, RANDOM, 1.0)
    asked = requests(bag)
    together = explainer.explain(bag.engines[0], asked, Mask())
    alone = explainer.explain(bag.engines[1], asked[3:4], None)
    np.testing.assert_array_equal(alone[0][1].scores, together[3][1].scores)
    assert not np.array_equal(together[3][0].scores, together[3][1].scores)
    other = explainer.explain(bag.engines[0], requests(bag, 1), Mask())
    assert not np.array_equal(other[3][0].scores, together[3][0].scores)


def test_a_question_is_asked_once_and_per_model(bag: World):
    explainer = Cached(Occlusion())
    engines = [Engine(bag.engines[place].model) for place in (0, 1)]
    asked = requests(bag)
    first = explainer.explain(engines[0], asked, Mask())
    rows = engines[0].counters.forward_rows
    again = explainer.explain(engines[0], asked[::-1], Mask())[::-1]
    assert rows > 0 and engines[0].counters.forward_rows == rows
    for a, b in zip(first, again, strict=True):
        assert a[0].example_id == b[0].example_id
        np.testing.assert_array_equal(a[1].scores, b[1].scores)
    fresh = Occlusion().explain(engines[1], asked, Mask())
    for a, b in zip(explainer.explain(engines[1], asked, Mask()), fresh, strict=True):
        np.testing.assert_array_equal(a[1].scores, b[1].scores)
    deleted = explainer.explain(engines[0], asked, Delete())
    assert not np.array_equal(deleted[0][0].scores, first[0][0].scores)


def test_metrics_that_tell_pass_and_useless_ones_are_found_out(bag: World):
    metrics = [HumanAgreement(), Faithfulness(), RationaleConsistency(), Useless(), WrongWay()]
    metrics += [Broken(), Shortness()]
    found = {check.metric: check for check in check_metrics(metrics, [bag], TINY)}
    for name in ("human_agreement", "faithfulness"):
        assert found[name].verdict == TELLS, found[name]
        assert found[name].auc > 0.95 and found[name].monotonicity > 0.8
    assert np.isnan(found["human_agreement"].removal_range)
    assert 0 <= found["faithfulness"].removal_range <= 1
    assert 0 <= found["rationale_consistency"].auc <= 1
    assert found["useless"].verdict == FAILS and "AUC" in found["useless"].note
    assert found["wrong_way"].verdict == FAILS and found["wrong_way"].auc < 0.05
    assert "prefers inverted to random" in found["wrong_way"].note
    assert (found["broken"].verdict, found["broken"].note) == (UNCHECKED, "ValueError: no such thing")
    assert found["shortness"].verdict == UNCHECKED and np.isnan(found["shortness"].auc)
    lines = metric_checks_csv(list(found.values())).decode().splitlines()
    read = read_checks(lines)
    assert found["wrong_way"].note in warning(read, "wrong_way", "Wrong way")
    assert not any(warning(read, name, name) for name in ("faithfulness", "broken", "shortness"))
    assert to_markdown(list(found.values())).count("\n") == len(metrics) + 1


def test_the_largest_error_has_no_test_that_could_give_false_alarms(bag: World):
    (check,) = check_metrics([ConfidenceIndicationMax()], [bag], TINY)
    assert np.isnan(check.false_alarms) and 0 <= check.auc <= 1


def test_two_runs_are_equal(bag: World):
    again = additive(texts=TINY.texts, train=TINY.train)
    metrics = [HumanAgreement(), Useless(), RationaleConsistency()]
    one, two = (metric_checks_csv(check_metrics(metrics, [world], TINY)) for world in (bag, again))
    assert one == two


def test_shards_and_subjects_belong_together(bag: World):
    cells = known_cells(bag)
    subject = cells.subject(NOISY[0], 2, Mask())
    (shard,) = list(subject.shards)
    assert subject.explain is not None
    found = subject.explain(subject.engine, cells.requests(subject.request_seed))
    for row, records in enumerate(found):
        for record in records:
            np.testing.assert_array_equal(
                shard.scores[row, record.target, : len(record.scores)], record.scores
            )
    assert (
        cells.shard(0, RANDOM, 1, Mask()).scores.tobytes()
        != cells.shard(1, RANDOM, 1, Mask()).scores.tobytes()
    )
    spreads = [
        of[shard.content[row]].std()
        for row, text in enumerate(cells.shard(0, EXACT, 0, Mask()).scores)
        for of in text
    ]
    assert cells.scale == pytest.approx(float(np.median(spreads)), rel=1e-5)


def test_all_shipped_metrics_are_checked_unless_some_are_named():
    shipped = {path.stem for path in (Path(__file__).parents[2] / "conf" / "metric").glob("*.yaml")}
    assert {metric.name for metric in chosen_metrics([])} == shipped
    assert chosen_metrics(["faithfulness"]) == [Faithfulness()]
    changed = chosen_metrics(["faithfulness"], ["metric.faithfulness.target=gold"])
    assert changed == [Faithfulness(target="gold")]
    with pytest.raises(InputError, match="no metric named 'faithfullness'"):
        chosen_metrics(["faithfullness"])


def test_the_command_prints_a_table_and_names_what_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(checking, "QUICK", Effort(24, 100, 2, 1, Diagnosis(5, Bootstrap(n=50))))
    path = tmp_path / "checks.csv"
    assert main(["check-metrics", "human_agreement", "compute_time", "--quick", "--csv", str(path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("| metric | AUC") and printed[-1].startswith("fails: ")
    assert list(read_checks(path.read_text(encoding="utf-8").splitlines())) == [
        "human_agreement",
        "compute_time",
    ]
    assert main(["check-metrics", "--csv", str(tmp_path / "nowhere" / "checks.csv")]) == 1


def test_the_page_shows_the_shipped_table_of_all_shipped_metrics():
    root = Path(__file__).parents[2]
    shipped = packaged_checks()
    assert set(shipped) == {path.stem for path in (root / "conf" / "metric").glob("*.yaml")}
    page = (root / "docs" / "metric_checks.md").read_text(encoding="utf-8").splitlines()
    for check in shipped.values():
        (line,) = [line for line in page if line.startswith(f"| `{check.metric}` |")]
        assert line.endswith(f"| {check.verdict} | {escape_markdown(check.note)} |")
