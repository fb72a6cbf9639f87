"""Facts that follow from others by a formula: compute from size and tokens, shares, licences by their text.

What is given goes before what is derived; where both are there and lie further apart than the errors of both
allow, that is a contradiction and not a choice.
"""

from collections.abc import Mapping

from allmende.law.errors import Problem
from allmende.law.facts import Fact
from allmende.law.flop import ESTIMATE_ERROR, FlopEstimate, architecture_flop, hardware_flop, two_figures
from allmende.law.pack import Pack
from allmende.law.values import Value

__all__ = ["with_derived"]

_SECONDS_PER_HOUR = 3600
_BY_ARCHITECTURE = ("model.parameters", "model.tokens")
_BY_HARDWARE = ("model.device_hours", "model.peak_flop_per_s", "model.utilisation")
_SHARE = ("model.modification_flop", "model.base_training_flop")


def with_derived(
    given: Mapping[str, Fact], pack: Pack, place: str, problems: list[Problem]
) -> Mapping[str, Fact]:
    """The facts of a model with all that follows from them; contradictions go to `problems`."""
    facts = dict(given)
    _add_compute(facts, place, problems)
    _add_share(facts, place, problems)
    if "model.base_training_flop" in facts and "model.base_compute_known" not in facts:
        _add(facts, "model.base_compute_known", True, ("model.base_training_flop",), "it is given")
    _add_licence(facts, pack)
    return facts


def _add_compute(facts: dict[str, Fact], place: str, problems: list[Problem]) -> None:
    ways = ((_BY_ARCHITECTURE, _architecture(facts)), (_BY_HARDWARE, _hardware(facts)))
    estimates = [(names, estimate) for names, estimate in ways if estimate is not None]
    stated = [_number(facts, "model.training_flop")] if "model.training_flop" in facts else []
    values = [*stated, *(estimate.flop for _, estimate in estimates)]
    if values and max(values) * (1 - ESTIMATE_ERROR) > min(values) * (1 + ESTIMATE_ERROR):
        told = " and ".join(two_figures(value) for value in values)
        problems.append(
            Problem(f"{place}.training_flop", "compute_disagrees", f"Which is right: {told} FLOP?")
        )
    if estimates and not stated:
        names, estimate = estimates[0]
        why = f"{estimate.formula} = {two_figures(estimate.flop)} FLOP, within {estimate.error:.0%}"
        _add(facts, "model.training_flop", estimate.flop, names, why)


def _architecture(facts: Mapping[str, Fact]) -> FlopEstimate | None:
    values = [_number(facts, name) for name in _BY_ARCHITECTURE if name in facts]
    complete = len(values) == len(_BY_ARCHITECTURE) and all(values)
    return architecture_flop(*values) if complete else None


def _hardware(facts: Mapping[str, Fact]) -> FlopEstimate | None:
    values = [_number(facts, name) for name in _BY_HARDWARE if name in facts]
    if len(values) < len(_BY_HARDWARE) or not all(values):
        return None
    hours, peak, utilisation = values
    return hardware_flop(1, hours * _SECONDS_PER_HOUR, peak, utilisation)


def _add_share(facts: dict[str, Fact], place: str, problems: list[Problem]) -> None:
    values = [_number(facts, name) for name in _SHARE if name in facts]
    if len(values) < len(_SHARE) or not values[1]:
        return
    share = values[0] / values[1]
    if "model.modification_share" not in facts:
        _add(facts, "model.modification_share", share, _SHARE, f"{values[0]:.2g} / {values[1]:.2g}")
        return
    low, high = sorted((share, _number(facts, "model.modification_share")))
    if high * (1 - ESTIMATE_ERROR) > low * (1 + ESTIMATE_ERROR):
        sentence = f"Which is right: the share that is given, or {share:.2g} by the two computes?"
        problems.append(Problem(f"{place}.modification_share", "share_disagrees", sentence))


def _add_licence(facts: dict[str, Fact], pack: Pack) -> None:
    licence = facts.get("model.licence")
    if licence is None or "model.licence_free" in facts:
        return
    row = pack.licences.get(str(licence.value).lower())
    if row is not None:
        why = f"{row.id}: {row.reason} ({row.confidence})"
        _add(facts, "model.licence_free", row.free, ("model.licence",), why)


def _add(facts: dict[str, Fact], name: str, value: Value, inputs: tuple[str, ...], why: str) -> None:
    facts[name] = Fact(name, value, "derived", why, None, inputs)


def _number(facts: Mapping[str, Fact], name: str) -> float:
    value = facts[name].value
    assert isinstance(value, int | float)
    return float(value)
