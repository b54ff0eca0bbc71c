"""Corpora and tokenizers: documents stay whole, ids come back as text, files that are not text are named."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcg_lib.fetch import FetchError, fetched
from hcg_lib.text import Corpus, load_corpus
from hcg_lib.text_correlations import measure_text
from hcg_lib.tokenization import ALPHABET, BytePairTokenizer, CharacterTokenizer, encode, gpt2_tokenizer, train_bpe

PROSE = "We the people. " * 40
DICTIONARY = (
    "A preamble that is no entry.\n"
    "\nA \\A\\ (named [=a] in the English), the first letter\n   of the alphabet. See {Alpha}.\n   [1913 Webster]\n"
    '\nAback \\A*back"\\, adv.\n   Backwards.\n   [PJC]\n'
)


@pytest.fixture(scope="module")
def slice_():
    return load_corpus("sotu-slice")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HCG_DATA", str(tmp_path))
    return tmp_path


# ---- corpora -------------------------------------------------------------------------------------------------


def test_slice_holds_whole_messages_from_across_the_years(slice_):
    years = [int(title[:4]) for title in slice_.titles]
    assert len(slice_) == 24
    assert (min(years), max(years)) == (1790, 2017)
    assert max(np.diff(years)) <= 26
    assert 300_000 < sum(map(len, slice_.documents)) < 700_000
    assert "CC0" in slice_.licence


def test_split_keeps_documents_whole_and_is_a_partition(slice_):
    train, test = slice_.split(0.2, seed=3)
    assert sorted(train.titles + test.titles) == sorted(slice_.titles)
    assert not set(train.documents) & set(test.documents)
    assert slice_.split(0.2, seed=3)[1].titles == test.titles
    assert slice_.split(0.2, seed=4)[1].titles != test.titles
    assert len(slice_.split(0.001)[1]) == 1


def test_digest_tells_documents_apart_from_their_concatenation():
    one = Corpus("a", ("ab", "c"), ("x", "y"), "", "")
    two = Corpus("a", ("a", "bc"), ("x", "y"), "", "")
    assert one.digest != two.digest
    assert one.digest == Corpus("other", ("ab", "c"), ("p", "q"), "", "").digest


def test_folder_of_text_is_read_in_order(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.txt").write_text(f"text {name} é\n", "utf8")
    (tmp_path / "notes.md").write_text("not a document")
    corpus = load_corpus(tmp_path)
    assert corpus.titles == ("a", "b")
    assert corpus.documents == ("text a é", "text b é")


def test_bin_is_cut_at_end_of_text_or_into_blocks(tmp_path):
    ids = np.array([5, 6, 50256, 7, 50256, 50256, 8, 9], "<u2")
    ids.tofile(tmp_path / "x.bin")
    assert [list(d) for d in load_corpus(tmp_path / "x.bin").documents] == [[5, 6], [7], [8, 9]]
    np.arange(150_000).astype("<u2").clip(0, 9).tofile(tmp_path / "y.bin")
    assert [len(d) for d in load_corpus(tmp_path / "y.bin").documents] == [65536, 65536, 18928]


def test_readers_clean_what_packages_hold(cache):
    (cache / "gcide").mkdir()
    (cache / "gcide" / "gcide.dict.dz").write_bytes(gzip.compress(DICTIONARY.encode()))
    (dictionary,) = load_corpus("gcide").documents
    assert dictionary.split("\n") == [
        "A (named [=a] in the English), the first letter of the alphabet. See Alpha.",
        "Aback adv. Backwards.",
    ]
    (cache / "anarchist_faq").mkdir()
    page = "<html><head><title>T</title></head><body><p>A &amp; B</p><script>x()</script>\n<p>C</p></body></html>"
    (cache / "anarchist_faq" / "secA1.html").write_text(page)
    (cache / "anarchist_faq" / "links.html").write_text(page)
    corpus = load_corpus("anarchist_faq")
    assert (corpus.documents, corpus.titles) == (("A & B C",), ("secA1",))
    (cache / "moby-dick").mkdir()
    book = "CHAPTER 1. Loomings.\n\nCall me\nIshmael.\n\nCHAPTER 2. The Carpet-Bag.\n\nI stuffed a shirt.\n"
    (cache / "moby-dick" / "data.txt").write_text(book)
    corpus = load_corpus("moby-dick")
    assert corpus.titles == ("chapter-1", "chapter-2")
    assert corpus.documents[0] == "CHAPTER 1. Loomings. Call me Ishmael."


def bad_file(folder, name, content):
    (folder / name).write_bytes(content)
    return folder if name.endswith("txt") else folder / name


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda p: "shakespeare", "name must be one of 'sotu-slice', 'sotu'.*got 'shakespeare'"),
        (lambda p: p, "must hold .txt files"),
        (lambda p: bad_file(p, "a.txt", b"  \n"), "a.txt must hold text, it is empty"),
        (lambda p: bad_file(p, "a.txt", b"abc\xff"), "a.txt must be UTF-8 text, byte 3 is not"),
        (lambda p: bad_file(p, "a.bin", b""), "a.bin must hold uint16 ids"),
        (lambda p: bad_file(p, "a.bin", b"abc"), "it has 3 bytes"),
        (lambda p: bad_file(p, "a.parquet", b"abc"), "got '.*a.parquet'"),
    ],
)
def test_bad_corpora_are_named(tmp_path, make, message):
    with pytest.raises(ValueError, match=message):
        load_corpus(make(tmp_path))


def test_what_is_not_in_the_cache_says_how_to_get_it(cache):
    with pytest.raises(FetchError, match=r"python -m hcg_lib.fetch gcide"):
        load_corpus("gcide")
    with pytest.raises(FetchError, match=r"python -m hcg_lib.fetch gpt2-tokenizer"):
        gpt2_tokenizer()


def test_split_needs_two_documents_and_a_share():
    with pytest.raises(ValueError, match="at least 2 documents"):
        Corpus("a", ("x",), ("x",), "", "").split()
    with pytest.raises(ValueError, match="test must be"):
        Corpus("a", ("x", "y"), ("x", "y"), "", "").split(1.5)


# ---- tokenizers ----------------------------------------------------------------------------------------------


@given(st.text(max_size=200))
def test_characters_are_idempotent(text):
    tokenizer = CharacterTokenizer()
    ids = tokenizer.encode(text)
    again = tokenizer.encode(tokenizer.decode(ids))
    assert np.array_equal(ids, again)
    assert ids.dtype == np.uint8
    assert "  " not in tokenizer.decode(ids)


@given(st.text(alphabet=ALPHABET[1:], max_size=80))
def test_characters_keep_their_alphabet(text):
    tokenizer = CharacterTokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_characters_normalize_case_accents_quotes_and_space():
    tokenizer = CharacterTokenizer()
    assert tokenizer.decode(tokenizer.encode("“Où”\t—  L’Île…")) == '"ou" - l\'ile...'
    with pytest.raises(ValueError, match="alphabet must be"):
        CharacterTokenizer("abc")


def test_bpe_is_deterministic_cached_and_exact(slice_, cache):
    documents = slice_.documents[:4]
    first = train_bpe(documents, 600)
    (kept,) = (cache / "tokenizers").iterdir()
    content = kept.read_bytes()
    second = train_bpe(documents, 600)  # from the cache
    third = train_bpe(documents, 600, keep=False)  # trained again
    text = slice_.documents[5]
    for other in (second, third):
        assert np.array_equal(first.encode(text), other.encode(text))
    assert kept.read_bytes() == content
    assert first.decode(first.encode(text)) == text
    assert first.size == 600
    assert first.encode(text).max() < 600
    assert len(first.encode(text)) < 0.6 * len(text)


def test_bpe_trains_where_the_cache_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert train_bpe([PROSE], 260, cache=tmp_path / "file").size == 260


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: train_bpe([PROSE], 100), "size must be"),
        (lambda: train_bpe([PROSE], 1 << 17), "size must be"),
        (lambda: train_bpe([PROSE], 4096, keep=False), "for so little text, got 4096"),
        (lambda: train_bpe([], 300), "documents must be"),
        (lambda: train_bpe([np.arange(5)], 300), "no text to train on"),
        (lambda: encode([np.array([48])], CharacterTokenizer()), "ids must be below 48.*got 48"),
        (lambda: measure_text("sotu-slice", "words", 16), "tokens must be"),
    ],
)
def test_bad_tokens_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_gpt2_tables_give_the_known_ids():
    if fetched("gpt2-tokenizer") is None:
        pytest.skip("GPT-2's tables are not in the cache; python -m hcg_lib.fetch gpt2-tokenizer")
    tokenizer = gpt2_tokenizer()
    assert isinstance(tokenizer, BytePairTokenizer)
    assert tokenizer.size == 50257
    wanted = [15496, 11, 314, 1101, 257, 3303, 2746, 11]
    assert tokenizer.encode("Hello, I'm a language model,").tolist() == wanted
    assert tokenizer.encode("a<|endoftext|>").tolist()[-1] == 50256


# ---- the measurement on real text ----------------------------------------------------------------------------


def test_measured_slice_is_reproducible_and_resolves_words():
    point, again = (measure_text("sotu-slice", "characters", 64, number=7, shuffles=1) for _ in range(2))
    assert all(np.array_equal(point[name], again[name]) for name in point)
    assert point["length"] > 500_000
    assert point["order_low"][0] > 10 * point["order_floor"][0]
    assert 1 < point["near_beta"] < 2
    assert point["far_beta"] is None  # the slice resolves nothing from 16 characters on


def test_shuffled_lines_need_text(tmp_path):
    np.zeros(200, "<u2").tofile(tmp_path / "x.bin")
    with pytest.raises(ValueError, match="shuffle_lines needs text"):
        measure_text(str(tmp_path / "x.bin"), "characters", 16, shuffle_lines=True)
