"""Storing an object anew without some of its bases: before they go, or are not to be seen any more."""

from allmende.codecs import (
    DamagedObject,
    EncodedObject,
    MalformedEncoding,
    ObjectId,
    WordType,
    read_head,
    word_type,
    write_encoding,
)
from allmende.packing.reading import ObjectOpener
from allmende.packing.shelf import Shelf

__all__ = ["reencode"]


def reencode(shelf: Shelf, object_id: ObjectId) -> EncodedObject:
    """An encoding of the object that rests on no other; better bases are found when its content is packed
    anew.

    Raises ObjectMissing and DamagedObject.
    """
    opener = ObjectOpener(shelf, shelf.report_damage)
    return write_encoding(opener(object_id), _words_of(shelf, object_id), None, opener)


def _words_of(shelf: Shelf, object_id: ObjectId) -> WordType:
    """How the words are cut, as the first encoding that can be read says; bytes where none says it."""
    for stored in shelf.encodings(object_id):
        try:
            return read_head(stored).words
        except (MalformedEncoding, DamagedObject):
            continue
    return word_type("U8")
