"""What an operator wants done about findings, and who their auditors are: read from the settings."""

import hashlib
from functools import lru_cache

from allmende.registry import Actor
from allmende.scan import Policy, PolicyInvalid
from allmende.scan import parse_policy as policy_of_words
from allmende.settings import Settings, SettingsInvalid

__all__ = ["is_auditor", "parse_policy", "policy_digest"]


@lru_cache(maxsize=32)
def parse_policy(text: str | None) -> Policy:
    """The policy of a setting such as `high=warn,pickle-unknown-class=block`, over the default one.

    Raises SettingsInvalid for words that are no severity, rule or action.
    """
    try:
        return policy_of_words(filter(None, (part.strip() for part in (text or "").split(","))))
    except PolicyInvalid as error:
        raise SettingsInvalid(f"Setting 'scan_policy': {error.message}", hint=error.hint) from error


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
