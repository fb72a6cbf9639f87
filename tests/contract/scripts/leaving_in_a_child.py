"""Start another Python that tries to leave."""

import subprocess
import sys

from tests.contract.scripts.asking import answer

code = "import socket; socket.socket().connect(('192.0.2.1', 80))"
answer(subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode)
