# ruff: noqa: E402, B018

# %% [markdown]
# # Tutorial: which explainer should I trust for my classifier?
#
# You have labelled texts and a classifier, and you want to know which words decide its answers. Many methods
# answer that question, and they disagree. This tutorial compares four of them on one task: it trains a model,
# explains it, looks at one text, scores the explainers, and saves the results.
#
# It needs no network and no data. It is a script, `docs/tutorial.py`, and a notebook, `docs/tutorial.ipynb`,
# with the same cells. Numbers are in the outputs of the cells, not in the text, because training gives other
# weights on another machine.

# %% [markdown]
# ## 1. A task from a data frame
#
# A row has a text and a label. Here the texts are support tickets that go to one of two teams. Each ticket
# has three keywords, two of its own team and one of the other, among words that tell nothing. So the model
# has to weigh words against each other.
#
# The column `why` is optional. It holds the *rationale*: the characters that a person would mark as the
# reason, as `[start, end]` spans.

# %%
import time

import numpy as np
import pandas as pd

import assay

KEYWORDS = {
    "billing": ["invoice", "refund", "charged", "payment", "price"],
    "technical": ["crash", "error", "freezes", "login", "update"],
}
FILLER = ["my", "the", "again", "today", "please", "since", "with", "this", "app", "account", "help", "still"]


def ticket(team, rng):
    (other,) = set(KEYWORDS) - {team}
    own = list(rng.choice(KEYWORDS[team], size=2, replace=False))
    words = [*own, rng.choice(KEYWORDS[other]), *rng.choice(FILLER, size=9)]
    words = [str(word) for word in rng.permutation(words)]
    text, why = "", []
    for word in words:
        if word in own:
            why.append([len(text), len(text) + len(word)])
        text += f"{word} "
    return {"ticket": text.strip(), "team": team, "why": why}


rng = np.random.default_rng(0)
frame = pd.DataFrame([ticket(team, rng) for _ in range(500) for team in KEYWORDS])
frame.head()

# %% [markdown]
# `assay.texts` reads the frame. It splits the rows into 80 % for training, 10 % for development and 10 % for
# testing.

# %%
task = assay.texts(frame, text="ticket", label="team", rationale="why", name="tickets")
print(task.labels, len(task.train), len(task.dev), len(task.test))

# %% [markdown]
# ## 2. Two models
#
# The first model is a small convolutional network that Assay trains.

# %%
network = assay.fit("cnn", task)
texts = [example.texts[0] for example in task.test]
gold = np.array([example.labels[0] for example in task.test])


def accuracy(model):
    return float((model.predict_proba(texts).argmax(axis=1) == gold).mean())


print(f"accuracy of the network: {accuracy(network):.2f}")

# %% [markdown]
# The second model is your own: a scikit-learn pipeline. `assay.wrap` needs a function from texts to class
# probabilities, and the names of the classes in the order of its columns.

# %%
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

pipeline = make_pipeline(CountVectorizer(), LogisticRegression())
pipeline.fit(
    [example.texts[0] for example in task.train], [task.labels[example.labels[0]] for example in task.train]
)
wrapped = assay.wrap(pipeline.predict_proba, labels=list(pipeline.classes_))
print(f"accuracy of the pipeline: {accuracy(wrapped):.2f}")

# %% [markdown]
# ## 3. Four explainers
#
# An explainer gives every word a score. A positive score speaks for the class that is explained, a negative
# one against it.
#
# - `saliency_l2`: the length of the gradient at the word. It has no sign.
# - `integrated_gradients`: gradients summed on the path from an empty text to this one.
# - `occlusion`: how far the output falls when the word is hidden.
# - `lime`: a linear model fitted to the outputs for many partly hidden texts.
#
# `baseline="mask"` says what *hidden* means: the word becomes the mask token. Two *controls* go along: `gold`
# marks the rationale, `random` draws its scores. They show what good and bad values of a metric look like.

# %%
explainers = ["saliency_l2", "integrated_gradients", "occlusion", "lime", "gold", "random"]
explanations = assay.explain(network, task.test, explainers, baseline="mask")
explanations

# %% [markdown]
# ## 4. Look at one text
#
# `explanations["occlusion"][0]` explains the predicted class of the first test text. Blue words speak for the
# class, orange words against it.

# %%
explanations["occlusion"][0]

# %%
explanations["saliency_l2"][0]

# %% [markdown]
# The same numbers as a table, with the strongest words first:

# %%
words = {name: dict(explanations[name][0].words()) for name in ("occlusion", "saliency_l2", "lime")}
pd.DataFrame(words).sort_values("occlusion", key=abs, ascending=False).head(6).round(3)

# %% [markdown]
# The two pictures differ in kind. Occlusion says which words speak for the team and which against it.
# Saliency says only how sensitive the model is to a word. One text does not show which explainer is better;
# scores over all test texts do.

# %% [markdown]
# ## 5. Score and compare
#
# - `faithfulness` hides the words with the highest scores first and measures how well the model still
#   classifies. Lower is better: a faithful explainer finds the words that the model needs.
# - `human_agreement` measures whether high scores fall on the rationale. Higher is better, 1 is perfect.
# - `compute_time` counts passes through the model per text. Lower is better.

# %%
scores = assay.score(explanations, ["faithfulness", "human_agreement", "compute_time"])
table = scores.compare()
table[["method", "metric", "value", "low", "high", "p", "best"]].round(3)

# %% [markdown]
# How to read the table:
#
# - **`low` and `high`** are a 95 % interval of `value` over texts: where the value would probably lie for
#   other texts of this kind, with the same model. Two intervals that overlap may still belong to explainers
#   that differ, because both explain the same texts.
# - **`p`** answers that question. It is the p-value of a paired test against the explainer with the best
#   value. It is corrected for the number of explainers.
# - **`best`** is true where the explainer cannot be told apart from the best one at 5 %. Several explainers
#   can be best. That does not show that they are equal: with more texts they may separate.
# - **Controls** are not tested and are never best. Compare every value with theirs first. An explainer that
#   is no better than `random` tells you nothing about this model.
# - **`gold` is not an upper bound** of faithfulness. It marks the keywords of the ticket's own team. An
#   explainer that also ranks the keyword of the other team last leaves that keyword in the text for longest,
#   and the model errs sooner.
#
# The explainers that are best, by metric:

# %%
best = table[table["best"]].groupby("metric")["method"].apply(", ".join)
print(best.to_string())

# %% [markdown]
# Choose with all three in view. A cheap explainer among the best on faithfulness is a good choice; where
# quality differs, more passes buy it.

# %% [markdown]
# ## 6. The wrapped pipeline
#
# The same call explains the pipeline. It gives probabilities only, so explainers that need gradients are left
# out, with the reason. It has no mask token, so an absent word is deleted.

# %%
of_pipeline = assay.explain(wrapped, task.test, explainers, task=task)
for name, reason in of_pipeline.left_out.items():
    print(f"{name}: {reason}")
compared = assay.score(of_pipeline, ["faithfulness", "human_agreement"], removal="delete").compare()
compared[["method", "metric", "value", "low", "high", "p", "best"]].round(3)

# %% [markdown]
# ## 7. Save and load
#
# So far nothing was written. With `store=` the model and the explanations are kept in a folder. The second
# call finds them there and computes nothing again.

# %%
kept = assay.fit("cnn", task, store="assay-store")
for attempt in ("first", "second"):
    start = time.perf_counter()
    assay.explain(kept, task.test, explainers, baseline="mask", store="assay-store")
    print(f"{attempt} call: {time.perf_counter() - start:.1f} s")

# %% [markdown]
# For several models and seeds, use the command line: it writes tables, figures and a page. Save the frame as
# a file first. In a terminal you would type `assay run name=tickets task=local task.path=tickets.jsonl ...`;
# here Python starts the same command.

# %%
import subprocess
import sys

frame.to_json("tickets.jsonl", orient="records", lines=True)
columns = "task.path=tickets.jsonl task.text=ticket task.label=team task.rationale=why"
choice = "model=cnn seed=0,1 explainer=[occlusion,lime,gold,random] metric=[faithfulness,human_agreement]"
command = f"run name=tickets task=local {columns} {choice}"
done = subprocess.run(
    [sys.executable, "-m", "assay", *command.split()], capture_output=True, text=True, check=True
)
print(done.stdout)

# %% [markdown]
# The table has one column per metric; ± is half of the interval, `*` marks the best. † marks explainers that
# hide words as the metric does, by the mask token, which favours them. Rerun faithfulness with
# `baseline@removal=[delete]` to check such a result.
#
# `assay.load` reads the finished experiment, in any later session.

# %%
runs = assay.load("assay-store", "tickets")
runs.comparison[["explainer", "metric", "value", "low", "high", "n_seeds", "best"]].round(3)

# %% [markdown]
# Next: [Assay in Python](python.md) has the other calls, [your own texts and model](own_data_and_model.md)
# the other formats and models, [reading the results](reading_results.md) the tables and figures, and [what
# the numbers are worth](statistics.md) the intervals and tests.
