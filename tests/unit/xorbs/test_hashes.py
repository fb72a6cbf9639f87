"""The hashes are those of the protocol: vectors of draft-denis-xet and of the reference implementation."""

import random
from collections.abc import Iterable

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from allmende.ids import is_xet_hash
from allmende.xorbs import (
    Chunk,
    MalformedXetHash,
    TreeHasher,
    chunk_hash,
    file_hash,
    from_hex,
    is_dedup_eligible,
    keyed_hash,
    range_hash,
    to_hex,
    xorb_hash,
)

RAW = st.binary(min_size=32, max_size=32)
CHILD_1 = "c28f58387a60d4aa200c311cda7c7f77f686614864f5869eadebf765d0a14a69"
CHILD_2 = "6e4e3263e073ce2c0e78cc770c361e2778db3b054b98ab65e277fc084fa70f22"

# Hashes with a number for a name, as the reference implementation draws them, each of a hundred times that
# many bytes; then the hash of a xorb of such chunks and of a file of them.
NUMBERED = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "cfc5d07f6f03c29bbf424132963fe08d19a37d5757aaf520bf08119f05cd56d6",
    "c3e67584b5c4fc2a89837ec39e40f2c8a6bb0b2987ac94cd4b31e5fbdd210a72",
    "0d2beb91b9196929a5ddec9f6e306924ddf4a24268e3e59fd8464738d525af37",
    "adf8773496a9b7319b2e50dc98093f344053b17d8ad37100b9c07d9805988784",
    "4ac202caf347fc1e9c874b1ef6a1c5e619141eb775a6f43f0f0124ccd0060d9e",
    "b3b28636f65c149ea52eb1f94669466f70f033b54cea792824c696ba6ef3c389",
    "0e2c1a002aae913d2c0fc8ddfa4e9e14b7b311b3b0d458726d5d9f6a6318013c",
)
REFERENCE = [
    ([], NUMBERED[0], NUMBERED[0]),
    ([0], NUMBERED[0], "638a6bc391964a85939d48f008e8bdbae6a7975e7ca2d87a3ce2492f4e4d8a4c"),
    ([1], NUMBERED[1], "8e16257caa3fe079d484d872a8975264b2ff683b0d6db9028cc7c0f968a45661"),
    (
        [1, 2, 3],
        "71ec1275fca074724e2dd666921b3277c7cee603e4d025bcab2d4050015be2bc",
        "54e55dccc6653c612bdb5576c5d3cb34bb31bc4e100248abccf4c908b3ef7715",
    ),
    (
        [1, 1, 1, 1],
        "89f2ada89ff8c96763c6b25010e6dd76a4c05b1466207633ea559acf2093211b",
        "2cdba690d0e09563596e0cda626d43eb4c96ef1e994fe72d9b2f5a83cfcd36dd",
    ),
    (
        [1, 2, 1, 2, 3, 4],
        "52c826f99507aa05d0b45e9837fa1709e0485425cfbcb1e80db3905cf98b3ee9",
        "91d21684db364c8883ab8209fa5eb2e781cf07f37e1fa43e731c30839afe422f",
    ),
    (
        [0, 1, 0, 1, 0],
        "f36c6a6374a567efd36ed087aeb680b57e3af4e0b5b8e7be2593df4cb647a2de",
        "ab2f46d31855e1133b3b5b70e78f841394a648710a208923b221c1a8a0572a1f",
    ),
    (
        [3, 4, 5, 5, 5],
        "2c1fd1eca47e284512fcb40fcf45a1874939f9b91c774d46aeba5d004d9d263d",
        "0799ba7ee2c3fed173a8e8d832cd13970ddc16070ffbc8aa6dcd77476f66dc73",
    ),
    (
        [0, 1, 2, 3, 4, 5, 6, 7],
        "f62abe77e3fb9c954fe52b0028027ddc90c064c45951a4fd2211d87e5c0011db",
        "d1b068be5bbdb38992269e8efe61f601881e39f7a7585fd76883cc6ea5c23b44",
    ),
]


def test_a_hash_is_written_as_four_little_endian_numbers() -> None:
    written = to_hex(bytes(range(32)))
    assert written == "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"
    assert from_hex(written) == bytes(range(32))


@given(RAW)
def test_what_is_written_is_read(raw: bytes) -> None:
    assert is_xet_hash(to_hex(raw))
    assert from_hex(to_hex(raw)) == raw


@pytest.mark.parametrize(
    "text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "\u0660" * 64, "0" * 64 + "\n", "0x" + "0" * 62]
)
def test_another_form_is_not_read(text: str) -> None:
    assert not is_xet_hash(text)
    with pytest.raises(MalformedXetHash):
        from_hex(text)


def test_the_hash_of_a_chunk() -> None:
    raw = chunk_hash(b"Hello World!")
    assert raw.hex() == "a29cfb08e608d4d8726dd8659a90b9134b3240d5d8e42d5fcb28e2a6e763a3e8"
    assert to_hex(raw) == "d8d408e608fb9ca213b9909a65d86d725f2de4d8d540324be8a363e7a6e228cb"
    assert chunk_hash(memoryview(bytearray(b"Hello World!"))) == raw


def test_the_hash_of_two_chunks() -> None:
    chunks = [Chunk(from_hex(CHILD_1), 100), Chunk(from_hex(CHILD_2), 200)]
    assert to_hex(xorb_hash(chunks)) == "be64c7003ccd3cf4357364750e04c9592b3c36705dee76a71590c011766b6c14"


def test_the_hash_of_a_range() -> None:
    raw = range_hash([from_hex(CHILD_1), from_hex(CHILD_2)])
    assert to_hex(raw) == "eb06a8ad81d588ac05d1d9a079232d9c1e7d0b07232fa58091caa7bf333a2768"


@pytest.mark.parametrize(("numbers", "xorb", "file"), REFERENCE)
def test_the_hashes_of_the_reference_implementation(numbers: list[int], xorb: str, file: str) -> None:
    chunks = [Chunk(from_hex(NUMBERED[number]), 100 * number) for number in numbers]
    assert to_hex(xorb_hash(chunks)) == xorb
    assert to_hex(file_hash(chunks)) == file


def _naive(chunks: Iterable[Chunk]) -> bytes:
    """The tree level by level, as the draft describes it."""
    level = [(chunk.hash, chunk.size_bytes) for chunk in chunks]
    while len(level) > 1:
        groups: list[list[tuple[bytes, int]]] = [[]]
        for raw, size in level:
            groups[-1].append((raw, size))
            divisible = int.from_bytes(raw[24:], "little") % 4 == 0
            if (len(groups[-1]) > 2 and divisible) or len(groups[-1]) == 9:
                groups.append([])
        level = []
        for group in filter(None, groups):
            text = "".join(f"{to_hex(raw)} : {size}\n" for raw, size in group)
            key = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
            level.append((blake3(text.encode(), key=key).digest(), sum(size for _, size in group)))
    return level[0][0] if level else bytes(32)


@given(st.integers(0, 400), st.integers(0, 2**32), st.sampled_from([256, 4, 1, 0]))
def test_the_streamed_tree_is_the_tree(count: int, seed: int, variety: int) -> None:
    # Little variety in the deciding byte makes for trees of groups of three, or of nine, only.
    rng = random.Random(seed)

    def deciding(rng: random.Random) -> int:
        return rng.randrange(variety) if variety else 1

    chunks = [Chunk(rng.randbytes(24) + bytes([deciding(rng)]) + bytes(7), n) for n in range(count)]
    tree = TreeHasher()
    for n, chunk in enumerate(chunks):
        tree.add(*chunk)
        if n % 37 == 5:
            assert tree.xorb_hash() == _naive(chunks[: n + 1])
    assert tree.xorb_hash() == tree.xorb_hash() == _naive(chunks)
    assert tree.file_hash() == (blake3(_naive(chunks), key=bytes(32)).digest() if chunks else bytes(32))


def test_the_tree_remembers_few_nodes() -> None:
    tree = TreeHasher()
    for n in range(20_000):
        tree.add(chunk_hash(n.to_bytes(4, "little")), 1)
    assert sum(len(group) for group in tree._open) < 9 * len(tree._open)
    assert len(tree._open) < 13


def test_one_hash_in_1024_is_eligible() -> None:
    assert is_dedup_eligible(bytes(32))
    assert is_dedup_eligible(b"\xff" * 24 + (1024 * 12345).to_bytes(8, "little"))
    assert not is_dedup_eligible(bytes(24) + (512).to_bytes(8, "little"))
    assert not is_dedup_eligible(bytes(24) + b"\x01" + bytes(7))


def test_a_key_changes_the_hash_that_is_shown() -> None:
    raw, key = chunk_hash(b"chunk"), bytes(range(32))
    assert keyed_hash(raw, key) == blake3(raw, key=key).digest() != raw
