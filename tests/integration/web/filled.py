"""A hub with something of everything in it, so that each page has what it is made to show.

Alice has a public model with a rich card and several commits, a gated one, a private one and a renamed one;
the organisation `lab` has a dataset and a space; `bob` has an empty repo. Every user's token is `token-of-`
and the name.
"""

import hashlib
import json
import struct
import zlib

from allmende.flows import Services
from allmende.flows.worker import handlers
from allmende.ids import GitOid, RepoType, Sha256
from allmende.jobs import JobContext
from allmende.registry import (
    Actor,
    AddFile,
    LinkContent,
    Operation,
    Remove,
    Repo,
    Submission,
    authenticate,
    create_account,
    create_branch,
    create_repo,
    create_tag,
    find_account,
    issue_token,
    lookup_repo,
    move_repo,
    prepare,
    receive,
    set_member,
    update_repo,
)
from allmende.storage import UnitOfWork, add_content, take_possession

USERS = ("alice", "bob", "rea")

CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-classification
base_model: lab/heron-base
language: [en, de]
datasets: [lab/marsh-notes]
tags: [birds, wetlands]
---

# Heron small

A small classifier of **field notes**: it tells which water bird a note is about. See the
[notes on training](docs/training.md), the [list of classes](#classes) and the
[paper](https://example.org/heron.pdf).

![The confusion matrix](docs/matrix.png)
![A badge from elsewhere](https://badges.example/heron.svg)

> [!WARNING]
> It has never seen notes from the southern hemisphere.

## Classes

| bird | notes | F1 |
|:-----|------:|---:|
| grey heron | 1,204 | 0.93 |
| bittern | 310 | 0.81 |
| egret | 96 | 0.64 |

## How to use it

```python
from transformers import pipeline

classify = pipeline("text-classification", "alice/heron-small")
classify("Stood still for an hour, then took a frog.")
```

## What is done

- [x] evaluated on held-out sites
- [ ] evaluated on another observer[^1]

[^1]: There is only one observer so far.
"""


def safetensors_file(shapes: dict[str, tuple[int, ...]], metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file of zeros."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    offset = 0
    for name, shape in shapes.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(offset)


def png_file() -> bytes:
    """A picture of 24 by 24 squares in two greens."""
    rows = b"".join(
        b"\0" + b"".join((b"\x1f\x6b\x4a" if (x // 6 + y // 6) % 2 else b"\xd7\xe8\xdc") for x in range(24))
        for y in range(24)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 24, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def fill(services: Services) -> None:
    """Put everything in."""
    with services.database.write() as uow:
        for name in USERS:
            issue_token(uow, create_account(uow, name, "user"), "work", "write", secret=f"token-of-{name}")
        lab = create_account(uow, "lab", "org", fullname="The Marsh Lab")
        for name, role in (("alice", "admin"), ("rea", "read")):
            member = find_account(uow, name)
            assert member is not None
            set_member(uow, lab, member, "admin" if role == "admin" else "read")
    _fill_heron(services)
    new_repo(services, "alice", "alice/secret-owl", private=True)
    commit(services, "alice", "model", "alice/secret-owl", {"README.md": b"# The owl nobody knows\n"}, "owl")
    new_repo(services, "alice", "alice/gated-crane")
    commit(
        services, "alice", "model", "alice/gated-crane", {"README.md": b"# Crane\n", "a.txt": b"in"}, "crane"
    )
    new_repo(services, "alice", "alice/old-stork")
    with services.database.write() as uow:
        alice = as_user(uow, "alice")
        update_repo(uow, alice, repo(uow, "model", "alice/gated-crane"), gated="manual")
        move_repo(uow, alice, repo(uow, "model", "alice/old-stork"), "alice/new-stork")
    new_repo(services, "alice", "lab/marsh-notes", "dataset")
    commit(
        services,
        "alice",
        "dataset",
        "lab/marsh-notes",
        {
            "README.md": b"---\nlicense: cc-by-4.0\n---\n# Marsh notes\n",
            "notes.csv": b"bird,note\nheron,still\n",
        },
        "the notes",
    )
    new_repo(services, "alice", "lab/marsh-map", "space")
    new_repo(services, "bob", "bob/empty")
    examine_all(services)


def _fill_heron(services: Services) -> None:
    name = "alice/heron-small"
    new_repo(services, "alice", name)
    weights = safetensors_file(
        {"embeddings.weight": (3000, 64), "encoder.0.weight": (64, 64), "classifier.bias": (3,)},
        {"format": "pt"},
    )
    config = {"architectures": ["BertForSequenceClassification"], "model_type": "bert"}
    first = commit(
        services,
        "alice",
        "model",
        name,
        {
            "README.md": CARD.replace("0.93", "0.90").encode(),
            "config.json": json.dumps(config, indent=2).encode(),
            "docs/training.md": b"# Training\n\nOne evening.\n",
            "docs/matrix.png": png_file(),
            "notes.bin": bytes(range(256)),
            "old.txt": b"to be removed\n",
        },
        "Add the model",
        large={"model.safetensors": weights},
    )
    with services.database.write() as uow:
        alice = as_user(uow, "alice")
        create_tag(uow, alice, repo(uow, "model", name), "v1", first, None)
        create_branch(uow, alice, repo(uow, "model", name), "try/wider", first)
    commit(
        services,
        "alice",
        "model",
        name,
        {"README.md": CARD.encode()},
        "Correct a figure in the table",
        remove=("old.txt",),
    )


def new_repo(
    services: Services, by: str, name: str, repo_type: RepoType = "model", *, private: bool = False
) -> None:
    """An empty repo."""
    namespace, _, short = name.partition("/")
    with services.database.write() as uow:
        create_repo(uow, services.queue, as_user(uow, by), repo_type, namespace, short, private=private)


def commit(
    services: Services,
    by: str,
    repo_type: RepoType,
    name: str,
    files: dict[str, bytes],
    title: str,
    *,
    large: dict[str, bytes] | None = None,
    remove: tuple[str, ...] = (),
) -> GitOid:
    """Remove files, and folders (their names end in a slash); then add small and large files."""
    operations: list[Operation] = [Remove(path.rstrip("/"), folder=path.endswith("/")) for path in remove]
    operations += [AddFile(path, data) for path, data in files.items()]
    for path, data in (large or {}).items():
        sha256 = Sha256(hashlib.sha256(data).hexdigest())
        writer = services.contents.open_write(sha256, len(data))
        writer.write(data)
        location = writer.finish()
        with services.database.write() as uow:
            add_content(uow, sha256, len(data), location)
            account = as_user(uow, by).require_account()
            take_possession(uow, account.id, sha256)
        operations.append(LinkContent(path, sha256, len(data)))
    submission = Submission("main", title, "", operations, None, create_pr=False)
    prepared = prepare(submission, services.settings.max_inline_bytes)
    with services.database.write() as uow:
        received = receive(uow, services.queue, as_user(uow, by), repo(uow, repo_type, name), prepared)
    return received.commit_oid


def as_user(uow: UnitOfWork, name: str) -> Actor:
    """A user with their writing token."""
    return authenticate(uow, f"token-of-{name}")


def repo(uow: UnitOfWork, repo_type: RepoType, name: str) -> Repo:
    """A repo that is there."""
    found = lookup_repo(uow, repo_type, name)
    assert found is not None
    return found


def examine_all(services: Services) -> None:
    """Run every job that waits."""
    kinds = handlers(services)
    while (job := services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
        kinds[job.kind](JobContext(services.queue, job))
        assert services.queue.finish(job)
