r"""The squared norm of a covariance matrix, unbiased, from independent groups of documents.

Let group g hold $n_g$ pairs with counts $N_g$, first margins $A_g$ and second margins $B_g$, and frequencies
$P_g = N_g/n_g$, $a_g = A_g/n_g$, $b_g = B_g/n_g$. From two groups, $P_i - a_i b_j^⊤$ has the mean $C$ (derived:
i and j are independent, so the product of their margins has the product of the means), and from four

$$ \widehat{‖C‖^2} = \frac{\sum_{i,j,k,l\ \text{distinct}} m_i m_j m_k m_l
   ⟨P_i - a_i b_j^⊤,\; P_k - a_k b_l^⊤⟩}{\sum_{i,j,k,l\ \text{distinct}} m_i m_j m_k m_l}, \qquad m_g = w_g n_g $$

has the mean $‖C‖^2$, whatever the dependence inside a group. The weights $w$ are 1, or 0 for a group left out. One
weight for all four factors keeps the estimate unchanged when frequencies are shifted by constants, which is what
makes it precise. With one pair a group it is the unbiased HSIC of Song et al. (2012) with delta kernels.
"""

from __future__ import annotations

import numpy as np

from hcg_lib._pairs import Products

Array = np.ndarray
LEAST = 5  # groups: four in the sum above, and one that the jackknife leaves out


def squared_norm(products: Products, pairs: Array, weights: Array, difference: bool = False) -> Array:
    """Return the unbiased squared norm for each row of group `weights` (R, G): shape (R,).

    With `difference` the counts are differences of counts, their margins vanish, and two groups suffice.
    """
    mass = weights * pairs
    one, two, three, four = (np.sum(mass**k, axis=1) for k in (1, 2, 3, 4))
    apart = ~np.eye(len(pairs), dtype=bool)
    squares = products.pair * apart
    if difference:
        return np.sum((weights @ squares) * weights, axis=1) / (one**2 - two)
    # Σ_{j≠l, neither i nor k} m_j m_l = M1² - M2 - 2 M1 (m_i + m_k) + 2 m_i² + 2 m_k² + 2 m_i m_k
    once, twice = weights * mass, weights * mass**2
    joint = (one**2 - two) * _form(weights, squares, weights) - 4 * one * _form(once, squares, weights)
    joint += 4 * _form(twice, squares, weights) + 2 * _form(once, squares, once)

    first, second = products.first * apart, products.second * apart
    left, right = weights * (weights @ first), weights * (weights @ second)
    sharing_one = np.sum(left * right, axis=1)  # j = i, and likewise j = k, l = i, l = k
    sharing_two = _form(weights**2, first * second, weights**2)
    margins = left.sum(1) * right.sum(1) - 4 * sharing_one + 2 * sharing_two
    total = one**4 - 6 * one**2 * two + 3 * two**2 + 8 * one * three - 6 * four
    return (joint - 2 * _crossed(products.triple, mass, weights) + margins) / total


def _form(left: Array, matrix: Array, right: Array) -> Array:
    """Bilinear form of each row: Σ_ik left_i matrix_ik right_k."""
    return np.sum((left @ matrix) * right, axis=1)


def _crossed(triple: Array, mass: Array, weights: Array) -> Array:
    """Sum ⟨N_i, A_k B_l⟩ over distinct i, k, l, weighted by the mass of the groups that are none of them."""
    groups = len(triple)
    i, k, l = np.ogrid[:groups, :groups, :groups]
    flat = (triple * ((i != k) & (i != l) & (k != l))).reshape(groups, -1)
    heavy = weights * mass

    def contract(first: Array, second: Array, third: Array) -> Array:
        inner = (first @ flat).reshape(-1, groups, groups)
        return np.sum(second * (inner @ third[:, :, None])[:, :, 0], axis=1)

    total = mass.sum(1) * contract(weights, weights, weights)
    total -= contract(heavy, weights, weights) + contract(weights, heavy, weights)
    return total - contract(weights, weights, heavy)


def plugin_norm(products: Products, pairs: Array, difference: bool = False) -> float:
    """Return the squared norm with frequencies in place of probabilities: too large by the floor squared."""
    total = pairs.sum()
    squares = products.pair.sum() / total**2
    if difference:
        return float(squares)
    crossed = products.triple.sum() / total**3
    return float(squares - 2 * crossed + products.first.sum() * products.second.sum() / total**4)


def estimate_and_influences(products: Products, pairs: Array, difference: bool = False) -> tuple[float, Array]:
    r"""Return the estimate θ and what each group adds to its error: shape (G,), root of the variance's summands.

    The delete-one-group jackknife: $\mathrm{Var}\,θ ≈ \frac{G-1}{G} \sum_g (θ_{-g} - \bar θ)^2$. Where C = 0 it is too
    large (by about 2 in variance), which errs on the safe side at the floor.
    """
    groups = len(pairs)
    square, *left_out = squared_norm(products, pairs, np.vstack([np.ones(groups), 1 - np.eye(groups)]), difference)
    filled = pairs > 0
    number = filled.sum()
    moved = np.where(filled, left_out, 0.0)
    moved = np.where(filled, moved - moved.sum() / number, 0.0)
    return float(square), np.sqrt((number - 1) / number) * moved
