"""`docs/clients.md` says what these tests do."""

from importlib.metadata import version

from tests.contract.clients import NO_XET, ROOT, SWITCHES, VERSIONS

TEXT = (ROOT / "docs" / "clients.md").read_text("utf-8")


def test_each_tested_version_is_named():
    for tested in VERSIONS.values():
        assert f"| huggingface_hub, `hf` | {tested} |" in TEXT
    assert version("huggingface_hub") == VERSIONS["newest"]


def test_each_switch_is_explained():
    for name in SWITCHES:
        assert f"`{name}`" in TEXT
    for name, value in NO_XET.items():
        assert f"`{name}={value}`" in TEXT
