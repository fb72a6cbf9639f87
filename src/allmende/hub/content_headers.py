"""How the bytes of a file are labelled when they are sent, so that they are safe on our own origin.

What people upload must never run on the hub's address. Text of any kind is sent as plain text, pictures and
sound as what they are, everything else as bytes to be saved; a sandbox and `nosniff` hold for all of them.
"""

import re
from urllib.parse import quote

__all__ = ["TEXT", "content_headers"]

_CONTENT_POLICY = "default-src 'none'; sandbox"

TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_JSON = "application/json"

_TEXT_EXTENSIONS = (
    "bat", "c", "cfg", "conf", "cpp", "css", "csv", "go", "h", "htm", "html", "ini", "java",
    "jinja", "jl", "js", "jsonl", "log", "lua", "md", "mdx", "mjs", "py", "r", "rs", "rst", "sh",
    "sql", "tex", "toml", "ts", "tsv", "txt", "xml", "yaml", "yml",
)  # fmt: skip

_TYPES = {
    **dict.fromkeys(_TEXT_EXTENSIONS, TEXT),
    "json": _JSON,
    "ipynb": _JSON,
    "avif": "image/avif",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webp": "image/webp",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "webm": "video/webm",
}
_TEXT_NAMES = frozenset(
    {".gitattributes", ".gitignore", "dockerfile", "license", "makefile", "notice", "readme"}
)
_NOT_TOKEN = re.compile(r"[^A-Za-z0-9._-]")


def content_headers(path: str, etag: str, *, save: bool) -> dict[str, str]:
    """What every answer with a file's bytes says of them. They may be private: caches ask each time.

    With `save` a browser keeps the file instead of showing it.
    """
    return {
        "ETag": f'"{etag}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Type": _content_type(path),
        "Content-Disposition": _content_disposition(path, save=save),
        "Content-Security-Policy": _CONTENT_POLICY,
        "X-Content-Type-Options": "nosniff",
    }


def _content_type(path: str) -> str:
    """The label for a file, by its name."""
    name = path.rpartition("/")[2].lower()
    if name in _TEXT_NAMES:
        return TEXT
    stem, dot, extension = name.rpartition(".")
    return _TYPES.get(extension, _BYTES) if stem and dot else _BYTES


def _content_disposition(path: str, *, save: bool) -> str:
    """The file's name for whoever saves it (RFC 6266, with the extended form of RFC 8187).

    With `save`, or where the bytes are nothing to look at, a browser saves the file instead of showing it.
    """
    name = path.rpartition("/")[2]
    shown = not save and _content_type(path) not in (_BYTES, "image/svg+xml")
    plain = _NOT_TOKEN.sub("_", name)
    kind = "inline" if shown else "attachment"
    return f"{kind}; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\""
