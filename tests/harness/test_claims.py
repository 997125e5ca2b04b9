"""Of several jobs one does the work; what a dead one left is taken over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from assay.harness.storage import locks as claims
from assay.harness.storage.locks import Claim, acquire, alive, read, run_once, run_until_done
from assay.harness.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_work_that_is_claimed_is_not_ours_and_free_when_it_is_done(store: Store) -> None:
    with acquire(store, "work", "a cell") as first:
        assert first
        claim = read(store.claim("work"))
        assert claim is not None
        assert (claim.process, claim.title) == (os.getpid(), "a cell")
        with acquire(store, "work", "a cell") as second:
            assert not second
        with acquire(store, "other", "a cell") as other:
            assert other
    assert not any(store.claim("work").parent.iterdir())
    with acquire(store, "work", "a cell") as again:
        assert again


def test_a_claim_ends_when_the_work_fails(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), acquire(store, "work", "a cell"):
        _ = 1 / 0
    assert not store.claim("work").exists()


def test_a_claim_ends_when_a_signal_comes_before_the_block_begins(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(thread: threading.Thread) -> None:
        assert store.claim("work").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", stop)
    with pytest.raises(KeyboardInterrupt), acquire(store, "work", "a cell"):
        raise AssertionError("the block has begun")
    assert not any(store.claim("work").parent.iterdir())


def test_the_claim_of_a_killed_process_is_taken_over_at_once(store: Store) -> None:
    program = (
        "import sys, time\nfrom assay.harness.storage.locks import acquire\n"
        "from assay.harness.storage.store import Store\n"
        "with acquire(Store(sys.argv[1]), 'work', 'a cell') as ours: print(ours, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(store.root)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"True"
    with acquire(store, "work", "a cell") as ours:
        assert not ours
    process.kill()
    process.wait()
    with acquire(store, "work", "a cell") as ours:
        assert ours


def test_a_number_of_a_process_that_is_used_again_is_not_the_process(store: Store) -> None:
    claim = _claim(store)
    if sys.platform == "linux":
        assert not alive(store.claim("work"), replace(claim, started="1"))
    assert alive(store.claim("work"), claim)


def test_another_machine_is_alive_as_long_as_it_gives_signs(store: Store) -> None:
    path = store.claim("work")
    claim = replace(_claim(store), place="another machine", process=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(claim)))
    assert alive(path, read(path))
    with acquire(store, "work", "a cell") as ours:
        assert not ours
    silent = time.time() - claims.EXPIRY_SECONDS - 60
    os.utime(path, (silent, silent))
    assert not alive(path, read(path))
    with acquire(store, "work", "a cell") as ours:
        assert ours


def test_a_claim_gives_signs_while_it_is_held(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.05)
    with acquire(store, "work", "a cell"):
        path = store.claim("work")
        os.utime(path, (1, 1))
        for _ in range(100):
            if path.stat().st_mtime > 1:
                break
            time.sleep(0.05)
        assert path.stat().st_mtime > 1


def test_who_takes_over_late_does_not_take_the_claim_of_who_was_faster(store: Store) -> None:
    dead = replace(_claim(store), token="dead")
    with acquire(store, "work", "a cell"):
        claims._remove(store.claim("work"), dead)
        found = read(store.claim("work"))
        assert found is not None
        assert found.token != "dead"
        assert [path.name for path in store.claim("work").parent.iterdir()] == ["work.json"]


def test_of_many_threads_one_does_the_work(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "POLL_SECONDS", 0.01)
    done: list[int] = []

    def work() -> None:
        time.sleep(0.05)
        done.append(1)

    threads = [
        threading.Thread(target=run_once, args=(store, "work", "a cell", lambda: bool(done), work))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [1]


def test_what_waits_for_another_job_comes_again_behind_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "POLL_SECONDS", 0.0)
    looks: list[str] = []

    def advance(name: str) -> bool:
        looks.append(name)
        return name != "b" or looks.count("b") == 3

    run_until_done("abc", advance)
    assert looks == ["a", "b", "c", "b", "b"]


def test_a_store_without_hard_links_has_claims_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    with acquire(store, "work", "a cell") as first, acquire(store, "work", "a cell") as second:
        assert (first, second) == (True, False)
        assert read(store.claim("work")) is not None


def _claim(store: Store) -> Claim:
    """One of this process, as it would be on disk."""
    with acquire(store, "sample", "a cell"):
        claim = read(store.claim("sample"))
    assert claim is not None
    return claim
