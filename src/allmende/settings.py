"""The settings of a hub: one frozen value, read once at start and passed down.

Order of precedence: command line, environment (`ALLMENDE_` + the name in capitals), the TOML file
named by `ALLMENDE_CONFIG` (else `allmende.toml` in the data folder), default. `docs/settings.md` lists
every field; a test compares the two.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from allmende.errors import BadRequest

__all__ = ["Settings", "SettingsInvalid", "load_settings"]

_MIB = 1024 * 1024


class SettingsInvalid(BadRequest):
    """A setting has an unknown name or an impossible value."""

    code = "settings_invalid"


class Settings(BaseModel):
    """Everything that an operator can choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(default=Path("allmende-data"), description="Folder for database, contents and keys.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on.")
    public_url: str | None = Field(
        default=None,
        description="Address under which clients reach the hub; unset: the address each client used.",
    )
    database: str | None = Field(default=None, description="Database URL; unset: SQLite in the data folder.")
    storage: str | None = Field(
        default=None, description="Where contents live; unset: `contents` in the data folder."
    )
    workers: int = Field(default=1, ge=0, le=64, description="Background workers inside `serve`.")
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least severe line logged."
    )

    page_size: int = Field(
        default=1000, ge=1, le=10_000, description="Entries in one page of a tree listing."
    )
    list_page_size: int = Field(
        default=100, ge=1, le=1000, description="Repos, commits or files in one page of a list."
    )
    max_file_bytes: int = Field(default=1024**4, ge=1, description="Largest file accepted.")
    max_inline_bytes: int = Field(
        default=10 * _MIB,
        ge=1,
        description="Largest file kept inside git; larger ones must be uploaded as LFS.",
    )
    max_commit_bytes: int = Field(default=256 * _MIB, ge=1, description="Largest body of one commit request.")
    max_commit_operations: int = Field(default=25_000, ge=1, description="Most operations in one commit.")
    max_json_bytes: int = Field(default=8 * _MIB, ge=1, description="Largest body of any other JSON request.")
    multipart_threshold_bytes: int = Field(
        default=1024 * _MIB, ge=1, description="LFS files larger than this are uploaded in parts."
    )
    multipart_part_bytes: int = Field(
        default=128 * _MIB, ge=_MIB, description="Size of one part of such an upload."
    )
    upload_ttl_s: int = Field(
        default=24 * 3600, ge=60, description="Seconds for which a signed link of an upload is valid."
    )
    download_ttl_s: int = Field(
        default=3600, ge=10, description="Seconds for which a signed link of a download is valid."
    )
    xet_reads: bool = Field(
        default=True,
        description="Whether files are offered over Xet beside plain HTTP; each repo has a switch too.",
    )
    xet_token_ttl_s: int = Field(
        default=3600, ge=120, description="Seconds for which a token of the Xet store is valid."
    )
    body_timeout_s: float = Field(
        default=60.0, gt=0, description="Seconds without a byte after which an upload is given up."
    )
    unreferenced_grace_s: int = Field(
        default=30 * 24 * 3600,
        ge=0,
        description="Seconds before a content that no repo holds is removed by `admin gc`.",
    )
    scrub_age_s: int = Field(
        default=30 * 24 * 3600,
        ge=0,
        description="Seconds after which a stored content is read and verified again.",
    )

    packing: bool = Field(
        default=True,
        description="Whether stored files are packed in the background: kept as what is new in them.",
    )
    pack_min_bytes: int = Field(default=_MIB, ge=0, description="Smaller files are not packed.")
    pack_quiet_s: int = Field(
        default=3600, ge=0, description="Seconds after its upload before which a file is not packed."
    )
    pack_least_saving: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="The share of its bytes that packing a file has to save; else it stays as it is.",
    )
    hot_reads: int = Field(
        default=8, ge=1, description="Downloads within an hour after which a packed file gets a plain copy."
    )
    hot_cache_bytes: int = Field(
        default=4096 * _MIB, ge=0, description="Most bytes of such copies; the least used make room."
    )

    scan_policy: str | None = Field(
        default=None,
        max_length=4000,
        description="What is done about findings, by severity or rule: "
        "`high=warn,pickle-unknown-class=block`; the actions are block, quarantine, warn, note, none.",
    )
    strict_serving: bool = Field(
        default=False,
        description="Whether files that are not examined yet answer 503 and are not served with a warning.",
    )
    hold_back_secrets: bool = Field(
        default=True,
        description="Whether files with secrets in them are shown only to those who may write their repo.",
    )
    auditors: str | None = Field(
        default=None,
        max_length=4000,
        description="Accounts, separated by commas, that may get blocked files and lift what blocks them.",
    )

    meaning_model: str | None = Field(
        default=None,
        max_length=4000,
        description="By what searches find by meaning too: a folder with a static model, or `wordllama`, "
        "the files of that package; needs the extra `meaning`.",
    )

    sign_up: bool = Field(
        default=False,
        description="Whether strangers may make accounts of their own on the page `/join`.",
    )
    max_organisations: int = Field(
        default=10,
        ge=0,
        description="Most organisations that somebody may administer and still make one on a page; "
        "0: only the operator makes them.",
    )

    max_applications: int = Field(
        default=200, ge=0, description="Most applications that a namespace may register; 0: none."
    )
    max_application_versions: int = Field(
        default=500, ge=1, description="Most descriptions of one application, one after the other."
    )

    log_peers: str | None = Field(
        default=None,
        max_length=40_000,
        description="Logs that this hub witnesses, `KEY`, and witnesses that it asks, `KEY URL`, "
        "separated by commas; where this is set, it alone names them.",
    )

    @property
    def database_url(self) -> str:
        """The database to use, the embedded default included."""
        return self.database or f"sqlite:///{self.data.absolute() / 'allmende.db'}"

    @property
    def xorbs_dir(self) -> Path:
        """Where uploaded xorbs wait: on the same disk as the contents."""
        return self.contents_dir / "xorbs"

    @property
    def packs_dir(self) -> Path:
        """Where packs are: on the same disk as the contents."""
        return self.contents_dir / "packs"

    @property
    def hot_dir(self) -> Path:
        """Where plain copies of packed contents are that are asked for often."""
        return self.contents_dir / "hot"

    @property
    def contents_dir(self) -> Path:
        """The folder of the local content store."""
        return Path(self.storage) if self.storage else self.data / "contents"


def load_settings(
    overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings; `overrides` (the command line) win, None values in them count as not given.

    Raises SettingsInvalid with the name of the offending setting.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    from_environment = {
        name: environ[f"ALLMENDE_{name.upper()}"]
        for name in Settings.model_fields
        if f"ALLMENDE_{name.upper()}" in environ
    }
    data = given.get("data") or from_environment.get("data") or Settings.model_fields["data"].default
    named = environ.get("ALLMENDE_CONFIG")
    from_file = _read_file(Path(named) if named else Path(data) / "allmende.toml", required=bool(named))
    try:
        return Settings.model_validate({**from_file, **from_environment, **given})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsInvalid(f"Setting {name!r}: {first['msg']}.", hint="See docs/settings.md.") from error


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    if not path.exists():
        if required:
            raise SettingsInvalid(f"The settings file {path} does not exist.")
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"The settings file {path} is not valid TOML: {error}") from error
