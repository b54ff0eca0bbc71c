"""Images of one size, split into those to train on and those held out, from public packages or from the user's files.

For example::

    images = load_images("fashion-slice")           # committed; "fashion-mnist", "photos", "emoji" after a fetch
    images = load_images("folder/of/images")        # PNG, JPEG, … in any subfolders; or one .npz with `images`
"""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from hcg_lib._random import generator
from hcg_lib._validate import as_array, check_integer, shown
from hcg_lib.fetch import fetch

Array = np.ndarray
SLICE = Path(__file__).parent / "data" / "fashion" / "fashion.npz"
KINDS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"}
LONG_SIDE = 1280  # pixels that photographs are shrunk to: at full size JPEG's blur would be their finest scale
FLAT = 12.0  # standard deviation of a patch's brightness below which it is sky or fog
HELD_OUT = 0.2  # share of a user's images that is held out
LEAST = 20  # images
GRAY = 128  # middle gray
PLASMA = (  # the wallpapers of Plasma that are photographs
    *("FallenLeaf", "Path", "DarkestHour", "Volna", "summer_1am", "EveningGlow"),
    *("Grey", "Kite", "ColorfulCups", "OneStandsOut", "ColdRipple", "BytheWater"),
)


@dataclass(frozen=True)
class Images:
    """A set of images (N, H, W, C) uint8 with C = 1 or 3, to train on and held out, with licence and source."""

    name: str
    train: Array
    held_out: Array
    licence: str
    source: str

    @property
    def digest(self) -> str:
        """SHA-256 of all pixels in order."""
        return hashlib.sha256(self.train.tobytes() + self.held_out.tobytes()).hexdigest()


def load_images(source: str | Path, size: int = 32, seed: Any = 0) -> Images:
    """Return images of `size` pixels a side.

    Parameters
    ----------
    source
        "fashion-slice" (committed), "fashion-mnist", "photos", "emoji" (fetched packages), a folder of image files, or
        an .npz file with an array `images` (N, H, W), (N, H, W, 1) or (N, H, W, 3) of uint8.
    size
        Pixels. Smaller images get a black border, larger ones are averaged over blocks if their sides are a multiple.
    seed
        Of the order, and of what is held out where the source does not say: a fifth. Photographs are split by photo.

    Raises
    ------
    ValueError
        If there is no such source or it cannot be used: too few images, of several sizes, of one color, not uint8.
    FetchError
        If a package is neither in the cache nor to be had.

    Examples
    --------
    >>> images = load_images("fashion-slice")
    >>> images.train.shape, images.held_out.shape, images.train.dtype
    ((512, 32, 32, 1), (256, 32, 32, 1), dtype('uint8'))
    """
    size, rng = check_integer("size", size, 8, 1024), generator(seed)
    if not isinstance(source, (str, Path)):
        raise ValueError(f"source must be a name or a path, got {shown(source)}")
    if str(source) in SOURCES:
        parts, licence, origin = SOURCES[str(source)](size)
        train, held = (check_images(str(source), fit(part, size)) for part in parts)
        train, held = train[rng.permutation(len(train))], held[rng.permutation(len(held))]
        return Images(str(source), train, held, licence, origin)
    path = Path(source)
    if path.is_dir():
        images = _folder(path)
    elif path.is_file() and path.suffix == ".npz":
        images = _npz(path)
    else:
        known = ", ".join(map(repr, SOURCES))
        raise ValueError(f"source must be one of {known}, a folder of images or an .npz file, got {shown(str(source))}")
    if len(images) < LEAST:
        raise ValueError(f"source must hold at least {LEAST} images, {path} has {len(images)}")
    images = check_images(str(source), fit(images, size))[rng.permutation(len(images))]
    held_out = round(HELD_OUT * len(images))
    return Images(path.name, images[held_out:], images[:held_out], "the user's", f"{path.name}, {len(images)} images")


def check_images(name: str, images: Any) -> UInt8[Array, "N H W C"]:
    """Return images as they are, or raise a ValueError: no uint8 (N, H, W, C), or one of a single color.

    >>> check_images("images", np.eye(4, dtype=np.uint8)[None, :, :, None]).shape
    (1, 4, 4, 1)
    """
    array = _check_pixels(name, images)
    flat = (array == array[:, :1, :1]).all((1, 2, 3))
    if flat.any():
        first = int(flat.argmax())
        raise ValueError(
            f"{name} must hold images of more than one color, got {int(flat.sum())} of {len(array)} without any "
            f"structure; the first is number {first}, {array[first, 0, 0].tolist()} everywhere"
        )
    return array


def _check_pixels(name: str, images: Any) -> Array:
    """Return uint8 (N, H, W, C), or raise a ValueError."""
    array = as_array(name, images)
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size:
        raise ValueError(f"{name} must have shape (N, H, W, 1) or (N, H, W, 3) and hold an image, got {array.shape}")
    if array.dtype != np.uint8:
        raise ValueError(f"{name} must hold integers of dtype uint8, 0 … 255, got {array.dtype}")
    return array


def fit(images: Array, size: int) -> Array:
    """Return images (N, size, size, C): a black border around smaller ones, blocks of larger ones averaged.

    >>> fit(np.full((1, 6, 6, 1), 7, np.uint8), 8)[0, :, 3, 0].tolist()
    [0, 7, 7, 7, 7, 7, 7, 0]
    """
    N, H, W, C = images.shape
    if max(H, W) <= size:
        top, left = (size - H) // 2, (size - W) // 2
        return np.pad(images, ((0, 0), (top, size - H - top), (left, size - W - left), (0, 0)))
    if H == W and H % size == 0:
        blocks = images.reshape(N, size, H // size, size, W // size, C)
        return np.rint(blocks.mean((2, 4))).astype(np.uint8)
    raise ValueError(f"size must not be below the images' {H}x{W} unless it divides both sides, got {size}")


def cut(image: Array, size: int) -> Array:
    """Return the patches (N, size, size, C) that an image (H, W, C) falls into, borders left out.

    >>> cut(np.zeros((9, 12, 3), np.uint8), 4).shape
    (6, 4, 4, 3)
    """
    H, W = (side // size for side in image.shape[:2])
    blocks = image[: H * size, : W * size].reshape(H, size, W, size, -1)
    return blocks.swapaxes(1, 2).reshape(H * W, size, size, -1)


def center_colors(images: Array) -> Array:
    """Return images (N, H, W, C) whose mean in every channel is middle gray; what leaves 0 … 255 is cut off.

    The mean of an image is the largest scale that there is, and any feature averaged over the image contains it.

    >>> center_colors(np.array([[[[0], [10]]]], np.uint8)).ravel().tolist()
    [123, 133]
    """
    values = _check_pixels("images", images).astype(np.float32)
    values += np.float32(GRAY) - values.mean((1, 2), keepdims=True)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _open(path: Path, reduce_to: int | None = None) -> Array:
    """Pixels (H, W, 3) of a file, on white where it is transparent, shrunk by an integer if too large."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            picture = image.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"source must hold images, {path} cannot be read as one ({error})") from error
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    picture = ground.convert("RGB")
    if reduce_to is not None:
        picture = picture.reduce(max(1, round(max(picture.size) / reduce_to)))
    return np.asarray(picture)


def _stack(paths: Sequence[Path]) -> Array:
    """Images of one size as one array; gray if no pixel of any has a color."""
    first = _open(paths[0])
    images = np.empty((len(paths), *first.shape), np.uint8)
    for place, path in zip(images, paths, strict=True):
        image = _open(path)
        if image.shape != first.shape:
            (H, W), (h, w) = first.shape[:2], image.shape[:2]
            raise ValueError(f"source must hold images of one size: {paths[0].name} is {H}x{W}, {path.name} is {h}x{w}")
        place[...] = image
    gray = (images == images[..., :1]).all()
    return images[..., :1] if gray else images


def _folder(path: Path) -> Array:
    paths = sorted(found for found in path.rglob("*") if found.suffix.lower() in KINDS)
    if not paths:
        raise ValueError(f"source must hold image files ({', '.join(sorted(KINDS))}), {path} has none")
    return _stack(paths)


def _npz(path: Path) -> Array:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names, images = sorted(arrays), arrays.get("images")
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"source must be an .npz file of numbers, {path} cannot be read as one ({error})") from error
    if images is None:
        raise ValueError(f"source must hold an array named images, {path} has {names}")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4:
        raise ValueError(f"images must have shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), got {images.shape}")
    return images


def _idx(path: Path) -> Array:
    """Read the gzipped IDX format of MNIST: (N, 28, 28, 1)."""
    raw = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(raw, ">i4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(*shape, 1)


Parts = tuple[tuple[Array, Array], str, str]


def _fashion_slice(size: int) -> Parts:
    with np.load(SLICE, allow_pickle=False) as arrays:
        parts = arrays["train"][..., None], arrays["held_out"][..., None]
    return parts, "MIT (Zalando SE)", "slice of Fashion-MNIST, committed"


def _fashion(size: int) -> Parts:
    folder = fetch("fashion-mnist")
    train, held = (_idx(folder / f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k"))
    return (train, held), "MIT (Zalando SE)", "Debian package dataset-fashion-mnist"


def _emoji(size: int) -> Parts:
    images = np.unique(_stack(sorted(fetch("emoji").glob("*.png"))), axis=0)  # some are drawn twice
    held = np.zeros(len(images), bool)
    held[generator(0).permutation(len(images))[: len(images) // 5]] = True
    return (images[~held], images[held]), "Google Noto, Apache-2.0", "npm package emoji-datasource-google 16.0.0"


def _photos(size: int) -> Parts:
    lomiri = [p for p in fetch("photos-lomiri").rglob("*.jpg") if "_by_" in p.name and "umang" not in p.name]
    mate = list((fetch("photos-mate") / "nature").glob("*.jpg"))
    walls = [fetch("photos-plasma") / name / "contents" / "images" for name in PLASMA]
    plasma = [max(wall.iterdir(), key=lambda p: p.stat().st_size) for wall in walls]
    paths = sorted(lomiri + mate) + plasma
    patches = [cut(_open(path, LONG_SIDE), size) for path in paths]
    patches = [part[part.mean(-1).std((1, 2)) > FLAT] for part in patches]
    held = set(generator(0).permutation(len(paths))[: len(paths) // 5].tolist())
    train = np.concatenate([part for i, part in enumerate(patches) if i not in held])
    kept = np.concatenate([part for i, part in enumerate(patches) if i in held])
    origin = f"{len(paths)} photographs of Debian packages lomiri-wallpapers-16.04, mate-backgrounds, plasma-workspace"
    return (train, kept), "CC-BY, CC-BY-SA, CC0, GPL-2+", origin


SOURCES: dict[str, Callable[[int], Parts]] = {
    "fashion-slice": _fashion_slice,
    "fashion-mnist": _fashion,
    "photos": _photos,
    "emoji": _emoji,
}
