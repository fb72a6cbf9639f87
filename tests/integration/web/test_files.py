"""Folders, files, headers and changes as pages show them."""

import hashlib
import json
import struct

import pytest

from allmende.flows import Services
from allmende.registry import lookup_repo, read_commits
from allmende.web.changes import changed_paths
from tests.integration.web.conftest import Person
from tests.integration.web.filled import commit, new_repo, safetensors_file
from tests.integration.web.reading import Reading, shows, words
from tests.patience import soon

HERON = "/alice/heron-small"


def test_a_folder_lists_name_format_size_and_where_it_is_kept(stranger: Person) -> None:
    text = words(stranger.open(f"{HERON}/tree/main").text)
    assert "docs/ folder" in text
    assert "config.json JSON 88 B git" in text
    assert "model.safetensors safetensors 785 kB LFS" in text


def test_a_folder_of_a_tag_and_of_a_branch_with_a_slash(stranger: Person) -> None:
    assert "old.txt" in stranger.open(f"{HERON}/tree/v1").text
    page = stranger.open(f"{HERON}/tree/try%2Fwider").text
    assert "old.txt" in page
    assert f'href="{HERON}/tree/try%2Fwider/docs"' in page
    assert f'href="{HERON}/tree/v1"' in page, "the chooser offers the other revisions"


def test_a_folder_opened_as_a_file_is_shown_as_a_folder(stranger: Person) -> None:
    answer = stranger.open(f"{HERON}/blob/main/docs")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HERON}/tree/main/docs")
    assert stranger.open(f"{HERON}/tree/main/README.md").status_code == 404


def test_a_text_is_shown_line_by_line(stranger: Person) -> None:
    page = stranger.open(f"{HERON}/blob/main/docs/training.md").text
    assert '<span class="line" id="L1"># Training' in page
    assert '<span class="line" id="L3">One evening.' in page
    assert 'id="L4"' not in page


def test_bytes_that_are_no_text_are_offered_for_download(stranger: Person) -> None:
    page = stranger.open(f"{HERON}/blob/main/notes.bin").text
    assert shows(page, "shown.binary")
    assert f'href="{HERON}/resolve/main/notes.bin"' in page


def test_a_text_beyond_the_limit_is_not_read(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/large-text")
    small, large = b"x\n" * 262_144, b"x\n" * 262_145
    commit(services, "bob", "model", "bob/large-text", {"small.txt": small}, "t", large={"large.txt": large})
    assert 'id="L262144"' in stranger.open("/bob/large-text/blob/main/small.txt").text
    assert shows(stranger.open("/bob/large-text/blob/main/large.txt").text, "shown.large")


def test_a_table_is_shown_with_its_columns(stranger: Person) -> None:
    page = stranger.open("/datasets/lab/marsh-notes/blob/main/notes.csv").text
    assert "1 rows, 2 columns." in words(page)
    assert "heron still" in words(page)
    assert (
        'href="/datasets/lab/marsh-notes/blob/main/notes.csv"'
        in stranger.open("/datasets/lab/marsh-notes").text
    )


def test_a_table_that_cannot_be_read_is_shown_as_text(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/broken-table", "dataset")
    hostile = b'{"a": "<script>"}\nnot json\n'
    commit(
        services, "bob", "dataset", "bob/broken-table", {"a.jsonl": hostile, "b.csv": b"<b>,c\n<i>,d\n"}, "t"
    )
    page = stranger.open("/datasets/bob/broken-table/blob/main/a.jsonl").text
    assert "Line 2 is not JSON." in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "&lt;i&gt;" in stranger.open("/datasets/bob/broken-table/blob/main/b.csv").text


def test_a_picture_is_shown_from_the_repo_itself(stranger: Person) -> None:
    page = Reading(stranger.open(f"{HERON}/blob/main/docs/matrix.png").text)
    assert ("img", f"{HERON}/resolve/main/docs/matrix.png") in [found[:2] for found in page.addresses()]


def test_the_header_of_weights_is_shown(stranger: Person) -> None:
    text = words(stranger.open(f"{HERON}/blob/main/model.safetensors").text)
    assert "3 tensors with 196,099 elements." in text
    assert "embeddings.weight F32 [3000, 64] 192,000" in text
    assert "format pt" in text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 64,
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        b"GGUF" + b"\xff" * 64,
        safetensors_file({"a": (4,)})[:-1],
    ],
    ids=["empty", "no length", "length beyond the file", "no object", "a torn magic", "a byte short"],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".gguf"])
def test_a_header_that_cannot_be_read_is_said(
    services: Services, stranger: Person, data: bytes, suffix: str
) -> None:
    with services.database.read() as uow:
        known = lookup_repo(uow, "model", "bob/bad-headers")
    if known is None:
        new_repo(services, "bob", "bob/bad-headers")
    name = hashlib.sha256(data).hexdigest() + suffix
    commit(services, "bob", "model", "bob/bad-headers", {name: data}, "t")
    answer = stranger.open(f"/bob/bad-headers/blob/main/{name}")
    assert answer.status_code == 200
    assert shows(answer.text, "header.problem")


def test_many_tensors_have_pages(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/many-tensors")
    data = safetensors_file({f"t{number}": (1,) for number in range(1003)})
    commit(services, "bob", "model", "bob/many-tensors", {"m.safetensors": data}, "t")
    first = stranger.open("/bob/many-tensors/blob/main/m.safetensors").text
    last = stranger.open("/bob/many-tensors/blob/main/m.safetensors?page=10").text
    assert "1,003 tensors" in first
    assert "Page 1 of 11" in first
    assert first.count('<td class="number">1</td>') == 100
    assert last.count('<td class="number">1</td>') == 3
    assert stranger.open("/bob/many-tensors/blob/main/m.safetensors?page=11").status_code == 400


def test_a_wide_table_has_pages_of_columns(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/columns", "dataset")
    lines = [
        ",".join(f"column-{n}" for n in range(90)),
        *(",".join(f"{row}" for _ in range(90)) for row in range(50)),
    ]
    commit(services, "bob", "dataset", "bob/columns", {"t.csv": "\n".join(lines).encode()}, "t")
    first = stranger.open("/datasets/bob/columns/blob/main/t.csv").text
    last = stranger.open("/datasets/bob/columns/blob/main/t.csv?page=2").text
    assert "columns 1 to 40" in first
    assert "columns 81 to 90" in last
    assert first.count('<td dir="auto">') == 40 * 20
    assert last.count('<td dir="auto">') == 10 * 50
    assert "column-80" in last
    assert "column-79" not in last
    assert stranger.open("/datasets/bob/columns/blob/main/t.csv?page=3").status_code == 400


def test_a_large_folder_has_pages(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/wide")
    commit(services, "bob", "model", "bob/wide", {f"f{n:04}": b"x" for n in range(1004)}, "t")
    first, last = (
        stranger.open("/bob/wide/tree/main").text,
        stranger.open("/bob/wide/tree/main?page=10").text,
    )
    assert "1,005 entries" in first
    assert "Page 1 of 11" in first
    assert "page=1" in first
    assert "page=10" in first
    assert "f1003" in last
    assert "f1003" not in first
    assert "page=11" not in last


def test_entries_of_a_large_folder_are_found_by_their_names(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/found")
    files = {f"shards/part-{n:03}.bin": b"x" for n in range(130)} | {"shards/Straße/part-1": b"y"}
    commit(services, "bob", "model", "bob/found", files, "t")
    page = stranger.open("/bob/found/tree/main/shards?name=T-12").text
    assert "10 entries have this" in page
    assert "part-129.bin" in page
    assert "part-119.bin" not in page
    assert "Straße" in stranger.open("/bob/found/tree/main/shards?name=STRASSE").text
    assert "name=part&amp;page=1" in stranger.open("/bob/found/tree/main/shards?name=part").text
    assert "0 entries have this" in stranger.open("/bob/found/tree/main/shards?name=%00%22%3E").text
    assert 'name="name"' not in stranger.open("/bob/found/tree/main").text


def test_history_and_what_a_commit_changed(stranger: Person) -> None:
    history = stranger.open(f"{HERON}/commits/main").text
    assert (
        history.index("Correct a figure") < history.index("Add the model") < history.index("initial commit")
    )
    page = stranger.open(f"{HERON}/commit/main").text
    text = words(page)
    assert "2 files changed" in text
    assert "changed README.md" in text
    assert "removed old.txt 14 B" in text
    assert '<span class="line removed">-<bdi>| grey heron | 1,204 | 0.90 |' in page
    assert '<span class="line added">+<bdi>| grey heron | 1,204 | 0.93 |' in page


def test_the_first_commit_is_compared_with_nothing(stranger: Person) -> None:
    text = words(stranger.open("/bob/empty/commit/main").text)
    assert "added .gitattributes" in text


def test_a_commit_of_many_files_has_pages(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/sweeping")
    commit(services, "bob", "model", "bob/sweeping", {f"d/{n:04}": b"x" for n in range(1001)}, "t")
    page = stranger.open("/bob/sweeping/commit/main").text
    assert page.count('class="change-of"') == 50
    assert "page=1" in page
    assert page.count('class="diff"') <= 50


def test_a_folder_that_becomes_a_file_is_two_changes(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/turns")
    first = commit(services, "bob", "model", "bob/turns", {"x/a": b"1", "x/b": b"2", "same/c": b"3"}, "t")
    second = commit(services, "bob", "model", "bob/turns", {"x": b"file"}, "u", remove=("x/",))
    with services.database.read() as uow:
        trees = {oid: found.tree_oid for oid, found in read_commits(uow, [first, second]).items()}
        changes, more = changed_paths(uow, trees[first], trees[second])
    assert not more
    assert [(change.path, change.kind) for change in changes] == [
        ("x/a", "removed"),
        ("x/b", "removed"),
        ("x", "added"),
    ]
    assert "+file" in words(stranger.open(f"/bob/turns/commit/{second}").text).replace("+ ", "+")


def test_comparing_hostile_texts_takes_no_long_time(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/slow")
    before = {
        f"{n}.txt": ("ab"[n % 2] + "\n").encode() * 900 + b"\n".join(b"x%d" % i for i in range(90))
        for n in range(30)
    }
    after = {name: b"\n".join(reversed(data.split(b"\n"))) for name, data in before.items()}
    commit(services, "bob", "model", "bob/slow", before, "t")
    commit(services, "bob", "model", "bob/slow", after, "u")
    with soon(10.0):
        answer = stranger.open("/bob/slow/commit/main")
    assert answer.status_code == 200


def test_config_is_what_it_was(stranger: Person) -> None:
    raw = stranger.client.get(f"{HERON}/resolve/main/config.json")
    assert json.loads(raw.content)["model_type"] == "bert"
