"""Three ways to turn text into integer ids: characters, a byte-pair encoding of the corpus, GPT-2's tables."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hcg_lib._validate import as_array, check_flag, check_integer, check_list, check_symbols, check_text, shown
from hcg_lib.fetch import FetchError, cache_folder, fetched

Array = np.ndarray
ALPHABET = " abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()-"
_LOOKALIKES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})
_PIECE = 1 << 16  # bytes of text given to the trainer at once


@runtime_checkable
class Tokenizer(Protocol):
    """What a tokenizer offers: its number of ids, text to ids, ids to text."""

    name: str
    size: int

    def encode(self, text: str) -> Array: ...

    def decode(self, ids: Array) -> str: ...


class CharacterTokenizer:
    """Lower-case characters of a fixed alphabet; accents fall off, anything else becomes one space.

    >>> characters = CharacterTokenizer()
    >>> characters.size, characters.decode(characters.encode("Café — 3 \\n\\n [men]"))
    (48, 'cafe - 3 men ')
    """

    def __init__(self, alphabet: str = ALPHABET):
        check_text("alphabet", alphabet)
        bad = not alphabet.isascii() or not alphabet.startswith(" ") or len(set(alphabet)) < len(alphabet)
        if bad or alphabet != alphabet.lower():
            raise ValueError(f"alphabet must be distinct lower-case ASCII starting with a space, got {alphabet!r}")
        self.name, self.size, self.alphabet = "characters", len(alphabet), alphabet
        self._ids = np.zeros(128, np.uint8)
        for code in range(128):
            self._ids[code] = max(alphabet.find(chr(code).lower()), 0)

    def encode(self, text: str) -> Array:
        """Return the ids (n,) of the normalized text, uint8; runs of spaces count once."""
        if not check_text("text", text).isascii():
            text = unicodedata.normalize("NFKD", text.translate(_LOOKALIKES))
            text = "".join(" " if not c.isascii() and not unicodedata.combining(c) else c for c in text)
        ids = self._ids[np.frombuffer(text.encode("ascii", "ignore"), np.uint8)]
        keep = np.append(True, (ids[1:] != 0) | (ids[:-1] != 0))[: len(ids)]
        return ids[keep]

    def decode(self, ids: Array) -> str:
        """Return the normalized text of the ids."""
        return "".join(self.alphabet[i] for i in check_symbols("ids", ids, self.size, ndim=1))


class BytePairTokenizer:
    """A byte-level byte-pair encoding held by the `tokenizers` package."""

    def __init__(self, model: Any, name: str):
        self.model, self.name, self.size = model, name, model.get_vocab_size()
        self._dtype = np.uint16 if self.size <= 1 << 16 else np.uint32

    def encode(self, text: str) -> Array:
        """Return the ids (n,), uint16 where they fit."""
        return np.array(self.model.encode(check_text("text", text)).ids, self._dtype)

    def decode(self, ids: Array) -> str:
        """Return the text of the ids, exactly what was encoded."""
        return self.model.decode(check_symbols("ids", ids, self.size, ndim=1).tolist(), skip_special_tokens=False)


def train_bpe(
    documents: Iterable[str], size: int = 4096, cache: str | Path | None = None, keep: bool = True
) -> BytePairTokenizer:
    """Return a byte-pair encoding with `size` ids trained on `documents`; equal input gives equal ids.

    The trained tables are kept in the cache folder under a hash of the input, unless `keep` is False or the folder
    cannot be written.

    Raises
    ------
    ValueError
        For a size outside 257 … 65,536, documents that are not strings, or too little text for that many ids.

    Examples
    --------
    >>> bpe = train_bpe(["the cat and the hat and the bat"] * 3, size=262, keep=False)
    >>> bpe.size, bpe.decode(bpe.encode("the hat"))
    (262, 'the hat')
    """
    from tokenizers import Tokenizer as Model
    from tokenizers import decoders, models, pre_tokenizers, trainers

    size = check_integer("size", size, 257, 1 << 16)
    texts, keep = check_list("documents", documents, "of strings"), check_flag("keep", keep)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("documents must be at least one string; a .bin of ids has no text to train on")
    digest = hashlib.sha256(f"bpe {size}".encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode("utf8")).digest())
    name = f"bpe-{size}"
    kept = Path(cache or cache_folder()) / "tokenizers" / f"{name}-{digest.hexdigest()[:16]}.json"
    if keep and kept.is_file():
        return BytePairTokenizer(Model.from_file(str(kept)), name)
    model = Model(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    pieces = (text[i : i + _PIECE] for text in texts for i in range(0, len(text), _PIECE))
    model.train_from_iterator(pieces, trainer)
    if model.get_vocab_size() < size:
        raise ValueError(f"size must be at most {model.get_vocab_size()} for so little text, got {size}")
    if keep:
        _keep(kept, model.to_str())
    return BytePairTokenizer(model, name)


def gpt2_tokenizer(cache: str | Path | None = None) -> BytePairTokenizer:
    """Return GPT-2's encoding, 50,257 ids, from its fetched tables; id 50,256 is `<|endoftext|>`.

    Raises
    ------
    FetchError
        If `python -m hcg_lib.fetch gpt2-tokenizer` has not been run.
    """
    from tokenizers import Tokenizer as Model
    from tokenizers import decoders, models, pre_tokenizers

    folder = fetched("gpt2-tokenizer", cache)
    if folder is None:
        raise FetchError("GPT-2's tables are not in the cache; run `python -m hcg_lib.fetch gpt2-tokenizer`")
    vocabulary = json.loads((folder / "encoder.json").read_text("utf8"))
    lines = (folder / "vocab.bpe").read_text("utf8").split("\n")[1:]
    merges = [(left, right) for left, right in (line.split() for line in lines if line.strip())]
    model = Model(models.BPE(vocab=vocabulary, merges=merges))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    model.add_special_tokens(["<|endoftext|>"])
    return BytePairTokenizer(model, "gpt2")


def encode(documents: Iterable[Any], tokenizer: Tokenizer) -> list[Array]:
    """Return one vector of ids a document; documents that are ids already pass through if they fit.

    >>> [ids.tolist() for ids in encode(["Ab", "c"], CharacterTokenizer())]
    [[1, 2], [3]]
    """
    out = []
    if not isinstance(tokenizer, Tokenizer):
        raise ValueError(f"tokenizer must have name, size, encode and decode, got {shown(tokenizer)}")
    for document in check_list("documents", documents, "of strings or vectors of ids"):
        ids = tokenizer.encode(document) if isinstance(document, str) else as_array("documents", document)
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise ValueError(f"documents must be strings or vectors of ids, got {ids.dtype} of shape {ids.shape}")
        if ids.size and int(ids.max()) >= tokenizer.size:
            raise ValueError(f"ids must be below {tokenizer.size}, the size of {tokenizer.name}, got {int(ids.max())}")
        out.append(ids)
    return out


def _keep(path: Path, content: str) -> None:
    """Write a file in one step; a cache that cannot be written is no reason to fail."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf8", dir=path.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, path)
    except OSError:
        return
