"""A filter of system calls (seccomp mode 2) for a process that only reads, computes, and writes its answer.

Everything that is not on the list fails with EPERM: no file is opened, no socket, no process is started or
signalled (not by way of `fcntl` either), and no memory becomes executable. Linux on x86-64 and aarch64;
elsewhere there is no filter, and it is said.
"""

import ctypes
import platform
import struct
import sys
from collections.abc import Mapping
from typing import Final

__all__ = ["confine", "has_filter"]

_CALLS: Final[Mapping[str, Mapping[str, int]]] = {
    "x86_64": {
        "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "munmap": 11, "brk": 12,
        "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "sched_yield": 24,
        "mremap": 25, "madvise": 28, "getpid": 39, "exit": 60, "ftruncate": 77,
        "gettimeofday": 96, "getrusage": 98, "sigaltstack": 131, "gettid": 186, "futex": 202,
        "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231, "newfstatat": 262, "getrandom": 318,
        "memfd_create": 319, "rseq": 334,
    },
    "aarch64": {
        "read": 63, "write": 64, "close": 57, "fstat": 80, "lseek": 62, "munmap": 215, "brk": 214,
        "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "pread64": 67, "sched_yield": 124,
        "mremap": 216, "madvise": 233, "getpid": 172, "exit": 93, "ftruncate": 46,
        "gettimeofday": 169, "getrusage": 165, "sigaltstack": 132, "gettid": 178, "futex": 98,
        "restart_syscall": 128, "clock_gettime": 113, "exit_group": 94, "newfstatat": 79, "getrandom": 278,
        "memfd_create": 279, "rseq": 293,
    },
}  # fmt: skip
_MAPPING: Final = {"x86_64": (9, 10), "aarch64": (222, 226)}
"""mmap and mprotect: allowed unless the memory is to be executable."""
_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_LOAD, _EQUAL, _SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_NUMBER_AT, _ARCH_AT, _THIRD_ARGUMENT_AT = 0, 4, 32
_PROT_EXEC = 4
_X32_BIT = 0x40000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def has_filter() -> bool:
    """Whether there is a list for this platform."""
    return sys.platform == "linux" and platform.machine() in _CALLS


def confine() -> bool:
    """Let this process do nothing but what is on the list, for good; False where there are no filters."""
    if not has_filter():
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(_filter(platform.machine()))
    program = _Program((len(code) - 1) // 8, ctypes.cast(code, ctypes.c_void_p))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(machine: str) -> bytes:
    """The filter in classic BPF: instructions of (code, jump if true, jump if false, operand)."""
    instructions = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if machine == "x86_64":
        instructions += [(_SET, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL)]
    for number in sorted(_CALLS[machine].values()):
        instructions += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for number in _MAPPING[machine]:
        instructions += [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _THIRD_ARGUMENT_AT),
            (_SET, 0, 1, _PROT_EXEC),
            (_RETURN, 0, 0, _EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    instructions.append((_RETURN, 0, 0, _EPERM))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
