"""Which encoders of transformers are open, and where their modules are: one table.

`assay.models.encoder` runs what stands here. To open another encoder is to add a row, and its name to the
networks of tests/models/open_networks.py, whose tests hold it against transformers' own forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from transformers import PreTrainedModel

from assay.models.attention_kinds import MakeKind, NotOpenError, by_content, disentangled, rotary
from assay.models.backward_rule import ELEMENTWISE

# What transformers calls the elementwise functions of `BackwardRule`.
FUNCTIONS = {
    **{name: name for name in ("relu", "gelu", "tanh", "sigmoid")},
    **dict.fromkeys(("gelu_new", "gelu_pytorch_tanh", "gelu_fast"), "gelu_tanh"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """The n-th, from 0, of so many equal parts of what the linear module at a path answers."""

    path: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class LayerLayout:
    """Where a layer's modules are, from the layer; None for those that it does not have.

    A norm stands before or after attention and before or after the feed-forward block; one that is named and
    is no normalisation in a layer is left out there. gate: what the widened states are multiplied by.
    """

    query: str | Part
    key: str | Part
    value: str | Part
    merge: str
    widen: str | Part
    narrow: str
    gate: str | Part | None = None
    before_attention: str | None = None
    after_attention: str | None = None
    before_feed_forward: str | None = None
    after_feed_forward: str | None = None


@dataclass(frozen=True, slots=True)
class HeadLayout:
    """The head: a linear module, a function, maybe a norm, and the topmost linear module.

    hidden, output, norm: paths from the network. squash: the function between them, by its name or that of
    the setting which has it. dropout: the settings of its dropout in training, of which the first that is set
    counts. pooling: the setting that says whether it reads the "cls" token, the first, or the "mean" of all;
    None where it reads the first.
    """

    hidden: str
    squash: str
    output: str = "classifier"
    norm: str | None = None
    dropout: tuple[str, ...] = ("hidden_dropout_prob",)
    pooling: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where an encoder's modules are.

    layers: the list of layers, from the base model. shared: the list of layers in each member of `layers`,
    which then are groups of layers that are used several times. project: the linear module between the
    embedding block and the first layer, from the base model, where the network has it. last_norm: behind the
    last layer, from the base model. activation: the setting that has the function of the feed-forward block.
    """

    head: HeadLayout
    layer: LayerLayout
    layers: str = "encoder.layer"
    shared: str | None = None
    project: str | None = None
    last_norm: str | None = None
    activation: str = "hidden_act"
    attention: MakeKind = field(default=by_content)


_BERT_LAYER = LayerLayout(
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    merge="attention.output.dense",
    after_attention="attention.output.LayerNorm",
    widen="intermediate.dense",
    narrow="output.dense",
    after_feed_forward="output.LayerNorm",
)
_ROBERTA = Layout(HeadLayout("classifier.dense", "tanh", "classifier.out_proj"), _BERT_LAYER)

# By the name of the network's class.
LAYOUTS = {
    "BertForSequenceClassification": Layout(HeadLayout("bert.pooler.dense", "tanh"), _BERT_LAYER),
    "RobertaForSequenceClassification": _ROBERTA,
    "XLMRobertaForSequenceClassification": _ROBERTA,
    "ElectraForSequenceClassification": replace(
        _ROBERTA,
        head=HeadLayout(
            "classifier.dense",
            "gelu",
            "classifier.out_proj",
            dropout=("classifier_dropout", "hidden_dropout_prob"),
        ),
        project="embeddings_project",
    ),
    "DistilBertForSequenceClassification": Layout(
        HeadLayout("pre_classifier", "relu", dropout=("seq_classif_dropout",)),
        LayerLayout(
            query="attention.q_lin",
            key="attention.k_lin",
            value="attention.v_lin",
            merge="attention.out_lin",
            after_attention="sa_layer_norm",
            widen="ffn.lin1",
            narrow="ffn.lin2",
            after_feed_forward="output_layer_norm",
        ),
        layers="transformer.layer",
        activation="activation",
    ),
    "AlbertForSequenceClassification": Layout(
        HeadLayout("albert.pooler", "tanh", dropout=("classifier_dropout_prob",)),
        LayerLayout(
            query="attention.query",
            key="attention.key",
            value="attention.value",
            merge="attention.dense",
            after_attention="attention.LayerNorm",
            widen="ffn",
            narrow="ffn_output",
            after_feed_forward="full_layer_layer_norm",
        ),
        layers="encoder.albert_layer_groups",
        shared="albert_layers",
        project="encoder.embedding_hidden_mapping_in",
    ),
    # Versions 2 and 3.
    "DebertaV2ForSequenceClassification": Layout(
        HeadLayout("pooler.dense", "pooler_hidden_act", dropout=("cls_dropout", "hidden_dropout_prob")),
        replace(
            _BERT_LAYER,
            query="attention.self.query_proj",
            key="attention.self.key_proj",
            value="attention.self.value_proj",
        ),
        attention=disentangled,
    ),
    "ModernBertForSequenceClassification": Layout(
        HeadLayout(
            "head.dense",
            "classifier_activation",
            norm="head.norm",
            dropout=("classifier_dropout",),
            pooling="classifier_pooling",
        ),
        LayerLayout(
            query=Part("attn.Wqkv", 0, 3),
            key=Part("attn.Wqkv", 1, 3),
            value=Part("attn.Wqkv", 2, 3),
            merge="attn.Wo",
            before_attention="attn_norm",
            widen=Part("mlp.Wi", 0, 2),
            gate=Part("mlp.Wi", 1, 2),
            narrow="mlp.Wo",
            before_feed_forward="mlp_norm",
        ),
        layers="layers",
        last_norm="final_norm",
        activation="hidden_activation",
        attention=rotary,
    ),
}


def find_layout(network: PreTrainedModel) -> Layout:
    """The layout of a network's class. Raises NotOpenError where the table has none."""
    name = type(network).__name__
    if name not in LAYOUTS:
        raise NotOpenError(f"the forward pass of {name} is not written out")
    if getattr(network.config, "is_decoder", False):
        raise NotOpenError(f"the forward pass of {name} is not written out for is_decoder=true")
    return LAYOUTS[name]


def function_of(network: PreTrainedModel, named: str) -> str:
    """The elementwise step of a name, or of the setting that has this name. Raises NotOpenError."""
    name = named if named in ELEMENTWISE else getattr(network.config, named, None)
    if name not in FUNCTIONS:
        raise NotOpenError(f"its function {name!r} ({named}) is not among {', '.join(FUNCTIONS)}")
    return FUNCTIONS[name]


def output_name(network: PreTrainedModel) -> str:
    """Where the topmost module of a network of the table is."""
    return LAYOUTS[type(network).__name__].head.output
