"""The first card of a repo, from the few answers of a form: a head that programs read, and a text.

What goes into the head is a licence, a name or a word of a list, never free text, so that nothing in it can
mean something else to a reader of YAML.
"""

import json
import re
from dataclasses import dataclass

from allmende.errors import BadRequest
from allmende.formats import LICENSES, SPACE_SDKS
from allmende.ids import NAME, RepoType
from allmende.web.messages import Catalogue

__all__ = ["FirstCard", "card_text"]

_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")


@dataclass(frozen=True, slots=True)
class FirstCard:
    """The answers; each may be empty, and `base` and `sdk` belong to models and spaces alone."""

    licence: str = ""
    base: str = ""
    sdk: str = ""
    about: str = ""
    limits: str = ""


def card_text(repo_type: RepoType, name: str, card: FirstCard, t: Catalogue) -> str:
    """The card in the maker's language; empty where nothing was answered.

    Raises BadRequest for a licence or a base that cannot be called so.
    """
    head = _head(repo_type, card)
    about, limits = card.about.strip(), card.limits.strip()
    if not (head or about or limits):
        return ""
    parts = ["---\n" + "\n".join(head) + "\n---\n"] if head else []
    parts.append(f"# {name}\n")
    if about:
        parts.append(f"{about}\n")
    if limits:
        parts.append(f"## {t('new.limits_heading')}\n\n{limits}\n")
    return "\n".join(parts)


def _head(repo_type: RepoType, card: FirstCard) -> list[str]:
    lines = _licence_lines(card.licence.strip().lower())
    base = card.base.strip()
    if base and repo_type == "model":
        owner, slash, name = base.partition("/")
        if not (slash and NAME.fullmatch(owner) and NAME.fullmatch(name)):
            raise BadRequest(
                "The base is not of the form owner/name.",
                hint="Leave it empty if there is none.",
                code="base_invalid",
            )
        lines.append(f"base_model: {json.dumps(base)}")
    if repo_type == "space":
        if card.sdk not in SPACE_SDKS:
            raise BadRequest("There is no such kind of space.", code="sdk_invalid")
        lines.append(f"sdk: {card.sdk}")
    return lines


def _licence_lines(word: str) -> list[str]:
    if not word:
        return []
    if not _LICENCE.fullmatch(word):
        raise BadRequest(
            "The licence is no identifier.",
            hint="Choose one of the list, or write one of letters, digits, '.', '+' and '-'.",
            code="licence_invalid",
        )
    if word in LICENSES:
        return [f"license: {json.dumps(word)}"]
    return ["license: other", f"license_name: {json.dumps(word)}"]
