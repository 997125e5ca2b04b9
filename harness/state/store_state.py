"""What a store holds of what is planned: finished cells, scores, failures, and jobs at work."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from assay.harness.state.status import Planned, StoreState
from assay.harness.storage.entries import ledger_of, owner
from assay.harness.storage.layout import StoredCell, StoredPair, StoredTrial
from assay.harness.storage.ledger import Failure
from assay.harness.storage.locks import Claim, alive, read
from assay.harness.storage.store import Store, read_json
from assay.harness.trials.checks import model_remark

# Of more models than this, the rest is counted.
MOST_REMARKS = 5


def living_claims(store: Store, planned: Planned) -> dict[str, Claim | None]:
    """The claims on parts of `planned` behind which a job still runs; None for one just being written."""
    models = {trial.model_key for trial in planned.trials if trial.model_key}
    owners = {*_cells(planned), *models, *(pair.key for pair in planned.pairs)}
    claims = {}
    for file in store.claims():
        if owner(file.stem, owners) is not None:
            claim = read(file)
            if alive(file, claim):
                claims[file.stem] = claim
    return claims


def jobs(claims: Mapping[str, Claim | None]) -> int:
    """How many jobs are behind living claims."""
    return len({(claim.place, claim.process) for claim in claims.values() if claim})


def _cells(planned: Planned) -> list[str]:
    return [cell.key for trial in planned.trials for cell in trial.cells]


def read_store_state(store: Store, planned: Planned, claimed: Collection[str] = ()) -> StoreState:
    """What of `planned` the store holds; nothing else in it is looked at. claimed: names of living claims."""
    keys = _cells(planned)
    stored = {key: StoredCell(store.cell(key)) for key in keys}
    explained = frozenset(key for key, cell in stored.items() if cell.done)
    owned = stored | {pair.key: StoredPair(store.pair(pair.key)) for pair in planned.pairs}
    scores = {key: frozenset(path.name for path in folder.score_files()) for key, folder in owned.items()}
    owners = {*keys, *(trial.ledger for trial in planned.trials), *(pair.key for pair in planned.pairs)}
    failures: dict[str, list[Failure]] = {}
    for name, entry in ledger_of(store, owners).items():
        failures.setdefault(str(owner(name, owners)), []).append(entry)
    busy = {key for name in claimed if (key := owner(name, owners)) is not None}
    return StoreState(explained, scores, failures, frozenset(busy))


def model_remarks(store: Store, planned: Planned) -> list[str]:
    """What is to be said of models that are no better than a constant answer, each with its trial, and of
    seeds that give one model."""
    found, records = [], []
    for trial in planned.trials:
        record = trial.record and read_json(StoredTrial(store.trial(trial.record)).record)
        if not record:
            continue
        records.append(record)
        if remark := model_remark(record):
            found.append(f"{trial.title}: {remark}")
    more = len(found) - MOST_REMARKS
    shown = found if more <= 0 else [*found[:MOST_REMARKS], f"and {more} more models like these"]
    return [*shown, *_same_models(records)]


def _same_models(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each task and model of which several seeds have the same weights, as those of a finished
    checkpoint have."""
    seeds: dict[tuple[str, str, str], list[int]] = {}
    for record in records:
        if record.get("weights"):
            seeds.setdefault((record["task"], record["model"], record["weights"]), []).append(record["seed"])
    for (task, model, _), given in seeds.items():
        different = sorted(set(given))
        if len(different) > 1:
            yield (
                f"{task} / {model}: seeds {', '.join(map(str, different))} have the same weights, so they "
                f"are one model that counts as {len(different)}; give one of them"
            )
