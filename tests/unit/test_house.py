"""The rules of the house that no linter knows: what is documented, pinned, declared and left unsaid."""

import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from allmende.settings import Settings
from tests.conftest import ForeignAddress
from tools.environment import ENVIRONMENTS, REQUIREMENTS
from tools.import_rooms import RoomContract, is_kept_apart, public_names

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "allmende"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]

HEAVY = ("alembic", "datasets", "dulwich", "fastapi", "numpy", "sqlalchemy", "starlette", "torch")
"""What a command may load only when it needs it."""


SETTING = r"^\| `(\w+)` \| `?(.+?)`? \| (.+) \|$"
"""A row of the page of settings: name, default, meaning."""


def normal(requirement: str) -> str:
    """The name of the package in a requirement, in the one spelling that all indexes share."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def requirements(name: str) -> list[str]:
    """The lines of a requirements file that name a package."""
    lines = (REQUIREMENTS / name).read_text("utf-8").splitlines()
    return [line.strip() for line in lines if re.match(r"[A-Za-z0-9]", line)]


def committed() -> list[Path]:
    """Every file that is in the repo or would be, by git's own rules."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return [
        ROOT / os.fsdecode(name)
        for name in listed.split(b"\0")
        if name and (ROOT / os.fsdecode(name)).is_file()
    ]


def rooms() -> set[str]:
    """The packages and modules right under `allmende`."""
    modules = {path.stem for path in SOURCES.glob("*.py")} - {"__init__", "__main__"}
    return modules | {path.parent.name for path in SOURCES.glob("*/__init__.py")}


class TestCommand:
    def test_version_loads_nothing_heavy(self) -> None:
        program = (
            "import sys\n"
            "from allmende.cli import main\n"
            "sys.argv = ['allmende', '--version']\n"
            "try:\n"
            "    main()\n"
            "except SystemExit as end:\n"
            "    assert not end.code, end.code\n"
            f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
            "print('loaded:', *loaded)\n"
        )
        answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        version, loaded = answer.stdout.splitlines()
        assert PROJECT["project"]["version"] in version
        assert loaded == "loaded:"


class TestMarkers:
    def test_modules_set_those_by_which_make_finds_them(self) -> None:
        """`make torch` and `make browser` read no module in which this is not written."""
        for path in (ROOT / "tests").rglob("*.py"):
            text = path.read_text("utf-8")
            for found in re.finditer(r"(?<!\w)(?:pytest\.)?mark\.(?:browser|torch)(?!\w)", text):
                assert found.group().startswith("pytest."), path
                assert path.name.startswith("test_"), path


class TestRooms:
    def test_every_room_has_a_row(self) -> None:
        rows = {room for contract in CONTRACTS if contract["type"] == "rooms" for room in contract["rooms"]}
        assert rooms() <= rows, "a new room needs a decision record, a place in the layers and a row"

    def test_every_room_has_a_place_in_the_layers(self) -> None:
        (layers,) = (contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")
        placed = {name for layer in layers for name in re.findall(r"\w+", layer)}
        assert rooms() <= placed

    def test_every_folder_of_sources_is_a_package(self) -> None:
        bare = {path.parent for path in SOURCES.rglob("*.py") if not (path.parent / "__init__.py").exists()}
        assert not bare, "without __init__.py a folder escapes the import contracts"

    @pytest.mark.parametrize(
        ("room", "imported", "objection"),
        [
            ("web", "sqlalchemy", "not among the packages of this room"),
            ("web", "allmende.api", "web may not use api"),
            ("web", "allmende.storage._hidden", "not a public name of storage"),
            ("web", "pickle", "nothing that was uploaded is ever unpickled"),
            ("web", "json", None),
            ("web", "starlette", None),
            ("web", "allmende.web.pages", None),
            ("web", "allmende.errors", None),
            ("web", "allmende.storage", None),
        ],
    )
    def test_a_row_objects_to_what_it_does_not_name(
        self, room: str, imported: str, objection: str | None
    ) -> None:
        row = next(contract for contract in CONTRACTS if contract.get("rooms") == [room])
        options = {key: value for key, value in row.items() if key not in {"name", "type"}}
        assert RoomContract(row["name"], {}, options).objection(room, imported) == objection

    def test_third_party_is_told_from_the_standard_library(self) -> None:
        assert is_kept_apart("sqlalchemy")
        assert not is_kept_apart("pathlib")

    def test_public_names_are_read_without_importing(self, tmp_path: Path) -> None:
        (tmp_path / "__init__.py").write_text('raise SystemExit\n__all__ = ["one", "two"]\n')
        assert public_names(tmp_path) == {"one", "two"}
        assert public_names(tmp_path / "nowhere") == frozenset()


class TestPins:
    def test_the_lock_asks_for_what_the_project_declares(self) -> None:
        declared = PROJECT["project"]["dependencies"]
        assert sorted(requirements("base.in")) == sorted(declared)

    @pytest.mark.parametrize("source", sorted(path.name for path in REQUIREMENTS.glob("*.in")))
    def test_every_requirement_is_pinned_with_a_hash(self, source: str) -> None:
        lock = (REQUIREMENTS / source).with_suffix(".txt").read_text("utf-8")
        pins = re.split(r"\n(?=[A-Za-z0-9])", lock.strip())
        assert all(
            re.match(r"[a-z0-9.-]+==\S+( ; [^\\]+)? \\\n +--hash=sha256:[0-9a-f]{64}", pin) for pin in pins
        )
        # torch comes as a CPU build from a folder of wheels and is in no lock.
        asked = {normal(line) for line in requirements(source)} - {"torch"}
        assert asked <= {normal(pin) for pin in pins}

    def test_only_these_environments_have_torch(self) -> None:
        with_torch = {name for name, environment in ENVIRONMENTS.items() if environment.torch}
        assert with_torch == {"torch", "delta-peers"}
        for lock in REQUIREMENTS.glob("*.txt"):
            pinned = {normal(line) for line in requirements(lock.name)}
            assert not {name for name in pinned if name.startswith(("nvidia", "triton", "torch"))}, lock.name


class TestDocuments:
    def test_every_setting_is_documented_and_no_other(self) -> None:
        page = (ROOT / "docs" / "settings.md").read_text("utf-8")
        documented = re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)
        assert sorted(documented) == sorted(Settings.model_fields)

    def test_the_page_of_settings_says_what_the_code_says(self) -> None:
        page = (ROOT / "docs" / "settings.md").read_text("utf-8")
        rows = {
            name: (default, said) for name, default, said in re.findall(SETTING, page, flags=re.MULTILINE)
        }
        expected = {
            name: ("unset" if field.default is None else str(field.default), field.description)
            for name, field in Settings.model_fields.items()
        }
        assert rows == expected

    def test_every_dependency_has_a_line_and_no_other(self) -> None:
        page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
        told = {normal(name) for name in re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)}
        asked = {normal(line) for path in REQUIREMENTS.glob("*.in") for line in requirements(path.name)}
        assert told == asked

    def test_every_change_note_has_the_form(self) -> None:
        kinds = {"added", "changed", "fixed", "removed", "security"}
        for note in (ROOT / "changes").glob("*.md"):
            if note.name == "README.md":
                continue
            first, _, rest = note.read_text("utf-8").partition("\n")
            assert first in {f"kind: {kind}" for kind in kinds}, note.name
            assert rest.strip(), note.name

    def test_the_index_names_every_page(self) -> None:
        index = (ROOT / "docs" / "README.md").read_text("utf-8")
        pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
        missing = {page for page in pages - {"README.md"} if f"({page})" not in index}
        assert not missing

    def test_links_between_pages_lead_somewhere(self) -> None:
        broken = [
            (page.relative_to(ROOT).as_posix(), target)
            for page in committed()
            if page.suffix == ".md" and ROOT / "tests" not in page.parents
            for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", page.read_text("utf-8"))
            if not (page.parent / target).exists()
        ]
        assert not broken


class TestWhatIsLeftUnsaid:
    # Spelled in parts, so that this file does not say it either.
    UNSAID = re.compile(
        b"|".join(
            (
                rb"(?<![\w.$}~])/wo" + rb"rk/",
                rb"files\.python" + rb"hosted\.",
                rb"(?:^|[^\w])py" + rb"pi\.org",
                rb"registry\.npm" + rb"js\.",
                rb"deb\.deb" + rb"ian\.org",
                rb"--(?:extra-)?index-" + rb"url[ =]+http",
            )
        )
    )

    def test_no_file_names_a_registry_or_a_path_of_one_machine(self) -> None:
        found = {
            path.relative_to(ROOT).as_posix(): match.group()
            for path in committed()
            if (match := self.UNSAID.search(path.read_bytes()))
        }
        assert not found


class TestGuard:
    @pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)])
    def test_no_connection_leaves_the_machine(self, address: tuple[str, int]) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family) as line, pytest.raises(ForeignAddress):
            line.connect(address)

    def test_no_name_is_looked_up_elsewhere(self) -> None:
        with pytest.raises(ForeignAddress):
            socket.getaddrinfo("hub.example", 443)

    def test_this_machine_is_reached(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=5) as line,
        ):
            assert line.getpeername() == server.getsockname()
