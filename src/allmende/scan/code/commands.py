"""Command lines, wherever a text holds them: what no model needs, and what runs code that it fetches.

Commands run when somebody starts them. Where a program starts them unasked, as an editor does with its tasks
when a folder is opened, the same line is worse; whoever hands a text over says so.
"""

import re
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Scan

__all__ = ["RULES", "RUNS_UNASKED", "examine_commands", "has_commands"]

ATTACK: Final = Rule(
    "command-attack",
    Severity.CRITICAL,
    "commands that no model needs",
    "A line opens a shell to somebody else, hides what it runs, plants itself where programs are started "
    "from, sends away keys, or wipes a disk.",
    "Remove the commands.",
    "MITRE ATT&CK T1059: command and scripting interpreter; T1053, T1041, T1485.",
)
FETCHED: Final = Rule(
    "command-fetched-code",
    Severity.MEDIUM,
    "runs what it fetches",
    "A line downloads a program and hands it to a shell or an interpreter at once: what runs is decided by "
    "whoever answers.",
    "Download from a place with a checksum, and say in the card what is installed.",
    "CWE-494: download of code without integrity check.",
)
FETCHED_UNASKED: Final = Rule(
    "command-fetched-unasked",
    Severity.CRITICAL,
    "runs what it fetches, without being asked",
    "A program that opens the folder or loads the file runs this line, which downloads code and runs it.",
    "Remove the commands.",
    "CWE-494: download of code without integrity check.",
)
RUNS_UNASKED: Final = Rule(
    "command-unasked",
    Severity.MEDIUM,
    "commands that a program runs by itself",
    "An editor, a container, an assistant or an interpreter runs these commands when it opens the folder or "
    "loads the file.",
    "Say in the card how to start things instead.",
    "CWE-829: inclusion of functionality from an untrusted control sphere.",
)
RULES = (ATTACK, FETCHED, FETCHED_UNASKED, RUNS_UNASKED)

_WINDOW_CHARS: Final = 20_000
_MAX_CHARS: Final = 4 * 1024 * 1024
_SHELL: Final = (
    r"(?:sudo\s{1,5}(?:-\S{1,20}\s{1,5}){0,4})?(?:env\s{1,5})?(?:[A-Z_]{1,40}=\S{0,80}\s{1,5}){0,4}"
    r"(?:[\w./]{0,40}/)?(?:(?:ba|z|da|k|a|c|fi)?sh|pwsh|powershell|python[\d.]{0,5}|perl|ruby|node|php|"
    r"lua|iex|"
    r"Invoke-Expression|Rscript|osascript|cmd)(?![\w.-])"
)
_GET: Final = r"\b(?:curl|wget|aria2c|fetch|Invoke-WebRequest|Invoke-RestMethod|iwr|irm)\b"
_SECRETS: Final = (
    r"(?:\.ssh\b|\bid_(?:rsa|ed25519|ecdsa)\b|/etc/(?:passwd|shadow)|\.aws/|\.netrc\b|\.git-credentials|"
    r"huggingface/(?:token|stored)|\.kube/|\.docker/config|/proc/self/environ)"
)
_ATTACKS: Final = re.compile(
    "|".join(
        (
            r"/dev/(?:tcp|udp)/[\w.$\{-]",
            (
                r"\b(?:nc|ncat|netcat)(?:\.\w{1,12})?\s[^\n|;]{0,80}?(?<=\s)-[a-z]{0,4}[ec](?:\s|"
                r"\b)[^\n]{0,10}(?:sh|cmd|bin)"
            ),
            r"\bmkfifo\s[^\n]{0,200}\b(?:nc|ncat|netcat|telnet|openssl)\b",
            r"\bsocat\b[^\n]{0,160}\b(?:exec|system):",
            r"\b(?:ba)?sh\s{1,5}-i\s{0,5}(?:[0-9]?>&|<|&>|2>)",
            (
                r"\bpowershell(?:\.exe)?\b[^\n]{0,200}\s[-/]e(?:c|nc?|"
                r"nco\w{0,12})?\s{1,5}[\"']?[A-Za-z0-9+/=]{8,}"
            ),
            r"\bpowershell(?:\.exe)?\b[^\n]{0,200}\s[-/]w(?:in\w{0,10})?\s{1,5}(?:h|hid\w{0,4}|1)\b",
            (
                r"\b(?:iex|invoke-expression)\b[^\n]{0,160}(?:downloadstring|net\.webclient|frombase64string|"
                r"downloaddata)"
            ),
            (
                r"(?:downloadstring|downloaddata|frombase64string)\b[^\n]{0,240}\|\s{0,5}(?:iex|"
                r"invoke-expression)\b"
            ),
            r"\bmshta(?:\.exe)?\s{1,5}[\"']?(?:https?|javascript|vbscript|about):",
            r"\bregsvr32\b[^\n]{0,80}/i:\s{0,3}[\"']?https?:|\brundll32\b[^\n]{0,60}javascript:",
            (
                r"\bcertutil\b[^\n]{0,80}[-/](?:urlcache|decode)\b|\bbitsadmin\b[^\n]{0,80}/(?:transfer|"
                r"addfile)\b"
            ),
            (
                r"\bwmic\b[^\n]{0,60}\bprocess\s{1,5}call\s{1,5}create|\bschtasks\b[^\n]{0,30}/create\b|"
                r"\bvssadmin\b[^\n]{0,20}delete"
            ),
            r"\breg(?:\.exe)?\s{1,5}add\s[^\n]{0,120}\\run(?:once)?\b|\\CurrentVersion\\Run\b",
            (
                r"\|\s{0,5}(?:sudo\s{1,5})?crontab\b|\bcrontab\s{1,5}(?:-(?:\s|$|u)|/|<)|"
                r">{1,2}\s{0,5}[\"']?(?:/etc/cron|/var/spool/cron)"
            ),
            r"\btee\b[^\n|]{0,40}(?:/etc/cron|/etc/(?:passwd|shadow|ld\.so\.preload)|authorized_keys)",
            (
                r">{1,2}\s{0,5}[\"']?\S{0,80}(?:authorized_keys|/etc/(?:passwd|shadow|ld\.so\.preload|"
                r"rc\.local|init\.d/))"
            ),
            (
                r"\brm\s{1,5}(?:-\w{1,5}\s{1,5}|--[\w-]{1,20}\s{1,5}){1,4}[\"']?(?:/|~/?|"
                r"\$\{?HOME\}?/?)[\"']?\*?(?:\s|$|;|&|\||\))"
            ),
            (
                r"\bmkfs(?:\.\w{1,8})?\s[^\n]{0,40}/dev/|\bdd\s[^\n]{0,80}of=/dev/(?:sd|nvme|hd|vd|disk|mmc)|"
                r">\s{0,3}/dev/sd[a-z]\b"
            ),
            r":\s{0,2}\(\)\s{0,2}\{\s{0,2}:\s{0,2}\|\s{0,2}:",
            _SECRETS + r"[^\n]{0,200}\|[^\n]{0,80}\b(?:curl|wget|nc|ncat|netcat|socat)\b",
            r"\b(?:curl|wget)\b[^\n]{0,240}(?:@|\$\(|`|<)[^\n]{0,60}" + _SECRETS,
            r"\b(?:scp|rsync)\b[^\n]{0,80}" + _SECRETS + r"[^\n]{0,80}\S@?\S{0,60}:",
            r"\b(?:env|printenv|set)\s{0,5}\|[^\n]{0,80}\b(?:curl|wget|nc|ncat|netcat)\b",
            r"\b(?:curl|wget)\b[^\n]{0,200}(?:\$\((?:env|printenv)\b|`(?:env|printenv)\b|<\(env\b)",
            (
                r"\b(?:curl|wget)\b[^\n]{0,120}https?://[^\s\"']{0,160}\$\{?\w{0,30}(?:SECRET|TOKEN|API_KEY|"
                r"PASSWORD)"
            ),
            r"\bbase(?:64|32)\b[^\n|]{0,60}(?:-d|-D|--decode)\b[^\n]{0,120}\|\s{0,5}" + _SHELL,
            (
                r"\b(?:xxd\s{1,3}-r|openssl\s{1,3}\w{1,10}\s{1,3}-d|gunzip|zcat|rev|tr)\b[^\n|"
                r"]{0,80}\|\s{0,5}(?:sudo\s)?(?:ba|da|z)?sh\b(?!\w)"
            ),
            r"\b(?:eval|sh\s{1,3}-c|bash\s{1,3}-c)\s{1,5}[\"']?(?:\$\(|`)[^\n]{0,200}\bbase64\b",
            (
                r"\bpython[\d.]{0,5}\s{1,5}-c\s{1,5}[\"'][^\n]{0,400}(?:exec|"
                r"eval)\s{0,3}\([^\n]{0,80}(?:base64|zlib|urlopen|requests|__import__|fromhex|codecs)"
            ),
            (
                r"\bpython[\d.]{0,5}\s{1,5}-c\s{1,5}[\"'][^\n]{0,200}\bsocket\b[^\n]{0,400}(?:dup2|subprocess|"
                r"pty)"
            ),
            (
                r"\b(?:perl|ruby)\s[^\n]{0,40}-(?:e|rsocket)\b[^\n]{0,120}socket|"
                r"\bphp\s{1,5}-r\b[^\n]{0,60}fsockopen"
            ),
            r"\bstratum\+(?:tcp|ssl)://|\bxmrig\b",
            r"\bchmod\s{1,5}(?:[ugo]{0,3}\+s|[4267][0-7]{3})\s{1,5}\S{0,40}(?:/|sh\b)",
            r"\bLD_PRELOAD=/(?:tmp|dev/shm)|\bdocker\b[^\n]{0,200}\s(?:-v|--volume)[ =]/:/",
        )
    ),
    re.IGNORECASE,
)
_KNOWN_HOSTS: Final = re.compile(
    r"(?i)https://(?:astral\.sh|sh\.rustup\.rs|get\.docker\.com|ollama\.com|deb\.nodesource\.com|"
    r"repo\.anaconda\.com|"
    r"raw\.githubusercontent\.com/(?:homebrew|nvm-sh|conda-forge|microsoft|nvidia|huggingface|pytorch)/|"
    r"bootstrap\.pypa\.io|install\.python-poetry\.org|packagecloud\.io|get\.sdkman\.io|"
    r"github\.com/(?:conda-forge|homebrew|nvm-sh|git-lfs|microsoft|nvidia|huggingface|pytorch)/|"
    r"micro\.mamba\.pm|get\.scoop\.sh|bun\.sh|deno\.land|pixi\.sh|nixos\.org|tailscale\.com|hf\.co/|"
    r"developer\.download\.nvidia\.com|nvidia\.github\.io|download\.pytorch\.org|apt\.llvm\.org|"
    r"dl\.google\.com)"
)
_FETCHES: Final = re.compile(
    "|".join(
        (
            (_GET + r"[^\n|;&]{0,400}(?:\|\s{0,5}(?:tee|cat|gunzip|zcat|tr|sed|base64|xz|tar)\b[^\n|"
                r"]{0,80}){0,2}\|\s{0,5}" + _SHELL),
            (r"\b(?:ba|z|da|k|a)?sh\s{1,5}(?:-\w{1,6}\s{1,5}){0,3}[\"']?(?:<\(|\$\(|`)\s{0,5}(?:curl|"
            r"wget)\b[^\n]{0,300}"),
            (r"(?:\beval|\bsource|(?:^|\s)\.|\bexec)\s{1,5}[\"']?(?:<\(|\$\(|`)\s{0,5}(?:curl|"
            r"wget)\b[^\n]{0,300}"),
            (_GET + r"[^\n]{0,400}(?:&&|;|\|\|)\s{0,5}(?:sudo\s{1,5})?(?:chmod\s{1,5}(?:[augo]{0,3}\+x|"
                r"[0-7]{3,4})\s[^\n]{0,200}"
            r"(?:&&|;|\n)\s{0,8}(?:sudo\s{1,5})?(?:nohup\s{1,5})?(?:\./|/tmp/|/\w|~)|(?:ba|da|"
            r"z)?sh\s{1,5}\S{1,100}|\./\S{1,100})"),
            (_GET + r"[^\n]{0,300}?([\w-]{1,60}\.(?:sh|bin|run|elf|"
                r"pl))\b[^\n]{0,100}\n(?:[^\n]{0,200}\n){0,4}?[^\n]{0,60}"
            r"(?:\b(?:ba|da|z)?sh\s|\bchmod\s\S{1,8}\s|\./|\bperl\s)[^\n]{0,40}?\1"),
            (r"\bpython[\d.]{0,5}\s{1,5}-c\s{1,5}[\"'][^\n]{0,300}(?:urlopen|urlretrieve|"
            r"requests\.get)\b[^\n]{0,200}"),
            (r"\b(?:iex|invoke-expression)\b[^\n]{0,60}\(?\s{0,3}(?:iwr|irm|invoke-webrequest|"
            r"invoke-restmethod|curl|wget)\b[^\n]{0,200}"),
            r"\bStart-Process\b[^\n]{0,120}\bhttps?://[^\n]{0,100}",
        )
    ),
    re.IGNORECASE,
)  # fmt: skip
_TELLING: Final = re.compile(
    r"(?i)curl|wget|aria2c|fetch|iwr|irm|invoke-|/dev/(?:tcp|udp|sd|nvme|hd|vd)|\bnc\b|ncat|netcat|mkfifo|"
    r"socat|sh\s+-i|"
    r"powershell|iex|downloads?tring|downloaddata|frombase64|mshta|regsvr32|rundll32|certutil|bitsadmin|"
    r"wmic|schtasks|vssadmin|"
    r"\\run\b|\\runonce|crontab|/etc/|spool/cron|authorized_keys|\brm\s|mkfs|\bdd\s|:\s?\(\)|\.ssh|"
    r"printenv|\benv\b|base64|"
    r"base32|xxd|openssl|gunzip|zcat|\beval\b|python[\d.]*\s+-c|perl|ruby|php|stratum|xmrig|chmod|"
    r"ld_preload|docker|start-process"
)  # fmt: skip


def has_commands(text: str) -> bool:
    """Whether a text may hold a line of either kind: a quick look before a slow one."""
    return _TELLING.search(text) is not None


def examine_commands(text: str, scan: Scan, inside: str = "", *, unasked: bool = False) -> None:
    """Find the lines that no model needs, and those that run what they fetch. Lines may be continued."""
    plain = text[:_MAX_CHARS]
    if not has_commands(plain):
        return
    plain = plain.replace("\\\r\n", "  ").replace("\\\n", " ").replace("`\r\n", "  ").replace("^\r\n", "  ")
    for offset in range(0, len(plain), _WINDOW_CHARS):
        window = plain[max(0, offset - 600) : offset + _WINDOW_CHARS]
        attack = _ATTACKS.search(window)
        if attack is not None:
            scan.found(ATTACK, _line_around(window, attack), inside=inside)
        for fetched in _FETCHES.finditer(window):
            if not unasked and _KNOWN_HOSTS.search(fetched[0]):
                continue
            scan.found(FETCHED_UNASKED if unasked else FETCHED, _line_around(window, fetched), inside=inside)
            break


def _line_around(text: str, match: re.Match[str]) -> str:
    start = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    return text[max(start, match.start() - 80) : end if end >= 0 else len(text)].strip()[:300]
