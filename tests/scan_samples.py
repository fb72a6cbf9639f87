"""Files of which the scan says something in particular, for all tests of what the hub does about it."""

import pickle
from collections import OrderedDict

BLOCKED = b"cos\nsystem\n(S'true'\ntR."
"""A pickle that would run a program: critical."""

QUARANTINED = pickle.dumps({"weights": list(range(100))}, protocol=2)[:-20]
"""A pickle that breaks off: unreadable."""

WARNED = b"cacme.layers\nRotary\n(tR."
"""A pickle of a class that nobody knows: medium."""

SECRET = (
    b'aws_access_key_id = "AKIAIOSFODNN7QRTXMPL"\n'
    b'aws_secret_access_key = "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"\n'
)
"""A text with an access key in it."""

CLEAN = pickle.dumps(OrderedDict(a=1, b=[1, 2, 3]), protocol=2)
"""A pickle of what every checkpoint may have."""
