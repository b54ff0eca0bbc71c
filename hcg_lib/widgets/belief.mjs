// What to say of a distribution given as integers per thousand; pure, tested against Python.

export function most(weights) {
  return weights.reduce((best, w, a) => (w > weights[best] ? a : best), 0);
}

// Entropy in bits.
export function entropy(weights) {
  const total = weights.reduce((sum, w) => sum + w, 0);
  return weights.reduce((sum, w) => (w > 0 ? sum - (w / total) * Math.log2(w / total) : sum), 0);
}

export function replaced(seen, truth) {
  return seen.reduce((n, a, i) => n + (a !== truth[i]), 0);
}
