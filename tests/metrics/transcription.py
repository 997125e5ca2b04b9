"""The diagnostic study's evaluation scripts, line by line, over plain lists; it shares no code with Assay.

The scripts' reading of files is replaced by arguments, their unseeded draws by the seeds they start from, and
NLTK's stop words by an argument. A text where no rationale is found is left out, where the scripts' mean is
not a number.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.metrics import auc, average_precision_score, f1_score, max_error, mean_absolute_error
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import MinMaxScaler

Activations = list[list[float]]  # per layer, flattened


@dataclass
class Instance:
    """What the scripts know of a text. words: its tokens; saliency: per token, per class; phrase: the tokens
    of what the first annotator marked."""

    text: str
    ids: list[int]
    words: list[str]
    saliency: list[list[float]]
    logits: list[float]
    gold: int
    phrase: list[str]


def gold_saliency(words: list[str], phrase: list[str]) -> list[int]:
    gold_text = "".join(phrase)
    found = [0 for _ in words]
    for i in range(len(words)):
        if gold_text in "".join(words[i : i + len(phrase)]):
            for j in range(i, min(i + len(phrase), len(words))):
                found[j] = 1
            break
    return found


def human_agreement(instances: Sequence[Instance]) -> float:
    avgp = []
    for instance in instances:
        marked = gold_saliency(instance.words, instance.phrase)
        if sum(marked) == 0:
            continue
        scores = [of_token[instance.gold] for of_token in instance.saliency]
        avgp.append(average_precision_score(marked, scores))
    return float(np.mean(avgp))


def confidence(
    instances: Sequence[Instance], np_random: np.random.RandomState | None = None
) -> tuple[float, float]:
    """MAE and MAX. np_random: the script's stream; without it, as it stands at the first model."""
    np_random = np_random or np.random.RandomState(1)
    features, y = [], []
    for instance in instances:
        probabilities = softmax(instance.logits)
        predicted = int(np.argmax(instance.logits))
        of_class = np.array(instance.saliency).T
        others = [of_class[predicted] - of_class[c] for c in range(len(of_class)) if c != predicted]
        features.append(
            [sum(np.max(others, axis=0)), sum(np.mean(others, axis=0)), sum(np.min(others, axis=0))]
        )
        y.append(probabilities[predicted])
    x, y = MinMaxScaler().fit_transform(np.array(features)), np.array(y)
    scores = []
    for train, test in ShuffleSplit(n_splits=5, random_state=2).split(x):
        x_train, y_train = x[train], y[train]
        buckets = defaultdict(list)
        for i, value in enumerate(y_train):
            buckets[int(value * 10)].append(i)
        size = max(len(ids) for ids in buckets.values())
        new = []
        for ids in buckets.values():
            replace = not size <= len(ids)
            new += np_random.choice(ids, size, replace=replace).tolist()
        fitted = LinearRegression().fit(x_train[new], y_train[new])
        guess = fitted.predict(x[test])
        scores.append([mean_absolute_error(y[test], guess), max_error(y[test], guess)])
    return float(np.mean([s[0] for s in scores])), float(np.mean([s[1] for s in scores]))


def masked_ids(instance: Instance, threshold: int, mask: int) -> list[int]:
    word_saliency = [sum(of_token) for of_token in instance.saliency]
    # The scripts' argsort is unstable; with a stable one, ties are taken from the end.
    order = np.array(word_saliency).argsort(kind="stable")[::-1]
    ids = list(instance.ids)
    wanted, done = int((threshold / 100) * len(ids)), 0
    if wanted > 0:
        for at in order:
            ids[at] = mask
            done += 1
            if done == wanted:
                break
    return ids


def faithfulness(instances: Sequence[Instance], predict: Callable[[list[int]], int], mask: int) -> float:
    thresholds = list(range(0, 110, 10))
    model_scores = []
    for threshold in thresholds:
        guesses = [predict(masked_ids(instance, threshold, mask)) for instance in instances]
        model_scores.append(f1_score([i.gold for i in instances], guesses, average="macro"))
    return float(auc(thresholds, model_scores))


@dataclass
class Reader:
    """A model of the consistencies: its explained texts, and its activations on token ids, padded to a width
    if there is one."""

    instances: Sequence[Instance]
    activations: Callable[[list[int], int | None], Activations]


def rationale_consistency(
    trained: Sequence[Reader], untrained: Sequence[Reader], runs: Sequence[int]
) -> float:
    files: dict[tuple[str, int, int], list[list[float]]] = {}
    sides = {"not": (trained, trained), "rand": (untrained, untrained), "randnot": (untrained, trained)}
    for kind, (first, second) in sides.items():
        for run in runs if first and second else []:
            random_ = random.Random(run)
            ind1, ind2 = random_.randint(0, len(first) - 1), random_.randint(0, len(second) - 1)
            distances = []
            for instance in trained[0].instances:
                layers1 = first[ind1].activations(instance.ids, None)
                layers2 = second[ind2].activations(instance.ids, None)
                both = zip(layers1, layers2, strict=True)
                distances.append([float(np.mean(np.array(a).ravel() - np.array(b).ravel())) for a, b in both])
            files[kind, ind1, ind2] = distances
    diff_activation, diff_saliency = [], []
    for (kind, ind1, ind2), distances in files.items():
        first, second = sides[kind]
        for at, distance in enumerate(distances):
            sal1 = np.array(first[ind1].instances[at].saliency).T.reshape(-1)
            sal2 = np.array(second[ind2].instances[at].saliency).T.reshape(-1)
            diff_saliency.append(np.mean(np.abs(sal1 - sal2)))
            diff_activation.append(np.abs(np.mean(distance)))
    return _scaled_spearman(diff_activation, diff_saliency)


def pairs_of_texts(
    instances: Sequence[Instance], stop_words: frozenset[str], pairs: int = 2000, pool: int = 5000
) -> list[tuple[int, int]]:
    random_ = random.Random(73)
    split = [{tok for tok in i.text.lower().split() if tok not in stop_words} for i in instances]
    same, different = [], []
    for i in range(len(instances)):
        for j in range(i + 1, len(instances)):
            shared = len(split[i].intersection(split[j]))
            (same if instances[i].gold == instances[j].gold else different).append((i, j, shared))
    same = sorted([p for p in same if p[-1] >= 1], key=lambda p: p[-1], reverse=True)
    different = sorted(different, key=lambda p: p[-1])[:pool]
    drawn = random_.sample(different, min(pairs, len(different)))
    return [(i, j) for i, j, _ in [*same[:pairs], *drawn]]


def dataset_consistency(reader: Reader, pairs: Sequence[tuple[int, int]], vocabulary: int) -> float:
    layers = [[np.array(a) for a in reader.activations(i.ids, 512)] for i in reader.instances]
    diff_activation, diff_saliency = [], []
    for ind1, ind2 in pairs:
        both = zip(layers[ind1], layers[ind2], strict=True)
        diff_activation.append(np.mean(np.abs([np.mean(a - b) for a, b in both])))
        held = [0.0] * vocabulary
        of_text = []
        for at in (ind1, ind2):
            instance, scores = reader.instances[at], [0.0000001] * vocabulary
            for token_id, of_token in zip(instance.ids, instance.saliency, strict=True):
                scores[token_id] = of_token[0]
                held[token_id] = 1.0
            of_text.append(scores)
        mult1, mult2 = (np.array([v for v, is_held in zip(s, held, strict=True) if is_held]) for s in of_text)
        diff_saliency.append(np.mean(np.abs(mult1 - mult2)))
    return _scaled_spearman(diff_activation, diff_saliency)


def _scaled_spearman(x: Sequence[float], y: Sequence[float]) -> float:
    scaled = [np.nan_to_num(MinMaxScaler().fit_transform([[v] for v in values])[:, 0]) for values in (x, y)]
    return float(spearmanr(*scaled).statistic)  # pyright: ignore[reportAttributeAccessIssue]
