"""Whether bytes read as the beginning of a pickle, told from its opcodes; nothing is ever unpickled.

Protocols 2 and later announce themselves. Protocols 0 and 1 do not, and many of their opcodes are plain
letters, so that a text can look like one: the walk below also keeps count of the stack, which no text
survives for long.
"""

import io
import pickletools

__all__ = ["pickle_protocol"]

_MAX_OPCODES = 64
_ENOUGH_OPCODES = 16
_MAX_PROTOCOL = 5
# A line of text behind a V or a P is one of these; a pickle of nothing else is not worth the name.
_TRIVIAL = frozenset({"UNICODE", "PERSID", "GET", "PUT", "STOP", "NONE", "POP"})


def pickle_protocol(head: bytes, *, complete: bool) -> int | None:
    """The protocol of the pickle that begins with `head`, or None if none does.

    `complete` says that `head` is the whole file. A truncated walk counts only after many sound opcodes.
    """
    if len(head) >= 2 and head[0] == 0x80:
        return (
            head[1] if 1 <= head[1] <= _MAX_PROTOCOL and _walks(head, complete=complete, enough=1) else None
        )
    return _classic_protocol(head) if _walks(head, complete=complete, enough=_ENOUGH_OPCODES) else None


def _walks(head: bytes, *, complete: bool, enough: int) -> bool:
    """Whether the opcodes lead to STOP, or (where the file goes on) soundly through what is there."""
    depth = 0
    marks: list[int] = []
    steps = 0
    trivial = True
    try:
        for opcode, _, _ in pickletools.genops(io.BytesIO(head)):
            moved = _moved(opcode, depth, marks)
            if moved is None:
                return False
            depth = moved
            steps += 1
            trivial = trivial and opcode.name in _TRIVIAL
            if opcode.name == "STOP":
                return not trivial
            if steps == _MAX_OPCODES:
                return True
    except ValueError:
        # genops raises it both for an unknown opcode and where the bytes end inside an argument.
        return not complete and steps >= enough
    return not complete and steps >= enough


def _moved(opcode: pickletools.OpcodeInfo, depth: int, marks: list[int]) -> int | None:
    """The depth of the stack after `opcode`; None if it takes more than is there."""
    needs = opcode.stack_before
    if pickletools.markobject in needs:
        if not marks:
            return None
        depth = marks.pop()
        needs = needs[: needs.index(pickletools.markobject)]
    if opcode.name == "POP" and marks and marks[-1] == depth:
        marks.pop()
        return depth
    if len(needs) > depth - (marks[-1] if marks else 0):
        return None
    if opcode.name == "MARK":
        marks.append(depth)
        return depth
    return depth - len(needs) + len(opcode.stack_after)


def _classic_protocol(head: bytes) -> int:
    """0 for opcodes that are all text, 1 where binary ones are among them."""
    protocol = 0
    try:
        for step, (opcode, _, _) in enumerate(pickletools.genops(io.BytesIO(head))):
            protocol = max(protocol, opcode.proto)
            if opcode.name == "STOP" or step == _MAX_OPCODES:
                break
    except ValueError:
        # The head ends inside an opcode; what was seen up to there counts.
        return min(protocol, 1)
    return min(protocol, 1)
