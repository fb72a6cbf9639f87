"""Every kind of error has its status; only what is the hub's own fault is a 500."""

import inspect

from allmende import errors
from allmende.http import status_of


def test_every_kind_has_a_status() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.AllmendeError) and kind is not errors.AllmendeError
    ]
    found = {kind.__name__: status_of(kind("It is so.")) for kind in kinds}
    assert {name for name, status in found.items() if status == 500} == {"Damaged"}
    assert found["Untrusted"] == 422
    assert all(400 <= status < 600 for status in found.values())
