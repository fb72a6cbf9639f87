"""What can be wrong with a transparency record that somebody hands over."""

from allmende.errors import BadRequest

__all__ = ["MalformedRecord"]


class MalformedRecord(BadRequest):
    """These bytes are no transparency record of a version that is known here."""

    code = "record_malformed"
