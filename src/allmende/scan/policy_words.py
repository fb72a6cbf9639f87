"""Policies as people write them: `high=warn`, `pickle-unknown-class=block`."""

from collections.abc import Iterable
from typing import get_args

from allmende.errors import BadRequest
from allmende.scan.findings import Severity
from allmende.scan.rule_set import RULES
from allmende.scan.verdicts import DEFAULT_POLICY, Action, Policy

__all__ = ["PolicyInvalid", "parse_policy"]

_ACTIONS: dict[str, Action] = {action: action for action in get_args(Action)}
_SEVERITIES = {severity.word: severity for severity in Severity}


class PolicyInvalid(BadRequest):
    """A word of a policy is no severity, rule or action."""

    code = "policy_invalid"


def parse_policy(words: Iterable[str]) -> Policy:
    """The default policy, changed by words of the form SEVERITY=ACTION or RULE=ACTION.

    Raises PolicyInvalid.
    """
    by_severity, by_rule = dict(DEFAULT_POLICY.by_severity), dict(DEFAULT_POLICY.by_rule)
    for word in words:
        name, _, action = (side.strip() for side in word.partition("="))
        if action not in _ACTIONS:
            raise PolicyInvalid(
                f"{word[:100]!r} names no action.",
                hint=f"Write NAME=ACTION, with one of: {', '.join(_ACTIONS)}.",
            )
        if name in _SEVERITIES:
            by_severity[_SEVERITIES[name]] = _ACTIONS[action]
        elif name in RULES:
            by_rule[name] = _ACTIONS[action]
        else:
            raise PolicyInvalid(
                f"{name[:100]!r} is neither a severity nor a rule.",
                hint="`allmende scan --rules` lists the rules.",
            )
    return Policy(by_severity, by_rule)
