"""Time Assay against captum, lime and shap, and against the model itself.

    python scripts/bench_peers.py [--quick] [--threads 1 2] [--rounds 5] [--texts 64] [--only NAME ...]

The model is MiniLM with a random head (3 classes, or 28 labels where said), the texts are review sentences of
6 to 60 words, spread evenly over lengths. Every round takes its own share of the texts (round r the texts r,
r + rounds, ...), runs peer and Assay on it in one process, in an order that alternates between rounds, and a
round in which other processes used more than 0.15 of a core is thrown away and repeated. The median ratio of
the rounds is reported; ratios compare within one run on one machine and nowhere else, and one under 1.1 is no
claim.

Share of the limit: the time the rows would take at the best time per row, over Assay's time. The best time
per row is that of the Hugging Face network, on batches of texts of one length without padding, at the best
batch size for each length (medians of three), with nothing else done. Shares over 100 % come from asking
less: a last layer for one token, duplicates dropped, oneDNN's kernels.

Share of the peak: floating-point operations that were carried out, per second, over those of products of
matrices in float32 as large as MiniLM's. These are timed before and after the round, and their median taken,
as a processor that others share gives less than its best; the line above the table states its best. The limit
is timed once, and taken to be longer or shorter in a round as these products are. Share of the possible: over
Assay's time what its time inside the model would be, if products ran at the peak and all else took as long.
What is asked: the ratio to the peer, and of perturbation methods 95 % of the limit and 70 % of the peak. Of
gradient methods the ratio, or 90 % of the possible where that is less, and never to be slower than the peer.
--quick asks of one short text that nothing is slower than its peer.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import captum.attr as captum
import numpy as np
import peers
import torch
from bar import Table, finish, options
from bench_peers_rounds import Limit, Race, Round, World, run_round, time_limits
from inputs import explainer
from peaks import measure
from peers import Classifier

from assay.explainers.baselines import Baseline, Delete, Mask
from assay.explainers.protocol import Explainer
from assay.metrics.cell_data import CellData, Shard
from assay.metrics.faithfulness import Faithfulness
from assay.models.engine import Engine
from assay.models.minilm import MiniLM
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example, Task
from assay.tasks.randomness import generator
from assay.tasks.reviews import reviews

ONE, ALL, MANY = (1,), (0, 1, 2), tuple(range(28))  # classes to explain
MASK = Mask()
FEATURE_ABLATION = peers.on_tokens(captum.FeatureAblation)
KERNEL_SHAP = peers.on_tokens(captum.KernelShap, n_samples=200)
SHAPLEY_SAMPLING = peers.on_tokens(captum.ShapleyValueSampling, n_samples=25)
SALIENCY = peers.on_embeddings(captum.Saliency)
QUIET = 0.15  # cores that other processes may use in a round
# Shares of the limit and of the peak that perturbation methods must reach; the ratio for one short text.
LEAST_SHARE, LEAST_OF_PEAK, NOT_SLOWER = 0.95, 0.7, 1.0
# Share of what is possible that gradient methods must reach where the bar is beyond it.
LEAST_OF_POSSIBLE = 0.9
TRIES = 4  # times a round is repeated for quiet before the bench gives up


Side = Callable[[World], object]


def explained(explainer: Explainer, targets: Sequence[int], baseline: Baseline = MASK) -> Side:
    """Assay's side of a race with one explainer."""
    used = None if explainer.traits.baseline == "none" else baseline
    return lambda world: explainer.explain(world.engine, world.requests(targets), used)


def each(call: peers.Peer, targets: Sequence[int]) -> Side:
    """A peer's side: text after text, class after class."""
    return lambda world: [call(world.peer, text, target) for text in world.texts for target in targets]


def lime(batch_size: int | None) -> Side:
    """lime's side, predicting in batches of this size, or all at once."""
    return lambda world: [peers.lime(world.peer, text, ONE, 1000, batch_size) for text in world.texts]


def races() -> list[Race]:
    """The table."""
    our_lime = explained(explainer("lime", rows=1000, output="probability", unit="word"), ONE, Delete())
    occlusion = each(FEATURE_ABLATION, ONE), explained(explainer("occlusion"), ONE)
    occlusion_28 = each(FEATURE_ABLATION, MANY), explained(explainer("occlusion"), MANY)
    kernel_shap = each(KERNEL_SHAP, ONE), explained(explainer("kernel_shap", rows=200), ONE)
    sampling = each(SHAPLEY_SAMPLING, ONE), explained(explainer("shapley_sampling", permutations=25), ONE)
    owen = explained(explainer("owen", rows=500, output="probability"), ALL)
    steps = explainer("integrated_gradients", steps=50)
    integrated = each(peers.integrated_gradients, ONE), explained(steps, ONE)
    integrated_28 = each(peers.integrated_gradients, MANY), explained(steps, MANY)
    saliency = each(SALIENCY, ONE), explained(explainer("saliency_l2"), ONE)
    return [
        Race("occlusion", *occlusion, 2.0, perturbation=True),
        Race("occlusion, 28 labels", *occlusion_28, 50.0, labels=28, perturbation=True),
        Race("KernelSHAP, 200 rows", *kernel_shap, 2.4, perturbation=True),
        Race("Shapley sampling, 25", *sampling, 2.3, perturbation=True),
        Race("LIME, 1,000 rows, by 32", lime(32), our_lime, 2.0, perturbation=True),
        Race("LIME, 1,000 rows, unbatched", lime(None), our_lime, 2.8, perturbation=True),
        Race("Owen values, 500 rows", owen_by_peer, owen, 2.2, perturbation=True),
        Race("integrated gradients, 50 steps", *integrated, 1.35, gradient=True),
        Race("integrated gradients, 28 labels", *integrated_28, 1.6, labels=28, gradient=True),
        Race("LIME, at most 8 words", lime(32), our_lime, 5.0, words=(4, 8), perturbation=True),
        Race("saliency", *saliency, 1.5, more_threads=1.9, gradient=True),
        Race("faithfulness of 10 explainers", faithfulness_by_batches, faithfulness, 1.5),
        Race("the study's ten, all classes", study_by_peers, study, 5.0),
    ]


def owen_by_peer(world: World) -> None:
    for text in world.texts:
        peers.owen(world.peer, text, 500)


def _scores(world: World, explainer: int) -> list[np.ndarray]:
    """(K, T) random scores of every text: which tokens they order first does not change the work."""
    return [
        np.random.default_rng([explainer, row]).random((3, len(request.encoding)), dtype=np.float32)
        for row, request in enumerate(world.requests((0,)))
    ]


def faithfulness(world: World) -> None:
    """Ten explainers' faithfulness, each by the metric."""
    requests = world.requests((0,))
    encodings = [request.encoding for request in requests]
    missing = [max(map(len, encodings)) - len(encoding) for encoding in encodings]
    content = np.array([np.pad(e.content, (0, n)) for e, n in zip(encodings, missing, strict=True)])
    probabilities = world.engine.probabilities(encodings)
    for number in range(10):
        of_texts = zip(_scores(world, number), missing, strict=True)
        scores = np.array([np.pad(of_text, ((0, 0), (0, n))) for of_text, n in of_texts])
        shard = Shard(list(world.examples), encodings, probabilities, scores, content, [])
        labels = world.engine.model.labels
        Faithfulness().score(CellData([shard], labels, False, world.engine, MASK))


def faithfulness_by_batches(world: World) -> None:
    """The same masks, threshold by threshold, in batches of 32 texts in their order."""
    tokenizer, network = world.peer.model.tokenizer, world.peer.model.network
    ids = [world.peer.tokens(text).ids[0] for text in world.texts]
    predicted = [int(np.argmax(world.peer.predict([text], None))) for text in world.texts]
    for number in range(10):
        scores = _scores(world, number)
        for threshold in range(0, 101, 10):
            masked = []
            for row, label, found in zip(ids, predicted, scores, strict=True):
                order = np.argsort(-found[label, 1:-1]) + 1
                changed = row.clone()
                changed[order[: threshold * len(order) // 100].copy()] = int(world.peer.model.mask_id or 0)
                masked.append(changed)
            for start in range(0, len(masked), 32):
                batch = tokenizer.pad({"input_ids": masked[start : start + 32]}, return_tensors="pt")
                with torch.no_grad():
                    network(**batch)


def study(world: World) -> None:
    """The ten explainers of Atanasova et al. 2020, every class."""
    for method in (
        explainer("random"),
        explainer("saliency_mean"),
        explainer("saliency_l2"),
        explainer("input_x_gradient_mean"),
        explainer("input_x_gradient_l2"),
        explainer("guided_backprop_mean"),
        explainer("guided_backprop_l2"),
        explainer("occlusion"),
        explainer("lime", rows=1000, unit="word"),
        explainer("shapley_sampling", permutations=25),
    ):
        explained(method, ALL)(world)


def study_by_peers(world: World) -> None:
    """The same by the peers' own calls: both aggregations of a gradient are two calls, as in a script."""
    for call in (SALIENCY, peers.input_x_gradient, peers.on_embeddings(captum.GuidedBackprop)):
        each(call, ALL * 2)(world)
    for call in (FEATURE_ABLATION, SHAPLEY_SAMPLING):
        each(call, ALL)(world)
    for text in world.texts:
        peers.lime(world.peer, text, ALL, 1000, 32)


def build_world(labels: int) -> World:
    """MiniLM with a random head of so many labels, and no texts yet."""
    some = (Example("some", ("text",), (0,)),)
    task = Task("bench", tuple(f"label {k}" for k in range(labels)), train=some, dev=some, test=some)
    model = MiniLM(init_only=True).untrained(task, 0)
    model.network.requires_grad_(False)
    assert isinstance(model, TransformerModel)
    return World(Classifier(model), Engine(model), ())


def sentences(words: tuple[int, int], count: int) -> list[Example]:
    """Review sentences whose numbers of words are spread evenly over a range."""
    by_length: dict[int, list[str]] = {}
    for example in reviews(train=6000).train:
        by_length.setdefault(len(example.texts[0].split()), []).append(example.texts[0])
    wanted = np.linspace(words[0], words[1], count).round().astype(int).tolist()
    rng, found = generator("bench_peers", *words), []
    for number, length in enumerate(wanted):
        near = min((other for other in by_length if by_length[other]), key=lambda other: abs(other - length))
        at = int(rng.integers(len(by_length[near])))
        found.append(Example(str(number), (by_length[near].pop(at),), (0,)))
    return found


def run_race(
    race: Race, worlds: dict[int, World], limits: dict[int, Limit], options: argparse.Namespace
) -> list[Round]:
    """Quiet rounds, each on its own share of the texts."""
    texts = sentences(race.words, options.texts)
    whole = worlds[race.labels]
    limit = limits[race.labels]
    if not options.quick:
        warm = replace(whole, examples=tuple(texts[:1]))
        run_round(race, warm, limit, peer_first=True)
    found = []
    for number in range(options.rounds):
        share = texts[number :: options.rounds * options.sparse]
        world = replace(whole, examples=tuple(share))
        # Counting slows down, so that one round's operations stand for all.
        count = number == 0 and not options.quick
        sides = partial(run_round, race, world, limit, peer_first=number % 2 == 0, count=count)
        tries = (sides() for _ in range(TRIES))
        quiet = (done for done in tries if done.disturbance <= QUIET or options.quick)
        found += islice(quiet, 1)
    return found


def report(
    race: Race, rounds: list[Round], threads: int, options: argparse.Namespace
) -> tuple[list[Any], bool]:
    """A row of the table, and whether its bar is met."""
    if len(rounds) < options.rounds:
        return [race.name, f"only {len(rounds)} of {options.rounds} rounds were quiet", "", "missed"], False
    ratios = [done.theirs.seconds / done.ours.seconds for done in rounds]
    ratio = statistics.median(ratios)
    share = statistics.median(done.limit / done.ours.seconds for done in rounds)
    inside = statistics.median(done.in_model / done.ours.seconds for done in rounds)
    of_peak = rounds[0].operations / rounds[0].ours.seconds / rounds[0].pace
    # What is neither in products nor in the model at all is taken to be avoidable.
    possible = inside - rounds[0].products + of_peak
    bar = NOT_SLOWER if options.quick else race.least(threads)
    if race.gradient and not options.quick:
        bar = max(NOT_SLOWER, min(bar, LEAST_OF_POSSIBLE * ratio / possible))
    shares_met = not race.perturbation or (share >= LEAST_SHARE and of_peak >= LEAST_OF_PEAK)
    met = ratio >= bar and (options.quick or shares_met)
    spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
    rows = f"{sum(done.ours.rows for done in rounds):,} / {sum(done.theirs.rows for done in rounds):,}"
    limit = share if race.perturbation else None
    found = ratio, round(bar, 2), limit, of_peak, possible if race.gradient else None, inside
    return [race.name, spread, rows, "met" if met else "missed", *found], met


def main() -> None:
    chosen = options(
        __doc__,
        "one short text, one round, no share of a limit asked for: is anything slower than its peer?",
        threads=([1, 2], "numbers of threads"),
        rounds=(5, "rounds of a race"),
        texts=(64, "texts of a race"),
        sparse=(1, "take every n-th text of a round's share only"),
        only=([], "parts of the names of races to run"),
    )
    if chosen.quick:
        chosen.rounds, chosen.texts, chosen.threads = 1, 1, [1]
    misses = []
    for threads in chosen.threads:
        torch.set_num_threads(threads)
        worlds = {labels: build_world(labels) for labels in (3, 28)}
        effort = ((256, 1024), 1) if chosen.quick else ((256, 512, 1024, 2048), 3)
        limits = {labels: time_limits(world, *effort) for labels, world in worlds.items()}
        peaks = measure()
        of_threads = f"{threads} thread{'s' * (threads > 1)}"
        print(f"\n{of_threads}, {chosen.rounds} rounds, {chosen.texts} texts; {peaks.line}\n")
        shares = ("share_of_the_limit", "share_of_the_peak", "share_of_the_possible", "in_the_model")
        numbers = {"ratio_to_the_peer": ".2f", "bar": "", **dict.fromkeys(shares, ".0%")}
        table = Table("work", "rounds", "rows", "", **numbers)
        for race in races():
            if chosen.only and not any(name.lower() in race.name.lower() for name in chosen.only):
                continue
            rounds = run_race(race, worlds, limits, chosen)
            row, met = report(race, rounds, threads, chosen)
            table.row(*row)
            misses += [] if met else [f"{race.name} ({of_threads})"]
    finish(not misses, f"missed by: {', '.join(misses) or 'none'}")


if __name__ == "__main__":
    main()
