"""Reading contents: the one way to their bytes, however they are stored.

A packed content is decoded as it is read, and each block is verified before any of it is given out. Its
representation may change while it is read: then reading goes on where it was in the new one.
"""

import hashlib
import io
import logging
import tempfile
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, cast

from allmende.codecs import DamagedObject, MalformedEncoding, MalformedRecipe, read_recipe
from allmende.errors import NotFound
from allmende.flows.object_shelf import HubShelf, Settling
from allmende.flows.services import Services
from allmende.ids import Sha256
from allmende.packing import RecipeReader, open_recipe
from allmende.storage import Content, KeptRecipe, LocalFile, find_content, find_recipes

__all__ = [
    "BytesDamaged",
    "ContentReader",
    "open_content",
    "open_packed",
    "open_unpacked",
    "plain_file",
    "shelf_of",
]

_log = logging.getLogger(__name__)

_BLOCK_BYTES = 1024 * 1024
_TRIES = 3
"""A content changes its representation rarely, and only now and then again at that very moment."""
_UNREADABLE = (DamagedObject, MalformedEncoding, MalformedRecipe, NotFound)
"""An object that is missing is a `NotFound` too."""


class BytesDamaged(DamagedObject):
    """The stored bytes of a content are not what they should be, in every way to them that there is."""

    code = "bytes_damaged"


def shelf_of(services: Services, scope: int, settling: Settling | None = None) -> HubShelf:
    """The objects that a scope has, its own and the public ones. For one thread at a time."""
    return HubShelf(services.database, services.packs, scope, settling)


def open_content(
    services: Services, content: Content, until: int | None = None, *, verify: bool = True
) -> BinaryIO:
    """A seekable reader of a content's bytes. Raises NotFound where they are not in the store.

    Reading raises BytesDamaged where a packed content cannot be decoded; wrong bytes of one are never given.
    Not for use by two threads at once. Who will read on up to the byte `until` says so: then what is packed
    is decoded ahead. Who holds the whole against its SHA-256 himself, or is content with the checks of recipe
    and blocks, says that by `verify`: then that is not done here.
    """
    if not content.is_packed:
        try:
            return services.contents.open_read(content.location)
        except NotFound:
            # Packed since it was looked up, or of a plain file that is lost a recipe may be left.
            reader = ContentReader(services, content.sha256, content.size_bytes, until, verify=verify)
            if not reader.is_there:
                raise
            return cast(BinaryIO, reader)
    return services.hot.open_read(content.sha256) or cast(
        BinaryIO, ContentReader(services, content.sha256, content.size_bytes, until, verify=verify)
    )


def plain_file(services: Services, content: Content) -> LocalFile | None:
    """The file that has a content's bytes as they are, where there is one that can be served uncopied."""
    if content.is_packed:
        path = services.hot.find(content.sha256)
        return None if path is None else LocalFile(path)
    place = services.contents.locate(content.location)
    return place if isinstance(place, LocalFile) else None


def open_unpacked(services: Services, content: Content) -> BinaryIO:
    """The same as `open_content`, as a file of the operating system that is only read.

    What is packed is written to a temporary file without a name first, and verified. Raises NotFound, and
    BytesDamaged.
    """
    reader = open_content(services, content, content.size_bytes, verify=False)
    try:
        reader.fileno()
    except io.UnsupportedOperation:
        with reader:
            return _unpacked(services, content, reader)
    return reader


def open_packed(
    services: Services, recipe: KeptRecipe, until: int | None = None, *, verify: bool = True
) -> BinaryIO:
    """A reader of a content by one of its recipes and no other way; raises MalformedRecipe.

    For `until` and `verify` see `open_content`.
    """
    ahead = None if until is None else services.ahead
    shelf = shelf_of(services, recipe.scope)
    found = read_recipe(recipe.body)
    if found.sha256 != recipe.sha256:
        raise MalformedRecipe(f"The recipe of content {recipe.sha256} is that of another.")
    shelf.expect(found.objects)
    return cast(BinaryIO, open_recipe(found, shelf, ahead, until, verify=verify))


class ContentReader(io.RawIOBase):
    """The bytes of a content that is packed, or has just been; see `open_content`."""

    def __init__(
        self,
        services: Services,
        sha256: Sha256,
        size_bytes: int,
        until: int | None = None,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__()
        self._until = until
        self._verify = verify
        self._services = services
        self._sha256 = sha256
        self._size_bytes = size_bytes
        self._at = 0
        self._inner: BinaryIO | None = None
        self._seen: set[object] = set()

    @property
    def is_there(self) -> bool:
        """Whether the content can be read in some way; opens it."""
        try:
            self._opened()
        except NotFound:
            return False
        return True

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def tell(self) -> int:
        """Where reading goes on."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See io.IOBase."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        if start + offset < 0:
            raise ValueError("a place before the first byte")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: object, /) -> int:
        """As many bytes as fit, to the end at most. Raises BytesDamaged where no way to them is left."""
        view = memoryview(cast(bytearray, buffer)).cast("B")
        view = view[: max(0, self._size_bytes - self._at)]
        done = 0
        while done < len(view):
            data = self._read_some(len(view) - done)
            view[done : done + len(data)] = data
            done += len(data)
            self._at += len(data)
        return done

    def read1(self, most: int) -> bytes:
        """As many of the next bytes as are at hand, `most` at most, none at the end. Raises as `readinto`."""
        most = min(most, self._size_bytes - self._at)
        if most <= 0:
            return b""
        data = self._read_some(most)
        self._at += len(data)
        return data

    def _read_some(self, most: int) -> bytes:
        for tries_left in reversed(range(_TRIES)):
            try:
                inner = self._opened()
                inner.seek(self._at)
                # A part that was decoded is passed on as it is.
                data = inner.read1(most) if isinstance(inner, RecipeReader) else inner.read(most)
            except _UNREADABLE as error:
                # What it was read by may have been replaced meanwhile.
                self._let_go()
                if not tries_left:
                    raise BytesDamaged(error.message) from error
                continue
            if data:
                return data
            break
        raise BytesDamaged(f"The stored bytes of content {self._sha256} end before they should.")

    def close(self) -> None:
        """See io.IOBase."""
        self._let_go()
        super().close()

    def _let_go(self) -> None:
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.close()

    def _opened(self) -> BinaryIO:
        """A reader by a way that was not tried yet, or the last one again if there is no other."""
        if self._inner is None:
            ways = self._ways()
            if not ways:
                raise NotFound(
                    f"The bytes of content {self._sha256} are missing from the store.", code="content_missing"
                )
            key = next((key for key in ways if key not in self._seen), next(iter(ways)))
            self._seen.add(key)
            self._inner = ways[key]()
        return self._inner

    def _ways(self) -> dict[object, Callable[[], BinaryIO]]:
        """The ways to the bytes as they are now: the plain file first, then recipes."""
        with self._services.database.read() as uow:
            content = find_content(uow, self._sha256)
            recipes = find_recipes(uow, self._sha256)
        ways: dict[object, Callable[[], BinaryIO]] = {}
        if content is not None and not content.is_packed and self._is_plain(content):
            location = content.location
            ways[location] = lambda: self._services.contents.open_read(location)
        for recipe in recipes:
            ways[recipe.scope, recipe.body] = partial(
                open_packed, self._services, recipe, self._until, verify=self._verify
            )
        return ways

    def _is_plain(self, content: Content) -> bool:
        try:
            self._services.contents.version(content.location)
        except NotFound:
            return False
        return True


def _unpacked(services: Services, content: Content, reader: BinaryIO) -> BinaryIO:
    """The bytes in a file that has no name: nothing of it is left, however this process ends."""
    digest = hashlib.sha256()
    file = tempfile.NamedTemporaryFile(dir=services.hot.incoming)  # noqa: SIM115 (given out below)
    with file:
        while block := reader.read(_BLOCK_BYTES):
            digest.update(block)
            file.write(block)
        if digest.hexdigest() != content.sha256:
            raise BytesDamaged(f"The stored bytes of content {content.sha256} are not what they should be.")
        file.flush()
        return open(file.name, "rb")  # noqa: PTH123
