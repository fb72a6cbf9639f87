"""What an operator wants done about findings, and who their auditors are: read from the settings."""

import hashlib
from functools import lru_cache
from typing import get_args

from allmende.registry import Actor
from allmende.scan import DEFAULT_POLICY, RULES, Action, Policy, Severity
from allmende.settings import Settings, SettingsInvalid

__all__ = ["is_auditor", "parse_policy", "policy_digest"]

_ACTIONS: dict[str, Action] = {action: action for action in get_args(Action)}
_SEVERITIES = {severity.word: severity for severity in Severity}


@lru_cache(maxsize=32)
def parse_policy(text: str | None) -> Policy:
    """The policy of a setting such as `high=warn,pickle-unknown-class=block`, over the default one.

    Raises SettingsInvalid for words that are no severity, rule or action.
    """
    by_severity = dict(DEFAULT_POLICY.by_severity)
    by_rule = dict(DEFAULT_POLICY.by_rule)
    for part in filter(None, (part.strip() for part in (text or "").split(","))):
        name, _, word = (side.strip() for side in part.partition("="))
        if word not in _ACTIONS:
            raise SettingsInvalid(
                f"Setting 'scan_policy': {part[:100]!r} names no action.",
                hint=f"Write NAME=ACTION, with one of: {', '.join(_ACTIONS)}.",
            )
        if name in _SEVERITIES:
            by_severity[_SEVERITIES[name]] = _ACTIONS[word]
        elif name in RULES:
            by_rule[name] = _ACTIONS[word]
        else:
            raise SettingsInvalid(
                f"Setting 'scan_policy': {name[:100]!r} is neither a severity nor a rule.",
                hint="GET /api/allmende/v1/scan/rules lists the rules.",
            )
    return Policy(by_severity, by_rule)


def policy_digest(policy: Policy) -> str:
    """One word for one policy, to see whether it is another one than before."""
    said = sorted(f"{severity.word}={action}" for severity, action in policy.by_severity.items())
    said += sorted(f"{rule}={action}" for rule, action in policy.by_rule.items())
    return hashlib.sha256(",".join(said).encode()).hexdigest()


def is_auditor(settings: Settings, actor: Actor) -> bool:
    """Whether the actor judges files for this hub: named in the settings, or its administrator."""
    if actor.account is None:
        return False
    named = {name.strip().lower() for name in (settings.auditors or "").split(",")}
    return actor.administers_hub or actor.account.name.lower() in named
