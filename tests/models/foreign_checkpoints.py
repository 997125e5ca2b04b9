"""Tiny random checkpoints of many architectures, each with a tokenizer of the kind that its like has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from assay.models.seeding import seeded

LABELS = ("bad", "fair", "good")
CORPUS = [
    "the film is good and the plot is awful, but the music was really wonderful again",
    "a boring story about an actor today; it's not what I'd call a brilliant scene!",
    "Chinese 中文 and Arabic عربي, an é or two, 12 times 345 is nothing",
] * 9
# In RoBERTa's order; it and its like count positions from behind the number of the padding token.
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
BOS, PAD, EOS, *_ = range(len(SPECIALS))


def wordpiece() -> PreTrainedTokenizerFast:
    """BERT's: pieces of lower-case words, the second text of a pair of type 1."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=list(SPECIALS), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _fast(tokenizer, "<s> $A </s>", "<s> $A </s> $B:1 </s>:1", types=True)


def bytes_trimmed() -> PreTrainedTokenizerFast:
    """RoBERTa's: byte-level pieces, offsets without the space, no type ids."""
    return _fast(_bytes(trim=True), "<s> $A </s>", "<s> $A </s> </s> $B </s>")


def bytes_untrimmed() -> PreTrainedTokenizerFast:
    """GPT-2's: byte-level pieces, offsets with the space, no special tokens."""
    return _fast(_bytes(trim=False), None, None)


def bytes_without_padding() -> PreTrainedTokenizerFast:
    """GPT-2's as it is published: without a padding token."""
    tokenizer = _fast(_bytes(trim=False), None, None)
    tokenizer.pad_token = None
    return tokenizer


def unigram() -> PreTrainedTokenizerFast:
    """T5's: pieces of SentencePiece, the end of each text marked."""
    return _fast(_unigram(), "$A </s>", "$A </s> $B </s>")


def unigram_whole() -> PreTrainedTokenizerFast:
    """Llama's: as SentencePiece cuts texts that are not divided at white space before."""
    return _fast(_unigram(split=False), "<s> $A", "<s> $A <s> $B")


def unigram_last() -> PreTrainedTokenizerFast:
    """XLNet's: what the classifier reads is last, of a type of its own."""
    return _fast(_unigram(), "$A </s> <s>:2", "$A </s> $B:1 </s>:1 <s>:2", types=True)


def _bytes(*, trim: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=trim)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=list(SPECIALS), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim)
    return tokenizer


def _unigram(*, split: bool = True) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=list(SPECIALS), unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=split)
    return tokenizer


def _fast(
    tokenizer: Tokenizer, single: str | None, pair: str | None, *, types: bool = False
) -> PreTrainedTokenizerFast:
    if single is not None:
        template = processors.TemplateProcessing(
            single=single, pair=pair, special_tokens=[("<s>", BOS), ("</s>", EOS)]
        )
        before = [] if tokenizer.post_processor is None else [tokenizer.post_processor]
        tokenizer.post_processor = processors.Sequence([*before, template])
    names = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    bos, pad, eos, unk, mask = SPECIALS
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=names,
        **{"pad_token": pad, "bos_token": bos, "eos_token": eos, "unk_token": unk, "mask_token": mask},
    )


# What configurations call the sizes that make a network small. Each takes those that it knows.
SMALL: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embedding_size"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_layers"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads", "num_key_value_heads"), 2),
    **dict.fromkeys(("intermediate_size", "hidden_dim", "d_ff", "ffn_dim", "n_inner", "dff"), 40),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "ffn_hidden_size"), 40),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 130),
    **dict.fromkeys(("head_dim", "d_kv"), 16),
    **{"vocab_size": 320, "type_vocab_size": 3, "pad_token_id": PAD, "bos_token_id": BOS},
    **{"eos_token_id": EOS, "decoder_start_token_id": PAD, "num_labels": len(LABELS)},
    **{"initializer_range": 0.3, "init_std": 0.3, "hash_seed": 1},
}


@dataclass(frozen=True, eq=False)
class Foreign:
    """An architecture: its name in transformers, its tokenizer, and how it differs from what is usual."""

    name: str
    tokenizer: Callable[[], PreTrainedTokenizerFast]
    options: dict[str, Any] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}-{self.tokenizer.__name__}"

    def save(self, folder: Path) -> Path:
        """A folder with weights, configuration and tokenizer."""
        usual = AutoConfig.for_model(self.name)
        known = {name: value for name, value in SMALL.items() if hasattr(usual, name)}
        known = {name: value for name, value in known.items() if name not in self.fixed} | self.options
        config = AutoConfig.for_model(self.name, **known)
        config.id2label = dict(enumerate(LABELS))
        config.label2id = {label: at for at, label in enumerate(LABELS)}
        with seeded(0):
            network = AutoModelForSequenceClassification.from_config(config)
            # So that no head answers 0 to everything.
            for parameter in network.parameters():
                parameter.data += 0.05 * torch.randn_like(parameter)
        network.save_pretrained(folder)
        self.tokenizer().save_pretrained(folder)
        return folder


REFORMER = {"axial_pos_shape": [10, 13], "axial_pos_embds_dim": [16, 16], "is_decoder": False}
FOREIGN = [
    *(Foreign(name, wordpiece) for name in ("bert", "electra", "ernie", "megatron-bert", "convbert")),
    *(Foreign(name, wordpiece) for name in ("mobilebert", "nystromformer", "yoso", "rembert", "layoutlm")),
    *(Foreign(name, wordpiece) for name in ("roformer", "distilbert", "squeezebert", "mpnet")),
    Foreign("big_bird", wordpiece, {"block_size": 4, "num_random_blocks": 1}),
    Foreign(
        "funnel",
        wordpiece,
        {"block_sizes": [1, 1], "num_decoder_layers": 1, "d_head": 16},
        ("num_hidden_layers",),
    ),
    Foreign("roc_bert", wordpiece, {"enable_shape": False, "enable_pronunciation": False}),
    *(Foreign(name, bytes_trimmed) for name in ("roberta", "deberta", "esm", "ibert", "modernbert")),
    *(Foreign(name, bytes_trimmed) for name in ("bart", "mvp", "data2vec-text", "roberta-prelayernorm")),
    Foreign("longformer", bytes_trimmed, {"attention_window": 8}),
    Foreign("gpt2", bytes_untrimmed),
    Foreign("gpt2", bytes_without_padding, {"pad_token_id": None}),
    *(Foreign(name, bytes_untrimmed) for name in ("gpt_neox", "opt", "bloom", "qwen2", "ctrl", "phi")),
    Foreign("gptj", bytes_untrimmed, {"rotary_dim": 8}),
    *(Foreign(name, unigram, {"decoder_start_token_id": PAD}) for name in ("t5", "mt5", "umt5")),
    *(Foreign(name, unigram) for name in ("mbart", "plbart", "albert", "camembert")),
    *(Foreign(name, unigram) for name in ("xlm-roberta", "deberta-v2", "fnet", "xlm-roberta-xl")),
    *(Foreign(name, unigram, {"pad_index": PAD}) for name in ("xlm", "flaubert")),
    *(Foreign(name, unigram_whole) for name in ("llama", "mistral", "gemma", "olmo")),
    Foreign("xlnet", unigram_last, {"d_inner": 40}, ("max_position_embeddings",)),
    Foreign("reformer", unigram, REFORMER),
    Foreign("perceiver", wordpiece, {"d_latents": 32, "num_latents": 4, "num_self_attends_per_block": 1}),
]

# They read tables or long texts only, or answer differently each time.
REFUSED = [
    Foreign("tapas", wordpiece),
    Foreign("canine", wordpiece, {"num_hash_buckets": 64}),
    Foreign("reformer", unigram, {**REFORMER, "hash_seed": None, "lsh_attn_chunk_length": 4}),
]
