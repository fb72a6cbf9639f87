"""The step cache: what was computed once from the same inputs by the same tool is not computed again.

A step is a pure function of its inputs, named by digests and not by places, and of the version of the
tool. Its result is a JSON document.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import delete, select

from allmende.jobs.tables import step_result
from allmende.storage import Database, UnitOfWork

__all__ = ["cached_step", "canonical_json", "forget_step"]


def cached_step(
    database: Database,
    step: str,
    inputs: Mapping[str, Any],
    tool_version: str,
    compute: Callable[[], Any],
) -> Any:
    """The result of `compute`, computed now or taken from an earlier call with the same key.

    `compute` runs outside of any transaction. When two callers compute at once, both get the result that
    was kept first. The answer has been through JSON either way (tuples are lists). Raises what `compute`
    raises, and then keeps nothing; raises ValueError or TypeError when the result is not JSON.
    """
    key = (step, _digest(inputs), tool_version)
    with database.read() as uow:
        row = uow.one_or_none(_select(key))
    if row is not None:
        return row.result
    result = json.loads(canonical_json(compute()))
    with database.write() as uow:
        uow.insert_new(
            step_result,
            [
                {
                    "step": step,
                    "input_digest": key[1],
                    "tool_version": tool_version,
                    "result": result,
                    "at": uow.now,
                }
            ],
        )
        kept = uow.one_or_none(_select(key))
    if kept is None:
        raise RuntimeError("a step result vanished in the transaction that wrote it")
    return kept.result


def forget_step(uow: UnitOfWork, step: str, inputs: Mapping[str, Any]) -> None:
    """Drop the results of a step for these inputs, of every tool version: the inputs themselves are gone."""
    uow.execute(
        delete(step_result).where(step_result.c.step == step, step_result.c.input_digest == _digest(inputs))
    )


def canonical_json(value: Any) -> str:
    """One text for one value: keys sorted, no blanks. Raises ValueError or TypeError for what is not JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _digest(inputs: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(dict(inputs)).encode()).hexdigest()


def _select(key: tuple[str, str, str]) -> Any:
    step, digest, tool_version = key
    return select(step_result.c.result).where(
        step_result.c.step == step,
        step_result.c.input_digest == digest,
        step_result.c.tool_version == tool_version,
    )
