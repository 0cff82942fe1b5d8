"""What all tests share."""

from __future__ import annotations

import os

# Before numpy loads: on small matrices BLAS threads cost more than they bring.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
