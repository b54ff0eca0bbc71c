"""Every test run is a shape check: annotations of hcg_lib are enforced by jaxtyping and beartype."""

import os

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")
