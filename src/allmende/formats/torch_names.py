"""Which tensors of a checkpoint are the model's, and what they are called.

A training checkpoint is a dict of parts: the model beside its optimiser. Then the model's part alone is
taken, and its key is no part of the names. Names are the keys on the way to a tensor, joined by dots; the
private attributes in which a pickled module keeps its tensors are passed over, so that it has the names of
its `state_dict`.
"""

from collections.abc import Iterator

from allmende.formats.errors import MalformedTorch
from allmende.formats.pickle_values import Opaque, Value
from allmende.formats.torch_objects import StoredTensor

__all__ = ["named_tensors"]

_MODEL_PARTS = (
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "params", "weights",
    "ema", "model_ema", "ema_state_dict", "state_dict_ema", "params_ema", "generator",
)  # fmt: skip
_NOT_THE_MODEL = frozenset(
    {
        "optimizer", "optimizers", "optim", "optimizer_state", "optimizer_states", "optimizer_state_dict",
        "optim_state_dict", "opt", "lr_scheduler", "lr_schedulers", "scheduler", "scheduler_state_dict",
        "scaler", "grad_scaler", "amp", "rng_state", "rng_states", "cuda_rng_state", "torch_rng_state",
        "callbacks", "loops", "args", "config", "hyper_parameters",
    }
)  # fmt: skip
_PASSED_OVER = frozenset({"_parameters", "_buffers", "_modules"})
_MAX_DEPTH = 64
_MAX_PARTS_WITHIN = 4
_MAX_NAME_CHARS = 1000
_MAX_TENSORS = 100_000


def named_tensors(value: Value) -> list[tuple[str, StoredTensor]]:
    """The tensors of the model in a value that was saved, with their names; `tensor` for a single one.

    A dict that is found in several places, or within itself, is looked into once. Raises MalformedTorch with
    the code `torch_beyond_limits` for more tensors, depth or longer names than are read.
    """
    found: list[tuple[str, StoredTensor]] = []
    for name, tensor in _walk(_model_part(value), set()):
        if len(found) == _MAX_TENSORS:
            raise _beyond(f"The checkpoint has more than the {_MAX_TENSORS} tensors that are read.")
        found.append((name or "tensor", tensor))
    return found


def _model_part(value: Value) -> Value:
    for _ in range(_MAX_PARTS_WITHIN):
        items = dict(_items(value))
        if any(isinstance(item, StoredTensor) for item in items.values()):
            break
        # What was seen on a walk without a find need not be walked again, however often it is shared.
        seen: set[int] = set()
        part = next((name for name in _MODEL_PARTS if _has_tensors(items.get(name), seen)), None)
        if part is None:
            break
        value = items[part]
    return value


def _has_tensors(value: Value, seen: set[int]) -> bool:
    return value is not None and next(_walk(value, seen), None) is not None


def _walk(root: Value, seen: set[int]) -> Iterator[tuple[str, StoredTensor]]:
    if isinstance(root, StoredTensor):
        yield "", root
        return
    if id(root) in seen:
        return
    seen.add(id(root))
    stack = [("", _items(root, outermost=True))]
    while stack:
        prefix, items = stack[-1]
        key, value = next(items, (None, None))
        if key is None:
            stack.pop()
            continue
        name = prefix if key in _PASSED_OVER else f"{prefix}.{key}" if prefix else key
        if isinstance(value, StoredTensor):
            _check_name(name)
            yield name, value
        elif isinstance(value, (dict, list, tuple, Opaque)) and id(value) not in seen:
            _check_name(name)
            if len(stack) == _MAX_DEPTH:
                raise _beyond(f"The checkpoint is nested deeper than the {_MAX_DEPTH} levels that are read.")
            seen.add(id(value))
            stack.append((name, _items(value)))


def _items(value: Value, *, outermost: bool = False) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not (outermost and key in _NOT_THE_MODEL):
                yield key, item
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield str(place), item
    elif isinstance(value, Opaque):
        yield from value.items.items()
        for state in value.states:
            if isinstance(state, dict):
                yield from state.items()


def _check_name(name: str) -> None:
    if len(name) > _MAX_NAME_CHARS:
        raise _beyond(f"A name has {len(name)} characters; at most {_MAX_NAME_CHARS} are read.")


def _beyond(sentence: str) -> MalformedTorch:
    return MalformedTorch(sentence, code="torch_beyond_limits")
