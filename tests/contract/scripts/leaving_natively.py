"""Try to leave the machine past Python's sockets, as native code does; to be run under a refusing tracer."""

import ctypes
import socket
import struct

from tests.contract.scripts.asking import answer

libc = ctypes.CDLL(None, use_errno=True)
with socket.socket() as tcp:
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(80), bytes([192, 0, 2, 1]))
    refused = libc.connect(tcp.fileno(), address, len(address))
answer(refused)
