"""What can go wrong with weights."""

from allmende.errors import BadRequest, NotFound

__all__ = ["BytesMissing", "NoWeights", "UnreadableWeights"]


class NoWeights(NotFound):
    """There are no weights here that can be read."""

    code = "no_weights"


class UnreadableWeights(BadRequest):
    """The weights are not what they claim to be: a header that does not hold, bytes that do not fit it."""

    code = "unreadable_weights"


class BytesMissing(UnreadableWeights):
    """A file ends before its bytes should."""

    code = "bytes_missing"
