"""Objects in memory, for tests of predictions."""

from allmende.codecs import BytesPlain, ObjectId, ObjectMissing, Piece, Plain, Reference, object_id


class Objects:
    """Objects by their name."""

    def __init__(self) -> None:
        self._plain: dict[ObjectId, bytes] = {}

    def add(self, data: bytes) -> Reference:
        """Keep an object; the reference to all of it."""
        found = object_id(data)
        self._plain[found] = data
        return (Piece(found, 0, len(data)),)

    def resolve(self, name: ObjectId) -> Plain:
        """See Resolve."""
        if name not in self._plain:
            raise ObjectMissing(f"There is no object {name}.")
        return BytesPlain(self._plain[name])
