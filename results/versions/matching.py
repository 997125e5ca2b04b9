"""What is compared with what: groups, texts and model seeds of two versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from assay.results.records import Group
from assay.results.versions.records import Version
from assay.tasks.errors import InputError


class Pairing(NamedTuple):
    """How the texts of a task are compared.

    shared: ids of the texts that are the same in both versions; None where they are not paired. why: in
    words.
    """

    shared: frozenset[str] | None
    why: str


class Seeds(NamedTuple):
    """Of two groups the seeds that are compared, with the names that they are compared under.

    same: whether these are the same models, or are taken for a version each.
    """

    one: Mapping[str, str]
    other: Mapping[str, str]
    same: bool
    why: str


def matched(a: Version, b: Version) -> list[tuple[Group, Group]]:
    """The groups that are compared: those of one name or, where each version has one, these.

    Raises:
        InputError: no name is in both, and a version has several; or they are of different tasks.
    """
    found = _matched(a, b)
    for one, other in found:
        _require_one_task(a, b, one.task, other.task)
    return found


def _require_one_task(a: Version, b: Version, task: str, other: str) -> None:
    """Raise InputError on different tasks: of other labels, or of other names and without a shared text."""
    labels = a.labels.get(task), b.labels.get(other)
    if labels[0] is not None and labels[1] is not None and set(labels[0]) != set(labels[1]):
        mine, theirs = (
            f"{version.name!r} has {name!r} with the labels {', '.join(map(repr, of))}"
            for version, name, of in ((a, task, labels[0]), (b, other, labels[1]))
        )
        raise InputError(f"different tasks cannot be compared: {mine}, {theirs}; choose two runs of one task")
    if task != other and pairing(a, b, task, other).shared is None:
        raise InputError(
            f"different tasks cannot be compared: {a.name!r} has {task!r}, {b.name!r} has {other!r}; choose "
            "two runs of one task"
        )


def _matched(a: Version, b: Version) -> list[tuple[Group, Group]]:
    same = [(group, group) for group in a.groups if group in b.groups]
    if same:
        return same
    if len(a.groups) == len(b.groups) == 1:
        return [(a.groups[0], b.groups[0])]
    # Of one model each, tasks are matched by name.
    if len({group.model for group in a.groups}) == len({group.model for group in b.groups}) == 1:
        by_task = {(group.task, group.kind): group for group in b.groups}
        found = [(g, by_task[g.task, g.kind]) for g in a.groups if (g.task, g.kind) in by_task]
        if found:
            return found
    shown = ["; ".join(group.title for group in version.groups) or "nothing" for version in (a, b)]
    raise InputError(
        f"{a.name!r} has {shown[0]}, and {b.name!r} has {shown[1]}: no task and model is in both; choose one "
        "model of each with @, as in NAME@MODEL"
    )


def pairing(a: Version, b: Version, task: str, other_task: str) -> Pairing:
    """Whether the texts of a task may be paired: known in both, and under every shared id the same."""
    one, other = a.texts.get(task), b.texts.get(other_task)
    if one is None or other is None:
        return Pairing(None, "unpaired, because an exported table has ids but no texts to compare by")
    shared = frozenset(one) & frozenset(other)
    if not shared:
        return Pairing(None, "unpaired, because no text has the same id in both")
    changed = sorted(text for text in shared if one[text] != other[text])
    if changed:
        return Pairing(
            None, f"unpaired, because {len(changed)} of {len(shared)} shared ids, such as {changed[0]!r}, "
            "have other texts, labels or rationales"
        )  # fmt: skip
    return Pairing(shared, f"paired on {len(shared)} texts, which have the same ids, content and labels")


def matched_seeds(a: Version, b: Version, one: Group, other: Group, *, these_models: bool) -> Seeds:
    """The model seeds that are compared, paired where both versions have the very same models."""
    of_a, of_b = _models(a, one), _models(b, other)
    if these_models:
        if len(of_a) != len(of_b):
            raise InputError(
                f"--these-models compares one model with one, but {a.name!r} has {len(of_a)} seeds and "
                f"{b.name!r} {len(of_b)}; choose as many of each with @seed="
            )
        order = {seed: str(place) for place, seed in enumerate(of_a)}
        return Seeds(
            order,
            {seed: str(place) for place, seed in enumerate(of_b)},
            True,
            "taken as these very models, so differences include those of their training seeds",
        )
    weights = {weight: seed for seed in of_b if (weight := _weights(b, other, seed))}
    shared = {seed: weights[w] for seed in of_a if (w := _weights(a, one, seed)) and w in weights}
    if shared:
        back = {theirs: mine for mine, theirs in shared.items()}
        models = ", ".join(seed for seed in shared if "-" not in seed)
        why = f"the same models (seeds {models}), so differences are theirs"
        return Seeds({seed: seed for seed in shared}, back, True, why)
    single = [sum("-" not in seed for seed in seeds) for seeds in (of_a, of_b)]
    why = f"other models: {single[0]} and {single[1]} training seeds"
    return Seeds({seed: seed for seed in of_a}, {seed: seed for seed in of_b}, False, why)


def _models(version: Version, group: Group) -> list[str]:
    """The seeds of a group. Seeds that left the same weights, as of a model that is not trained, are one."""
    seeds = dict.fromkeys(cell.seed for cell in version.cells if cell.group == group)
    by_weights = {_weights(version, group, seed) or seed: seed for seed in reversed(seeds)}
    return [seed for seed in seeds if seed in by_weights.values()]


def _weights(version: Version, group: Group, seed: str) -> str:
    """The hash of a model's weights; of a pair of models both; "" where it is unknown."""
    each = [version.weights.get((group, name), "") for name in seed.split("-")]
    return "-".join(each) if all(each) else ""
