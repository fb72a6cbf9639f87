"""The bench: how fast, how small, how soon, in one run on this machine, against goals and against nginx."""

import os

# As in the hub and its commands: threads that wait for a small matrix would be counted as if they computed.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
