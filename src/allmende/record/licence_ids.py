"""SPDX ids of the licences that cards name: the Hub's words, where SPDX has the same licence."""

from collections.abc import Iterable

from allmende.formats import LICENSES

__all__ = ["spdx_expression", "spdx_id"]

_SPECIAL = {
    "bsd-3-clause-clear": "BSD-3-Clause-Clear",
    "c-uda": "C-UDA-1.0",
    "cdla-permissive-1.0": "CDLA-Permissive-1.0",
    "cdla-permissive-2.0": "CDLA-Permissive-2.0",
    "cdla-sharing-1.0": "CDLA-Sharing-1.0",
    "agpl-3.0": "AGPL-3.0-only",
    "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-3.0": "LGPL-3.0-only",
    "lgpl-lr": "LGPLLR",
    "odc-by": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "pddl": "PDDL-1.0",
    "apple-amlr": "Apple-AMLR",
}
"""Words that are not an SPDX id in other letters."""

_SAME = (
    "Apache-2.0", "MIT", "AFL-3.0", "Artistic-2.0", "BSL-1.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0",
    "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-2.0",
    "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0",
    "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "WTFPL", "ECL-2.0", "EPL-1.0", "EPL-2.0", "etalab-2.0", "EUPL-1.1",
    "EUPL-1.2", "ISC", "LPPL-1.3c", "MS-PL", "MPL-2.0", "OSL-3.0", "PostgreSQL", "OFL-1.1", "NCSA",
    "Unlicense", "Zlib",
)  # fmt: skip

_IDS = {
    word: found for word in LICENSES if (found := {one.lower(): one for one in _SAME}.get(word))
} | _SPECIAL


def spdx_id(word: str) -> str | None:
    """The SPDX id of a licence by the Hub's word for it; None for those that SPDX does not list.

    A family without a version (`gpl`, `cc`) is no licence, and none is guessed.
    """
    return _IDS.get(word.strip().lower())


def spdx_expression(words: Iterable[str]) -> str | None:
    """The SPDX expression of a card's licences, of which all apply; None unless SPDX knows each."""
    found = [spdx_id(word) for word in words]
    if not found or None in found:
        return None
    return " AND ".join(dict.fromkeys(one for one in found if one is not None))
