"""What a pickle holds, read without running it: plain values, and names where it wants to call something.

No name is imported and nothing is called. The caller says what the few names mean that it knows; all others
become `Opaque`, which keeps what the pickle puts into it. Opcodes, memo and sizes are bounded, nesting is
not a danger: nothing here recurses, and nothing is copied. The opcodes are those of the protocols 0 to 5, as
`pickletools` tells them.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import TypeAlias

from allmende.formats.errors import MalformedPickle

__all__ = ["Global", "Opaque", "Value", "key_text", "read_pickle_values"]

Value: TypeAlias = object
"""A dict (with keys of text), list, tuple, str, bytes, int, float, bool, None, Global, Opaque, or what the
caller's own functions made."""

_MAX_OPCODES = 1_000_000
_MAX_NAME_CHARS = 300
_MAX_KEY_CHARS = 1000
_LARGEST_KEY = 2**63


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle would have imported."""

    name: str


@dataclass(slots=True, eq=False)
class Opaque:
    """Something that would have been made by calling `name`, with what was put into it afterwards.

    `items` were set one by one; `states` are what the pickle hands to its `__setstate__`.
    """

    name: str
    items: dict[str, Value] = field(default_factory=dict)
    states: list[Value] = field(default_factory=list)


def key_text(key: Value) -> str | None:
    """The key of a dict as text; None for keys that are no names and no small numbers."""
    if isinstance(key, str):
        if len(key) > _MAX_KEY_CHARS:
            raise _beyond(f"A key of a dict has {len(key)} characters; at most {_MAX_KEY_CHARS} are read.")
        return key
    if isinstance(key, int) and -_LARGEST_KEY <= key < _LARGEST_KEY:
        return str(key)
    return None


def read_pickle_values(
    stream: BytesIO,
    calls: Mapping[str, Callable[[tuple[Value, ...]], Value]],
    persistent: Callable[[Value], Value],
) -> Value:
    """The value of the pickle at the stream's position, which is afterwards behind it.

    `calls` are the names with a meaning and `persistent` what a persistent id stands for. Raises
    MalformedPickle, with the code `pickle_beyond_limits` where it is too long to be read.
    """
    machine = _Machine(calls, persistent)
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if number >= _MAX_OPCODES:
                raise _beyond(f"The pickle has more than the {_MAX_OPCODES} opcodes that are read.")
            machine.step(opcode.name, argument)
    except ValueError as error:
        raise MalformedPickle(f"The pickle cannot be read: {str(error)[:200]}.") from error
    return machine.pop()


def _beyond(sentence: str) -> MalformedPickle:
    return MalformedPickle(sentence, code="pickle_beyond_limits")


class _Machine:
    """The stack, its marks and the memo. One method for each group of opcodes."""

    def __init__(
        self,
        calls: Mapping[str, Callable[[tuple[Value, ...]], Value]],
        persistent: Callable[[Value], Value],
    ) -> None:
        self._calls = calls
        self._persistent = persistent
        self._stack: list[Value] = []
        self._marks: list[int] = []
        self._memo: dict[int, Value] = {}

    def step(self, name: str, argument: Value) -> None:
        """Does what one opcode says."""
        if name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            self._stack.append(argument)
        else:
            action = _ACTIONS.get(name)
            if action is None:
                raise MalformedPickle(f"The pickle uses {name}, which is not read.")
            action(self, argument)

    def pop(self) -> Value:
        """The value on top of the stack, taken off."""
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise MalformedPickle("The pickle takes more from its stack than is there.")
        return self._stack.pop()

    def _top(self) -> Value:
        found = self.pop()
        self._stack.append(found)
        return found

    def _to_mark(self) -> list[Value]:
        if not self._marks:
            raise MalformedPickle("The pickle goes back to a mark that it has not set.")
        mark = self._marks.pop()
        found = self._stack[mark:]
        del self._stack[mark:]
        return found

    def mark(self, _: Value) -> None:
        self._marks.append(len(self._stack))

    def discard(self, _: Value) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self.pop()

    def discard_to_mark(self, _: Value) -> None:
        self._to_mark()

    def duplicate(self, _: Value) -> None:
        self._stack.append(self._top())

    def ignore(self, _: Value) -> None:
        pass

    # --- containers ------------------------------------------------------------------------------------

    def empty_list(self, _: Value) -> None:
        self._stack.append([])

    def empty_dict(self, _: Value) -> None:
        self._stack.append({})

    def empty_set(self, _: Value) -> None:
        self._stack.append(Opaque("builtins.set"))

    def frozen_set(self, _: Value) -> None:
        self._to_mark()
        self._stack.append(Opaque("builtins.frozenset"))

    def make_list(self, _: Value) -> None:
        self._stack.append(self._to_mark())

    def make_tuple(self, _: Value) -> None:
        self._stack.append(tuple(self._to_mark()))

    def short_tuple(self, length: int) -> None:
        taken = [self.pop() for _ in range(length)]
        self._stack.append(tuple(reversed(taken)))

    def make_dict(self, _: Value) -> None:
        made: dict[str, Value] = {}
        _set_pairs(made, self._to_mark())
        self._stack.append(made)

    def append(self, _: Value) -> None:
        value = self.pop()
        _extend(self._top(), [value])

    def appends(self, _: Value) -> None:
        values = self._to_mark()
        _extend(self._top(), values)

    def set_item(self, _: Value) -> None:
        value, key = self.pop(), self.pop()
        _set_pairs(self._top(), [key, value])

    def set_items(self, _: Value) -> None:
        values = self._to_mark()
        _set_pairs(self._top(), values)

    # --- the memo --------------------------------------------------------------------------------------

    def put(self, argument: Value) -> None:
        if not isinstance(argument, int) or not 0 <= argument < 2**32:
            raise MalformedPickle("The pickle remembers a value under no number.")
        self._memo[argument] = self._top()

    def memoize(self, _: Value) -> None:
        self._memo[len(self._memo)] = self._top()

    def get(self, argument: Value) -> None:
        if not isinstance(argument, int) or argument not in self._memo:
            raise MalformedPickle("The pickle recalls a value that it has not remembered.")
        self._stack.append(self._memo[argument])

    # --- names and calls -------------------------------------------------------------------------------

    def named(self, argument: Value) -> None:
        # pickletools joins module and name with a blank.
        self._stack.append(Global(str(argument)[:_MAX_NAME_CHARS].replace(" ", ".", 1)))

    def named_by_stack(self, _: Value) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise MalformedPickle("The pickle names something by what is no text.")
        self._stack.append(Global(f"{module[:_MAX_NAME_CHARS]}.{name[:_MAX_NAME_CHARS]}"))

    def reduce(self, _: Value) -> None:
        arguments, callee = self.pop(), self.pop()
        self._call(callee, arguments)

    def new_object_ex(self, _: Value) -> None:
        self.pop()
        self.reduce(None)

    def inst(self, argument: Value) -> None:
        arguments = tuple(self._to_mark())
        self.named(argument)
        self._call(self.pop(), arguments)

    def obj(self, _: Value) -> None:
        callee, *arguments = self._to_mark() or [None]
        self._call(callee, tuple(arguments))

    def _call(self, callee: Value, arguments: Value) -> None:
        if not isinstance(arguments, tuple):
            raise MalformedPickle("The pickle calls something with arguments that are no tuple.")
        name = callee.name if isinstance(callee, Global) else ""
        known = self._calls.get(name)
        self._stack.append(Opaque(name) if known is None else known(arguments))

    def build(self, _: Value) -> None:
        state = self.pop()
        target = self._top()
        if isinstance(target, Opaque):
            # A state is a dict, or a tuple of a dict and one of slots. It is not copied: the same state for
            # each of many objects would take quadratic time.
            target.states.extend(state[:2] if isinstance(state, tuple) else [state])

    def persistent_id(self, _: Value) -> None:
        self._stack.append(self._persistent(self.pop()))


def _extend(target: Value, values: list[Value]) -> None:
    if isinstance(target, list):
        target.extend(values)
    elif isinstance(target, Opaque):
        for value in values:
            target.items[str(len(target.items))] = value
    else:
        raise MalformedPickle("The pickle appends to what is no list.")


def _set_pairs(target: Value, values: list[Value]) -> None:
    items = target.items if isinstance(target, Opaque) else target
    if not isinstance(items, dict) or len(values) % 2:
        raise MalformedPickle("The pickle sets items of what is no dict, or half an item.")
    for key, value in zip(values[::2], values[1::2], strict=True):
        text = key_text(key)
        if text is not None:
            items[text] = value


_CONSTANTS: Mapping[str, Value] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING",
        "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE",
        "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    }
)  # fmt: skip
_ACTIONS: Mapping[str, Callable[[_Machine, Value], None]] = {
    "PROTO": _Machine.ignore, "FRAME": _Machine.ignore, "STOP": _Machine.ignore,
    "MARK": _Machine.mark, "POP": _Machine.discard, "POP_MARK": _Machine.discard_to_mark,
    "DUP": _Machine.duplicate,
    "EMPTY_LIST": _Machine.empty_list, "EMPTY_DICT": _Machine.empty_dict,
    "EMPTY_SET": _Machine.empty_set, "ADDITEMS": _Machine.discard_to_mark,
    "FROZENSET": _Machine.frozen_set, "LIST": _Machine.make_list, "TUPLE": _Machine.make_tuple,
    "TUPLE1": lambda machine, _: machine.short_tuple(1),
    "TUPLE2": lambda machine, _: machine.short_tuple(2),
    "TUPLE3": lambda machine, _: machine.short_tuple(3),
    "DICT": _Machine.make_dict, "APPEND": _Machine.append, "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item, "SETITEMS": _Machine.set_items,
    "PUT": _Machine.put, "BINPUT": _Machine.put, "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "GET": _Machine.get, "BINGET": _Machine.get, "LONG_BINGET": _Machine.get,
    "GLOBAL": _Machine.named, "STACK_GLOBAL": _Machine.named_by_stack, "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce, "NEWOBJ_EX": _Machine.new_object_ex, "INST": _Machine.inst,
    "OBJ": _Machine.obj, "BUILD": _Machine.build, "BINPERSID": _Machine.persistent_id,
}  # fmt: skip
