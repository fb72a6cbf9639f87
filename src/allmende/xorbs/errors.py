"""What can be wrong with bytes or names that claim to follow the Xet protocol."""

from allmende.errors import AllmendeError, BadRequest

__all__ = ["MalformedChunkList", "MalformedShard", "MalformedXetHash", "MalformedXorb"]


class MalformedXetHash(BadRequest):
    """Not 64 lowercase hexadecimal digits."""

    code = "xet_hash_malformed"


class MalformedChunkList(AllmendeError):
    """A stored list is not a whole number of packed chunks: damage of ours, and not a client's mistake."""

    code = "chunk_list_malformed"


class MalformedXorb(BadRequest):
    """The bytes break a rule of the serialized xorb."""

    code = "xorb_malformed"


class MalformedShard(BadRequest):
    """The bytes break a rule of the shard format, or of what may be uploaded in it."""

    code = "shard_malformed"
