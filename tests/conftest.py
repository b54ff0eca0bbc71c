"""Every test run is a shape check: the annotations of hcg_lib are enforced while the tests run."""

import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):  # one thread per worker, set before numpy is imported
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

from hypothesis import settings

from tests import typecheck

typecheck.enforce("hcg_lib")
settings.register_profile("book", deadline=None, max_examples=50, derandomize=True)  # no timing, no luck in CI
settings.load_profile("book")
