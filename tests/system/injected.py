"""A hub with markup and scripts wherever somebody may write: in files, names, and what jobs say of them."""

import io
import json
import struct
from collections.abc import Mapping

import pyarrow as pa
from pyarrow import parquet

from allmende.errors import BadRequest
from allmende.flows import (
    CHECK_JOB,
    Services,
    accept_attestation,
    check_attestation,
    register_application,
    set_trust,
)
from allmende.jobs import keep_report
from allmende.log import add_peer
from allmende.merkle import KeyKind, generate_key
from allmende.proof import (
    PREDICATES,
    Resource,
    Statement,
    Subject,
    TestResultPredicate,
    generate_signer,
    sign_statement,
)
from allmende.registry import (
    add_override,
    create_account,
    create_branch,
    create_tag,
    find_account,
    issue_token,
    resolve_revision,
    set_member,
    set_password,
    update_account,
)
from tests.integration.flows.families import Arrays, finetuned, fresh
from tests.integration.web.filled import as_user, commit, examine_all, new_repo, repo
from tests.integration.web.test_lineage_pages import publish
from tests.integration.web.test_markdown import HOSTILE

__all__ = [
    "ALL",
    "APPLICATION",
    "LOOKALIKES",
    "MODEL",
    "PASSWORD",
    "TABLE",
    "TEXTS",
    "TUNED",
    "fill_with_injections",
    "paths",
]

PASSWORD = "herons eat at dusk"
TEXTS = (
    "<script>alert(1)</script>",
    '"><script>alert(2)</script>',
    "'><img src=x onerror=alert(3)>",
    "<svg onload=alert(4)>",
    "javascript:alert(5)",
    "</title><script>alert(6)</script>",
    "</textarea><img src=x onerror=alert(7)>",
    "</code></pre><script>alert(8)</script>",
    "</script><script>alert(9)</script>",
    '" autofocus onfocus="alert(10)',
    "' onmouseover='alert(11)",
    "--><script>alert(12)</script>",
    "]]><script>alert(13)</script>",
    "&lt;script&gt;alert(14)&lt;/script&gt;",
    "{{ 7*7 }}{% raw %}",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    "<a href=javascript:alert(15)>x</a>",
    "<iframe srcdoc='<script>alert(16)</script>'>",
    "\u2028\u202e<script>alert(17)</script>",
)
ALL = " ".join(TEXTS)
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(18)"><script>alert(19)</script>'
    '<image href="https://evil.example/x.png"/><a href="javascript:alert(20)"><text y="9">x</text></a></svg>'
)
MODEL = "/bob/injected"
TABLE = "/datasets/bob/injected"
APPLICATION = "/applications/bob/injected"
TUNED = "/bob/injected-tuned"

RUNNING = (
    "<script>parent.__ran?.push('raw'); window.__ran?.push('raw'); fetch('https://evil.example/')</script>"
)
HTML = (
    f"<!doctype html><html><head><title>x</title></head><body onload=alert(22)>{RUNNING}{ALL}</body></html>"
)
XHTML = f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>{RUNNING}</body></html>'
STYLED = (
    '<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="evil.xsl"?>'
    '<!DOCTYPE x [<!ENTITY e SYSTEM "https://evil.example/">]><x>&e;</x>'
)
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/AA<</O<</S/URI/URI(https://evil.example/)>>>>>>endobj\n"
    b"trailer<</Root 1 0 R>>\n"
)
LOOKALIKES: Mapping[str, bytes] = {
    "drawing.svg": DRAWING.encode(),
    "DRAWING2.SVG": DRAWING.encode(),
    "page2.html": HTML.encode(),
    "page.htm": HTML.encode(),
    "page.shtml": HTML.encode(),
    "page.xhtml": XHTML.encode(),
    "page.xml": XHTML.encode(),
    "styled.xml": STYLED.encode(),
    "feed.rss": XHTML.encode(),
    "page.mht": f"Content-Type: text/html\n\n{HTML}".encode(),
    "paper.pdf": PDF,
    "html-as.txt": HTML.encode(),
    "html-as.md": HTML.encode(),
    "html-as.json": HTML.encode(),
    "html-as.png": HTML.encode(),
    "html-as.css": HTML.encode(),
    "html-without-ending": HTML.encode(),
    "html-in-utf16.txt": HTML.encode("utf-16"),
    "html-in-utf7.txt": HTML.encode("utf-7"),
    "module.js": b"window.__ran.push('module')",
    "module.wasm": b"\0asm\x01\0\0\0",
    "frame.svgz": DRAWING.encode(),
}
"""Files that a browser would run, or might take for such, where it is led to their bytes."""


def safetensors_named(names: Mapping[str, str]) -> bytes:
    """Tensors of one element with these names, and the same as metadata."""
    header: dict[str, object] = {"__metadata__": dict(names)}
    header |= {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [place * 4, place * 4 + 4]}
        for place, name in enumerate(names)
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(4 * len(names))


def card() -> str:
    front = {
        "license": "other",
        "license_name": TEXTS[1],
        "license_link": TEXTS[4],
        "library_name": TEXTS[0],
        "pipeline_tag": TEXTS[2],
        "base_model": TEXTS[9],
        "datasets": list(TEXTS[:4]),
        "tags": list(TEXTS),
        "language": [TEXTS[3], "en"],
        "model-index": [{"name": TEXTS[0], "results": [{"task": {"type": TEXTS[1], "name": TEXTS[2]}}]}],
    }
    lines = "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items())
    return f"---\n{lines}\n---\n# {ALL}\n\n" + "\n\n".join((*HOSTILE.values(), *TEXTS)) + "\n"


def paths() -> dict[str, bytes]:
    """Files whose names are the texts, as far as a name may be so."""
    names = [text.replace("/", "\u2215").replace("\\", "") for text in TEXTS]
    return {f"names/{name}.txt": name.encode() for name in names if "\u2028" not in name}


def boms() -> dict[str, bytes]:
    """Bills of materials that a publisher lays beside the files, with the texts in every field."""
    component = {
        "type": "machine-learning-model",
        "bom-ref": TEXTS[0],
        "name": ALL,
        "version": TEXTS[1],
        "supplier": {"name": TEXTS[2], "url": ["javascript:alert(23)"]},
        "licenses": [{"license": {"name": TEXTS[3], "url": "javascript:alert(24)"}}],
        "purl": f"pkg:huggingface/{TEXTS[4]}",
        "externalReferences": [{"type": "website", "url": "javascript:alert(25)", "comment": TEXTS[5]}],
        "properties": [{"name": text, "value": text} for text in TEXTS],
    }
    cyclonedx = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": component, "authors": [{"name": ALL, "email": TEXTS[6]}]},
        "components": [component],
    }
    spdx = {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": ALL,
        "documentNamespace": "javascript:alert(26)",
        "creationInfo": {"creators": [f"Person: {ALL}"], "created": "2026-01-05T00:00:00Z"},
        "packages": [{"SPDXID": "SPDXRef-a", "name": ALL, "downloadLocation": "javascript:alert(27)"}],
    }
    return {
        "bom.cdx.json": json.dumps(cyclonedx).encode(),
        "bom.spdx.json": json.dumps(spdx).encode(),
        "sbom.json": json.dumps(cyclonedx).encode(),
    }


def parquet_file() -> bytes:
    """A table whose columns, values and metadata are the texts."""
    columns = {text: [text, ALL, None] for text in TEXTS}
    nested = [{"inner <b>": [text]} for text in TEXTS[:3]]
    table = pa.table({**columns, "nested <i>": nested}).replace_schema_metadata(
        {
            "huggingface": json.dumps({"info": {"features": dict.fromkeys(TEXTS, ALL)}}),
            **dict.fromkeys(TEXTS, ALL),
        }
    )
    out = io.BytesIO()
    parquet.write_table(table, out)
    return out.getvalue()


def named_for_harm(model: Arrays) -> Arrays:
    """The same weights, under names that are markup."""
    return {f"<img src=x onerror=alert(28)>.{name}": values for name, values in model.items()}


def publish_a_family(services: Services) -> None:
    """A base and a fine-tune of it, whose tensors have names that are markup: measured, shown by layer."""
    base = fresh(11)
    publish(services, "bob/injected-base", named_for_harm(base))
    publish(services, TUNED[1:], named_for_harm(finetuned(base, 12)), base="base_model: bob/injected-base")
    said = {"value": ALL[:400], "source": "measured", "evidence": ALL[:400]}
    additions = {
        "schema": "allmende.model-documents/1",
        "declared_by": ALL[:180],
        "declared_on": "2026-11-27",
        "provider": {"name": said, "contact": TEXTS[2]},
        "model": {"systemic_risk": False},
        "sources": {"public_used": True, "public_large": [{"name": TEXTS[0], "link": TEXTS[4]}]},
    }
    files = {"model-documents.yaml": json.dumps(additions).encode()}
    commit(services, "bob", "model", TUNED[1:], files, "papers")
    examine_all(services)


def name_refs(services: Services) -> int:
    """Branches and tags called like the texts, as far as git lets them; returns how many there are."""
    made = 0
    for text in TEXTS:
        for name in (text, text.replace(" ", "\u00a0").replace("[", "(").replace("*", "x").replace("?", "!")):
            try:
                with services.database.write() as uow:
                    bob = as_user(uow, "bob")
                    found = repo(uow, "model", MODEL[1:])
                    create_branch(uow, bob, found, f"b{made}{name}", None)
                    create_tag(uow, bob, found, f"t{made}{name}", "main", ALL)
            except BadRequest:
                continue
            made += 1
    return made


def tell_administrators(services: Services) -> None:
    """What only administrators are shown: errors of jobs, peers, verdicts that were lifted, problems."""
    with services.database.write() as uow:
        services.queue.enqueue(uow, "<img/src/onerror=alert(29)>", {"about": ALL, TEXTS[0]: TEXTS[1]})
    while (job := services.queue.claim(["<img/src/onerror=alert(29)>"], 1e6, "test")) is not None:
        services.queue.progress(job, 0.5, ALL)
        services.queue.fail(job, f"{ALL}\n{ALL}")
        if job.attempts > 1:
            break
    with services.database.write() as uow:
        found = repo(uow, "model", MODEL[1:])
        bob = as_user(uow, "bob").require_account()
        rules = ("pickle-unknown-class",)
        named = {"by_auditor": True, "actor_id": bob.id, "actor_name": bob.name}
        add_override(uow, found.id, "0" * 64, ALL, rules, ALL, **named)  # type: ignore[arg-type]
        add_peer(
            uow, generate_key("evil.example/<svg/onload=alert(30)>", KeyKind.ED25519).verifier.text, None
        )
        problem = {"kind": TEXTS[0], "subject": ALL, "detail": ALL}
        kept = {"contents": 1, "content_bytes": 1, "repos": 1, "objects": 1, "problems_in_all": 1}
        keep_report(uow, CHECK_JOB, uow.now, {**kept, "problems": [problem], "notes": {TEXTS[3]: 1}})
        uow.emit("hub.administered", {"act": TEXTS[2], "note": ALL}, actor_id=bob.id)


def name_people(services: Services) -> None:
    """Names for people, of organisations, tokens and signers; what an application is called and rests on."""
    with services.database.write() as uow:
        bob = find_account(uow, "bob")
        assert bob is not None
        set_password(uow, bob, PASSWORD)
        update_account(uow, bob, {"fullname": ALL[:200], "email": TEXTS[2], "is_admin": True})
        issue_token(uow, bob, "<img src=x onerror=alert(21)>", "read")
        org = create_account(uow, "marked", "org", fullname=ALL[:200])
        set_member(uow, org, bob, "admin")
    with services.database.read() as uow:
        actor = as_user(uow, "bob")
    described = {
        "schema": "allmende.application/1",
        "name": ALL[:200],
        "operator": {
            "roles": {"value": ["deployer"], "source": "attested", "evidence": ALL[:500]},
            "established": "union",
        },
        "system": {
            "infers": {"value": True, "source": "measured", "evidence": ALL[:500]},
            "on_union_market": True,
        },
        "models": [{"name": text, "licence": text} for text in TEXTS[:8]],
        "evidence": [{"kind": "worker_information", "where": ALL[:500]}],
    }
    register_application(services, actor, "bob", "described", json.dumps(described), private=False)


def attest(services: Services) -> None:
    """Statements by signers of such names: a test result, and bills of materials as they come by the API."""
    signers = {text[:60]: generate_signer("ecdsa-p256") for text in TEXTS[:4]}
    named = [{"name": name, "key": signer.public.pem} for name, signer in signers.items()]
    with services.database.write() as uow:
        bob = as_user(uow, "bob")
        policy = json.dumps({"version": 1, "signers": named}).encode()
        set_trust(services, uow, bob, bob.require_account(), policy)
        found = repo(uow, "model", MODEL[1:])
        commit_oid = resolve_revision(uow, found, "main").oid
    said = boms()
    predicates = {
        PREDICATES["test_result"]: TestResultPredicate("PASSED", (Resource(name=ALL, uri=TEXTS[4]),)).json,
        PREDICATES["cyclonedx"]: json.loads(said["bom.cdx.json"]),
        PREDICATES["spdx"]: json.loads(said["bom.spdx.json"]),
    }
    for (kind, predicate), signer in zip(predicates.items(), signers.values(), strict=False):
        statement = Statement((Subject({"gitCommit": commit_oid}),), kind, predicate)
        checked = check_attestation(services, found, commit_oid, sign_statement(statement, signer).data)
        with services.database.write() as uow:
            accept_attestation(services, uow, as_user(uow, "bob"), found, commit_oid, checked)


def fill_with_injections(services: Services) -> None:
    """Everything."""
    fill_files(services)
    publish_a_family(services)
    assert name_refs(services) > len(TEXTS) / 2
    name_people(services)
    attest(services)
    tell_administrators(services)


def fill_files(services: Services) -> None:
    """A model and a data set whose files, names and commit messages are full of them."""
    new_repo(services, "bob", MODEL[1:])
    pickled = f"c{TEXTS[0].replace(' ', '')}\n{TEXTS[3].replace(' ', '')}\n(tR.".encode()
    template = {
        "chat_template": "{{ ''.__class__.__mro__ }}" + ALL,
        "model_type": ALL,
        "architectures": list(TEXTS),
    }
    files = {
        "README.md": card().encode(),
        "config.json": json.dumps(template).encode(),
        "tokenizer_config.json": json.dumps(template).encode(),
        **LOOKALIKES,
        "page.html": f"<html><body>{ALL}</body></html>".encode(),
        "bad.pkl": pickled,
        **boms(),
        "model-documents.yaml": (
            "schema: allmende.model-documents/1\n"
            f"declared_by: {json.dumps(ALL)}\ndeclared_on: 2026-01-05\n"
            f"provider:\n  name: {json.dumps(ALL)}\n"
        ).encode(),
        **paths(),
    }
    tensors = safetensors_named({text: text for text in TEXTS})
    commit(services, "bob", "model", MODEL[1:], files, ALL, large={"model.safetensors": tensors})
    commit(services, "bob", "model", MODEL[1:], {"config.json": b"{}"}, ALL, remove=("page.html",))
    new_repo(services, "bob", "bob/injected", "dataset")
    rows = [dict.fromkeys(TEXTS, text) for text in TEXTS]
    cells = ",".join('"' + text.replace('"', '""') + '"' for text in TEXTS)
    tables = {
        "README.md": card().encode(),
        "cells.csv": f"{cells}\n{cells}\n{cells}\n".encode(),
        "cells.parquet": parquet_file(),
        "cells.tsv": f"{cells}\n{cells}\n".replace(",", "\t").encode(),
        "cells.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
    }
    commit(services, "bob", "dataset", "bob/injected", tables, ALL)
    examine_all(services)
