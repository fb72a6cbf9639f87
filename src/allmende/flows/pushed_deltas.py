"""Contents that arrive as deltas: received into a file without a name, rebuilt, and verified.

A base is a content that the sender may read, by the one rule for what may be linked. What they may not read
is refused in the same words as what is not here, so nothing is told of what others keep. A base that the scan
stops is not here either: the bytes that it stops are not to be had in this way.
"""

import mmap
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO, Self, cast

from allmende.codecs import BytesPlain
from allmende.errors import AllmendeError, Conflict
from allmende.failpoints import reach
from allmende.flows.reading import open_content
from allmende.flows.services import Services
from allmende.flows.serving import Door
from allmende.ids import Sha256
from allmende.packing import DELTA_TRANSFER, Delta, DeltaBase, DeltaRefused, read_delta, rebuild
from allmende.registry import Actor, Repo, usable
from allmende.storage import Content, ContentWriter, HashMismatch, SizeMismatch, UnitOfWork, out_of_space
from allmende.weights import Place, StreamPlace

__all__ = ["DELTA_TRANSFER", "ReceivedDelta", "rebuild_pushed"]


class BaseNotHere(Conflict):
    """A content on which a delta rests is not here for the sender."""

    code = "delta_base_not_here"

    def __init__(self) -> None:
        super().__init__(
            "A content on which this delta rests is not here, or not for you.", hint="Send the file as it is."
        )


class ReceivedDelta:
    """The body of a delta as it arrives, in a file without a name: nothing is left of it in the end."""

    def __init__(self, services: Services) -> None:
        self._services = services
        with out_of_space():
            self._file = self.spare()

    def __enter__(self) -> Self:
        """Nothing more."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """The file goes."""
        self.discard()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes. Raises StorageFull."""
        reach("delta.receiving")
        with out_of_space():
            self._file.write(data)

    def discard(self) -> None:
        """The file goes; harmless when it has gone."""
        self._file.close()

    def spare(self) -> BinaryIO:
        """An empty file of the same kind."""
        # Contents may lie in a bucket; what is unfinished lies on this machine.
        return cast(BinaryIO, tempfile.TemporaryFile(dir=self._services.hot.incoming))

    def mapped(self) -> memoryview:
        """All that has arrived. The map lives as long as views of it do."""
        with out_of_space():
            self._file.flush()
        if not self._file.tell():
            return memoryview(b"")
        return memoryview(mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ))


def rebuild_pushed(
    services: Services,
    actor: Actor,
    repo: Repo,
    received: ReceivedDelta,
    size_bytes: int,
    writer: ContentWriter,
) -> str:
    """The location of the content that a delta gives, verified and durable; `writer` is that of an upload.

    Raises DeltaRefused for what gives another content or none, BaseNotHere, StorageFull.
    """
    sent = BytesPlain(received.mapped())
    delta = read_delta(sent, size_bytes)
    reach("delta.received")
    with services.database.read() as uow:
        bases = _bases(services, uow, actor, repo, delta)

    def write(data: memoryview) -> None:
        reach("delta.rebuilding")
        writer.write(data)

    with ExitStack() as opened:
        places = [_place(services, one, opened) for one in bases]
        with out_of_space():
            rebuild(sent, delta, places, size_bytes, opened.enter_context(received.spare()), write)
    reach("delta.rebuilt")
    try:
        return writer.finish()
    except (HashMismatch, SizeMismatch) as error:
        raise DeltaRefused("The delta gives other bytes than were announced.") from error


def _bases(services: Services, uow: UnitOfWork, actor: Actor, repo: Repo, delta: Delta) -> Sequence[Content]:
    """The contents of the bases. Raises BaseNotHere, in the same words whatever the reason."""
    found = usable(uow, actor, repo, [one.sha256 for one in delta.bases])
    door = Door(services, actor, repo)
    if not all(_is_here(uow, door, found.get(one.sha256), one) for one in delta.bases):
        raise BaseNotHere
    return [found[one.sha256] for one in delta.bases]


def _is_here(uow: UnitOfWork, door: Door, content: Content | None, base: DeltaBase) -> bool:
    if content is None or content.size_bytes != base.size_bytes or content.damaged is not None:
        return False
    try:
        door.check_content(uow, Sha256(base.sha256))
    except AllmendeError:
        # Whatever stands against it: to the sender it is not here.
        return False
    return True


def _place(services: Services, content: Content, opened: ExitStack) -> Place:
    reader = opened.enter_context(open_content(services, content))
    return StreamPlace(content.sha256, reader, content.size_bytes)
