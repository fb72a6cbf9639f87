"""Examining single files: what each is, and what the headers of weight files say, as facts about bytes.

Everything is cached by content and tool version, so a file is read once, however many revisions hold it.
What cannot be read is a fact too: `format.error` says why, in one sentence.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from allmende.facts import (
    ContentKey,
    Fact,
    content_facts,
    forget_content_facts,
    forget_weights_of_contents,
    put_content_facts,
)
from allmende.flows.reading import open_content, open_unpacked
from allmende.flows.services import Services
from allmende.flows.table_previews import forget_table_preview
from allmende.formats import (
    GgufHeader,
    JsonObject,
    Malformed,
    identify_file,
    read_gguf,
    read_header,
)
from allmende.ids import GitOid, RepoId, Sha256
from allmende.jobs import JobContext, cached_step, forget_step
from allmende.registry import FileEntry, read_blob
from allmende.storage import Content, UnitOfWork, batches

__all__ = [
    "TOOL",
    "TOOL_VERSION",
    "HeldFile",
    "examine_files",
    "file_batches",
    "file_facts",
    "forget_content",
    "format_fact",
    "open_files",
]

TOOL = "allmende.formats"
TOOL_VERSION = "1"
"""Raise it when `allmende.formats` or the facts made here change: everything is then examined anew."""

_MAX_ENDING_CHARS = 16
_INLINE_BATCH_BYTES = 16 * 1024 * 1024
_FACTS_BATCH = 500
_MAX_CHAT_TEMPLATE_CHARS = 16 * 1024
_MAX_SENTENCE_CHARS = 1000


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file of a revision whose bytes the repo has: as a content, or (`content` is None) inside git."""

    entry: FileEntry
    content: Content | None

    @property
    def key(self) -> ContentKey:
        """The name of its bytes."""
        return self.entry.oid if self.content is None else self.content.sha256


def format_fact(path: str) -> str:
    """The name of the fact that says what a file is.

    It depends on the ending of the path, because the ending decides between formats that look alike, and
    because `name_disagrees` tells of names that promise something else.
    """
    name = path.rsplit("/", 1)[-1].lower()
    ending = name.rpartition(".")[2] if "." in name else ""
    sound = ending.isascii() and ending.isalnum() and len(ending) <= _MAX_ENDING_CHARS
    return f"format.{ending}" if sound else "format"


def examine_files(services: Services, context: JobContext, repo_id: RepoId, files: list[HeldFile]) -> None:
    """Make the facts of all files that are not known yet. A repeat goes on where this was interrupted.

    Raises JobInterrupted when the job should stop, and NotFound when the store has lost bytes.
    """
    with services.database.read() as uow:
        known = content_facts(uow, (file.key for file in files))
    unknown = {
        (file.key, format_fact(file.entry.path)): file
        for file in files
        if not _is_current(known.get(file.key, {}).get(format_fact(file.entry.path)))
    }
    done = 0
    for batch in file_batches(list(unknown.values())):
        context.checkpoint()
        found: dict[ContentKey, list[Fact]] = {}
        for file, reader in open_files(services, repo_id, batch):
            context.checkpoint()
            with closing(reader):
                found.setdefault(file.key, []).extend(_examine(services, file, reader))
            done += 1
            context.progress(done / len(unknown), f"{done} of {len(unknown)} files")
        with services.database.write() as uow:
            put_content_facts(uow, found)


def file_facts(uow: UnitOfWork, files: Iterable[HeldFile]) -> dict[ContentKey, dict[str, Fact]]:
    """What is known of these files, by the name of their bytes."""
    return content_facts(uow, (file.key for file in files))


def forget_content(uow: UnitOfWork, sha256: Sha256) -> None:
    """The bytes are gone for good, and with them everything that was learned from them."""
    forget_content_facts(uow, [sha256])
    forget_weights_of_contents(uow, [sha256])
    for step in _HEADERS.values():
        forget_step(uow, step.step, {"content": sha256})
    forget_table_preview(uow, sha256)


def _is_current(fact: Fact | None) -> bool:
    return fact is not None and (fact.tool, fact.tool_version) == (TOOL, TOOL_VERSION)


def file_batches(files: list[HeldFile]) -> Iterator[list[HeldFile]]:
    """Large contents one by one, so that each is kept when it is done; small files many at a time."""
    inline: list[HeldFile] = []
    inline_bytes = 0
    for file in files:
        if file.content is not None:
            yield [file]
            continue
        if inline and inline_bytes + file.entry.size_bytes > _INLINE_BATCH_BYTES:
            yield inline
            inline, inline_bytes = [], 0
        inline.append(file)
        inline_bytes += file.entry.size_bytes
    for batch in batches(inline, _FACTS_BATCH):
        yield list(batch)


def open_files(
    services: Services, repo_id: RepoId, files: list[HeldFile], *, as_files: bool = False
) -> Iterator[tuple[HeldFile, BinaryIO]]:
    """Each file with a reader of its bytes, to be closed by the caller; raises NotFound for lost bytes.

    With `as_files` whatever is stored as a content is a file of the operating system.
    """
    inline: Mapping[GitOid, bytes] = {}
    with services.database.read() as uow:
        inline = {
            file.entry.oid: read_blob(uow, repo_id, file.entry.oid) for file in files if file.content is None
        }
    for file in files:
        if file.content is None:
            yield file, BytesIO(inline[file.entry.oid])
        else:
            yield (
                file,
                open_unpacked(services, file.content) if as_files else open_content(services, file.content),
            )


def _examine(services: Services, file: HeldFile, reader: BinaryIO) -> list[Fact]:
    size_bytes = file.entry.size_bytes
    now = services.database.clock()
    evidence = {"content": file.key}

    def measured(name: str, value: JsonObject) -> Fact:
        return Fact(name, value, "measured", TOOL, TOOL_VERSION, now, evidence)

    fact_name = format_fact(file.entry.path)
    found = identify_file(reader, size_bytes, f"file{fact_name.removeprefix('format')}")
    facts = [
        measured(
            fact_name,
            {
                "name": found.name,
                "media_type": found.media_type,
                "detail": found.detail[:_MAX_SENTENCE_CHARS],
                "name_disagrees": found.name_disagrees,
            },
        )
    ]
    header = _HEADERS.get(found.name)
    if header is not None:
        result = header.read(services, file.key, reader, size_bytes)
        facts.append(measured("format.error" if "error" in result else header.fact, result))
    return facts


@dataclass(frozen=True, slots=True)
class _HeaderReader:
    """How the header of one format is read, and which fact it becomes."""

    fact: str
    step: str
    summarise: Callable[[BinaryIO, int], JsonObject]

    def read(self, services: Services, key: ContentKey, reader: BinaryIO, size_bytes: int) -> JsonObject:
        """The summary of the header, or `{"error", "code"}`."""

        def compute() -> JsonObject:
            reader.seek(0)
            try:
                return self.summarise(reader, size_bytes)
            except Malformed as error:
                return {"error": error.message[:_MAX_SENTENCE_CHARS], "code": error.code}

        result: JsonObject = cached_step(
            services.database, self.step, {"content": key}, TOOL_VERSION, compute
        )
        return result


def _safetensors_summary(reader: BinaryIO, size_bytes: int) -> JsonObject:
    header = read_header(reader, size_bytes)
    return {"parameters": dict(header.parameters()), "total": header.total, "tensors": len(header.tensors)}


def _gguf_summary(reader: BinaryIO, size_bytes: int) -> JsonObject:
    header = read_gguf(reader, size_bytes)
    summary: JsonObject = {
        "total": header.total,
        "tensors": len(header.tensors),
        "architecture": header.architecture,
        "context_length": header.context_length,
        "quantization": header.quantization,
        "chat_template": _chat_template(header),
    }
    return {name: value for name, value in summary.items() if value is not None}


def _chat_template(header: GgufHeader) -> str | None:
    value = header.metadata.get("tokenizer.chat_template")
    return value if isinstance(value, str) and len(value) <= _MAX_CHAT_TEMPLATE_CHARS else None


_HEADERS = {
    "safetensors": _HeaderReader("safetensors.parameters", "read_safetensors_header", _safetensors_summary),
    "gguf": _HeaderReader("gguf", "read_gguf_header", _gguf_summary),
}
