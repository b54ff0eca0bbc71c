"""Learning text: what is held out, tiny runs that repeat and resume, and folders that are not text."""

import math

import numpy as np
import pytest

from hcg_lib.experiments import run
from hcg_lib.text_data import text_data
from hcg_lib.text_learning import learn_text

TINY = {
    "width": 16, "layers": 1, "heads": 1, "context": 32, "steps": 4, "batch": 4, "samples": 64, "T": 2, "first": 2,
    "excerpts": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight documents of made text, each of its own words."""
    place = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    for i in range(8):
        words = ["".join(rng.choice(list("abcdefgh"), rng.integers(2, 6))) + "xyzuvwrs"[i] for _ in range(30)]
        (place / f"{i}.txt").write_text(" ".join(rng.choice(words, 400)), "utf8")
    return place


@pytest.fixture(scope="module")
def point(folder):
    return learn_text(str(folder), **TINY)


def test_whole_documents_are_held_out(folder):
    """Every document has a letter of its own; none is seen on both sides."""
    data = text_data(str(folder), d=32)
    sides = [{a for a in data.tokenizer.decode(part.ravel()) if a in "xyzuvwrs"} for part in (data.train, data.held)]
    assert not sides[0] & sides[1]
    assert len(sides[0]) == 6
    assert len(sides[1]) == 2
    for piece in np.unique(data.held_label):
        rows = data.tokenizer.decode(data.held[data.held_label == piece].ravel())
        assert len({a for a in rows if a in "xyzuvwrs"}) == 1


def test_a_small_part_is_drawn_from_the_same_text_and_the_reference_stays(folder):
    part, whole = text_data(str(folder), d=32, size=640), text_data(str(folder), d=32)
    assert part.train.shape == (20, 32)
    assert {row.tobytes() for row in part.train} <= {row.tobytes() for row in whole.train}
    assert sum(map(len, part.documents)) == 640
    np.testing.assert_array_equal(part.held, whole.held)
    assert sum(map(len, part.reference)) == sum(map(len, whole.reference))


def test_byte_pairs_are_trained_on_the_training_part(folder):
    data = text_data(str(folder), tokens="bpe-300", d=32)
    assert data.v == 300
    assert data.train.max() < 300


def test_a_binary_file_of_ids_is_a_corpus(tmp_path, monkeypatch):
    class Ids:
        name, size = "ids", 600

        def encode(self, text):
            raise AssertionError("ids are not encoded again")

        def decode(self, ids):
            return " ".join(map(str, ids))

    monkeypatch.setattr("hcg_lib.text_data.gpt2_tokenizer", Ids)
    ids = np.random.default_rng(0).integers(600, size=2000).repeat(2).astype("<u2")
    ids[::500] = 50_256  # end of text
    ids.tofile(tmp_path / "own.bin")
    data = text_data(str(tmp_path / "own.bin"), tokens="gpt2", d=16)
    assert data.v == 600
    assert data.train.max() < 600
    found = learn_text(str(tmp_path / "own.bin"), tokens="gpt2", **TINY | {"context": 16, "steps": 1, "first": 1})
    assert found["stage_bound"][0] == pytest.approx(math.log(600), rel=1e-5)


def test_what_a_point_holds(point):
    stages, distances = len(point["stage_step"]), len(point["distances"])
    assert point["stage_step"] == [0, 2, 4]
    assert point["stage_seen"] == [0, 256, 512]
    assert point["stage_epochs"][-1] == pytest.approx(512 / point["train_tokens"])
    for name in ("norm", "norm_low", "norm_high", "norm_floor", "overlap", "overlap_low", "overlap_high"):
        assert np.shape(point[f"stage_{name}"]) == (stages, distances)
    assert np.shape(point["stage_spans"]) == (stages, len(point["span_lengths"]))
    assert all(len(texts) == 2 and all(len(text) == 32 for text in texts) for texts in point["stage_text"])
    assert point["stage_bound"][0] == pytest.approx(math.log(48), rel=1e-5)
    assert point["stage_bound_train"][0] == pytest.approx(math.log(48), rel=1e-5)
    assert 0 < point["entropy"] < math.log(48)
    assert point["stage_length"][0] == 0


def test_the_same_point_again_and_after_a_kill(folder, point, tmp_path, monkeypatch):
    from hcg_lib import text_learning

    real = text_learning._Judge.__call__

    def dies(self, network, step):
        if step == 4:
            raise KeyboardInterrupt
        return real(self, network, step)

    monkeypatch.setattr(text_learning, "CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(text_learning._Judge, "__call__", dies)
    with pytest.raises(KeyboardInterrupt):
        learn_text(str(folder), **TINY, checkpoints=tmp_path)
    monkeypatch.setattr(text_learning._Judge, "__call__", real)
    assert len(list(tmp_path.glob("text-*.safetensors"))) == 1
    again = learn_text(str(folder), **TINY, checkpoints=tmp_path)
    for name, value in point.items():
        if "seconds" not in name:
            assert np.array_equal(again[name], value), name


def test_steps_of_generation_are_compared(folder):
    found = learn_text(str(folder), **TINY | {"steps": 1}, grid=[1, 4], grid_samples=64)
    assert np.shape(found["grid_overlap"]) == (2, len(found["distances"]))
    assert np.shape(found["grid_norm"]) == (2, len(found["distances"]))


def test_a_point_can_be_stored(folder, tmp_path):
    """No result has the name of a parameter, and all of them can be written as JSON."""
    config = {"corpus": str(folder), "grid": [2], "grid_samples": 64, **TINY}
    table = run(learn_text, [config], name="text_learning", path=tmp_path)
    again = run(learn_text, [config], name="text_learning", path=tmp_path, compute=False)
    assert again.stage_text[0] == table.stage_text[0]
    assert again.grid_overlap[0] == table.grid_overlap[0]


def write(folder, name, content):
    (folder / name).write_bytes(content)
    return str(folder)


@pytest.mark.parametrize(
    "make, options, message",
    [
        (lambda f: write(f, "a.txt", b""), {}, "must hold text, it is empty"),
        (lambda f: write(f, "a.txt", b"caf\xe9 " * 99), {}, "must be UTF-8 text, byte 3 is not"),
        (lambda f: write(f, "a.txt", b"word " * 999), {}, "a split needs at least 2 documents"),
        (lambda f: write(f, "a.doc", b"word"), {}, "must hold .txt files, one a document; there are none"),
        (lambda f: str(f / "absent"), {}, "name must be one of"),
        (lambda f: write(f, "x.bin", b"abc") + "/x.bin", {}, "must hold uint16 ids"),
        (lambda f: "sotu-slice", {"tokens": "words"}, "tokens must be 'characters', 'bpe-SIZE' or 'gpt2', got 'words'"),
        (lambda f: "sotu-slice", {"context": 1}, "d must be an integer >= 2, got 1"),
        (lambda f: "sotu-slice", {"context": 1 << 20}, "corpus must hold more text"),
        (lambda f: "sotu-slice", {"size": 1 << 40}, "size must be an integer from 32 to"),
        (lambda f: "sotu-slice", {"samples": 8}, "samples must be an integer >= 64, got 8"),
        (lambda f: "sotu-slice", {"T": 0}, "T must be an integer >= 1, got 0"),
    ],
)
def test_bad_input_is_named(tmp_path, make, options, message):
    with pytest.raises(ValueError, match=message):
        learn_text(make(tmp_path), **TINY | options)
