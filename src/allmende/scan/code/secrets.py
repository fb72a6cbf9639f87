"""Credentials of the usual shapes, in texts and in the metadata of binary files.

A shape counts only as a whole: prefix, alphabet, length, and a checksum where the issuer has one. Values that
people write in place of a secret stay quiet. The texts are looked through once for each fixed beginning.
"""

import base64
import binascii
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from allmende.scan.evidence import masked
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Scan

__all__ = ["RULES", "examine_secrets"]

SECRET = Rule(
    "secret-found",
    Severity.MEDIUM,
    "holds a credential",
    "The text has the exact shape of an access token, key or password of a known service. Whoever reads the "
    "file can use it.",
    "Revoke the credential where it was issued, then remove it from the file and from the history.",
    "CWE-798: use of hard-coded credentials.",
)
RULES = (SECRET,)

_MAX_FOUND: Final = 20
_MIN_ENTROPY_BITS: Final = 3.0
_MAX_SHAPE_CHARS: Final = 400
_PLACEHOLDER: Final = re.compile(
    r"(?i)x{4,}|\*{3,}|\.{3}|0{6,}|1234567|abcdef|example|placeholder|your|changeme|dummy|fake|redacted|sample|"
    r"insert|replace|<|>|\$\{|\{\{|%\(|test"
)
_COMMON: Final = re.compile(r"(?i)pass|secret|postgres|root|admin|token|key|user|mysql|redis|\$|%|\{")
_PASSWORD_BITS: Final = 2.9
_GIVEN: Final = r"\w{0,20}[\"']?\s{0,5}[=:]\s{0,5}[\"']?"
"""What stands between a name and its value."""
_WORD: Final = re.compile(r"[A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a credential looks like: how it begins, and the whole of it from there."""

    kind: str
    start: str
    pattern: re.Pattern[str]
    is_sound: Callable[[str], bool] = lambda _text: True


def _has_crc(text: str) -> bool:
    """GitHub's tokens end in a CRC-32 in base 62 of what stands before it, behind the prefix."""
    body, told = text.rpartition("_")[2][:-6], text[-6:]
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value, made = zlib.crc32(body.encode()), ""
    while value:
        value, digit = divmod(value, 62)
        made = digits[digit] + made
    return made.rjust(6, "0") == told


def _is_pair(text: str) -> bool:
    """What Docker stores is a name and a password in base 64."""
    told = re.search(r'"([A-Za-z0-9+/=]{16,})"$', text)
    try:
        name, colon, password = base64.b64decode(told[1] if told else "", validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return False
    return bool(name and colon and password) and name.isascii()


def _is_of_somebody(text: str) -> bool:
    """Not the token by which everybody explains what such tokens are."""
    return "eyJzdWIiOiIxMjM0NTY3ODkw" not in text


def _shape(kind: str, start: str, rest: str, is_sound: Callable[[str], bool] | None = None) -> _Shape:
    return _Shape(kind, start, re.compile(re.escape(start) + rest), is_sound or (lambda _text: True))


_SHAPES: Final = (
    _shape("AWS access key", "AKIA", r"[A-Z2-7]{16}(?![A-Za-z0-9])"),
    _shape("AWS access key", "ASIA", r"[A-Z2-7]{16}(?![A-Za-z0-9])"),
    *(_shape("GitHub token", start, r"[A-Za-z0-9]{36}(?![A-Za-z0-9])")
      for start in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    _shape("GitHub token", "github_pat_", r"[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _shape("GitLab token", "glpat-", r"[A-Za-z0-9_-]{20,}"),
    _shape("Hugging Face token", "hf_", r"[A-Za-z0-9]{34}(?![A-Za-z0-9])"),
    _shape("Hugging Face token", "api_org_", r"[A-Za-z]{34}(?![A-Za-z0-9])"),
    _shape("OpenAI key", "sk-proj-", r"[A-Za-z0-9_-]{40,200}"),
    _shape("OpenAI key", "sk-svcacct-", r"[A-Za-z0-9_-]{40,200}"),
    _shape("OpenAI key", "sk-", r"[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
    _shape("OpenAI key", "sk-", r"[A-Za-z0-9]{48}(?![A-Za-z0-9])"),
    _shape("Anthropic key", "sk-ant-", r"[A-Za-z0-9]{3,10}-[A-Za-z0-9_-]{80,120}"),
    _shape("Slack token", "xoxb-", r"[0-9]{8,14}-[0-9A-Za-z-]{20,80}"),
    _shape("Slack token", "xoxp-", r"[0-9]{8,14}-[0-9A-Za-z-]{20,120}"),
    _shape("Slack token", "xoxa-", r"[0-9A-Za-z-]{20,120}"),
    _shape("Slack token", "xapp-", r"[0-9]-[0-9A-Za-z-]{20,160}"),
    _shape("Slack webhook", "hooks.slack.com/services/",
           r"T[A-Z0-9]{7,12}/B[A-Z0-9]{7,12}/[A-Za-z0-9]{20,30}"),
    _shape("Discord webhook", "discord.com/api/webhooks/", r"[0-9]{17,20}/[A-Za-z0-9_-]{60,80}"),
    _shape("Stripe key", "sk_live_", r"[0-9A-Za-z]{24,120}"),
    _shape("Stripe key", "rk_live_", r"[0-9A-Za-z]{24,120}"),
    _shape("Google API key", "AIza", r"[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    _shape("Google OAuth secret", "GOCSPX-", r"[A-Za-z0-9_-]{28}"),
    _shape("SendGrid key", "SG.", r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _shape("Mailgun key", "key-", r"[0-9a-f]{32}(?![0-9a-zA-Z])"),
    _shape("Twilio key", "SK", r"[0-9a-f]{32}(?![0-9a-zA-Z])"),
    _shape("npm token", "npm_", r"[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _shape("PyPI token", "pypi-AgE", r"[A-Za-z0-9_-]{50,250}"),
    _shape("DigitalOcean token", "dop_v1_", r"[a-f0-9]{64}"),
    _shape("Heroku key", "HRKU-", r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    _shape("Replicate token", "r8_", r"[A-Za-z0-9]{37}(?![A-Za-z0-9])"),
    _shape("Groq key", "gsk_", r"[A-Za-z0-9]{52}(?![A-Za-z0-9])"),
    _shape("Databricks token", "dapi", r"[a-f0-9]{32}(?![0-9a-zA-Z])"),
    _shape("Shopify token", "shpat_", r"[a-fA-F0-9]{32}"),
    _shape("Square token", "sq0atp-", r"[0-9A-Za-z_-]{22}"),
    _shape("Telegram token", ":AA", r"[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
    _shape("Azure storage key", "AccountKey=", r"[A-Za-z0-9+/]{86}=="),
    _shape("JSON web token", "eyJ", r"[A-Za-z0-9_-]{14,}\.eyJ[A-Za-z0-9_-]{14,}\.[A-Za-z0-9_-]{20,}"),
    _shape("private key", "-----BEGIN ",
           r"(?:RSA |EC |DSA |OPENSSH |ENCRYPTED )?PRIVATE KEY-----(?:\\n|\s)+[A-Za-z0-9+/=]{40}"),
    _shape("private key", "-----BEGIN PGP PRIVATE KEY BLOCK", r"-----"),
    *(_shape("password in an address", start, r"[A-Za-z0-9_.-]{0,40}:[^\s:@/'\"]{8,80}@[A-Za-z0-9.-]{4,80}")
      for start in ("postgres://", "postgresql://", "mysql://", "mongodb://", "mongodb+srv://", "redis://",
                    "rediss://", "amqp://", "amqps://", "postgresql+psycopg2://", "postgresql+asyncpg://",
                    "postgresql+psycopg://", "mysql+pymysql://", "mssql+pyodbc://", "clickhouse://",
                    "snowflake://", "mariadb://")),
    *(_shape("password in an address", start, r"[A-Za-z0-9_.-]{1,60}:[^\s:@/'\"]{16,120}@[A-Za-z0-9.-]{4,80}")
      for start in ("https://", "http://", "ftp://")),
    _shape("Weights & Biases key", "WANDB_API_KEY", rf"{_GIVEN}[0-9a-f]{{40}}(?![0-9a-zA-Z])"),
    _shape("Weights & Biases key", "wandb.login(", r"\s{0,5}(?:key\s{0,5}=\s{0,5})?[\"'][0-9a-f]{40}[\"']"),
    _shape("stored password", "machine ",
           r"[\w.-]{3,80}\s{1,40}login\s{1,40}\S{1,60}\s{1,40}password\s{1,40}\S{8,120}"),
    _shape("Kaggle key", '"username"',
           r'\s{0,5}:\s{0,5}"[^"\n]{1,60}",\s{0,10}"key"\s{0,5}:\s{0,5}"[0-9a-f]{32}"'),
    _shape("Kaggle key", "KAGGLE_KEY", rf"{_GIVEN}[0-9a-f]{{32}}(?![0-9a-zA-Z])"),
    _shape("Vault token", "hvs.", r"[A-Za-z0-9_-]{24,200}"),
    _shape("Vault token", "hvb.", r"[A-Za-z0-9_-]{100,300}"),
    _shape("Docker credential", '"auth"', r'\s{0,5}:\s{0,5}"[A-Za-z0-9+/]{16,200}={0,2}"'),
    _shape("xAI key", "xai-", r"[A-Za-z0-9]{70,100}(?![A-Za-z0-9])"),
    _shape("NVIDIA key", "nvapi-", r"[A-Za-z0-9_-]{60,80}(?![A-Za-z0-9_-])"),
    _shape("OpenRouter key", "sk-or-v1-", r"[0-9a-f]{64}(?![0-9a-zA-Z])"),
    *(_shape("Discord token", start, rf"{_GIVEN}[MNO][\w-]{{23,27}}\.[\w-]{{6}}\.[\w-]{{27,45}}(?![\w-])")
      for start in ("TOKEN", "token", "Token")),
    *(_shape("Discord token", start, r"[\"'][MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,45}[\"']")
      for start in ("bot.run(", "client.run(")),
)  # fmt: skip
_CHECKED = {"GitHub token": _has_crc, "Docker credential": _is_pair, "JSON web token": _is_of_somebody}
_UNMEASURED: Final = frozenset({"private key", "password in an address", "stored password"})
_ANYWHERE: Final = frozenset({"Telegram token", "Discord token"})
"""Shapes whose beginning may stand behind other letters."""


_NEEDED: Final = tuple((shape, frozenset(shape.start)) for shape in _SHAPES)
_LETTERS: Final = frozenset().union(*(letters for _, letters in _NEEDED))


def examine_secrets(text: str, scan: Scan, inside: str = "") -> None:
    """Find credentials in a text. `inside` names the key that holds it, if one does."""
    found = 0
    # A letter is found to be missing in a fraction of the time that a word takes, and tables lack most.
    there = frozenset(letter for letter in _LETTERS if letter in text)
    for shape, letters in _NEEDED:
        if not letters <= there:
            continue
        position = text.find(shape.start)
        while position >= 0 and found < _MAX_FOUND:
            match = shape.pattern.match(text, position, position + _MAX_SHAPE_CHARS)
            before = text[position - 1 : position]
            free = not _WORD.match(before) or shape.kind in _ANYWHERE
            if match is not None and free and _is_real(shape, match[0]):
                line = text.count("\n", 0, position) + 1
                scan.found(SECRET, f"{shape.kind} {masked(match[0])}", detail=f"Line {line}.", inside=inside)
                found += 1
            position = text.find(shape.start, position + len(shape.start))


def _is_real(shape: _Shape, value: str) -> bool:
    """Whether the value is no placeholder, and as random as such values are."""
    body = value[len(shape.start) :]
    if shape.kind in {"password in an address", "stored password"}:
        password = (
            re.split(r"\s", value)[-1]
            if shape.kind == "stored password"
            else body.split("@")[0].split(":")[-1]
        )
        return _is_password(password)
    if shape.kind in _UNMEASURED:
        return _PLACEHOLDER.search(body) is None and not re.search(
            r"(?i):(?:password|passwd|pass|secret|postgres|root|admin)\w?@", value
        )
    if _PLACEHOLDER.search(body) or _entropy(body) < _MIN_ENTROPY_BITS:
        return False
    check = _CHECKED.get(shape.kind)
    return check is None or shape.start == "github_pat_" or check(value)


def _is_password(text: str) -> bool:
    """Whether it is as random as passwords of machines are; what people write in examples is not."""
    return (
        _PLACEHOLDER.search(text) is None
        and _COMMON.search(text) is None
        and _entropy(text) >= _PASSWORD_BITS
    )


def _entropy(text: str) -> float:
    """Bits for each character, by their frequencies."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
