"""TOML files: parsed by the standard library, and held to the same keys as JSON."""

import tomllib

from allmende.scan.code.text_reader import text_of
from allmende.scan.configs.config_keys import examine_config
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER"]


def _claims(probe: Probe) -> Claim:
    return Claim.NAME if probe.hint == "toml" else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """The keys of the document. Raises Unreadable, LimitReached."""
    try:
        value = tomllib.loads(text_of(source, scan))
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise Unreadable(f"No TOML: {str(error)[:200]}.") from None
    examine_config(value, scan)


READER = Reader("toml", "text", _claims, _read)
