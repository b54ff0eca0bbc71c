"""Images: what is loaded has one size and a split; what cannot be used is refused in a sentence."""

import gzip

import numpy as np
import pytest
from PIL import Image

from hcg_lib import images as module
from hcg_lib.fetch import fetched
from hcg_lib.image_controls import measure_shuffled, shuffle_blocks
from hcg_lib.images import LEAST, check_images, cut, fit, load_images
from hcg_lib.packing import pack_array, unpack_array


def pictures(number, size=16, channels=3, seed=0):
    shape = (number, size, size, channels)
    return np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)


def write_folder(folder, images, suffix=".png"):
    (folder / "deep").mkdir(parents=True)
    for number, image in enumerate(images):
        place = folder / "deep" if number % 2 else folder
        Image.fromarray(image.squeeze()).save(place / f"{number:03d}{suffix}")
    return folder


def test_slice_is_whole_and_its_order_is_of_the_seed():
    one, again, other = (load_images("fashion-slice", seed=seed) for seed in (0, 0, 1))
    assert one.digest == again.digest != other.digest
    assert np.array_equal(*(np.sort(found.train.reshape(512, -1), axis=0) for found in (one, other)))
    assert (one.train[:, :2] == 0).all()  # the border
    overlap = {x.tobytes() for x in one.train} & {x.tobytes() for x in one.held_out}
    assert not overlap


def test_folder_and_npz_of_the_users_own_are_the_same_set(tmp_path):
    made = pictures(40)
    write_folder(tmp_path / "mine", made)
    np.savez(tmp_path / "mine.npz", images=made)
    folder, npz = load_images(tmp_path / "mine", 16), load_images(tmp_path / "mine.npz", 16)
    for found in (folder, npz):
        assert found.train.shape == (32, 16, 16, 3)
        assert found.held_out.shape == (8, 16, 16, 3)
        together = np.concatenate([found.train, found.held_out])
        assert {x.tobytes() for x in together} == {x.tobytes() for x in made}


def test_gray_files_have_one_channel_and_transparency_is_white(tmp_path):
    gray = load_images(write_folder(tmp_path / "gray", pictures(LEAST, channels=1)), 16)
    assert gray.train.shape[-1] == 1
    clear = np.zeros((LEAST, 16, 16, 4), np.uint8)
    clear[:, :8, :, 3] = 255
    seen = load_images(write_folder(tmp_path / "clear", clear), 16)
    assert (seen.train[:, :8] == 0).all()
    assert (seen.train[:, 8:] == 255).all()


def test_a_fifth_is_held_out_and_it_follows_from_the_seed(tmp_path):
    np.savez(tmp_path / "a.npz", images=pictures(50, channels=1)[..., 0])
    held = [load_images(tmp_path / "a.npz", 16, seed).held_out for seed in (3, 3, 4)]
    assert len(held[0]) == 10
    assert np.array_equal(held[0], held[1])
    assert not np.array_equal(held[0], held[2])


def test_fit_keeps_the_mean_and_centers():
    large = pictures(3, 64)
    assert fit(large, 32).mean() == pytest.approx(large.mean(), abs=0.1)
    small = fit(pictures(2, 28), 32)
    assert (small[:, 2:30, 2:30] == pictures(2, 28)).all()
    assert small[:, :2].sum() == small[:, 30:].sum() == 0


def test_patches_tile_the_image():
    image = np.arange(6 * 9).reshape(6, 9, 1)
    assert cut(image, 3)[4].ravel().tolist() == image[3:6, 3:6].ravel().tolist()


@pytest.mark.parametrize("block", [1, 2, 4, 8, 16])
def test_shuffling_moves_blocks_and_keeps_them(block):
    made = pictures(4)
    shuffled = shuffle_blocks(made, block, seed=0)
    for before, after in zip(made, shuffled, strict=True):
        sets = (sorted(x.tobytes() for x in cut(image, block)) for image in (before, after))
        assert next(sets) == next(sets)
    assert np.array_equal(made, shuffled) == (block == 16)


def test_shuffled_blocks_take_every_place_alike():
    made = np.repeat(np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1), 4000, 0)
    corner = shuffle_blocks(made, 1, seed=0)[:, 0, 0, 0]
    assert np.abs(np.bincount(corner, minlength=4) - 1000).max() < 4 * np.sqrt(4000 * 3 / 16)


def test_packed_arrays_come_back():
    for array in (pictures(3), np.linspace(0, 1, 7, dtype=np.float32).reshape(7, 1)):
        found = unpack_array(pack_array(array))
        assert found.dtype == array.dtype
        assert np.array_equal(found, array)
    with pytest.raises(ValueError, match="packed by pack_array"):
        unpack_array("bm9uc2Vuc2U=")


# ---- input that cannot be used ---------------------------------------------------------------------------------


def test_unknown_source():
    with pytest.raises(ValueError, match=r"source must be one of 'fashion-slice'.*got 'nowhere'"):
        load_images("nowhere")


def test_empty_file_and_empty_folder(tmp_path):
    (tmp_path / "a.npz").touch()
    with pytest.raises(ValueError, match="cannot be read"):
        load_images(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="has none"):
        load_images(tmp_path)
    write_folder(tmp_path / "mine", pictures(LEAST))
    (tmp_path / "mine" / "zero.png").touch()
    with pytest.raises(ValueError, match=r"zero\.png cannot be read as one"):
        load_images(tmp_path / "mine", 16)


def test_text_called_npz_and_truncated_image(tmp_path):
    (tmp_path / "a.npz").write_text("not an archive")
    with pytest.raises(ValueError, match="cannot be read"):
        load_images(tmp_path / "a.npz")
    folder = write_folder(tmp_path / "mine", pictures(LEAST))
    path = folder / "000.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"000\.png cannot be read as one"):
        load_images(folder, 16)


def test_npz_without_images_or_with_objects(tmp_path):
    np.savez(tmp_path / "a.npz", pictures=pictures(30))
    with pytest.raises(ValueError, match=r"array named images.*pictures"):
        load_images(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=np.array([{}], object))
    with pytest.raises(ValueError, match="images"):
        load_images(tmp_path / "b.npz")


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_other_dtypes(tmp_path, dtype):
    np.savez(tmp_path / "a.npz", images=pictures(30).astype(dtype))
    with pytest.raises(ValueError, match="uint8"):
        load_images(tmp_path / "a.npz", 16)


@pytest.mark.parametrize("shape", [(30, 16), (30, 16, 16, 2), (0, 16, 16, 1), (30, 16, 16, 4)])
def test_other_shapes(tmp_path, shape):
    np.savez(tmp_path / "a.npz", images=np.ones(shape, np.uint8))
    with pytest.raises(ValueError, match=r"shape|at least|\(N, H, W\)"):
        load_images(tmp_path / "a.npz", 16)


def test_mixed_sizes_name_both_files(tmp_path):
    folder = write_folder(tmp_path / "mine", pictures(LEAST))
    Image.fromarray(pictures(1, 18)[0]).save(folder / "other.png")
    with pytest.raises(ValueError, match=r"000\.png is 16x16, other\.png is 18x18"):
        load_images(folder, 16)


def test_images_of_one_color_are_counted_and_named(tmp_path):
    made = pictures(LEAST)
    made[7] = made[9] = 200
    with pytest.raises(ValueError, match=r"2 of 20 without any structure; the first is number 7, \[200, 200, 200\]"):
        check_images("images", made)
    with pytest.raises(ValueError, match="more than one color"):
        load_images(write_folder(tmp_path / "mine", made), 16)


def test_too_few_and_too_large(tmp_path):
    np.savez(tmp_path / "a.npz", images=pictures(LEAST - 1))
    with pytest.raises(ValueError, match=f"at least {LEAST} images"):
        load_images(tmp_path / "a.npz", 16)
    np.savez(tmp_path / "b.npz", images=pictures(LEAST, 24))
    with pytest.raises(ValueError, match="24x24 unless it divides both sides, got 16"):
        load_images(tmp_path / "b.npz", 16)


# ---- packages, as the fetch command leaves them ----------------------------------------------------------------


def as_idx(images):
    return gzip.compress(bytes([0, 0, 8, 3]) + np.array(images.shape, ">i4").tobytes() + images.tobytes())


def test_fashion_is_read_from_the_package(tmp_path, monkeypatch):
    train, test = pictures(6, 28, 1)[..., 0], pictures(4, 28, 1, seed=1)[..., 0]
    for name, part in (("train", train), ("t10k", test)):
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(as_idx(part))
    monkeypatch.setattr(module, "fetch", lambda name: tmp_path)
    found = load_images("fashion-mnist", 28)
    assert {x.tobytes() for x in found.train} == {x.tobytes() for x in train}
    assert {x.tobytes() for x in found.held_out} == {x.tobytes() for x in test}


def test_photographs_are_split_by_photo_and_flat_patches_left_out(tmp_path, monkeypatch):
    for folder in ("nature", *(f"{name}/contents/images" for name in module.PLASMA)):
        (tmp_path / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    names = ["a_by_me.jpg", "nature/b.jpg", *(f"{name}/contents/images/1.jpg" for name in module.PLASMA)]
    for number, name in enumerate(names):
        color = np.zeros((32, 64, 3), np.uint8)
        color[:, :32] = rng.integers(2, size=(32, 32, 1)) * 255
        color[..., 0] = 15 * number  # tells the photo
        Image.fromarray(color).save(tmp_path / name, quality=95)
    monkeypatch.setattr(module, "fetch", lambda name: tmp_path)
    found = load_images("photos")
    assert (len(found.train), len(found.held_out)) == (12, 2)  # one patch a photo; the flat halves are gone
    reds = [{round(float(x[..., 0].mean()) / 15) for x in part} for part in (found.train, found.held_out)]
    assert not reds[0] & reds[1]


def test_emoji_are_on_white_and_distinct(tmp_path, monkeypatch):
    made = np.zeros((10, 64, 64, 4), np.uint8)
    for number in range(10):
        made[number, : 6 * (number // 2 + 1), :, 3] = 255  # each is there twice
        Image.fromarray(made[number]).save(tmp_path / f"{number}.png")
    monkeypatch.setattr(module, "fetch", lambda name: tmp_path)
    found = load_images("emoji", 32)
    assert len(found.train) == 4
    assert len(found.held_out) == 1
    assert found.train.max() == 255


@pytest.mark.parametrize("blocks", [(3,), (4, 4), (8, 4), (32,), (64,), ()])
def test_control_takes_divisors_in_order(blocks):
    with pytest.raises(ValueError, match="blocks must"):
        measure_shuffled("fashion-slice", blocks)


@pytest.mark.parametrize(
    "source, packages, shape",
    [
        ("fashion-mnist", ["fashion-mnist"], (60_000, 32, 32, 1)),
        ("emoji", ["emoji"], (3_014, 32, 32, 3)),
        ("photos", ["photos-lomiri", "photos-mate", "photos-plasma"], (13_245, 32, 32, 3)),
    ],
)
def test_fetched_packages_hold_what_is_said(source, packages, shape):
    if any(fetched(package) is None for package in packages):
        pytest.skip(f"python -m hcg_lib.fetch {' '.join(packages)}")
    found = load_images(source)
    assert found.train.shape[1:] == found.held_out.shape[1:] == shape[1:]
    assert len(found.train) == pytest.approx(shape[0], rel=0.05)
    assert len(found.train) / 8 < len(found.held_out) < len(found.train) / 2
