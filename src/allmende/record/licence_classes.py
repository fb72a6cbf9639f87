"""What kind of licence a card's word stands for: the classes by which people choose models."""

from typing import Literal

__all__ = ["LICENCE_CLASSES", "LicenceClass", "licence_class"]

LicenceClass = Literal[
    "public_domain", "permissive", "weak_copyleft", "copyleft", "non_commercial", "no_derivatives",
    "use_limits", "own_terms",
]  # fmt: skip
LICENCE_CLASSES: tuple[LicenceClass, ...] = (
    "public_domain", "permissive", "weak_copyleft", "copyleft", "non_commercial", "no_derivatives",
    "use_limits", "own_terms",
)  # fmt: skip
"""`use_limits` names uses that are not allowed (RAIL); `own_terms` are terms of one vendor."""

_CLASSES: dict[LicenceClass, str] = {
    "public_domain": "cc0-1.0 unlicense pddl wtfpl",
    "permissive": "apache-2.0 mit afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause"
    " bsd-3-clause-clear c-uda cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cdla-permissive-1.0"
    " cdla-permissive-2.0 ecl-2.0 etalab-2.0 isc ms-pl ncsa odc-by ofl-1.1 openmdw-1.0 openmdw-1.1"
    " postgresql zlib",
    "weak_copyleft": "epl-1.0 epl-2.0 eupl-1.1 eupl-1.2 lgpl lgpl-2.1 lgpl-3.0 lgpl-lr lppl-1.3c mpl-2.0",
    "copyleft": "agpl-3.0 cc-by-sa-3.0 cc-by-sa-4.0 cdla-sharing-1.0 gfdl gpl gpl-2.0 gpl-3.0 odbl osl-3.0",
    "non_commercial": "cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0"
    " cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 fair-noncommercial-research-license apple-amlr"
    " intel-research h-research",
    "no_derivatives": "cc-by-nd-4.0",
    "use_limits": "openrail openrail++ creativeml-openrail-m bigscience-bloom-rail-1.0 bigscience-openrail-m"
    " bigcode-openrail-m deepfloyd-if-license",
    "own_terms": "llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 gemma apple-ascl grok2-community",
}

_OF = {word: kind for kind, words in _CLASSES.items() for word in words.split()}


def licence_class(word: str) -> LicenceClass | None:
    """The class of a licence by the Hub's word for it; None for words that name no certain licence."""
    return _OF.get(word.strip().lower())
