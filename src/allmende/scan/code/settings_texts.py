"""Settings in lines: of Kaldi, spaCy, git, pip, npm and Ollama; what they name is run, installed or read."""

import re
from collections.abc import Callable
from typing import Final

from allmende.scan.code.code_texts import code_in
from allmende.scan.code.commands import examine_commands
from allmende.scan.code.text_reader import text_of
from allmende.scan.configs.config_rules import (
    CODE_TEXT,
    FOREIGN_PACKAGES,
    OUTSIDE_PATH,
    UNASKED_PROGRAM,
    UNKNOWN_TARGET,
)
from allmende.scan.configs.packages import examine_address, examine_requirement
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READERS", "RULES"]

PIPE = Rule(
    "kaldi-pipe",
    Severity.CRITICAL,
    "a file name that is a command",
    "Kaldi and programs built on it take a name that begins or ends with a bar as a command, and run it when "
    "the model or its data are opened.",
    "Name files.",
    "Kaldi documentation, I/O: extended filenames.",
)
SOUND_PIPE = Rule(
    "kaldi-sound-pipe",
    Severity.MEDIUM,
    "sounds that are read through programs",
    "The list names commands that convert sounds; they run when the data are opened.",
    "Convert the sounds, and name files.",
    "Kaldi documentation, I/O: extended filenames.",
)
GIT_OPTION = Rule(
    "git-runs-program",
    Severity.CRITICAL,
    "makes git run a program",
    "An address or a setting of git is taken as an option or as a command, when the repository is cloned "
    "or used.",
    "Remove the file, or write a plain address.",
    "CVE-2018-17456, CVE-2018-11235, CVE-2022-24765; git documentation, gitmodules and git-config.",
)
MODEL_FILE = Rule(
    "ollama-outside-file",
    Severity.CRITICAL,
    "reads files from outside the repository",
    "Making a model by this file copies a file of the reader's machine into it.",
    "Name files beside the Modelfile.",
    "Ollama documentation, Modelfile; CVE-2024-37032.",
)
LOCAL_MODEL_FILE = Rule(
    "ollama-local-path",
    Severity.MEDIUM,
    "names a file of another machine",
    "The file takes a model from an absolute path or from an address.",
    "Name files beside the Modelfile.",
    "Ollama documentation, Modelfile.",
)
RULES = (PIPE, SOUND_PIPE, GIT_OPTION, MODEL_FILE, LOCAL_MODEL_FILE)

_MAX_CHARS: Final = 4 * 1024 * 1024
_PIPED: Final = re.compile(
    r"(?m)^[ \t]{0,20}(?:--[\w.-]{1,80}[ \t]{0,5}=|[^\s|"
    r"#;]{1,200}[ \t]{1,20})([^\n]{1,600}?\|)[ \t\r\"']{0,5}$|"
    r"^[ \t]{0,20}--[\w.-]{1,80}[ \t]{0,5}=[ \t\"']{0,5}(?:(?:ark|"
    r"scp)[\w,]{0,20}:)?[ \t]{0,3}(\|[^\n]{1,600})$"
)
_SOUND: Final = re.compile(
    r"(?:[\w./-]{0,200}/)?(?:sph2pipe|sox|flac|ffmpeg|cat|gunzip|zcat|opusdec|lame|mpg123|mpg321|"
    r"wav-\w{1,40}|copy-\w{1,20}|"
    r"compute-\w{1,30}|apply-\w{1,20}|add-\w{1,20}|splice-\w{1,20}|transform-\w{1,20}|extract-\w{1,30}|"
    r"subsample-\w{1,20}|"
    r"select-\w{1,20}|paste-\w{1,20}|wget-?\b(?!.)|amrnb-decoder|wvdec)\b"
)
_SENSITIVE: Final = re.compile(r"/etc/|/root/|/home/\S{1,40}/\.|~|\.\./\.\./|/proc/|;|&&|\$\(|`|>")
_REGISTERED: Final = re.compile(
    r"(?m)^[ \t]{0,10}@(\w{1,60})[ \t]{0,5}=[ \t]{0,5}[\"']([^\"'\n]{1,200})[\"']"
)
_OWN_NAMES: Final = re.compile(
    r"(?:spacy|spacy-legacy|spacy-transformers|spacy-llm|spacy_transformers|spacy-experimental|"
    r"spacy-curated-transformers|"
    r"spacy-loggers|spacy-huggingface\w{0,20}|thinc|confection|curated_transformers|textcat|entity_linker|"
    r"spacy-lookups\w{0,10})"
    r"[.\-]\S{1,150}|[A-Za-z_]{1,60}\.v\d{1,3}|[a-z_]{1,40}"
)
_GIT: Final = re.compile(
    r"(?mi)^[ \t]{0,20}(?:url|path|pushurl|insteadof)[ \t]{0,5}=[ \t]{0,5}[\"']?-[^\n]{1,200}|"
    r"^[ \t]{0,20}(?:url|pushurl)[ \t]{0,5}=[ \t]{0,5}[\"']?(?:ext|fd)::[^\n]{1,200}|^[ \t]{0,20}(?:ssh|"
    r"https?|git)://-[^\n]{1,100}|"
    r"^[ \t]{0,20}url[ \t]{0,5}=[ \t]{0,5}[\"']?(?:ssh|git|https?)://-[^\n]{1,200}|"
    r"^[ \t]{0,20}update[ \t]{0,5}=[ \t]{0,5}[\"']?![^\n]{1,200}|"
    r"^[ \t]{0,20}path[ \t]{0,5}=[ \t]{0,5}[^\n]{0,200}(?:\.git|\.\.)[^\n]{0,200}|"
    r"^[ \t]{0,20}(?:fsmonitor|sshcommand|hookspath|askpass|editor|pager|gitproxy|alternaterefscommand|"
    r"textconv|clean|smudge|process|"
    r"command|external|cmd|helper|uploadpack|receivepack|program|vcs)[ \t]{0,5}=[ \t]{0,5}(?!true|false|"
    r"less|cat|more|vim|nano|code|"
    r"git-lfs|git lfs|store|cache|osxkeychain|manager|wincred|libsecret)[^\n]{1,200}|"
    r"^[ \t]{0,20}\w{1,30}[ \t]{0,5}=[ \t]{0,5}[\"']?![^\n]{1,200}|"
    r"\[submodule[ \t]{1,5}\"[^\"\n]{0,200}\.\.[^\"\n]{0,200}\""
)
_GIT_SECTION: Final = re.compile(
    r"(?m)^[ \t]{0,10}\[(?:submodule|core|filter|alias|diff|credential|url|protocol|gpg|merge|include|"
    r"includeIf)\b"
)
_INI_SECRET: Final = re.compile(
    r"(?mi)^[ \t]{0,10}(?:index[-_]url|extra[-_]index[-_]url|find[-_]links|registry|"
    r"trusted[-_]host)[ \t]{0,5}=[ \t]{0,5}(\S{1,300})"
)
_MODEL: Final = re.compile(r"(?mi)^[ \t]{0,10}(FROM|ADAPTER|LICENSE|DRAFT)[ \t]{1,10}[\"']?([^\s\"']{1,400})")
_SCHEME: Final = re.compile(r"(?i)(?:https?|file|ftp|s3)://")
_JSONNET: Final = re.compile(r"\b(?:import|importstr|importbin)\s{0,5}[\"']([^\"'\n]{1,300})[\"']")
_EXTERNAL: Final = re.compile(r"\bstd\.extVar\s{0,3}\(\s{0,3}[\"']([^\"'\n]{1,100})[\"']")


def _read_settings(text: str, scan: Scan) -> None:
    """Lines of `name = value`, whatever program reads them."""
    for match in _PIPED.finditer(text):
        command = (match[1] or match[2]).strip(" \t\r\"'")
        bare = command.strip("|").strip()
        if (
            bare.startswith(("#", "//"))
            or not bare
            or bare.endswith(("|", "+"))
            or set(bare) <= set("-=+|: ")
        ):
            continue
        sound = _SOUND.match(bare) is not None and not _SENSITIVE.search(bare)
        scan.found(SOUND_PIPE if sound else PIPE, command)
        break
    if _GIT_SECTION.search(text):
        git = _GIT.search(text)
        if git is not None:
            scan.found(GIT_OPTION, git[0].strip())
    for match in _REGISTERED.finditer(text):
        if not _OWN_NAMES.fullmatch(match[2]):
            scan.found(UNKNOWN_TARGET, f"@{match[1]} = {match[2]}")
    for match in _INI_SECRET.finditer(text):
        if "trusted" in match[0].lower():
            scan.found(FOREIGN_PACKAGES, match[0].strip())
        else:
            examine_address(match[1], scan)
    for line in text.splitlines()[:20_000]:
        call = code_in(line) if len(line) < 2000 else ""
        if call and not line.lstrip().startswith(("#", ";")):
            scan.found(CODE_TEXT, call)
            break
    examine_commands(text, scan)


def _read_requirements(text: str, scan: Scan) -> None:
    for line in text.splitlines()[:20_000]:
        if line.strip() and len(line) < 2000:
            examine_requirement(line, scan)


def _read_model_file(text: str, scan: Scan) -> None:
    for match in _MODEL.finditer(text):
        word, place = match[1].upper(), match[2]
        if word == "LICENSE" and not is_outside(place):
            continue
        if _SCHEME.match(place):
            scan.found(
                MODEL_FILE if place.lower().startswith("file") else LOCAL_MODEL_FILE, f"{word} {place}"
            )
        elif is_outside(place):
            plain = (
                place.startswith("/")
                and not _SENSITIVE.search(place)
                and place.lower().endswith((".gguf", ".bin", ".safetensors"))
            )
            scan.found(LOCAL_MODEL_FILE if plain else MODEL_FILE, f"{word} {place}")
    examine_commands(text, scan)


def _read_jsonnet(text: str, scan: Scan) -> None:
    for match in _JSONNET.finditer(text):
        if is_outside(match[1]):
            scan.found(OUTSIDE_PATH, match[0])
    call = code_in(text)
    if call:
        scan.found(CODE_TEXT, call)
    for match in _EXTERNAL.finditer(text):
        if re.search(r"(?i)secret|token|password|api_key|access_key", match[1]):
            scan.found(UNASKED_PROGRAM, match[0])
    examine_commands(text, scan)


_READ: Final[dict[str, tuple[str, Callable[[str, Scan], None]]]] = {
    "settings": ("settings", _read_settings),
    "requirements": ("requirements", _read_requirements),
    "modelfile": ("model file", _read_model_file),
    "jsonnet": ("jsonnet", _read_jsonnet),
}


def _reader(hint: str, name: str, read: Callable[[str, Scan], None]) -> Reader:
    def claims(probe: Probe) -> Claim:
        return Claim.NAME if probe.hint == hint and b"\0" not in probe.head[:512] else Claim.NONE

    def read_text(source: Source, scan: Scan) -> None:
        read(text_of(source, scan)[:_MAX_CHARS], scan)

    return Reader(name, "text", claims, read_text)


READERS = tuple(_reader(hint, name, read) for hint, (name, read) in _READ.items())
