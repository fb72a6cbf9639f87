"""Load files of a repo that holds an attack: what comes, and what a user reads where it does not."""

import traceback
from collections.abc import Callable

from huggingface_hub import HfApi

from tests.contract.scripts.asking import answer, digests, given

asked = given()
api, repo, bad = HfApi(), asked["repo"], asked["bad"]


def told(call: Callable[[], object]) -> str:
    """What a user's terminal shows, the causes included."""
    try:
        call()
    except Exception:  # noqa: BLE001  # whatever it is, its text is looked at
        return traceback.format_exc()
    return ""


unsafe = HfApi(headers={"X-Allmende-Allow-Unsafe": "1"})
answer(
    {
        "one": told(lambda: api.hf_hub_download(repo, bad)),
        "all": told(lambda: api.snapshot_download(repo)),
        "expressly": told(lambda: unsafe.hf_hub_download(repo, bad)),
        "good": open(api.hf_hub_download(repo, "good.txt")).read(),  # noqa: PTH123, SIM115
        "others": digests(api.snapshot_download(repo, ignore_patterns=[bad], local_dir=asked["into"])),
    }
)
