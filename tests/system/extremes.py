"""What is as long, as many, as deep or as foreign as it can be, so that pages are seen with it.

`furnish_extremes` goes with `browsing.hub_with`: it needs the users of `tests.integration.web.filled`.
"""

import json
from hashlib import sha256

from allmende.facts import (
    PUBLIC,
    FoundEdge,
    FoundParent,
    Measured,
    Trace,
    hold_weights,
    put_measured,
    put_trace,
)
from allmende.flows import Services, notice_new_lineage, notice_new_rules
from allmende.ids import RepoId, WeightsId
from allmende.registry import (
    create_account,
    create_repo,
    find_account,
    index_measured,
    issue_token,
    lock_account,
    resolve_revision,
    set_password,
    update_account,
    update_repo,
)
from allmende.storage import UnitOfWork
from tests.integration.flows.families import Arrays, adapter, finetuned, fresh, gguf_of, safetensors_of
from tests.integration.web.filled import as_user, commit, examine_all, new_repo, repo
from tests.integration.web.test_lineage_pages import publish
from tests.scan_samples import BLOCKED, QUARANTINED, SECRET, WARNED

__all__ = ["EXTREME_OWN_PAGES", "EXTREME_PAGES", "OWNER", "PASSWORD", "furnish_extremes"]

PASSWORD = "herons eat at dusk"
OWNER = "o" * 47 + "-" + "w" * 48
LONG = "n" * 47 + "." + "W" * 48
MODEL = f"{OWNER}/{LONG}"
ARABIC = (
    "\u0646\u0645\u0648\u0630\u062c \u0627\u0644\u0644\u063a\u0629 \u0627\u0644\u0639\u0631\u0628\u064a\u0629"
)
HEBREW = "\u05de\u05d5\u05d3\u05dc \u05e9\u05e4\u05d4"
WORD = "Donaudampfschifffahrtsgesellschaftskapit\u00e4nsm\u00fctzenabzeichen" * 6
_LANGUAGES = (
    "ar bg bn ca cs da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk ko lt lv mk ml "
    "mr mt ne nl pa pl pt ro ru sk sl sq sr sv sw ta te th tr uk ur uz vi zh"
).replace(" ", ", ")
EXTREME_PAGES = (
    f"/{OWNER}", f"/{MODEL}", f"/{MODEL}/tree/main", f"/{MODEL}/tree/main/{'/'.join(['deep'] * 24)}",
    f"/{MODEL}/commits/main", f"/{MODEL}/commit/main", f"/{MODEL}/blob/main/README.md",
    f"/{MODEL}/blob/main/model.safetensors", f"/{MODEL}/blob/main/long-lines.txt", f"/{MODEL}/record/main",
    f"/{MODEL}/documents/main", f"/{MODEL}/signatures/main",
    f"/{MODEL}/log/main", f"/{MODEL}/licence/main", f"/{MODEL}/lineage", f"/{MODEL}/layers/main",
    f"/{MODEL}/scan/main", "/bob/right-to-left",
    "/bob/right-to-left/tree/main", "/bob/right-to-left/commits/main", "/bob/right-to-left/commit/main",
    "/bob/many-files", "/bob/many-files/tree/main", "/bob/many-files/commit/main", "/bob/findings",
    "/bob/findings/scan/main", "/bob/findings/tree/main", "/bob/root", "/bob/root/lineage", "/bob/quantised",
    "/bob/quantised/blob/main/model.gguf", "/bob/quantised/lineage", "/bob/big-card",
    "/bob/clan-000/lineage", "/bob/clan-180/lineage", "/bob/clan-299/lineage", "/glance",
    "/datasets/bob/wide-table", "/datasets/bob/wide-table/blob/main/wide.csv", "/models?sort=updated",
    "/models?tag=tag-001", "/models?search=nothing-has-this-name", "/datasets", "/spaces", "/applications",
    "/assess", f"/compare?model={MODEL}&model=bob/root&model=bob/quantised&model=bob/right-to-left", "/login",
)  # fmt: skip
EXTREME_OWN_PAGES = (
    f"/{MODEL}/settings", f"/{MODEL}/edit/main/README.md", f"/{MODEL}/upload/main", f"/{MODEL}/new/main",
    f"/{MODEL}/move/main/README.md", "/settings", "/settings/hub", "/settings/hub/users",
    "/settings/hub/users/bob",
    "/settings/hub/jobs", "/settings/hub/overrides", "/settings/hub/audit", "/settings/hub/storage",
    "/applications/new",
)  # fmt: skip
"""What the owner sees, who administers the hub too."""


_CLAN = 300
"""Models of a family that is told and not measured: a third below the root, a long line, a wide merge."""
_DEEP, _MERGED = 40, 12


def furnish_extremes(services: Services, *, kin: int = 8, files: int = 2000, columns: int = 500) -> None:
    """All of it: a measured family of so many, a repo of so many files, a table of so many columns."""
    # What a new hub does at its first start is done now: it would find that the clan has no weights.
    notice_new_rules(services)
    notice_new_lineage(services)
    examine_all(services)
    with services.database.write() as uow:
        _long_owner(uow)
    _long_model(services)
    _right_to_left(services)
    _many(services, files, columns)
    _findings(services)
    _family(services, kin)
    with services.database.write() as uow:
        clan = [_new_member(services, uow, number) for number in range(_CLAN)]
    examine_all(services)
    with services.database.write() as uow:
        for number, member in enumerate(clan):
            _tell_descent(uow, number, member)
        rea = find_account(uow, "rea")
        assert rea is not None
        lock_account(uow, rea)


def _long_owner(uow: UnitOfWork) -> None:
    owner = create_account(uow, OWNER, "user", fullname=f"{HEBREW} {WORD[:120]}")
    issue_token(uow, owner, "t" * 64, "write", secret=f"token-of-{OWNER}")
    set_password(uow, owner, PASSWORD)
    update_account(uow, owner, {"is_admin": True})


def _long_model(services: Services) -> None:
    tags = "".join(f"- tag-{number:03}\n" for number in range(198))
    card = (
        f"---\nlicense: apache-2.0\nlanguage: [{_LANGUAGES}]\n"
        "pipeline_tag: text-generation\n"
        f"base_model: bob/root\ndatasets: [{', '.join(f'bob/corpus-{n}-' + 'x' * 60 for n in range(12))}]\n"
        f"tags:\n{tags}- {'g' * 90}\n---\n"
        f"# {WORD}\n\n{WORD} {'x' * 400}\n\n"
        f"| {' | '.join(f'column {n}' for n in range(40))} |\n|{'---|' * 40}\n"
        f"| {' | '.join(f'{n * 1.234:.3f}' for n in range(40))} |\n\n"
        f"```python\nprint('{'y' * 300}')\n```\n\n`{'c' * 200}`\n\n> {WORD}\n\n- {WORD}\n  - {WORD}\n"
        f"\nhttps://example.org/{'u' * 200}\n\n###### {WORD}\n"
    )
    new_repo(services, OWNER, MODEL)
    files = {
        "README.md": b"# Before\n",
        "empty.txt": b"",
        f"{'f' * 200}.txt": b"short\n",
        "long-lines.txt": (("z" * 3000 + "\n") * 3).encode(),
        "/".join(["deep"] * 24) + "/leaf.json": b"{}",
        "config.json": json.dumps({"architectures": [WORD], "model_type": "m" * 80}).encode(),
    }
    commit(services, OWNER, "model", MODEL, files, "first " + "t" * 150)
    weights = safetensors_of(finetuned(fresh(70), 71))
    commit(
        services, OWNER, "model", MODEL, {"README.md": card.encode()}, f"{WORD} {ARABIC} " * 3,
        large={"model.safetensors": weights},
    )  # fmt: skip
    examine_all(services)


def _right_to_left(services: Services) -> None:
    card = (
        f"---\nlicense: mit\nlanguage: [ar, he]\n---\n# {ARABIC}\n\n{(ARABIC + ' ') * 20}(BERT) 12.5%.\n\n"
        f"- {HEBREW}\n- {ARABIC}: `model.safetensors`\n\n"
        f"| {HEBREW} | {ARABIC} |\n|---|---|\n| 1.5 | {HEBREW} |\n\n"
        f"## {HEBREW}\n\nAn English paragraph between.\n\n```\ncode stays left to right\n```\n\n"
        f"> {(HEBREW + ' ') * 12}\n"
    )
    new_repo(services, "bob", "bob/right-to-left")
    files = {
        "README.md": card.encode(),
        f"{ARABIC}.txt": f"{ARABIC}\nleft to right\n{HEBREW} (1).\n".encode(),
        f"{HEBREW}/{ARABIC}.json": json.dumps({HEBREW: ARABIC}, ensure_ascii=False).encode(),
    }
    commit(services, "bob", "model", "bob/right-to-left", files, f"{ARABIC} (v1.0)")


def _many(services: Services, files: int, columns: int) -> None:
    new_repo(services, "bob", "bob/many-files")
    listed = {f"shard-{number:05}-of-{files:05}.txt": f"{number}\n".encode() for number in range(files)}
    commit(services, "bob", "model", "bob/many-files", listed, f"{files} files")
    new_repo(services, "bob", "bob/wide-table", "dataset")
    head = ",".join(f"a_measured_column_{number}" for number in range(columns))
    rows = "\n".join(",".join(f"{(row * 7 + n) % 1000 / 8}" for n in range(columns)) for row in range(30))
    text = f"text,{head}\n" + "\n".join(f"{WORD} {ARABIC},{row}" for row in rows.split("\n")) + "\n"
    table = {"README.md": b"---\nlicense: cc0-1.0\n---\n# Wide\n", "wide.csv": text.encode()}
    commit(services, "bob", "dataset", "bob/wide-table", table, "a wide table")
    new_repo(services, "bob", "bob/big-card")
    paragraph = f"## A section\n\n{'Words of a paragraph that goes on. ' * 60}\n\n"
    commit(services, "bob", "model", "bob/big-card", {"README.md": (paragraph * 235).encode()}, "500 kB")


def _findings(services: Services) -> None:
    new_repo(services, "bob", "bob/findings")
    samples = (BLOCKED, QUARANTINED, WARNED, SECRET)
    files = {
        f"a-folder/{'p' * 60}-{n:02}.{'txt' if n % 4 == 3 else 'pkl'}": samples[n % 4] for n in range(60)
    }
    commit(services, "bob", "model", "bob/findings", files, "sixty")
    new_repo(services, "bob", "bob/gated")
    commit(services, "bob", "model", "bob/gated", {"README.md": b"# Gated\n"}, "gated")
    with services.database.write() as uow:
        update_repo(uow, as_user(uow, "bob"), repo(uow, "model", "bob/gated"), gated="manual")


def _family(services: Services, kin: int) -> None:
    base = fresh(70)
    publish(services, "bob/root", base)
    publish(services, "bob/quantised", gguf_of(base), file="model.gguf")
    publish(services, "bob/adapter", safetensors_of(adapter(base, 5)), file="adapter_model.safetensors")
    parents: list[tuple[str, Arrays]] = [("bob/root", base)]
    for number in range(kin):
        name, weights = parents[number // 6 if number % 3 else 0]
        child = finetuned(weights, 100 + number)
        own = f"bob/tuned-{number:03}{'-with-a-long-name' * (number % 4)}"
        publish(services, own, child, base=f"base_model: {name}", examine=False)
        parents.append((own, child))
    examine_all(services)


def _new_member(services: Services, uow: UnitOfWork, number: int) -> RepoId:
    bob = as_user(uow, "bob")
    return create_repo(uow, services.queue, bob, "model", "bob", f"clan-{number:03}").id


def _tell_descent(uow: UnitOfWork, number: int, member: RepoId) -> None:
    """What the hub would have measured of its weights, though it has none."""
    head = resolve_revision(uow, repo(uow, "model", f"bob/clan-{number:03}"), "main").oid
    own = _weights_of(number)
    hold_weights(uow, member, head, own, [], None, [])
    put_measured(uow, own, Measured("1", None, None, None, 10**9, (), None))
    parents = tuple(FoundParent(_weights_of(parent)) for parent in _parents_of(number))
    relation, grade = ("merge", "likely") if len(parents) > 1 else ("finetune", "strong")
    edges = (FoundEdge(parents, (relation,), grade, "first_seen"),) if parents else ()
    compared = tuple(parent.id for parent in parents)
    put_trace(uow, Trace(own, PUBLIC, "told", "1", uow.now, edges, compared))
    index_measured(uow, member, [(relation, f"bob/clan-{parent:03}") for parent in _parents_of(number)])


def _weights_of(number: int) -> WeightsId:
    return WeightsId(sha256(f"clan {number}".encode()).hexdigest())


def _parents_of(number: int) -> list[int]:
    """A third comes from the root at once, then a line of single steps; the rest from those, in brooms."""
    wide = _CLAN // 3
    if number == 0:
        return []
    if number == _CLAN - 1:
        return [wide + _DEEP, *range(1, _MERGED)]
    if number <= wide:
        return [0]
    if number <= wide + _DEEP:
        return [number - 1]
    return [number % wide // 8 + 1]
