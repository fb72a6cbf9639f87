"""Which addresses a process, its threads and its children sent anything to, in whatever language: by strace.

The guard of Python's sockets does not see those of native code, such as `hf_xet`. A tracer sees them all, but
only afterwards.
"""

import ipaddress
import re
from pathlib import Path

_CALLS = "connect,sendto,sendmsg,sendmmsg"
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")


def tracing(record: Path, *, refuse: bool = False) -> tuple[str, ...]:
    """The beginning of a command whose calls are to be written to `record`.

    With `refuse`, none of these calls reaches the kernel: each is answered with an error.
    """
    refused = ("-e", f"inject={_CALLS}:error=ENETUNREACH") if refuse else ()
    return ("strace", "-f", "--seccomp-bpf", "-s", "0", "-e", f"trace={_CALLS}", *refused, "-o", str(record))


def addresses(record: Path) -> set[str]:
    """Every internet address in the record."""
    return {first or second for first, second in _ADDRESS.findall(record.read_text("utf-8", "replace"))}


def foreign_addresses(record: Path) -> set[str]:
    """Those of them that are not on this machine."""
    return {address for address in addresses(record) if not ipaddress.ip_address(address).is_loopback}


def threads_at_port(record: Path, port: int) -> set[str]:
    """The ids of the threads that asked for a connection with that port."""
    lines = record.read_text("utf-8", "replace").splitlines()
    return {line.split()[0] for line in lines if str(port) in _PORT.findall(line)}
