"""Packages that a text asks an installer for, from an address or an index of somebody's own."""

import re
from typing import Final

from allmende.scan.configs.config_rules import FOREIGN_PACKAGES, OUTSIDE_PATH
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.scanning import Scan

__all__ = ["examine_address", "examine_requirement", "is_foreign"]

_ADDRESS: Final = re.compile(
    r"(?i)(?:(?:git|hg|svn|bzr)\+)?((?:https?|ssh|git|ftp|file|"
    r"svn))://(?:[^/\s@]{1,100}@)?([^/\s:#?\"']{1,200})"
)
_KNOWN_HOSTS: Final = re.compile(
    r"(?i)(?:.{1,60}\.)?(?:pypi\.org|pythonhosted\.org|pytorch\.org|nvidia\.com|pyg\.org|github\.com|"
    r"githubusercontent\.com|"
    r"github\.io|gitlab\.com|bitbucket\.org|huggingface\.co|hf\.co|googleapis\.com|fbaipublicfiles\.com|"
    r"vllm\.ai|flashinfer\.ai|"
    r"openmmlab\.com|anaconda\.org|anaconda\.com|tsinghua\.edu\.cn|aliyun\.com|ustc\.edu\.cn|npmjs\.org|"
    r"npmjs\.com|yarnpkg\.com|"
    r"python\.org|apache\.org|intel\.com|amd\.com|paddlepaddle\.org\.cn|bcebos\.com|tensorflow\.org|"
    r"jax\.dev|modelscope\.cn|"
    r"r-project\.org|rstudio\.com|posit\.co|explosion\.ai|stanfordnlp\.github\.io|prefix\.dev|mamba\.pm|"
    r"pypi\.python\.org)"
)
_OPTION: Final = re.compile(
    r"\s{0,20}(--index-url|-i|--extra-index-url|--find-links|-f|--trusted-host|index-url|extra-index-url|"
    r"find-links|registry|"
    r"trusted-host|index_url|extra_index_url|find_links|trusted_host)(?:[ =]|\s{0,5}=)\s{0,10}(\S{1,400})"
)
_INCLUDED: Final = re.compile(
    r"\s{0,20}(?:-r|-c|--requirement|--constraint|-e|--editable)[ =]\s{0,5}(\S{1,300})"
)


def is_foreign(address: str) -> bool:
    """Whether code at this address comes from nobody known, or over an open connection."""
    match = _ADDRESS.match(address.strip())
    if match is None:
        return False
    scheme, host = match[1].lower(), match[2]
    return scheme in {"http", "ftp", "git", "svn"} or (
        scheme != "file" and _KNOWN_HOSTS.fullmatch(host) is None
    )


def examine_address(address: str, scan: Scan, inside: str = "") -> None:
    """An address that code is installed from."""
    if is_foreign(address):
        scan.found(FOREIGN_PACKAGES, address[:200], inside=inside)


def examine_requirement(line: str, scan: Scan, inside: str = "") -> None:
    """One line of a list of requirements (PEP 508, and the options of pip)."""
    option = _OPTION.match(line)
    if option is not None:
        host_only = "trusted" in option[1]
        if host_only or is_foreign(option[2]):
            scan.found(FOREIGN_PACKAGES, line.strip()[:200], inside=inside)
        return
    included = _INCLUDED.match(line)
    if included is not None and "://" not in included[1]:
        if is_outside(included[1]):
            scan.found(OUTSIDE_PATH, included[1], inside=inside)
        return
    place = _ADDRESS.search(line.partition(" #")[0])
    if place is not None and not line.lstrip().startswith("#") and is_foreign(line[place.start() :]):
        scan.found(FOREIGN_PACKAGES, line.strip()[:200], inside=inside)
