"""Two revisions compared on a page: files, lines, tensors, and what is not shown to whom."""

import json
import struct
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from allmende.flows import Services
from allmende.ids import GitOid
from allmende.web.messages import catalogue
from tests.integration.web.conftest import Person
from tests.integration.web.filled import commit, examine_all, new_repo
from tests.integration.web.reading import Reading, shows, words
from tests.scan_samples import SECRET

REPO = "/bob/compared"
DTYPES = {"float32": "F32", "float16": "F16"}
T = catalogue("en")


def weight_file(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """A safetensors file of these arrays, each in its own type."""
    header, data = {}, b""
    for name, values in arrays.items():
        end = len(data) + values.nbytes
        header[name] = {
            "dtype": DTYPES[str(values.dtype)],
            "shape": list(values.shape),
            "data_offsets": [len(data), end],
        }
        data += values.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.fixture(scope="module")
def first(services: Services) -> GitOid:
    """A repo of two commits, of which this is the first."""
    name = "bob/compared"
    new_repo(services, "bob", name)
    weights: dict[str, NDArray[np.generic]] = {
        "same": np.zeros((2, 3), np.float32),
        "values": np.zeros(4, np.float32),
        "shape": np.zeros(4, np.float32),
        "type": np.zeros(4, np.float32),
        "gone": np.zeros(1, np.float32),
    }
    files = {
        "README.md": b"# One\n\nsame\n",
        "docs/deep/notes.txt": b"a\nb\nc\n",
        "moved.txt": b"these bytes move\n",
        "going.txt": b"goes away\n",
        "end.txt": b"no line end",
        "picture.bin": b"\0\1",
    }
    large = {"model.safetensors": weight_file(weights)}
    oid = commit(services, "bob", "model", name, files, "one", large=large)
    del weights["gone"]
    weights |= {"new": np.ones(1, np.float32), "values": np.ones(4, np.float32)}
    weights |= {"shape": np.zeros((2, 2), np.float32), "type": np.zeros(4, np.float16)}
    commit(
        services, "bob", "model", name,
        {
            "README.md": b"# Two <b>\n\nsame\n",
            "docs/deep/notes.txt": b"a\nB\nc\n",
            "elsewhere/moved.txt": b"these bytes move\n",
            "end.txt": b"no line end\n",
            "picture.bin": b"\0\2",
        },
        "two",
        large={"model.safetensors": weight_file(weights), "data.bin": b"\0" * 5000},
        remove=("moved.txt", "going.txt"),
    )  # fmt: skip
    examine_all(services)
    return oid


def test_files_are_told_as_added_removed_changed_and_renamed(first: GitOid, stranger: Person) -> None:
    page = stranger.open(f"{REPO}/compare/{first}...main")
    assert page.status_code == 200
    text = words(page.text)
    for said in (
        "8 files changed",
        "renamed moved.txt → elsewhere/moved.txt",
        "removed going.txt",
        "added data.bin",
        "changed docs/deep/notes.txt",
        T("diff.why.binary"),
        T("diff.why.line_end"),
        T("diff.why.bytes"),
        "-# One",
        "+# Two <b>",
    ):
        assert said in text, said
    assert "<b>" not in page.text
    assert text.count("moved.txt") == 2


def test_tensors_are_told_by_what_differs(first: GitOid, stranger: Person) -> None:
    text = words(stranger.open(f"{REPO}/compare/{first}...main").text)
    for said in (
        "1 the same", "1 with other values", "1 of another type", "1 of another shape", "1 new", "1 gone",
        "values other values F32 [4]", "type other type F32 → F16 [4]",
        "shape other shape F32 [4] → [2, 2]", "gone gone F32 [1]", "new new F32 [1]",
    ):  # fmt: skip
        assert said in text, said


def test_two_columns_show_the_same_lines(first: GitOid, stranger: Person) -> None:
    page = stranger.open(f"{REPO}/compare/{first}...main?view=columns").text
    assert 'class="diff-columns"' in page
    assert 'class="diff"' not in page
    text = words(page)
    assert "gone: b" in text
    assert "new: B" in text


def test_a_commit_shows_the_same(first: GitOid, stranger: Person) -> None:
    page = stranger.open(f"{REPO}/commit/main").text
    assert "renamed moved.txt → elsewhere/moved.txt" in words(page)
    older = stranger.open(f"{REPO}/commit/{first}").text
    (since,) = [one for _tag, one, _all in Reading(older).addresses() if "/compare/" in one]
    assert stranger.open(since).status_code == 200


def test_the_form_leads_to_the_address(first: GitOid, stranger: Person) -> None:
    asked = stranger.open(f"{REPO}/compare?from=main&to=refs%2Fheads%2Fmain")
    assert asked.status_code == 303
    assert asked.headers["location"] == f"{REPO}/compare/main...refs%2Fheads%2Fmain"
    same = stranger.open(asked.headers["location"])
    assert shows(same.text, "diff.same")
    assert stranger.open(f"{REPO}/compare").status_code == 200
    assert f'action="{REPO}/compare"' in stranger.open(f"{REPO}/commits/main").text


@pytest.mark.parametrize(
    ("tail", "status"),
    [("main", 400), ("...main", 400), ("main...", 400), ("main...nothing", 404), ("nothing...main", 404)],
)
def test_an_address_without_two_revisions_says_so(
    first: GitOid, stranger: Person, tail: str, status: int
) -> None:
    assert stranger.open(f"{REPO}/compare/{tail}").status_code == status


def test_strangers_see_neither_private_repos_nor_lines_behind_a_gate(
    services: Services, stranger: Person, alice: Person
) -> None:
    assert stranger.open("/alice/private-notes/compare/main...main").status_code == 404
    gated = stranger.open("/alice/gated-crane/commit/main")
    assert shows(gated.text, "diff.why.gated")
    assert not shows(alice.open("/alice/gated-crane/commit/main").text, "diff.why.gated")


def test_what_the_scan_holds_back_is_not_shown_in_folders_either(
    services: Services, stranger: Person
) -> None:
    new_repo(services, "bob", "bob/careless")
    commit(services, "bob", "model", "bob/careless", {"deep/down/notes.txt": SECRET}, "oh")
    examine_all(services)
    page = stranger.open("/bob/careless/commit/main").text
    assert "deep/down/notes.txt" in page
    assert "QRTXMPL" not in page
    assert shows(page, "diff.why.stopped")


def test_many_files_take_several_pages(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/many-files")
    files = {f"f{number:03}.txt": b"%d\n" % number for number in range(60)}
    commit(services, "bob", "model", "bob/many-files", files, "many")
    first = stranger.open("/bob/many-files/commit/main").text
    assert "f049.txt" in first
    assert "f050.txt" not in first
    assert "60 files changed" in words(first)
    assert "f059.txt" in stranger.open("/bob/many-files/commit/main?page=1").text
