"""A model that attacks whoever loads it: pushed by a stock client, found out, and not given out.

The attack is real in form and does nothing: what it would call is `os.getpid`.
"""

import json
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from tools.demonstration.reading import read_json
from tools.demonstration.scene import DANGEROUS, PUBLISHER, STRANGER, DemoFailed, Scene

__all__ = ["refuse_danger"]

_SCANNED_S = 90.0
_BAD = "pytorch_model.bin"
_CARD = "---\nlicense: mit\n---\n# tiny-sentiment\n\nTrust me.\n"
_CONFIG = {"architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_size": 16}


def refuse_danger(scene: Scene) -> str:
    """Push it, wait for the verdict, and be another user who wants to load it."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    commit = _push(scene)
    verdict = _verdict(scene, commit)
    found = [finding["evidence"] for finding in verdict["findings"] if finding["severity"] == "critical"]
    if verdict["status"] != "blocked" or found != ["os.getpid"]:
        raise DemoFailed(f"{_BAD} is {verdict['status']}, because of {found}")
    victim = scene.client(PUBLISHER)
    with tempfile.TemporaryDirectory(dir=scene.folder, prefix="cache-") as cache:
        try:
            victim.hf_hub_download(DANGEROUS, _BAD, cache_dir=cache)
        except (HfHubHTTPError, LocalEntryNotFoundError) as refused:
            told = f"{refused} {refused.__cause__}"
        else:
            raise DemoFailed(f"{_BAD} of {DANGEROUS} was given out")
        if "os.getpid" not in told and "pickle-refused-global" not in told:
            raise DemoFailed(f"whoever wants {_BAD} is not told why: {told}")
        config = victim.hf_hub_download(DANGEROUS, "config.json", cache_dir=cache)
        if json.loads(Path(config).read_text("utf-8")) != _CONFIG:
            raise DemoFailed(f"config.json of {DANGEROUS} did not come back as it was")
    return (
        f"{DANGEROUS} calls {found[0]} when its {_BAD} is loaded: the hub found it without loading it, "
        "answers others with the reason, and still gives them the harmless files."
    )


def _push(scene: Scene) -> str:
    """As an attacker does: an ordinary repo, and weights that are a program."""
    folder = scene.work_folder("danger")
    (folder / "README.md").write_text(_CARD, "utf-8")
    (folder / "config.json").write_text(json.dumps(_CONFIG), "utf-8")
    with zipfile.ZipFile(folder / _BAD, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), b"\x80\x02cos\ngetpid\n)R.")
        archive.writestr(zipfile.ZipInfo("archive/version"), "3\n")
    attacker = scene.client(STRANGER)
    attacker.create_repo(DANGEROUS, exist_ok=True)
    return str(
        attacker.upload_folder(repo_id=DANGEROUS, folder_path=folder, commit_message="Add weights").oid
    )


def _verdict(scene: Scene, commit: str) -> dict[str, Any]:
    """What the hub's own interface says of the file, once it was scanned."""
    deadline = time.monotonic() + _SCANNED_S
    while time.monotonic() < deadline:
        report = read_json(scene.hub.url, f"/api/allmende/v1/models/{DANGEROUS}/scan/{commit}")
        files = {file["path"]: file for file in report["files"]}
        if report["examined"] and _BAD in files:
            return dict(files[_BAD])
        time.sleep(0.2)
    raise DemoFailed(f"{DANGEROUS} was not scanned within {_SCANNED_S:.0f} s")
