"""Files of policies: what the norm allows is read, and a file with a fault is refused at its line."""

import pytest

from allmende.merkle import Group, KeyKind, MalformedPolicy, Policy, SigningKey, read_policy
from tests.unit.merkle.made_logs import LOG_KEY, OTHER_KEY, WITNESS_KEYS

LOG = f"log {LOG_KEY.verifier.text}\n"
ONE, TWO, THREE = (key.verifier.text for key in WITNESS_KEYS)
RENAMED = SigningKey("renamed", KeyKind.ED25519, b"\1" * 32).verifier.text
WITNESSES = f"witness W1 {ONE}\nwitness W2 {TWO}\nwitness W3 {THREE}\n"


def read(text: str) -> Policy:
    return read_policy(text.encode("utf-8", "surrogateescape"))


class TestReading:
    def test_all_that_a_policy_can_say(self):
        policy = read(
            f"# a comment\n\n \t\n  # another\n{LOG[:-1]} \thttps://hub.example/log\t\n"
            f"log {OTHER_KEY.verifier.text}\n"
            f"witness W1 {ONE} https://witness.example/\nwitness W2 {TWO}\nwitness\tW3\t{THREE}\n"
            "group G all W1 W2\ngroup H any G W3\ngroup I 1 H\nquorum I\n"
        )
        assert [log.key for log in policy.logs] == [LOG_KEY.verifier, OTHER_KEY.verifier]
        assert [log.url for log in policy.logs] == ["https://hub.example/log", None]
        assert [(each.name, each.url is None) for each in policy.witnesses] == [
            ("W1", False),
            ("W2", True),
            ("W3", True),
        ]
        assert policy.groups == (
            Group("G", 2, ("W1", "W2")),
            Group("H", 1, ("G", "W3")),
            Group("I", 1, ("H",)),
        )
        assert policy.quorum == "I"

    def test_a_policy_without_witnesses(self):
        assert read("quorum none\n") == Policy((), (), (), None)

    def test_names_are_what_their_bytes_are(self):
        policy = read(
            f"witness K {ONE}\nwitness \u212a {TWO}\nwitness \udcff {THREE}\n"
            "group G all K \u212a \udcff\nquorum G\n"
        )
        assert policy.groups[0].members == ("K", "\u212a", "\udcff")

    def test_other_spaces_are_part_of_a_name(self):
        assert read(f"witness a\u00a0b {ONE}\nquorum a\u00a0b\n").quorum == "a\u00a0b"

    def test_as_many_as_the_norm_asks_for(self):
        keys = [SigningKey(f"k{at}", KeyKind.ED25519_COSIGNATURE, bytes([at]) * 32) for at in range(64)]
        logs = "".join(f"log {key.verifier.text}\n" for key in keys[:32])
        witnesses = "".join(f"witness W{at} {key.verifier.text}\n" for at, key in enumerate(keys[32:]))
        groups = "".join(f"group G{at} any W{at}\n" for at in range(32))
        policy = read(f"{logs}{witnesses}{groups}quorum G31\n")
        assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "does not end"),
            ("quorum none", "does not end"),
            ("\n", "no line quorum"),
            (LOG, "no line quorum"),
            ("quorum none\nquorum none\n", "Line 2"),
            ("quorum\n", "written"),
            ("quorum none none\n", "written"),
            ("Quorum none\n", "none of log"),
            ("quorum none\r\n", "control"),
            ("quorum none\x00\n", "control"),
            ("quorum none\x7f\n", "control"),
            ("log\nquorum none\n", "written"),
            ("log not-a-key\nquorum none\n", "Line 1"),
            (LOG + LOG + "quorum none\n", "twice"),
            (
                f"{LOG}log {RENAMED}\nquorum none\n",
                "twice",
            ),
            (LOG[:-1] + " https://a https://b\nquorum none\n", "written"),
            (f"witness W1 {ONE}\nwitness W1 {TWO}\nquorum W1\n", "taken"),
            (f"witness W1 {ONE}\nwitness W2 {ONE}\nquorum W1\n", "twice"),
            (f"witness none {ONE}\nquorum none\n", "taken"),
            (f"witness W1 {OTHER_KEY.verifier.text}\nquorum W1\n", "time"),
            (f"witness {ONE}\nquorum none\n", "written"),
            ("quorum W1\n", "nothing before"),
            (f"quorum W1\nwitness W1 {ONE}\n", "Line 1"),
            (WITNESSES + "group G 0 W1\nquorum G\n", "cannot be asked"),
            (WITNESSES + "group G 3 W1 W2\nquorum G\n", "cannot be asked"),
            (WITNESSES + "group G -1 W1\nquorum G\n", "decimal"),
            (WITNESSES + "group G 01 W1\nquorum G\n", "decimal"),
            (WITNESSES + "group G most W1\nquorum G\n", "decimal"),
            (WITNESSES + "group G any\nquorum G\n", "written"),
            (WITNESSES + "group G any G\nquorum G\n", "nothing before"),
            (WITNESSES + "group G any none\nquorum G\n", "nothing before"),
            (WITNESSES + "group G any W1 W1\nquorum G\n", "twice"),
            (WITNESSES + "group G any W1\ngroup H any W1\nquorum H\n", "twice"),
            (WITNESSES + "group W1 any W2\nquorum W1\n", "taken"),
            (WITNESSES + "group none any W1\nquorum none\n", "taken"),
            ("# " + "x" * 1024 * 1024 + "\nquorum none\n", "at most"),
        ],
    )
    def test_a_fault_is_named(self, text, said):
        with pytest.raises(MalformedPolicy, match=said):
            read(text)

    def test_a_log_is_not_its_own_witness(self):
        key = SigningKey("k", KeyKind.ED25519_COSIGNATURE, b"\1" * 32).verifier.text
        with pytest.raises(MalformedPolicy, match="twice"):
            read(f"{LOG}witness W1 {key}\nquorum W1\n")

    def test_there_are_not_too_many(self):
        keys = [SigningKey(f"k{at}", KeyKind.ED25519, at.to_bytes(32)).verifier.text for at in range(257)]
        text = "".join(f"log {key}\n" for key in keys[:256])
        assert len(read(f"{text}quorum none\n").logs) == 256
        with pytest.raises(MalformedPolicy, match="more than 256"):
            read(f"{text}log {keys[256]}\nquorum none\n")
