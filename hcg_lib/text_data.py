"""A corpus cut up for a model: strings to train on, strings and pieces held out, real text to compare with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hcg_lib._validate import check_integer
from hcg_lib.text import CharacterTokenizer, encode, gpt2_tokenizer, load_corpus, train_bpe
from hcg_lib.tokenization import Tokenizer

Array = np.ndarray
HELD_OUT = 0.2  # share of the documents
PIECES = 32  # documents from which intervals can come; fewer are cut
LEAST = 6  # pieces to train on, and held-out ones


@dataclass(frozen=True)
class TextData:
    """A corpus cut up: strings (N, d) to train on, held-out strings with the number of their piece, and real text.

    `documents` holds what is trained on, for copies; `reference` the whole training part, for correlations.
    """

    tokenizer: Tokenizer
    train: Array
    documents: list[Array]
    reference: list[Array]
    held: Array
    held_label: Array
    source: str
    digest: str

    @property
    def v(self) -> int:
        """Number of ids."""
        return self.tokenizer.size


def text_data(corpus: str, tokens: str = "characters", d: int = 256, size: int = 0, seed: int = 0) -> TextData:
    """Load a corpus, hold out a fifth of its documents, and cut both parts into strings.

    Parameters
    ----------
    corpus
        A name or path for `load_corpus`; what is not in the cache is fetched.
    tokens
        "characters", "bpe-4096" (or another size; trained on the training part), or "gpt2" (also for .bin files).
    d
        Tokens in a string. Strings lie side by side within documents; what is left over at the end of one is dropped.
    size
        Tokens to train on, drawn as random strings; 0 for all there are.
    seed
        Of the split and of the draw.

    Raises
    ------
    ValueError
        If the corpus has fewer than two documents, or too few of d tokens.

    Examples
    --------
    >>> data = text_data("sotu-slice", d=128, size=12800)
    >>> data.train.shape, data.v, len(data.reference) >= 16
    ((100, 128), 48, True)
    """
    d, size = check_integer("d", d, 2), check_integer("size", size, 0)
    loaded = load_corpus(corpus, download=True)
    parts = loaded.split(HELD_OUT, seed=seed)
    tokenizer = _tokenizer(tokens, list(parts[0].documents))
    documents, held = (_pieces(encode(part.documents, tokenizer), d) for part in parts)
    strings = _strings(documents, d)
    if min(len(documents), len(held)) < LEAST:
        raise ValueError(
            f"corpus must hold more text: {loaded.name!r} gives {len(documents)} pieces of {d} tokens or more to train "
            f"on and {len(held)} held-out ones, {LEAST} of each are needed; documents shorter than that do not count"
        )
    if size:
        check_integer("size", size, d, strings.size)
        strings = strings[np.random.default_rng(seed).permutation(len(strings))[: size // d]]
    return TextData(
        tokenizer,
        train=strings,
        documents=list(strings) if size else documents,
        reference=documents,
        held=_strings(held, d),
        held_label=np.repeat(np.arange(len(held)), [len(piece) // d for piece in held]),
        source=loaded.source,
        digest=loaded.digest[:16],
    )


def _tokenizer(tokens: str, documents: list[Any]) -> Tokenizer:
    if tokens == "characters":
        return CharacterTokenizer()
    if tokens == "gpt2":
        return gpt2_tokenizer()
    kind, _, size = str(tokens).partition("-")
    if kind != "bpe" or not size.isdigit():
        raise ValueError(f"tokens must be 'characters', 'bpe-SIZE' or 'gpt2', got {tokens!r}")
    return train_bpe(documents, int(size))


def _strings(documents: Iterable[Array], d: int) -> Array:
    """Whole strings of d tokens, side by side: (N, d)."""
    parts = [document[: len(document) // d * d].reshape(-1, d) for document in documents]
    return np.concatenate(parts) if parts else np.empty((0, d), np.uint8)


def _pieces(documents: list[Array], d: int) -> list[Array]:
    """The documents of d tokens or more; where there are few, cut into pieces: intervals come from pieces."""
    if len(documents) < PIECES:
        length = max(d, sum(map(len, documents)) // PIECES)
        documents = [document[i : i + length] for document in documents for i in range(0, len(document), length)]
    return [document for document in documents if len(document) >= d]
