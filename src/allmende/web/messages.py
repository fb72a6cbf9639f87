"""The words of the pages: one catalogue a language, chosen by the visitor or their browser.

Catalogues are TOML files of the same keys. A message may hold `{name}` places; one that counts something
has the forms `one` and `other`. Numbers, sizes and times are written here too, since they differ by language.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from string import Formatter

from starlette.requests import Request

from allmende.errors import AllmendeError

__all__ = ["LANGUAGES", "LANGUAGE_COOKIE", "Catalogue", "catalogue", "chosen_language", "preferred_language"]

LANGUAGES: tuple[str, ...] = ("en", "de")
"""The first is what a visitor gets who asks for none of them."""

LANGUAGE_COOKIE = "allmende_lang"

_FOLDER = Path(__file__).parent / "messages"
_DECIMAL_POINT = {"en": ".", "de": ","}
_GROUP_MARK = {"en": ",", "de": "."}
_PERCENT = {"en": "%", "de": "\N{NO-BREAK SPACE}%"}
_LEAST_PERCENT = 0.01
_SIZES = ("kB", "MB", "GB", "TB", "PB")
_MAX_ACCEPT_CHARS = 500
_MAX_PLACE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All messages of one language. Calling it gives a message; an unknown key raises KeyError."""

    language: str
    messages: Mapping[str, str]

    def __call__(self, key: str, /, **places: object) -> str:
        """The message with its places filled in."""
        return self.messages[key].format(**places) if places else self.messages[key]

    def plural(self, key: str, count: int) -> str:
        """The form of a message that fits `count`, which stands in it as `{count}`."""
        form = "one" if count == 1 else "other"
        return self.messages[f"{key}.{form}"].format(count=self.number(count))

    def word(self, key: str, otherwise: str) -> str:
        """The message, or the given text where the catalogue has none: for names that come from outside."""
        return self.messages.get(key, otherwise)

    def problem(self, error: AllmendeError) -> str:
        """What went wrong and what to do, as a page says it: the message `problem.` and the error's code.

        Empty where there is none, or where it names what this error does not say: then the error's own
        English has to do.
        """
        text = self.messages.get(f"problem.{error.code}", "")
        wanted = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
        if not wanted <= error.places.keys():
            return ""
        return text.format(**{name: self._placed(name, error.places[name]) for name in wanted})

    def number(self, value: int) -> str:
        """A whole number with its thousands apart."""
        return f"{value:,}".replace(",", _GROUP_MARK[self.language])

    def short_number(self, value: int) -> str:
        """A number of parameters as people say it: three digits and a unit."""
        for unit, power in ((self("unit.billion"), 10**9), (self("unit.million"), 10**6)):
            if value >= power:
                return f"{self._rounded(value / power)} {unit}"
        return self.number(value)

    def size(self, size_bytes: int) -> str:
        """A size in decimal units, as disks and downloads are sold."""
        if size_bytes < 1000:
            return f"{size_bytes} B"
        power = min((len(str(size_bytes)) - 1) // 3, len(_SIZES))
        return f"{self._rounded(size_bytes / 1000**power)} {_SIZES[power - 1]}"

    def moment(self, moment: datetime) -> str:
        """A time to the minute; the form is the same in every language, and so is its order."""
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def day(self, moment: datetime) -> str:
        """A time to the day."""
        return f"{moment.astimezone(UTC):%Y-%m-%d}"

    def share(self, share: float) -> str:
        """A share as a percentage; only what is all or nothing is said to be so."""
        percent = 100 * share
        if percent in (0, 100):
            text = f"{percent:.0f}"
        elif 0 < percent < _LEAST_PERCENT:
            text = f"<\N{NO-BREAK SPACE}{_LEAST_PERCENT}"
        elif 100 - _LEAST_PERCENT < percent < 100:
            text = f">\N{NO-BREAK SPACE}{100 - _LEAST_PERCENT}"
        else:
            digits = 2 if abs(percent) < 1 or 99 <= percent < 100 else 1 if abs(percent) < 99 else 0
            text = f"{percent:.{digits}f}".removesuffix(".0")
        return text.replace(".", _DECIMAL_POINT[self.language]) + _PERCENT[self.language]

    def decimal(self, value: float) -> str:
        """A number of three digits that count."""
        if value and not 0.001 <= abs(value) < 1e12:
            return f"{value:.1e}".replace(".", _DECIMAL_POINT[self.language])
        if abs(value) >= 100:
            return self.number(round(value))
        return f"{float(f'{value:.3g}'):g}".replace(".", _DECIMAL_POINT[self.language])

    def _placed(self, name: str, value: str | int) -> str:
        if isinstance(value, str):
            return value if len(value) <= _MAX_PLACE_CHARS else f"{value[:_MAX_PLACE_CHARS]}…"
        return self.size(value) if name.endswith("_bytes") else self.number(value)

    def _rounded(self, value: float) -> str:
        digits = 2 if value < 10 else 1 if value < 100 else 0
        return f"{value:.{digits}f}".replace(".", _DECIMAL_POINT[self.language])


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of one of `LANGUAGES`."""
    document = tomllib.loads((_FOLDER / f"{language}.toml").read_text("utf-8"))
    return Catalogue(language, dict(_flat(document, "")))


def chosen_language(request: Request) -> str | None:
    """The language that this very request asks for with `?lang=`, if it is one that there is."""
    asked = request.query_params.get("lang")
    return asked if asked in LANGUAGES else None


def preferred_language(request: Request) -> str:
    """The language for this visitor: chosen now, chosen before, wanted by the browser, or the first."""
    remembered = request.cookies.get(LANGUAGE_COOKIE)
    known = chosen_language(request) or (remembered if remembered in LANGUAGES else None)
    return known or _accepted(request.headers.get("accept-language", ""))


def _accepted(header: str) -> str:
    """The best of `LANGUAGES` by the weights of an Accept-Language header (RFC 9110, 12.5.4)."""
    best, best_weight = LANGUAGES[0], 0.0
    for item in header[:_MAX_ACCEPT_CHARS].split(","):
        tag, _, parameter = item.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    value = value.strip()
    return float(value) if value.replace(".", "", 1).isdecimal() and value.isascii() else 0.0


def _flat(document: Mapping[str, object], prefix: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, Mapping):
            pairs.extend(_flat(value, f"{prefix}{name}."))
        else:
            pairs.append((f"{prefix}{name}", str(value)))
    return pairs
