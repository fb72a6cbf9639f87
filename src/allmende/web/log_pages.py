"""The log for people: how it stands and who vouches for it, its entries in pages, and one entry with proof.

What these pages say of the log is the hub's own word. A script on them checks it in the browser against keys
that the visitor has chosen to trust; without scripts they say that nothing was checked.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.clock import parse_iso
from allmende.errors import BadRequest
from allmende.flows import Services, log_status, shown_entry
from allmende.log import (
    VEILED_KIND,
    EntryNotFound,
    HubKey,
    LogEntry,
    entries_below,
    key_entries,
    list_evidence,
    list_peers,
    read_entry,
    witnessed_logs,
)
from allmende.merkle import LogProof, Note, OutOfTree, leaf_hash, read_verifier_key
from allmende.proof import read_json
from allmende.registry import ANONYMOUS, Repo, visible_among
from allmende.storage import UnitOfWork
from allmende.web.addresses import entry_path
from allmende.web.messages import Catalogue
from allmende.web.visits import Visit, page

__all__ = ["EntryRow", "entry_row", "log_entries", "log_entry", "log_overview", "routes"]

KINDS = (
    "publish", "record", "scan", "signature", "attest", "lineage", "visibility", "move", "ref", "override",
    "delete", "account", "key", VEILED_KIND,
)  # fmt: skip
_ON_PAGE = 50
_ON_OVERVIEW = 8
_MAX_DIGITS = 15
_MAX_EVIDENCE = 20
_SHORT_ID_CHARS = 12
_SCRIPT = "log-check.js"
_WORDS = (
    "button", "no_crypto", "no_ed25519", "no_pin", "pin_bad", "unreachable", "malformed", "running",
    "signed", "not_signed", "cosigned", "not_cosigned", "unchecked", "root", "root_wrong", "grown",
    "grown_wrong", "same", "smaller", "split", "first_seen", "included", "not_included", "leaf_other",
    "statement", "statement_wrong", "statement_untold", "not_covered", "good", "bad", "partly",
    "offered", "set_signed", "set_unsigned", "set_older", "set_foreign", "one_root",
)  # fmt: skip
"""What the script may have to say; it gets the sentences with the page, in the visitor's language."""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as lists show it: what its leaf says, and the repo where everybody may know of it."""

    number: int
    kind: str
    time: str
    repo: Repo | None
    commit: str
    act: str
    """What exactly happened, as the statement has it; empty where that is not told."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of the hub with its times."""

    use: str
    name: str
    text: str
    since: str
    until: str | None
    signs: bool


@dataclass(frozen=True, slots=True)
class SignerRow:
    """A line under the checkpoint: which key, and whether it is the log's or a witness's."""

    name: str
    key_id: str
    is_log: bool


def routes() -> list[Route]:
    """The pages; what programs read of the log stands before them."""
    return [
        Route("/log", page(log_overview)),
        Route("/log/entries", page(log_entries)),
        Route("/log/entries/{number:segment}", page(log_entry)),
    ]


def log_overview(visit: Visit) -> Response:
    """How the log stands: checkpoint, witnesses, keys, evidence, and the newest entries."""
    services = visit.services
    status = log_status(services)
    note = services.log.checkpoint()
    with visit.read() as uow:
        rows = _rows(uow, entries_below(uow, None, _ON_OVERVIEW), visit.t)
        witnesses = list_peers(uow, "witness")
        witnessed = witnessed_logs(uow)
        evidence = list_evidence(uow)
        told_keys = key_entries(uow)
    key_set = services.log.key_sets.newest()
    return visit.render(
        "log.html",
        scripts=(_SCRIPT,),
        state=status,
        root="" if status.signed_root is None else b64encode(status.signed_root).decode(),
        note="" if note is None else str(note),
        signers=_signers(services, note),
        rows=rows,
        witnesses=witnesses,
        witnessed=witnessed,
        evidence=evidence[-_MAX_EVIDENCE:],
        evidence_count=len(evidence),
        keys=_keys(services),
        told_keys=told_keys,
        key_set=None if key_set is None else key_set.keys,
        words=_words(visit.t),
    )


def log_entries(visit: Visit) -> Response:
    """A page of entries, the newest first, of one kind or of all; a `number` leads to that entry.

    Raises BadRequest for numbers and kinds that make no sense.
    """
    wanted = visit.parameter("number")
    if wanted:
        return RedirectResponse(entry_path(_number(wanted)), 303)
    kind = visit.parameter("kind") or None
    if kind is not None and kind not in KINDS:
        raise BadRequest("Entries of this kind are not known.", code="kind_unknown")
    below = _number(text) if (text := visit.parameter("below")) else None
    with visit.read() as uow:
        found = entries_below(uow, below, _ON_PAGE + 1, kind)
        rows = _rows(uow, found[:_ON_PAGE], visit.t)
    signed = visit.services.log.signed()
    return visit.render(
        "log_entries.html",
        rows=rows,
        kind=kind,
        kinds=KINDS,
        signed_size=0 if signed is None else signed.size,
        newest=visit.address(below="") if below is not None else None,
        older=visit.address(below=str(found[_ON_PAGE - 1].number)) if len(found) > _ON_PAGE else None,
    )


def log_entry(visit: Visit) -> Response:
    """One entry with its statement, as far as everybody may read it, and its proof. Raises EntryNotFound."""
    services = visit.services
    number = _of_address(str(visit.request.path_params["number"]))
    with visit.read() as uow:
        entry = read_entry(uow, number)
        told: LogEntry | None = None
        try:
            told = shown_entry(uow, number)
        except EntryNotFound:
            # Private or erased, which look alike; the entry itself is everybody's.
            told = None
        row = _rows(uow, [entry], visit.t)[0]
    proof = _proof(services, number)
    return visit.render(
        "log_entry.html",
        scripts=(_SCRIPT,),
        row=row,
        number=number,
        leaf=entry.entry.decode("utf-8"),
        leaf_digest=leaf_hash(entry.entry).hex(),
        statement="" if told is None else _indented(told.statement or b""),
        salt="" if told is None or told.salt is None else told.salt.hex(),
        proof=None if proof is None else [each.hex() for each in proof.hashes],
        proof_note="" if proof is None else str(proof.note),
        signed_size=_signed_size(services),
        previous=entry_path(number - 1) if number else None,
        words=_words(visit.t),
    )


def entry_row(entry: LogEntry, repo: Repo | None, t: Catalogue, *, with_act: bool) -> EntryRow:
    """What a list says of an entry; `with_act` where the reader may know its statement."""
    leaf = read_json(entry.entry)
    said = leaf if isinstance(leaf, dict) else {}
    statement = read_json(entry.statement) if with_act and entry.statement is not None else None
    act = statement.get("act") if isinstance(statement, dict) else None
    return EntryRow(
        entry.number,
        entry.kind if with_act else str(said.get("kind")),
        _time(str(said.get("time")), t),
        repo,
        str(said.get("commit") or (entry.commit_oid or "" if with_act else "")),
        act if isinstance(act, str) else "",
    )


def _rows(uow: UnitOfWork, entries: Sequence[LogEntry], t: Catalogue) -> list[EntryRow]:
    """Entries as everybody sees them: repos are named that everybody may see, of acts that were public."""
    open_ids = {one.repo_id for one in entries if one.repo_id is not None and not one.veiled}
    seen = visible_among(uow, ANONYMOUS, open_ids)
    rows = []
    for one in entries:
        repo = None if one.veiled or one.repo_id is None else seen.get(one.repo_id)
        rows.append(entry_row(one, repo, t, with_act=repo is not None))
    return rows


def _time(text: str, t: Catalogue) -> str:
    """The time that an entry says; of some kinds that is a day."""
    return t.moment(parse_iso(text)) if "T" in text else text


def _keys(services: Services) -> list[KeyRow]:
    """All keys of the hub, those in use first."""
    keyring = services.log.keys.read()
    rows = [_key("log", key) for key in keyring.log]
    rows += [_key("statement", key) for key in keyring.statement]
    rows.append(_key("witness", keyring.witness))
    return sorted(rows, key=lambda row: (not row.signs, row.use != "log"))


def _key(use: str, key: HubKey) -> KeyRow:
    name = key.public.partition("+")[0] if use != "statement" else ""
    return KeyRow(
        use, name, key.public, _day(key.since), None if key.until is None else _day(key.until), key.signs
    )


def _day(text: str) -> str:
    return f"{parse_iso(text):%Y-%m-%d}"


def _signers(services: Services, note: Note | None) -> list[SignerRow]:
    """Who signed the checkpoint."""
    own = {(key.name, key.id) for key in map(read_verifier_key, services.log.log_keys)}
    return [
        SignerRow(one.name, one.key_id.hex(), (one.name, one.key_id) in own)
        for one in ([] if note is None else note.signatures)
    ]


def _proof(services: Services, number: int) -> LogProof | None:
    if number >= _signed_size(services):
        return None
    try:
        return services.log.prove(number)
    except OutOfTree:
        return None


def _signed_size(services: Services) -> int:
    signed = services.log.signed()
    return 0 if signed is None else signed.size


def _indented(data: bytes) -> str:
    return json.dumps(read_json(data), indent=2, ensure_ascii=False)


def _words(t: Catalogue) -> dict[str, str]:
    return {word: t(f"log.check.{word}") for word in _WORDS}


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise BadRequest("The number of the entry is not valid.", code="number_invalid")
    return int(text)


def _of_address(text: str) -> int:
    """The number, if it is written in the one way in which addresses have it; raises EntryNotFound."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS) or str(int(text)) != text:
        raise EntryNotFound
    return int(text)
