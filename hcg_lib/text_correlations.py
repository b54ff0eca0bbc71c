r"""What the order of tokens adds: a text, the same text shuffled inside its documents, and their difference.

Two tokens of one document are correlated at any distance if documents differ in what they are about, even when
the order inside each is thrown away. With $p_D$ the token frequencies of document D, the law of total covariance
splits the matrix exactly,

$$ C(t) = \underbrace{E_D[P_D(t) - p_D p_D^⊤]}_{\text{order inside documents}}
        + \underbrace{\mathrm{Cov}_D(p_D, p_D)}_{\text{composition of documents}} , $$

and the second term is the plateau that does not fall with t. Shuffling a document's tokens leaves it and removes
the first. So the honest null of a long-distance correlation is the text shuffled inside documents; shuffling
across documents removes both and measures only the sampling floor (derived).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from hcg_lib._random import generator
from hcg_lib._validate import check_counts, check_flag, check_integer, check_list, check_symbols, check_text
from hcg_lib.correlations import CorrelationCurve, TokenCorrelations, default_distances
from hcg_lib.decay import PowerLaw, fit_power_law
from hcg_lib.text import CharacterTokenizer, encode, load_corpus, train_bpe
from hcg_lib.tokenization import Tokenizer

Array = np.ndarray
MOST_SHUFFLES = 1024


@dataclass(frozen=True)
class TextCurves:
    """‖C(t)‖ of a text, of its within-document shuffle (the composition plateau), and of their difference."""

    text: CorrelationCurve
    shuffled: CorrelationCurve
    order: CorrelationCurve


def text_curves(
    documents: Sequence[Array],
    v: int,
    distances: Sequence[int] | Array,
    groups: int = 32,
    shuffles: int = 4,
    confidence: float = 0.95,
    resamples: int = 400,
    seed: Any = 0,
) -> TextCurves:
    """Return the three curves of documents given as ids.

    The documents are dealt into groups in random order; one distance is held in memory at a time.

    Parameters
    ----------
    documents
        Vectors of ids below v. At every distance at least 5 groups must hold a document that is longer.
    v, distances, groups, confidence, resamples
        As in `TokenCorrelations` and its `estimate`.
    shuffles
        Shuffles of every document: more make `order` more precise, down to the noise of the text itself.
    seed
        Of the order of documents, of the shuffle and of the bootstrap.

    Raises
    ------
    ValueError
        As `TokenCorrelations`, and if no document is given.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> biased = [rng.random(500) < rng.choice([0.2, 0.8]) for _ in range(64)]       # topics, but no order
    >>> curves = text_curves([d.astype(int) for d in biased], v=2, distances=[1, 50])
    >>> curves.text.resolved.tolist(), curves.order.resolved.tolist()
    ([True, True], [False, False])
    """
    shuffles = check_integer("shuffles", shuffles, 1, limit=MOST_SHUFFLES)
    distances = check_counts("distances", distances, 1)
    documents = [
        check_symbols("documents", document, check_integer("v", v, 1), ndim=1)
        for document in check_list("documents", documents, "of vectors of ids")
    ]
    if not documents:
        raise ValueError("documents must hold at least one document, got none")
    rng = generator(seed)
    dealt = [documents[i] for i in rng.permutation(len(documents))]
    mixed = [[rng.permutation(document) for document in dealt] for _ in range(shuffles)]
    draws = int(rng.integers(2**32))
    parts: list[tuple[CorrelationCurve, ...]] = []
    for distance in distances:
        text = TokenCorrelations(v, [distance], groups).update(dealt)
        shuffled = _sum(TokenCorrelations(v, [distance], groups).update(tokens) for tokens in mixed)
        estimators = text, shuffled, text - shuffled
        parts.append(tuple(e.estimate(confidence, resamples, np.random.default_rng(draws)) for e in estimators))
    return TextCurves(*(_join(curves) for curves in zip(*parts, strict=True)))


def measure_text(
    corpus: str,
    tokens: str,
    longest: int,
    number: int = 16,
    groups: int = 32,
    shuffles: int = 4,
    shuffle_lines: bool = False,
    resamples: int = 400,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a corpus and fit its decay; the point of an experiment for `hcg_lib.experiments.run`.

    Parameters
    ----------
    corpus
        A name or path for `load_corpus`; a named corpus is downloaded if it is not in the cache.
    tokens
        "characters", or "bpe-4096" (or another size) for a byte-pair encoding trained on the corpus.
    longest, number
        Largest distance, and how many there are, evenly spaced in the logarithm.
    shuffle_lines
        Put the lines of every document in random order first: in the dictionary a line is an entry.

    Returns
    -------
    dict
        Sizes; for each of `text`, `shuffled`, `order` lists over distance of the norm, `_low`, `_high`, `_floor`;
        and for the fits `near` (t <= 16), `far` (t >= 16) and `whole` of the order curve the exponent with interval,
        the range, and the curvature. A range with fewer than 3 resolved points gives None.
    """
    documents, source, data = _documents(corpus, check_flag("shuffle_lines", shuffle_lines), seed)
    tokenizer = _tokenizer(tokens, documents)
    ids = encode(documents, tokenizer)
    distances = default_distances(longest, number)
    curves = text_curves(ids, tokenizer.size, distances, groups, shuffles, resamples=resamples, seed=seed)
    out: dict[str, Any] = {
        "source": source,
        "data": data[:16],
        "documents": len(ids),
        "length": sum(map(len, ids)),
        "v": tokenizer.size,
        "distances": distances,
        "independent": curves.text.independent,
    }
    for name in ("text", "shuffled", "order"):
        curve = getattr(curves, name)
        out |= {name: curve.norm, f"{name}_low": curve.low, f"{name}_high": curve.high, f"{name}_floor": curve.floor}
    for name, shortest, furthest in (("near", 1, 16), ("far", 16, longest), ("whole", 1, longest)):
        fit = _fit_if_possible(curves.order, shortest, furthest)
        for field in PowerLaw.__dataclass_fields__:
            out[f"{name}_{field}"] = None if fit is None else getattr(fit, field)
    return out


def _documents(corpus: str, shuffle_lines: bool, seed: int) -> tuple[list[Any], str, str]:
    loaded = load_corpus(corpus, download=True)
    documents = list(loaded.documents)
    if shuffle_lines:
        if not all(isinstance(text, str) for text in documents):
            raise ValueError("shuffle_lines needs text, this corpus holds ids")
        rng = np.random.default_rng(seed)
        documents = ["\n".join(rng.permutation(text.split("\n"))) for text in documents]
    return documents, loaded.source, loaded.digest


def _tokenizer(tokens: str, documents: list[Any]) -> Tokenizer:
    if check_text("tokens", tokens) == "characters":
        return CharacterTokenizer()
    kind, _, size = tokens.partition("-")
    if kind != "bpe" or not size.isdigit():
        raise ValueError(f"tokens must be 'characters' or 'bpe-SIZE', got {tokens!r}")
    return train_bpe(documents, int(size))


def _fit_if_possible(curve: CorrelationCurve, shortest: int, longest: int) -> PowerLaw | None:
    try:
        return fit_power_law(curve, shortest, longest)
    except ValueError:
        return None


def _sum(estimators: Iterable[TokenCorrelations]) -> TokenCorrelations:
    return reduce(lambda total, more: total + more, estimators)


def _join(curves: Sequence[CorrelationCurve]) -> CorrelationCurve:
    """Put curves of one distance each end to end."""
    names = ("distances", "pairs", "squared", "plugin", "independent")
    joined: dict[str, Any] = {name: np.concatenate([getattr(curve, name) for curve in curves]) for name in names}
    return replace(curves[0], replicates=np.concatenate([c.replicates for c in curves], axis=1), **joined)
