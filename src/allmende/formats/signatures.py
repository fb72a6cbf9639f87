"""Binary formats told by their first bytes alone."""

from collections.abc import Callable

__all__ = ["binary_signature"]

Signature = Callable[[bytes, int], str | None]

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x93NUMPY", "npy"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"ARROW1\x00\x00", "arrow"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"%PDF-", "pdf"),
    (b"\x7fELF", "elf"),
    (b"\xfe\xed\xfa\xce", "macho"),
    (b"\xfe\xed\xfa\xcf", "macho"),
    (b"\xce\xfa\xed\xfe", "macho"),
    (b"\xcf\xfa\xed\xfe", "macho"),
    (b"\x00asm", "wasm"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"fLaC\x00\x00\x00\x22", "flac"),
    (b"OggS\x00", "ogg"),
    (b"ID3\x02", "mp3"),
    (b"ID3\x03", "mp3"),
    (b"ID3\x04", "mp3"),
    (b"FEA1\x00\x00\x00\x00", "arrow"),
)

_MAX_SAFETENSORS_HEADER = 100_000_000
_MAX_FAT_ARCHITECTURES = 42
_TAR_BLOCK = 512


def binary_signature(head: bytes, size_bytes: int) -> str | None:
    """The name of the binary format that `head` shows, or None where no signature fits."""
    # First of all: the length at its beginning may look like any prefix.
    if _safetensors(head, size_bytes):
        return "safetensors"
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    for look in _LOOKS:
        found = look(head, size_bytes)
        if found is not None:
            return found
    return None


def _safetensors(head: bytes, size_bytes: int) -> str | None:
    if len(head) < 10:
        return None
    length = int.from_bytes(head[:8], "little")
    fits = 2 <= length <= min(_MAX_SAFETENSORS_HEADER, size_bytes - 8)
    opens = head[8:9] == b"{" and head[9:].lstrip(b" \t\r\n")[:1] in (b'"', b"}", b"")
    return "safetensors" if fits and opens else None


def _gguf(head: bytes, _: int) -> str | None:
    # The version behind the magic is a small number in one of the two byte orders; a text has letters there.
    small = head[4:6] == b"\x00\x00" or head[6:8] == b"\x00\x00"
    return "gguf" if head.startswith(b"GGUF") and len(head) >= 8 and small else None


def _parquet(head: bytes, size_bytes: int) -> str | None:
    return "parquet" if head.startswith(b"PAR1") and size_bytes >= 12 and head[4:5] < b" " else None


def _bzip2(head: bytes, _: int) -> str | None:
    block = head[4:10] in (b"1AY&SY", b"\x17rE8P\x90")
    return "bzip2" if head.startswith(b"BZh") and head[3:4] in b"123456789" and block else None


def _riff(head: bytes, _: int) -> str | None:
    return {b"WEBP": "webp", b"WAVE": "wav"}.get(head[8:12]) if head.startswith(b"RIFF") else None


def _iso_media(head: bytes, _: int) -> str | None:
    if head[4:8] != b"ftyp":
        return None
    brand = head[8:12]
    if brand in (b"avif", b"avis"):
        return "avif"
    return "heic" if brand in (b"heic", b"heix", b"mif1", b"msf1") else "mp4"


def _portable_executable(head: bytes, _: int) -> str | None:
    if not head.startswith(b"MZ") or len(head) < 64:
        return None
    at = int.from_bytes(head[60:64], "little")
    # A DOS stub may be long; where the second signature lies beyond the head the first must do.
    return "pe" if at + 4 > len(head) or head[at : at + 4] == b"PE\x00\x00" else None


def _fat_binary(head: bytes, _: int) -> str | None:
    if not head.startswith(b"\xca\xfe\xba\xbe") or len(head) < 8:
        return None
    # Java class files share the magic; what follows is their version, always above the number of
    # architectures that a fat Mach-O file holds.
    return "macho" if int.from_bytes(head[4:8], "big") <= _MAX_FAT_ARCHITECTURES else "java_class"


def _bitmap(head: bytes, size_bytes: int) -> str | None:
    declared = int.from_bytes(head[2:6], "little")
    return "bmp" if head.startswith(b"BM") and len(head) >= 26 and declared == size_bytes else None


def _icon(head: bytes, _: int) -> str | None:
    sound = head.startswith(b"\x00\x00\x01\x00") and len(head) >= 22 and head[4:6] != b"\x00\x00"
    return "ico" if sound and head[9] == 0 else None


def _arrow_stream(head: bytes, _: int) -> str | None:
    if len(head) < 8 or not head.startswith(b"\xff\xff\xff\xff"):
        return None
    return "arrow_stream" if 0 < int.from_bytes(head[4:8], "little") < 1 << 28 else None


def _tflite(head: bytes, _: int) -> str | None:
    return "tflite" if head[4:8] == b"TFL3" else None


def _tar(head: bytes, _: int) -> str | None:
    if len(head) < _TAR_BLOCK:
        return None
    field = head[148:156].strip(b"\x00 ")
    if not field or not field.isdigit() or any(digit not in b"01234567" for digit in field):
        return None
    # The checksum is taken with its own field as blanks (POSIX ustar); old tars have it, too.
    total = sum(head[:148]) + 8 * 0x20 + sum(head[156:_TAR_BLOCK])
    return "tar" if int(field, 8) == total else None


def _mpeg_audio(head: bytes, size_bytes: int) -> str | None:
    frame = len(head) >= 4 and head[0] == 0xFF and head[1] in (0xFA, 0xFB, 0xF2, 0xF3)
    return "mp3" if frame and size_bytes > 128 and head[2] >> 4 not in (0, 15) else None


_LOOKS: tuple[Signature, ...] = (
    _gguf,
    _parquet,
    _bzip2,
    _riff,
    _iso_media,
    _portable_executable,
    _fat_binary,
    _bitmap,
    _icon,
    _arrow_stream,
    _tflite,
    _tar,
    _mpeg_audio,
)
