"""What readers load late is loaded before a process is confined: afterwards it is too late."""

import subprocess
import sys

PROGRAM = """
import sys
from allmende.scan.rule_set import warm_up
warm_up()
from functools import cache
for name, module in sorted(sys.modules.items()):
    if name.startswith("allmende.scan."):
        for value in vars(module).values():
            if isinstance(value, type(cache(print))) and not value.__wrapped__.__code__.co_argcount:
                print(f"{value.__module__}.{value.__name__}", value.cache_info().currsize)
opened = []
LATE = {"open", "import"}
sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event in LATE else None)
warm_up()
print("opened:", *opened)
"""


def test_every_list_is_read_and_a_second_time_opens_nothing() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    *lists, opened = answer.stdout.splitlines()
    assert any(line.startswith("allmende.scan.pickles.allow_list.") for line in lists)
    assert {line.split()[1] for line in lists} == {"1"}
    assert opened == "opened:"
