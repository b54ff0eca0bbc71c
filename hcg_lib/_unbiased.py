r"""The squared norm of a covariance matrix, unbiased, from independent groups of documents.

$‖P - pq^⊤‖² = ⟨P,P⟩ - 2⟨P, pq^⊤⟩ + ⟨p,p⟩⟨q,q⟩$ is a polynomial in the pair distribution P and its margins p, q.
Let group g hold $n_g$ pairs with counts $N_g$, first margins $A_g$ and second margins $B_g$. Groups are independent,
so a product of counts of different groups has the product of their means as its mean, and

$$ \frac{\sum_{g≠h} ⟨N_g, N_h⟩}{\sum_{g≠h} n_g n_h}
 - 2\,\frac{\sum_{g,h,k\ \text{distinct}} A_h^⊤ N_g B_k}{\sum n_g n_h n_k}
 + \frac{\sum_{g,h,k,l\ \text{distinct}} ⟨A_g,A_h⟩⟨B_k,B_l⟩}{\sum n_g n_h n_k n_l} $$

is unbiased (derived). With one pair a group it is the unbiased HSIC of Song et al. (2012) with delta kernels.
"""

from __future__ import annotations

import numpy as np

from hcg_lib._pairs import Products

Array = np.ndarray
LEAST = 4  # factors of the last term, hence groups


def squared_norm(products: Products, pairs: Array, weights: Array, difference: bool = False) -> Array:
    """Return the unbiased squared norm for each row of group `weights` (R, G): shape (R,).

    A weight multiplies the counts of its group; equal weights give the estimate, random ones its resamples.
    With `difference` the counts are differences and only the first term is wanted.
    """
    mass = weights * pairs
    one, two, three, four = (np.sum(mass**k, axis=1) for k in (1, 2, 3, 4))
    off = _without_diagonal(products.pair)
    squares = np.sum((weights @ off) * weights, axis=1) / (one**2 - two)
    if difference:
        return squares
    groups = len(pairs)
    g, h, k = np.ogrid[:groups, :groups, :groups]
    triple = products.triple * ((g != h) & (g != k) & (h != k))
    contracted = (weights @ triple.reshape(groups, -1)).reshape(-1, groups, groups)
    crossed = np.einsum("rhk,rh,rk->r", contracted, weights, weights)
    crossed /= one**3 - 3 * one * two + 2 * three

    first, second = _without_diagonal(products.first), _without_diagonal(products.second)
    left, right = weights * (weights @ first), weights * (weights @ second)
    total = left.sum(1) * right.sum(1)
    sharing_one = np.sum(left * right, axis=1)  # g = k, and likewise g = l, h = k, h = l
    sharing_two = np.einsum("rg,gh,rh->r", weights**2, first * second, weights**2)
    margins = total - 4 * sharing_one + 2 * sharing_two
    margins /= one**4 - 6 * one**2 * two + 3 * two**2 + 8 * one * three - 6 * four
    return squares - 2 * crossed + margins


def plugin_norm(products: Products, pairs: Array, difference: bool = False) -> float:
    """Return the squared norm with frequencies in place of probabilities: too large by the floor squared."""
    total = pairs.sum()
    squares = products.pair.sum() / total**2
    if difference:
        return float(squares)
    crossed = products.triple.sum() / total**3
    return float(squares - 2 * crossed + products.first.sum() * products.second.sum() / total**4)


def resampling_weights(groups: int, resamples: int, rng: np.random.Generator) -> Array:
    """Return exponential weights (resamples, groups): the Bayesian bootstrap, which never drops a group."""
    return rng.exponential(size=(resamples, groups))


def _without_diagonal(matrix: Array) -> Array:
    return matrix * ~np.eye(len(matrix), dtype=bool)
