"""Addresses of the Xet store: a client takes any success at an address that it tries for an answer."""

import pytest

from tests.xet_forge import Store

HASH = "ab" * 32

UNKNOWN = [
    "",
    "/",
    "/v1",
    f"/v1/xorb-grants/default/{HASH}",
    f"/v1/xorb-commits/default/{HASH}/grant/1",
    "/v1/telemetry",
    f"/v2/file-chunk-hashes/{HASH}",
    f"/v3/reconstructions/{HASH}",
    f"/v1/reconstructions/{HASH}/more",
    "/v1/reconstructions",
    f"/v1/xorbs/{HASH}",
    f"/v2/xorbs/default/{HASH}",
    "/v1/shards/default",
    "/v3/shards",
    f"/v1/xorbs/default/{HASH}/",
    f"/v1//xorbs/default/{HASH}",
    f"/v1/xorbs%2Fdefault%2F{HASH}",
    f"/V1/xorbs/default/{HASH}",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@pytest.fixture
def store(hub):
    return Store.of(hub, hub.create("alice/mm"), "alice")


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_the_store_does_not_have_is_not_there_for_any_method(store, path):
    for method in METHODS:
        answer = store.call(method, path)
        assert (answer.status, answer.code) == (404, "address_unknown"), method


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (f"/v1/xorbs/default/{HASH}", "POST"),
        ("/v1/shards", "POST"),
        ("/v2/shards", "POST"),
        (f"/v1/chunks/default/{HASH}", "GET"),
        (f"/v1/reconstructions/{HASH}", "GET"),
        (f"/v2/reconstructions/{HASH}", "GET"),
    ],
)
def test_another_method_is_not_there_either(store, path, method):
    for other in METHODS:
        if other != method and (other, method) != ("HEAD", "GET"):
            assert store.call(other, path).status == 404, other


@pytest.mark.parametrize("path", ["/xet/", "/xet/fetch", "/xet/fetch/", "/xet/x", "/xet/x/y", "/xet/x/y/v1"])
def test_outside_of_every_store(hub, says, path):
    for method in METHODS:
        says(hub.call(method, path), 404, "address_unknown")


@pytest.mark.parametrize("name", ["x", HASH[:-1], HASH.upper(), HASH + "0", "0x" + HASH[2:], "..", "é"])
def test_what_is_no_hash_is_not_there(store, name):
    assert store.call("POST", f"/v1/xorbs/default/{name}", b"x").status == 404
    assert store.call("GET", f"/v1/chunks/default/{name}").status == 404
    assert store.call("GET", f"/v1/reconstructions/{name}").status == 404


@pytest.mark.parametrize("prefix", ["default", "default-merkledb"])
def test_both_prefixes_are_known_and_no_other(store, prefix):
    assert store.call("GET", f"/v1/chunks/{prefix}/{HASH}").code == "chunk_unknown"
    assert store.call("GET", f"/v1/chunks/{prefix}x/{HASH}").code == "address_unknown"
    assert store.call("POST", f"/v1/xorbs/{prefix}x/{HASH}", b"x").code == "address_unknown"
