"""Allmende: a hub for open AI models that anyone can run."""

import os

__all__ = ["__version__"]

__version__ = "0.1.0"

# The matrices that are reckoned with here are small. Where a library shares each out among threads, these
# wait for each other, the longer the busier the machine is: up to twelve times the processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
