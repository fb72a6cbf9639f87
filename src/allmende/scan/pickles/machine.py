"""An abstract interpreter of the pickle machine: every opcode of protocols 0 to 5, and no object ever made.

It keeps stack, marks and memo as `pickle.Unpickler` does (Lib/pickle.py and Modules/_pickle.c) and tells a
judge what would be imported, called and built, at the moment when the real machine would do it: so what is
thrown away afterwards counts as well. Where the real machines would stop with an error, this one raises
Unreadable. Time is linear in the bytes that are looked at; bulk is skipped by its length.

The module is long because the loop is one: a call for each opcode would double its time.
"""

import codecs
import re
import struct
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from allmende.scan.pickles.hash_tally import HashTally
from allmende.scan.pickles.state_keys import SPECIAL_KEYS, WATCHED_KEYS
from allmende.scan.pickles.values import MAX_TEXT_BYTES, NONE, PLAIN, Chunk, Global, Node, Value
from allmende.scan.scanning import Unreadable
from allmende.scan.source import Source

__all__ = ["ArraySkipper", "Judge", "Machine"]

_WINDOW_BYTES = 1024 * 1024  # larger than any text that is kept, in each use
_MARGIN_BYTES = 16
_MAX_LINE_BYTES = 64 * 1024 * 1024
_KEPT_PAIRS = 20_000
_LARGE_BYTES = 8
_U16, _U32, _U64, _I32 = (struct.Struct(code).unpack_from for code in ("<H", "<I", "<Q", "<i"))
_DECIMAL = re.compile(rb"[+-]?[0-9]{1,200}")

Length = tuple[Callable[[bytes, int], tuple[int]], int]
_LENGTHS: Final[Mapping[int, Length]] = {
    0x54: (_I32, 4), 0x58: (_U32, 4), 0x8D: (_U64, 8), 0x42: (_U32, 4), 0x8E: (_U64, 8), 0x96: (_U64, 8)
}  # fmt: skip


class Judge(Protocol):
    """Who is told what the machine would do. Offsets are those of the opcodes, in the source."""

    def imported(self, module: str, name: str, protocol: int, offset: int) -> Global:
        """A name is imported; the answer is what lies on the stack for it."""

    def computed_import(self, module: Value, name: Value, offset: int) -> Value:
        """Names are imported that are not written in the stream but made by it."""

    def called(self, callee: Value, arguments: tuple[Value, ...], opcode: str, offset: int) -> None:
        """Something is called with these arguments."""

    def computed_arguments(self, callee: Value, opcode: str, offset: int) -> None:
        """Something is called, with arguments that are no tuple written in the stream."""

    def held(self, function: Global, offset: int) -> None:
        """A function is put into a container, where whoever takes it out may call it."""

    def filled(self, target: Node, offset: int) -> None:
        """Items go into what a call gave, by its methods, or under watched keys into a dict."""

    def built(self, instance: Value, state: Value, offset: int) -> None:
        """An object gets its state: by `__setstate__`, or attribute by attribute."""

    def extension(self, code: int, offset: int) -> None:
        """An object of the extension registry is asked for."""

    def persistent(self, pid: Value, offset: int) -> Value:
        """The loader's own `persistent_load` is asked for an object; the answer lies on the stack then."""

    def memo_index(self, index: int, count: int, offset: int) -> None:
        """A memo index is used that lies far above the number of entries."""


class ArraySkipper(Protocol):
    """Who knows what lies between opcodes: joblib writes an array's bytes behind the BUILD of its wrapper."""

    def after_build(self, class_name: str, state: Mapping[str, Value], position: int) -> int | None:
        """Where the next opcode is, behind the bytes that begin at `position`; None if there are none."""


class Machine:
    """Interprets one stream. `count` is the number of opcodes so far, `result` what STOP found."""

    def __init__(
        self,
        source: Source,
        judge: Judge,
        offset: int = 0,
        arrays: ArraySkipper | None = None,
        window_bytes: int = _WINDOW_BYTES,
    ) -> None:
        self.count = 0
        self.largest = 0
        self.deepest = 0
        self.tally = HashTally()
        self.result: Value | None = None
        self._source = source
        self._judge = judge
        self._arrays = arrays
        self._base = offset
        self._window_bytes = window_bytes
        self._data = source.read_at(offset, window_bytes)
        self._stack: list[Value] = []
        self._marks: list[int] = []
        self._memo: dict[int, Value] = {}
        self._protocol = 0
        self._rare: dict[int, Callable[[int], int]] = {
            ord("0"): self._pop, ord("1"): self._pop_mark, ord("2"): self._dup, ord("F"): self._float,
            ord("I"): self._int, ord("L"): self._long, ord("P"): self._persid, ord("Q"): self._binpersid,
            ord("S"): self._string, ord("V"): self._unicode, ord("g"): self._get, ord("p"): self._put,
            ord("r"): self._long_binput, ord("i"): self._inst, ord("o"): self._obj, ord("b"): self._build,
            ord("R"): self._reduce, ord("c"): self._global, ord("l"): self._list, ord("d"): self._dict,
            0x80: self._proto, 0x81: self._newobj, 0x82: self._ext1, 0x83: self._ext2, 0x84: self._ext4,
            0x8A: self._long1, 0x8B: self._long4, 0x90: self._additems, 0x91: self._frozenset,
            0x92: self._newobj_ex, 0x93: self._stack_global, 0x95: self._frame, 0x97: self._next_buffer,
            0x98: self._readonly_buffer, 0x42: self._bulk, 0x8E: self._bulk, 0x96: self._bulk,
            0x54: self._bulk_text, 0x58: self._bulk_text, 0x8D: self._bulk_text,
        }  # fmt: skip

    @property
    def depth_of_stack(self) -> int:
        """How many values lie on the stack."""
        return len(self._stack)

    def run(self, opcodes: int) -> int | None:  # noqa: C901, PLR0912, PLR0915  # one loop, see above
        """Interpret up to and including STOP; the offset behind it, or None when `opcodes` were not enough.

        Raises Unreadable where the real machine would fail.
        """
        data, stack, marks, memo, rare = self._data, self._stack, self._marks, self._memo, self._rare
        append = stack.append
        position = 0
        enough = len(data) - _MARGIN_BYTES
        fence = marks[-1] if marks else 0
        number = -1
        try:
            for number in range(opcodes):  # noqa: B007  # what `count` is made of
                if position > enough and self._base + len(data) < self._source.size_bytes:
                    data = self._refill(position)
                    position, enough = 0, len(data) - _MARGIN_BYTES
                opcode = data[position]
                position += 1
                if opcode == 0x94:  # MEMOIZE
                    if len(stack) <= fence:
                        raise self._short(position)
                    memo[len(memo)] = stack[-1]
                elif opcode == 0x68:  # BINGET
                    append(memo[data[position]])
                    position += 1
                elif opcode == 0x4B:  # BININT1
                    append(data[position])
                    position += 1
                elif opcode == 0x47:  # BINFLOAT
                    position += 8
                    if position > len(data):
                        raise self._ends()
                    append(PLAIN)
                elif opcode == 0x8C or opcode == 0x55:  # SHORT_BINUNICODE, SHORT_BINSTRING  # noqa: PLR1714
                    end = position + 1 + data[position]
                    if end > len(data):
                        if self._base + end > self._source.size_bytes:
                            raise self._ends()
                        data = self._refill(position)
                        position, end, enough = 0, 1 + data[0], len(data) - _MARGIN_BYTES
                    append(data[position + 1 : end])
                    position = end
                elif opcode == 0x71:  # BINPUT
                    if len(stack) <= fence:
                        raise self._short(position)
                    memo[data[position]] = stack[-1]
                    position += 1
                elif opcode == 0x4A:  # BININT
                    append(_I32(data, position)[0])
                    position += 4
                elif opcode == 0x4D:  # BININT2
                    append(_U16(data, position)[0])
                    position += 2
                elif opcode == 0x28:  # MARK
                    fence = len(stack)
                    marks.append(fence)
                elif opcode == 0x6A:  # LONG_BINGET
                    append(memo[_U32(data, position)[0]])
                    position += 4
                elif opcode in _EMPTY:
                    append(Node(() if opcode == 0x29 else None))
                elif opcode in _POPPING_MARK:  # SETITEMS, APPENDS, TUPLE
                    start = marks.pop()
                    fence = marks[-1] if marks else 0
                    items = stack[start:]
                    del stack[start:]
                    if opcode == 0x74:
                        append(self._tuple(items))
                    else:
                        if start <= fence:
                            raise self._short(position)
                        if opcode == 0x75 and len(items) % 2:
                            raise Unreadable("SETITEMS finds an odd number of values.", self._base + position)
                        if items:
                            self._extend(stack[-1], items, position, pairs=opcode == 0x75)
                elif opcode in _TUPLES:
                    start = len(stack) - _TUPLES[opcode]
                    if start < fence:
                        raise self._short(position)
                    items = stack[start:]
                    del stack[start:]
                    append(self._tuple(items))
                elif opcode == 0x46:  # FLOAT, the commonest of the opcodes in text
                    end = data.find(b"\n", position)
                    if end < 0:
                        position = self._float(position)
                        data, enough = self._data, len(self._data) - _MARGIN_BYTES
                    else:
                        append(PLAIN)
                        position = end + 1
                elif opcode == 0x61 or opcode == 0x73:  # APPEND, SETITEM  # noqa: PLR1714
                    start = len(stack) - (1 if opcode == 0x61 else 2)
                    if start <= fence:
                        raise self._short(position)
                    items = stack[start:]
                    del stack[start:]
                    if items[0] is not PLAIN or opcode == 0x73 or not self._append_plain(stack[-1]):
                        self._extend(stack[-1], items, position, pairs=opcode == 0x73)
                elif opcode == 0x4E:  # NONE
                    append(NONE)
                elif opcode in _TRUTHS:
                    append(PLAIN)
                elif opcode == 0x43:  # SHORT_BINBYTES
                    size_bytes = data[position]
                    append(Chunk(self._base + position + 1, size_bytes))
                    position += 1 + size_bytes
                    if position > len(data):
                        position = self._jump(position)
                        data, enough = self._data, len(self._data) - _MARGIN_BYTES
                elif opcode == 0x2E:  # STOP
                    if len(stack) <= fence:
                        raise self._short(position)
                    self.result = stack[-1]
                    return self._base + position
                else:
                    handler = rare.get(opcode)
                    if handler is None:
                        raise Unreadable(f"There is no opcode {opcode:#04x}.", self._base + position - 1)
                    position = handler(position)
                    data, enough = self._data, len(self._data) - _MARGIN_BYTES
                    fence = marks[-1] if marks else 0
        except (IndexError, struct.error):
            raise self._stopped(position) from None
        except KeyError as missing:
            raise Unreadable(f"The memo has no entry {missing.args[0]!r}.", self._base + position) from None
        finally:
            self.count += number + 1
        return None

    # --- the window ---------------------------------------------------------------------------------------

    def _refill(self, position: int) -> bytes:
        """The window begins at `position` from now on."""
        self._base += position
        self._data = self._source.read_at(self._base, self._window_bytes)
        return self._data

    def _jump(self, position: int) -> int:
        """Go on at `position` of the window, or behind it. Raises Unreadable behind the end of the source."""
        if self._base + position > self._source.size_bytes:
            raise self._ends()
        if position + _MARGIN_BYTES > len(self._data):
            self._refill(position)
            return 0
        return position

    def _line(self, position: int) -> tuple[bytes | None, int]:
        """The line at `position` without its end, None where it is long; and where the next begins."""
        end = self._data.find(b"\n", position)
        if end < 0:
            self._refill(position)
            position, end = 0, self._data.find(b"\n")
        searched = len(self._data)
        base = self._base
        while end < 0:
            more = self._source.read_at(base + searched, _WINDOW_BYTES)
            if not more and searched <= MAX_TEXT_BYTES:
                # At the end of the file, Python's own machine takes the last byte for the end of the line.
                return self._data[:-1], len(self._data)
            if not more or searched > _MAX_LINE_BYTES:
                raise Unreadable("A line has no end.", base)
            found = more.find(b"\n")
            if found >= 0:
                return None, self._jump(searched + found + 1)
            searched += len(more)
        line = self._data[position:end]
        return (line if len(line) <= MAX_TEXT_BYTES else None), end + 1

    def _ends(self) -> Unreadable:
        return Unreadable("The pickle ends inside an opcode.", self._source.size_bytes)

    def _short(self, position: int) -> Unreadable:
        return Unreadable("An opcode finds too few values on the stack.", self._base + position - 1)

    def _stopped(self, position: int) -> Unreadable:
        """What an IndexError or a short read was: the end of the bytes, or of the stack or marks."""
        if self._base + position + 8 >= self._source.size_bytes and position + 8 >= len(self._data):
            return Unreadable("The pickle ends without STOP.", self._source.size_bytes)
        return self._short(position)

    def _need(self, count: int, position: int) -> None:
        """Raises Unreadable where fewer values lie above the last mark."""
        if len(self._stack) - (self._marks[-1] if self._marks else 0) < count:
            raise self._short(position)

    def _pop_to_mark(self, position: int) -> list[Value]:
        if not self._marks:
            raise Unreadable("An opcode finds no mark.", self._base + position - 1)
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    # --- containers ---------------------------------------------------------------------------------------

    def _tuple(self, items: list[Value]) -> Node:
        node = Node(tuple(items))
        self._grow(node, items)
        return node

    def _extend(self, target: Value, items: list[Value], position: int, *, pairs: bool) -> None:
        """Items, or keys and values (`pairs`), go into a container or into what a call gave."""
        if target.__class__ is not Node:
            raise Unreadable("Items are put into what is no container.", self._base + position - 1)
        assert isinstance(target, Node)
        self._grow(target, items)
        self._hold(target, position)
        watched = False
        if pairs:
            watched = self._keep(target, items)
        elif not SPECIAL_KEYS.isdisjoint(items):
            target.odd_keys = True
        if watched or target.callee is not None:
            self._judge.filled(target, self._base + position - 1)

    def _append_plain(self, target: Value) -> bool:
        """What `_extend` does for the commonest item of all; False where more is to be done."""
        if target.__class__ is not Node or target.carried is not None or target.callee is not None:
            return False
        size = target.size = target.size + 1
        if size > self.largest:  # noqa: PLR1730
            self.largest = size
        if target.depth > self.deepest:  # noqa: PLR1730
            self.deepest = target.depth
        return True

    def _keep(self, target: Node, items: list[Value]) -> bool:
        """What is known of a dict afterwards: that it has keys, which are watched or odd, and fields.

        Whether there were watched keys.
        """
        keys, watched = items[::2], False
        if not WATCHED_KEYS.isdisjoint(keys):
            mapping = target.mapping = target.mapping or {}
            for key, value in zip(keys, items[1::2], strict=False):
                if isinstance(key, bytes) and key in WATCHED_KEYS:
                    mapping[key] = value
            watched = True
        for key in keys:
            if key.__class__ is bytes:
                continue
            self.tally.add(keys)
            target.odd_keys = target.odd_keys or any(isinstance(key, Node) and key.callee for key in keys)
            break
        if target.pairs is not None:
            if len(target.pairs) < _KEPT_PAIRS:
                target.pairs += items
        elif not target.keyed and _is_field(items[1]):
            target.pairs = list(items)
        target.keyed = True
        return watched

    def _hold(self, target: Node, position: int) -> None:
        """What is carried into a container that can change is told at once: nobody knows who takes it out."""
        if target.carried is not None:
            self._judge.held(target.carried, self._base + position - 1)
            target.carried = None

    def _grow(self, target: Node, items: list[Value]) -> None:
        size, depth = target.size + len(items), target.depth
        for item in items:
            kind = item.__class__
            if kind is Node:
                size += item.size  # type: ignore[union-attr]  # told by the class, for speed
                if item.depth >= depth:  # type: ignore[union-attr]
                    depth = item.depth + 1  # type: ignore[union-attr]
                if item.carried is not None:  # type: ignore[union-attr]
                    target.carried = item.carried  # type: ignore[union-attr]
            elif kind is Global and item.is_function:  # type: ignore[union-attr]
                target.carried = item  # type: ignore[assignment]
        target.size, target.depth = size, depth
        if size > self.largest:  # noqa: PLR1730  # a call for each item would cost more than all the rest
            self.largest = size
        if depth > self.deepest:  # noqa: PLR1730
            self.deepest = depth

    def _list(self, position: int) -> int:
        items = self._pop_to_mark(position)
        node = Node()
        self._grow(node, items)
        self._hold(node, position)
        if not SPECIAL_KEYS.isdisjoint(items):
            node.odd_keys = True
        self._stack.append(node)
        return position

    def _frozenset(self, position: int) -> int:
        self.tally.add(self._stack[self._marks[-1] :] if self._marks else ())
        return self._list(position)

    def _dict(self, position: int) -> int:
        items = self._pop_to_mark(position)
        if len(items) % 2:
            raise Unreadable("DICT finds an odd number of values.", self._base + position - 1)
        node = Node()
        if items:
            self._extend(node, items, position, pairs=True)
        self._stack.append(node)
        return position

    def _additems(self, position: int) -> int:
        items = self._pop_to_mark(position)
        self._need(1, position)
        if items:
            self.tally.add(items)
            self._extend(self._stack[-1], items, position, pairs=False)
        return position

    # --- stack and memo -----------------------------------------------------------------------------------

    def _pop(self, position: int) -> int:
        if self._marks and len(self._stack) == self._marks[-1]:
            self._marks.pop()
        else:
            self._stack.pop()
        return position

    def _pop_mark(self, position: int) -> int:
        self._pop_to_mark(position)
        return position

    def _dup(self, position: int) -> int:
        self._need(1, position)
        self._stack.append(self._stack[-1])
        return position

    def _memo_key(self, position: int) -> tuple[int, int]:
        line, after = self._line(position)
        if line is None or not _DECIMAL.fullmatch(line.strip()) or int(line) < 0:
            raise Unreadable("A memo index is no number.", self._base + position)
        return int(line), after

    def _get(self, position: int) -> int:
        key, after = self._memo_key(position)
        self._stack.append(self._memo[key])
        return after

    def _put(self, position: int) -> int:
        key, after = self._memo_key(position)
        self._remember(key, after)
        return after

    def _long_binput(self, position: int) -> int:
        self._remember(_U32(self._data, position)[0], position)
        return position + 4

    def _remember(self, key: int, position: int) -> None:
        self._need(1, position)
        if key > 2 * len(self._memo) + 65_536:
            self._judge.memo_index(key, len(self._memo), self._base + position)
        self._memo[key] = self._stack[-1]

    # --- constants ----------------------------------------------------------------------------------------

    def _number(self, position: int, strip: bytes = b"") -> int:
        line, after = self._line(position)
        text = b"" if line is None else line.strip().removesuffix(strip)
        value = int(text) if _DECIMAL.fullmatch(text) is not None else PLAIN
        if len(text) > 2 * _LARGE_BYTES:
            self.tally.add((value,))
        self._stack.append(value)
        return after

    def _int(self, position: int) -> int:
        return self._number(position)

    def _long(self, position: int) -> int:
        return self._number(position, b"L")

    def _float(self, position: int) -> int:
        _, after = self._line(position)
        self._stack.append(PLAIN)
        return after

    def _long1(self, position: int) -> int:
        size_bytes = self._data[position]
        number = self._data[position + 1 : position + 1 + size_bytes]
        value = int.from_bytes(number, "little", signed=True)
        if size_bytes >= _LARGE_BYTES:
            self.tally.add((value,))  # from a list, too, it may come into a set
        return self._skipped(position + 1, size_bytes, value)

    def _long4(self, position: int) -> int:
        return self._skipped(position + 4, _I32(self._data, position)[0], PLAIN)

    def _skipped(self, start: int, size_bytes: int, value: Value) -> int:
        if size_bytes < 0:
            raise Unreadable("A length is negative.", self._base + start)
        self._stack.append(value)
        return self._jump(start + size_bytes)

    def _bulk(self, position: int) -> int:
        read, width = _LENGTHS[self._data[position - 1]]
        size_bytes, start = read(self._data, position)[0], position + width
        return self._skipped(start, size_bytes, Chunk(self._base + start, size_bytes))

    def _bulk_text(self, position: int) -> int:
        read, width = _LENGTHS[self._data[position - 1]]
        size_bytes, start = read(self._data, position)[0], position + width
        if size_bytes < 0 or self._base + start + size_bytes > self._source.size_bytes:
            raise self._ends()
        if size_bytes > MAX_TEXT_BYTES:
            return self._skipped(start, size_bytes, PLAIN)
        if start + size_bytes > len(self._data):
            self._refill(start)
            start = 0
        self._stack.append(self._data[start : start + size_bytes])
        return start + size_bytes

    def _string(self, position: int) -> int:
        line, after = self._line(position)
        if line is None:
            self._stack.append(PLAIN)
            return after
        text = line.strip(b"\r ")
        if len(text) < 2 or text[0] != text[-1] or text[0] not in b"\"'":
            raise Unreadable("A STRING is not in quotes.", self._base + position)
        try:
            self._stack.append(codecs.escape_decode(text[1:-1])[0])
        except ValueError as error:
            raise Unreadable(f"A STRING cannot be read: {error}.", self._base + position) from None
        return after

    def _unicode(self, position: int) -> int:
        line, after = self._line(position)
        try:
            text = (
                PLAIN if line is None else line.decode("raw-unicode-escape").encode("utf-8", "surrogatepass")
            )
        except UnicodeDecodeError as error:
            raise Unreadable(f"A UNICODE cannot be read: {error.reason}.", self._base + position) from None
        self._stack.append(text)
        return after

    # --- framing and buffers ------------------------------------------------------------------------------

    def _proto(self, position: int) -> int:
        self._protocol = self._data[position]
        if self._protocol > 5:
            raise Unreadable(f"There is no protocol {self._protocol}.", self._base + position)
        return position + 1

    def _frame(self, position: int) -> int:
        if self._base + position + 8 + _U64(self._data, position)[0] > self._source.size_bytes:
            raise Unreadable("A frame is longer than the pickle.", self._base + position)
        return position + 8

    def _next_buffer(self, position: int) -> int:
        self._stack.append(PLAIN)
        return position

    def _readonly_buffer(self, position: int) -> int:
        self._need(1, position)
        return position

    # --- imports and calls --------------------------------------------------------------------------------

    def _names(self, position: int) -> tuple[str, str, int]:
        module, after = self._line(position)
        name, after = self._line(after)
        if module is None or name is None:
            raise Unreadable("The name of an import is too long.", self._base)
        try:
            return module.decode("utf-8"), name.decode("utf-8"), after
        except UnicodeDecodeError:
            raise Unreadable("The name of an import is no UTF-8.", self._base + after) from None

    def _import(self, module: str, name: str, offset: int) -> Global:
        return self._judge.imported(module, name, self._protocol, offset)

    def _global(self, position: int) -> int:
        offset = self._base + position - 1
        module, name, after = self._names(position)
        self._stack.append(self._import(module, name, offset))
        return after

    def _stack_global(self, position: int) -> int:
        self._need(2, position)
        name, module = self._stack.pop(), self._stack.pop()
        offset = self._base + position - 1
        if not isinstance(module, bytes) or not isinstance(name, bytes):
            self._stack.append(self._judge.computed_import(module, name, offset))
            return position
        try:
            texts = module.decode("utf-8"), name.decode("utf-8")
        except UnicodeDecodeError:
            raise Unreadable("The name of an import is no UTF-8.", offset) from None
        self._stack.append(self._import(*texts, offset))
        return position

    def _call(self, callee: Value, arguments: Value, opcode: str, position: int) -> None:
        items = arguments.items if isinstance(arguments, Node) and arguments.callee is None else None
        offset = self._base + position - 1
        if items is None:
            # The real machine takes a tuple alone; what is none here may be one that a call has made.
            self._judge.computed_arguments(callee, opcode, offset)
            items = (arguments,)
        self._judge.called(callee, items, opcode, offset)
        node = Node(items, callee)
        self._grow(node, list(items))
        node.carried = None
        self._stack.append(node)

    def _reduce(self, position: int) -> int:
        self._need(2, position)
        arguments, callee = self._stack.pop(), self._stack.pop()
        self._call(callee, arguments, "REDUCE", position)
        return position

    def _newobj(self, position: int) -> int:
        self._need(2, position)
        arguments, callee = self._stack.pop(), self._stack.pop()
        self._call(callee, arguments, "NEWOBJ", position)
        return position

    def _newobj_ex(self, position: int) -> int:
        self._need(3, position)
        named, arguments, callee = self._stack.pop(), self._stack.pop(), self._stack.pop()
        if isinstance(named, Node) and isinstance(arguments, Node) and arguments.items is not None:
            # What is named is looked at like one more argument, which no list of arguments foresees.
            empty = named.callee is None and not named.keyed
            arguments = arguments if empty or arguments.callee else Node((*arguments.items, named))
        self._call(callee, arguments, "NEWOBJ_EX", position)
        return position

    def _inst(self, position: int) -> int:
        offset = self._base + position - 1
        module, name, after = self._names(position)
        # Python's machine (which joblib uses) imports before it looks for the mark, the one in C after it.
        called = self._import(module, name, offset)
        items = self._pop_to_mark(after)
        self._call(called, self._tuple(items), "INST", after)
        return after

    def _obj(self, position: int) -> int:
        items = self._pop_to_mark(position)
        if not items:
            raise self._short(position)
        self._call(items[0], self._tuple(items[1:]), "OBJ", position)
        return position

    def _build(self, position: int) -> int:
        self._need(2, position)
        state = self._stack.pop()
        instance = self._stack[-1]
        self._judge.built(instance, state, self._base + position - 1)
        if not isinstance(instance, Node):
            return position
        instance.state = state
        if isinstance(state, Node):
            self._grow(instance, [state])
            instance.carried = None
        made = _class_of(instance)
        if self._arrays is None or made is None:
            return position
        mapping = state.mapping if isinstance(state, Node) else None
        named = {key.decode("utf-8", "replace"): value for key, value in (mapping or {}).items()}
        behind = self._arrays.after_build(made.path, named, self._base + position)
        return position if behind is None else self._jump(behind - self._base)

    def _extension(self, code: int, position: int) -> None:
        self._judge.extension(code, self._base + position - 1)
        self._stack.append(Node(None, PLAIN))

    def _ext1(self, position: int) -> int:
        self._extension(self._data[position], position)
        return position + 1

    def _ext2(self, position: int) -> int:
        self._extension(_U16(self._data, position)[0], position)
        return position + 2

    def _ext4(self, position: int) -> int:
        self._extension(_I32(self._data, position)[0], position)
        return position + 4

    def _persid(self, position: int) -> int:
        line, after = self._line(position)
        self._persistent(PLAIN if line is None else line, position)
        return after

    def _binpersid(self, position: int) -> int:
        self._need(1, position)
        self._persistent(self._stack.pop(), position)
        return position

    def _persistent(self, pid: Value, position: int) -> None:
        self._stack.append(self._judge.persistent(pid, self._base + position - 1))


def _class_of(instance: Node) -> Global | None:
    """The class of an object, by whatever call it was made."""
    callee = instance.callee
    if isinstance(callee, Global) and callee.module == "copyreg" and instance.items:
        callee = instance.items[0]
    return callee if isinstance(callee, Global) else None


def _is_field(value: Value) -> bool:
    """Whether it is a tuple that begins with what a call gave, as a field of a record does."""
    if not isinstance(value, Node) or not value.items or value.callee is not None:
        return False
    first = value.items[0]
    return isinstance(first, Node) and first.callee is not None


_EMPTY: Final = frozenset((0x7D, 0x5D, 0x29, 0x8F))
_POPPING_MARK: Final = frozenset((0x75, 0x65, 0x74))
_TUPLES: Final = {0x85: 1, 0x86: 2, 0x87: 3}
_TRUTHS: Final = frozenset((0x88, 0x89))
