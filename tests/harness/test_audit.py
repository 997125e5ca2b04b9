"""`assay audit`: a bundle that `sha256sum` verifies, without a trace of who or where, whole or not there."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.exchange import audit
from assay.harness.exchange.audit_sums import verify_bundle

Out = pytest.CaptureFixture[str]
FIXTURE = Path(__file__).parent / "audit_bundle"
CANARY = "canary-7c1d"


@pytest.fixture(scope="module")
def bundle(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by a user, on a host and in a home with names that can be sought in it. Not to be changed."""
    home = tmp_path_factory.mktemp("home") / CANARY
    store = home / "ann" / "store"
    shutil.copytree(finished, store)
    names = (
        "HOME",
        "USER",
        "LOGNAME",
        "USERNAME",
        "HOSTNAME",
        "TMPDIR",
        "ASSAY_CANARY",
        "PWD",
        "XDG_CACHE_HOME",
    )
    environment = {**os.environ, **dict.fromkeys(names, str(home)), "MPLCONFIGDIR": str(home)}
    command = [sys.executable, "-m", "assay", "audit", str(home / "bundle"), "tiny", f"store={store}"]
    run = subprocess.run(
        [*command, "--by", "The team"], env=environment, cwd=home, capture_output=True, text=True, check=True
    )
    root = hashlib.sha256((home / "bundle" / "SHA256SUMS").read_bytes()).hexdigest()
    assert f"Root hash: {root}" in run.stdout
    return home / "bundle"


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def said(capsys: Out, *words: str) -> tuple[int, str]:
    capsys.readouterr()
    status = main(["audit", *words])
    out, err = capsys.readouterr()
    return status, out + err


def test_it_holds_decisions_explanations_cards_evidence_and_hashes(bundle: Path, finished: Path) -> None:
    there = {path.name for path in bundle.iterdir()}
    folders = {"decisions", "explanations", "cards", "evidence"}
    files = {"README.md", "SHA256SUMS", "audit.json", "hashes.json", "settings.json", "code.sha256"}
    files |= {"columns.md"}
    assert there == folders | files
    hashes = json.loads((bundle / "hashes.json").read_text())
    trials = [json.loads(path.read_text()) for path in finished.glob("trials/*/trial.json")]
    assert {one["weights"] for one in hashes["models"]} == {one["weights"] for one in trials}
    assert {one["explained"] for one in hashes["texts"]} == {one["explained"] for one in trials}
    lines = (bundle / "code.sha256").read_text().splitlines()
    assert hashes["code"] == hashlib.sha256((bundle / "code.sha256").read_bytes()).hexdigest()
    assert any(line.endswith("  harness/exchange/audit.py") for line in lines)
    assert (bundle / "evidence" / "comparison.csv").read_bytes() == (
        finished / "experiments" / "tiny" / "comparison.csv"
    ).read_bytes()
    assert len(list((bundle / "decisions").glob("*.csv"))) == 2
    assert len(list((bundle / "explanations" / "data").glob("*.parquet"))) == 8
    assert json.loads((bundle / "audit.json").read_text())["by"] == "The team"


def test_its_first_page_leads_to_everything_and_every_column_is_explained(bundle: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", (bundle / "README.md").read_text())
    assert all((bundle / link).exists() for link in links)
    assert {link.split("/")[0] for link in links} == {path.name for path in bundle.iterdir()} - {"README.md"}
    sections = (bundle / "columns.md").read_text().split("\n## `")[1:]
    explained = {
        section.split("`")[0]: set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE))
        for section in sections
    }
    tables = list(bundle.rglob("*.csv"))
    assert len(tables) > 8
    for path in tables:
        name = path.relative_to(bundle).as_posix()
        name = "decisions/*.csv" if name.startswith("decisions/") else name
        with path.open(encoding="utf-8") as file:
            heads = {re.sub(r"^p\(.*", "p(LABEL)", head) for head in next(csv.reader(file))}
        assert heads <= explained[name] and "" not in heads, name


def test_no_user_host_path_or_value_of_the_environment_is_in_it(bundle: Path) -> None:
    sought = {CANARY, str(bundle.parent), str(Path.home()), sys.prefix, str(Path.cwd()), "/tmp/"}
    host = socket.gethostname()
    sought |= {host} if len(host) > 5 else set()
    for path in bundle.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [text for text in sought if len(text) > 4 and text.encode() in content], path


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_sha256sum_verifies_it_and_names_a_changed_byte(copy: Path) -> None:
    command = ["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=copy, check=False).returncode == 0
    flip(copy / "hashes.json")
    run = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert run.returncode == 1 and run.stdout.startswith("hashes.json: ")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def there(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def _link(folder: Path) -> None:
    (folder / "audit.json").unlink()
    (folder / "audit.json").symlink_to(folder / "hashes.json")


def _outside(folder: Path) -> None:
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../secret\n")


CARD = "planted_counting-maxpool-saliency_l2.json"
HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed": (lambda folder: flip(folder / "cards" / CARD), f"cards/{CARD} was changed"),
    "missing": (lambda folder: (folder / "audit.json").unlink(), "audit.json is missing"),
    "added": (lambda folder: (folder / "cards" / ".x").write_text(""), "cards/.x was added"),
    "an empty folder added": (
        lambda folder: (folder / "cards" / "more" / "yet").mkdir(parents=True),
        "cards/more/yet was added, an empty folder",
    ),
    "a folder linked in": (lambda folder: (folder / "more").symlink_to("/"), "more was added"),
    "a link in place of a file": (_link, "audit.json was changed: it is no file any more"),
    "a name outside": (_outside, ", was changed: it names no file of the bundle"),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_was_done_to_it_is_named(copy: Path, capsys: Out, harm: str) -> None:
    status, text = said(capsys, str(copy), "--verify")
    assert status == 0 and "the bundle fits. Root hash: " in text
    act, words = HARM[harm]
    act(copy)
    status, text = said(capsys, "--verify", str(copy))
    assert status == 1 and words in text and "the bundle has 1 fault" in text


def test_line_ends_that_sha256sum_does_not_read_are_named(copy: Path, capsys: Out) -> None:
    sums = copy / "SHA256SUMS"
    sums.write_bytes(sums.read_bytes().replace(b"\n", b"\r\n", 1))
    status, text = said(capsys, str(copy), "--verify")
    assert status == 1 and "SHA256SUMS, line 1, was changed" in text


def test_a_list_that_was_replaced_is_known_by_the_filed_root(copy: Path, capsys: Out) -> None:
    root = verify_bundle(copy).root
    assert said(capsys, str(copy), "--verify", "--root", root)[0] == 0
    flip(copy / "hashes.json")
    lines = (copy / "SHA256SUMS").read_text().splitlines()
    digest = hashlib.sha256((copy / "hashes.json").read_bytes()).hexdigest()
    changed = [f"{digest}  hashes.json" if line.endswith("  hashes.json") else line for line in lines]
    (copy / "SHA256SUMS").write_text("\n".join(changed) + "\n")
    assert said(capsys, str(copy), "--verify")[0] == 0
    status, text = said(capsys, str(copy), "--verify", "--root", root)
    assert status == 1 and "SHA256SUMS was changed: its hash is" in text


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_an_empty_list_verifies_nothing(copy: Path, capsys: Out, content: str) -> None:
    (copy / "SHA256SUMS").write_text(content)
    status, text = said(capsys, "--verify", str(copy))
    assert status == 1 and "lists no file, so that it verifies nothing" in text and text.count("\n") == 1
    for path in copy.iterdir():
        if path.name != "SHA256SUMS":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert said(capsys, "--verify", str(copy))[0] == 1


def test_a_folder_whose_files_are_missing_is_not_called_added(copy: Path) -> None:
    for path in (copy / "decisions").iterdir():
        path.unlink()
    assert {line.split(" ", 1)[1] for line in verify_bundle(copy).faults} == {"is missing"}


def test_a_bundle_of_version_1_verifies() -> None:
    # Of a planted task, without its figures and most of its files, so that it stays small.
    root = "03203a79b5de4d2e5f1910eea701f532c39db32229fec198f32239b0a1c13ece"
    assert verify_bundle(FIXTURE, root).faults == ()


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(
    finished: Path, tmp_path: Path, capsys: Out
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("full", "full/mine", "link"):
        status, text = said(capsys, str(tmp_path / name), "tiny", f"store={finished}")
        assert status == 1 and "exists and is not an empty folder" in text and text.count("\n") == 1
    assert (tmp_path / "full" / "mine").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"full", "link"}


def test_a_bundle_is_whole_or_not_there(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        (tmp_path / "bundle" / "mine").write_text("mine")
        raise KeyboardInterrupt

    (tmp_path / "bundle").mkdir()
    monkeypatch.setattr(audit, "_write", full)
    assert main(["audit", str(tmp_path / "bundle"), "tiny", f"store={finished}"]) == 130
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "bundle",
        "bundle/mine",
    ]

    def filled(_: object, scratch: Path, __: object) -> None:
        (scratch / "x").write_text("")

    (tmp_path / "bundle" / "mine").unlink()
    monkeypatch.setattr(audit, "_write", filled)
    monkeypatch.setattr(audit, "write_sums", lambda _: (tmp_path / "bundle" / "mine").write_text("mine"))
    assert main(["audit", str(tmp_path / "bundle"), "tiny", f"store={finished}"]) == 1
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "bundle",
        "bundle/mine",
    ]


def test_a_store_with_a_fault_is_refused_and_left_alone(store: Path, tmp_path: Path, capsys: Out) -> None:
    path = min(store.glob("cells/*/explanations/*.parquet"))
    flip(path)
    before = path.read_bytes()
    status, text = said(capsys, str(tmp_path / "bundle"), "tiny", f"store={store}")
    assert status == 1 and "the store has 1 fault, the first in cells/" in text
    assert path.read_bytes() == before and not (tmp_path / "bundle").exists()


def test_an_incomplete_experiment_and_nothing_stored(
    store: Path, tiny: list[str], tmp_path: Path, capsys: Out
) -> None:
    shutil.rmtree(min(store.glob("cells/*")))
    status, text = said(capsys, str(tmp_path / "bundle"), "tiny", f"store={store}")
    assert status == 1 and "is not complete: 1 of" in text
    status, text = said(capsys, str(tmp_path / "bundle"), *tiny, f"store={tmp_path / 'new'}")
    assert status == 1 and "nothing of the experiment 'tiny' is stored yet" in text
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["{}", "--verify"], "is no bundle of assay audit, because it has no SHA256SUMS"),
        (["{}", "--verify", "--root", "12"], "is no root hash; expected the 64 digits"),
        (["{}", "--verify", "tiny"], "expected nothing behind it, not 'tiny'"),
        (["{}", "tiny", "--root", "12"], "--root is what a bundle is verified against; expected --verify"),
    ],
)
def test_what_cannot_be_verified_is_said(tmp_path: Path, capsys: Out, words: list[str], text: str) -> None:
    status, out = said(capsys, *(word.format(tmp_path) for word in words))
    assert status == 1 and text in out and out.count("\n") == 1
