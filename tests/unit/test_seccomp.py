"""The filter of system calls, as a program: what it lets through and what it does not, on both platforms."""

import struct

import pytest

from allmende import seccomp

ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
FORBIDDEN = {
    "x86_64": {"open": 2, "openat": 257, "socket": 41, "connect": 42, "sendmsg": 46, "fork": 57, "vfork": 58,
               "clone": 56, "clone3": 435, "execve": 59, "execveat": 322, "kill": 62, "tgkill": 234,
               "ptrace": 101, "prctl": 157, "prlimit64": 302, "io_uring_setup": 425, "process_vm_writev": 311,
               "unlink": 87, "rename": 82, "mount": 165, "bpf": 321, "ioctl": 16, "fcntl": 72,
               "pidfd_getfd": 438},
    "aarch64": {"openat": 56, "socket": 198, "connect": 203, "sendmsg": 211, "clone": 220, "clone3": 435,
                "execve": 221, "execveat": 281, "kill": 129, "tgkill": 131, "ptrace": 117, "prctl": 167,
                "prlimit64": 261, "io_uring_setup": 425, "process_vm_writev": 271, "unlinkat": 35,
                "mount": 40, "bpf": 280, "ioctl": 29, "fcntl": 25,
                "pidfd_getfd": 438},
}  # fmt: skip


def run(machine: str, number: int, *, architecture: int | None = None, third: int = 0) -> int:
    """What the kernel would make of a call: an interpreter of the four instructions that the filter uses."""
    program = list(struct.iter_unpack("=HBBI", seccomp._filter(machine)))
    words = {0: number, 4: ARCHITECTURES[machine] if architecture is None else architecture, 32: third}
    at = accumulator = 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        match code:
            case 0x20:
                accumulator = words[operand]
            case 0x15:
                at += if_true if accumulator == operand else if_false
            case 0x45:
                at += if_true if accumulator & operand else if_false
            case 0x06:
                return operand
            case _:
                raise AssertionError(hex(code))


@pytest.mark.parametrize("machine", ARCHITECTURES)
class TestFilter:
    def test_what_is_on_the_list_is_allowed(self, machine: str) -> None:
        assert {run(machine, number) for number in seccomp._CALLS[machine].values()} == {ALLOW}

    def test_what_reaches_out_is_refused(self, machine: str) -> None:
        found = {name: run(machine, number) for name, number in FORBIDDEN[machine].items()}
        assert set(found.values()) == {EPERM}, found

    def test_everything_else_is_refused(self, machine: str) -> None:
        known = {*seccomp._CALLS[machine].values(), *seccomp._MAPPING[machine]}
        assert {run(machine, number) for number in range(600) if number not in known} == {EPERM}

    def test_memory_is_given_unless_it_is_to_be_executable(self, machine: str) -> None:
        for number in seccomp._MAPPING[machine]:
            assert run(machine, number, third=3) == ALLOW
            assert run(machine, number, third=4) == run(machine, number, third=7) == EPERM

    def test_calls_of_another_architecture_end_the_process(self, machine: str) -> None:
        assert run(machine, 0, architecture=0x40000003) == KILL


def test_the_second_table_of_x86_is_closed() -> None:
    assert run("x86_64", 0x40000000) == KILL
