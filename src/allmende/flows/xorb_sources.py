"""Where the bytes of a xorb lie that an upload names, for whoever names it.

An account may name what it uploaded itself, and the xorbs that the hub makes of contents which the account
may use. All else is unknown to it, whether the hub has such a xorb or not: chunk hashes are made with public
keys, so that knowing them shows nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO

from allmende.errors import BadRequest
from allmende.flows.reading import open_content
from allmende.flows.services import Services
from allmende.ids import XetHash
from allmende.registry import Account, Actor, Repo, usable
from allmende.storage import (
    Content,
    UnitOfWork,
    UploadedXorb,
    XorbKey,
    XorbRun,
    find_contents,
    find_uploaded_xorb,
    list_runs,
    xorbs_by_hash,
)
from allmende.xorbs import Chunk, unpack_chunks

__all__ = ["Ask", "Piece", "Uploader", "XorbSource", "XorbSources", "XorbUnknown"]

_CACHED = 16
"""Xorbs whose chunks are held in memory: terms of a file often go to and fro between a few."""
_PAGE = 200


class XorbUnknown(BadRequest):
    """An upload names a xorb that the hub does not have from this account, and not in what it may read."""

    code = "xorb_unknown"

    def __init__(self, xorb: XetHash) -> None:
        super().__init__(
            f"This upload builds on the xorb {xorb}, which this hub does not have from you.",
            hint="Repeat the upload; the client then sends everything that is missing.",
        )


@dataclass(frozen=True, slots=True)
class Uploader:
    """Who uploads, and for which repo."""

    actor: Actor
    account: Account
    repo: Repo


Ask = Callable[[UnitOfWork], Uploader]
"""Who uploads, asked anew in each transaction: rights may end while a large file is rebuilt."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a content, or (`content` is None) of the uploaded xorb at a location of their store.

    Of a content `location` is its hash: it may be stored elsewhere, or otherwise, by the time it is opened.
    """

    content: Content | None
    location: str
    offset_bytes: int
    size_bytes: int

    def follows(self, other: "Piece") -> bool:
        """Whether these bytes lie right behind the other's."""
        same = (self.content is None) == (other.content is None) and self.location == other.location
        return same and other.offset_bytes + other.size_bytes == self.offset_bytes

    def open(self, services: Services) -> BinaryIO:
        """A reader of all that lies there. Raises NotFound."""
        if self.content is None:
            return services.xorbs.open_read(self.location)
        return open_content(services, self.content)


class XorbSource:
    """The chunks of a xorb, and where ranges of them lie."""

    def __init__(self, packed: bytes, own: XorbKey | None) -> None:
        self.packed = packed
        self.chunks: list[Chunk] = unpack_chunks(packed)
        self.own = own
        """The uploaded xorb that this is, if it is one."""
        self._starts = list(accumulate((chunk.size_bytes for chunk in self.chunks), initial=0))
        self._places: list[tuple[int, int, Piece]] = []

    def add_place(self, first: int, end: int, piece: Piece) -> None:
        """Chunks `first` to `end` (exclusive) lie there; places are tried in the order in which they come."""
        self._places.append((first, end, piece))

    def size_bytes(self, first: int, end: int) -> int:
        """The bytes of chunks `first` to `end` (exclusive)."""
        return self._starts[end] - self._starts[first]

    def pieces(self, first: int, end: int) -> list[Piece] | None:
        """Where these chunks lie, one after another; None when some of them are nowhere."""
        found: list[Piece] = []
        while first < end:
            place = next((place for place in self._places if place[0] <= first < place[1]), None)
            if place is None:
                return None
            begin, stop, piece = place
            until = min(stop, end)
            skipped = self.size_bytes(begin, first)
            found.append(
                Piece(
                    piece.content, piece.location, piece.offset_bytes + skipped, self.size_bytes(first, until)
                )
            )
            first = until
        return found


class XorbSources:
    """Finds xorbs for one uploader, within one reading transaction."""

    def __init__(self, uow: UnitOfWork, uploader: Uploader) -> None:
        self._uow = uow
        self._uploader = uploader
        self._cache: OrderedDict[XetHash, XorbSource] = OrderedDict()

    def find(self, xorb: XetHash) -> XorbSource:
        """The xorb as this uploader may name it. Raises XorbUnknown."""
        found = self._cache.pop(xorb, None) or self._look_up(xorb)
        self._cache[xorb] = found
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return found

    def _look_up(self, xorb: XetHash) -> XorbSource:
        key = XorbKey(self._uploader.account.id, xorb)
        uploaded = find_uploaded_xorb(self._uow, key)
        source = None if uploaded is None else self._uploaded(uploaded)
        if source is not None and source.pieces(0, len(source.chunks)) is not None:
            return source
        return self._in_contents(xorb, source)

    def _uploaded(self, uploaded: UploadedXorb) -> XorbSource:
        source = XorbSource(uploaded.chunks, uploaded.key)
        count = len(source.chunks)
        if uploaded.location is not None:
            source.add_place(0, count, Piece(None, uploaded.location, 0, uploaded.size_bytes))
        self._add_runs(source, list_runs(self._uow, uploaded.key))
        return source

    def _add_runs(self, source: XorbSource, runs: Sequence[XorbRun]) -> None:
        contents = find_contents(self._uow, [run.sha256 for run in runs])
        for run in runs:
            content = contents[run.sha256]
            size_bytes = source.size_bytes(run.first, run.end)
            piece = Piece(content, content.sha256, run.offset_bytes, size_bytes)
            source.add_place(run.first, run.end, piece)

    def _in_contents(self, xorb: XetHash, source: XorbSource | None) -> XorbSource:
        """`source` with where contents hold the xorb; raises XorbUnknown when there is neither.

        All contents that hold it are gone through until one may be used: others' copies must not hide it.
        """
        start = 0
        while page := xorbs_by_hash(self._uow, xorb, start, _PAGE):
            hashes = [sha256 for _xorb, sha256 in page]
            allowed = usable(self._uow, self._uploader.actor, self._uploader.repo, hashes)
            for file_xorb, sha256 in page:
                content = allowed.get(sha256)
                if content is None or content.damaged is not None:
                    continue
                source = source or XorbSource(file_xorb.chunks, None)
                piece = Piece(content, content.sha256, file_xorb.offset_bytes, file_xorb.size_bytes)
                source.add_place(0, len(source.chunks), piece)
                return source
            start += _PAGE
        if source is None:
            raise XorbUnknown(xorb)
        return source
