"""Try every way out of the machine that Python code has; each must be refused."""

import contextlib
import socket

from tests.contract.scripts.asking import answer, given

host = given()["host"]
with contextlib.suppress(RuntimeError), socket.socket() as tcp:
    tcp.settimeout(1)
    tcp.connect(("192.0.2.1", 80))
with contextlib.suppress(RuntimeError), socket.socket(type=socket.SOCK_DGRAM) as udp:
    udp.sendto(b"hello", ("192.0.2.1", 53))
with contextlib.suppress(RuntimeError):
    socket.gethostbyname(host)
with contextlib.suppress(RuntimeError):
    socket.getaddrinfo(host, 443)
answer("all refused")
