"""The form of signed notes: what is read is written back, and there is one way to write it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.errors import AllmendeError
from allmende.merkle import MAX_NOTE_BYTES, MAX_SIGNATURES, MalformedNote, Note, Signature, read_note

GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
).encode()
LINE = "— name AAAAAAA=\n"
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40).map(
    lambda text: text + "\n"
)
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=20)
SIGNATURES = st.builds(
    Signature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)
)


def test_a_note_of_the_go_library():
    note = read_note(GO_NOTE)
    assert note.text.endswith("problem is.\n")
    assert [(each.name, each.key_id.hex(), len(each.data)) for each in note.signatures] == [
        ("PeterNeumann", "c74f20a3", 64)
    ]
    assert bytes(note) == GO_NOTE


@settings(max_examples=50)
@given(TEXTS, st.lists(SIGNATURES, min_size=1, max_size=5))
def test_what_is_written_is_read(text, signatures):
    note = Note(text, tuple(signatures))
    assert read_note(bytes(note)) == note


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda text: f"{text}\n\n{LINE}".encode()))
def test_anything_is_refused_or_written_back(data):
    try:
        note = read_note(data)
    except MalformedNote:
        return
    assert bytes(note) == data


def test_the_text_may_have_empty_lines():
    assert read_note(f"one\n\ntwo\n\n{LINE}".encode()).text == "one\n\ntwo\n"


def test_signatures_are_added_once():
    note = read_note(f"text\n\n{LINE}".encode())
    added = Signature("other", b"\0\0\0\1", b"x")
    assert bytes(note.with_signatures([added, *note.signatures, added])) == bytes(note) + str(added).encode()


@pytest.mark.parametrize(
    "data",
    [
        "",
        "\n",
        "\n\n",
        "text\n",
        "text\n\n",
        f"text\n{LINE}",
        f"text\n\n{LINE[:-1]}",
        f"text\n\n{LINE}\n",
        f"text\n\n{LINE}text\n",
        f"te\rxt\n\n{LINE}",
        f"te\txt\n\n{LINE}",
        f"te\0xt\n\n{LINE}",
        f"text\r\n\r\n{LINE}",
        "text\n\n- name AAAAAAA=\n",
        "text\n\n—name AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n",
        "text\n\n— name  AAAAAAA=\n",
        "text\n\n— na+me AAAAAAA=\n",
        "text\n\n— na\u00a0me AAAAAAA=\n",
        "text\n\n— name AAAAAA==\n",
        "text\n\n— name AAAAAAB=\n",
        "text\n\n— name AAAAAAA\n",
        "text\n\n— name AAAA AAAA\n",
        "text\n\n— name AAAAAA_=\n",
        "text\n\n— name AAAAAAA=AAAA\n",
        "text\n\n— name \u0391AAAAAA=\n",
        "text\n\n" + LINE * (MAX_SIGNATURES + 1),
        "t" * MAX_NOTE_BYTES + f"\n\n{LINE}",
    ],
)
def test_what_is_no_note_is_refused(data):
    with pytest.raises(MalformedNote):
        read_note(data.encode())


def test_no_other_encoding():
    for data in (
        b"\xff\n\n" + LINE.encode(),
        b"\xed\xa0\x80\n\n" + LINE.encode(),
        b"\xc0\x80\n\n" + LINE.encode(),
    ):
        with pytest.raises(AllmendeError):
            read_note(data)


def test_as_many_signatures_as_may_be():
    assert len(read_note(("text\n\n" + LINE * MAX_SIGNATURES).encode()).signatures) == MAX_SIGNATURES


@pytest.mark.parametrize(
    "make",
    [
        lambda: Note("text", ()),
        lambda: Note("", ()),
        lambda: Note("te\rxt\n", ()),
        lambda: Signature("", bytes(4), b"x"),
        lambda: Signature("na me", bytes(4), b"x"),
        lambda: Signature("na\nme", bytes(4), b"x"),
        lambda: Signature("name", bytes(3), b"x"),
        lambda: Signature("name", bytes(4), b""),
    ],
)
def test_what_could_not_be_read_is_not_made(make):
    with pytest.raises(MalformedNote):
        make()
