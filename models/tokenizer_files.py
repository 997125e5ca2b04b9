"""The files of a tokenizer: written so that it comes back from them, and named by their content."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from assay.models.access import ODD_TEXTS
from assay.models.checkpoint import quiet
from assay.tasks.errors import InputError

# Where a tokenizer was read from, which it writes beside what it is.
ORIGIN = frozenset({"name_or_path", "is_local", "local_files_only", "tokenizer_file", "transformers_version"})
# So many words of the vocabulary are read to see whether a tokenizer came back.
READ_AGAIN = 500


def write_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a tokenizer so that `AutoTokenizer.from_pretrained` reads it from the folder.

    Some of those written in Python leave out a part of their files (BERTweet's the counts of merges, without
    which it reads no merge); these are copied from where the tokenizer was read.

    Raises:
        InputError: on one that does not come back.
    """
    name = type(tokenizer).__name__
    try:
        tokenizer.save_pretrained(folder)
        if tokenizer.is_fast or _comes_back(tokenizer, folder):
            return
        for role, file in tokenizer.vocab_files_names.items():
            own = getattr(tokenizer, role, None)
            if isinstance(own, str) and Path(own).is_file():
                shutil.copyfile(own, folder / file)
        if _comes_back(tokenizer, folder):
            return
        reason = "it reads texts in another way then"
    # What the library's code meets in files that are not there, or in a class that it does not know.
    except (OSError, AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
    raise InputError(
        f"the tokenizer, a {name}, cannot be written and read again ({reason}); keep the files that it was "
        "read from, or choose a checkpoint with a tokenizer.json"
    )


def tokenizer_content(tokenizer: PreTrainedTokenizerBase) -> str:
    """Names what a tokenizer makes of texts, wherever it was read from."""
    if tokenizer.is_fast:
        return cast(Any, tokenizer).backend_tokenizer.to_str()
    names = {*ORIGIN, *tokenizer.vocab_files_names}
    settings = {key: str(value) for key, value in tokenizer.init_kwargs.items() if key not in names}
    pieces = getattr(tokenizer, "sp_model", None)
    parts = [
        type(tokenizer).__name__,
        settings,
        _digest(sorted(tokenizer.get_vocab().items())),
        _digest(list(getattr(tokenizer, "bpe_ranks", {}).items())),
        None if pieces is None else sha256(pieces.serialized_model_proto()).hexdigest(),
        # Some read texts in another way where a package is installed, such as that of emoji.
        _numbers(tokenizer, ODD_TEXTS),
    ]
    return json.dumps(parts, sort_keys=True)


def _digest(value: object) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()


def _comes_back(tokenizer: PreTrainedTokenizerBase, folder: Path) -> bool:
    """Whether the tokenizer of a folder is of the same class and reads as this one does."""
    with quiet():
        again = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    vocabulary = tokenizer.get_vocab()
    if type(again) is not type(tokenizer) or again.get_vocab() != vocabulary:
        return False
    step = max(1, len(vocabulary) // READ_AGAIN)
    words = tokenizer.convert_tokens_to_string(sorted(vocabulary)[::step])
    texts = (*ODD_TEXTS, words)
    return _numbers(again, texts) == _numbers(tokenizer, texts)


def _numbers(tokenizer: PreTrainedTokenizerBase, texts: tuple[str, ...]) -> list[list[int]]:
    return [tokenizer(text, truncation=False, verbose=False)["input_ids"] for text in texts]
