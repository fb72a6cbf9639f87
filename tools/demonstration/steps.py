"""The steps of the demonstration, in order: each does one thing, checks it, and says what it proved.

A feature that is to be shown adds a step. A step may be run again on data that an earlier run left.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from tools.demonstration.applying import assess_application, write_papers
from tools.demonstration.counting import counted_line
from tools.demonstration.danger import refuse_danger
from tools.demonstration.derivatives import merged_folder, trained_folder
from tools.demonstration.kinship import contradict_lie, tell_descent
from tools.demonstration.lying import claimed_folder, lying_folder
from tools.demonstration.reading import read_page, read_refusal
from tools.demonstration.recording import tell_record
from tools.demonstration.scene import (
    BASE,
    CLAIMED,
    LIAR,
    MERGED,
    PRIVATE,
    PUBLISHER,
    STRANGER,
    TRAINED,
    DemoFailed,
    Scene,
)
from tools.demonstration.signing import sign_and_verify
from tools.demonstration.storing import store_what_is_new
from tools.demonstration.training import PAIRS
from tools.demonstration.verifying import verify_offline

__all__ = ["STEPS", "Step"]

_EXAMINED_S = 90.0
_MOST_SENT = 0.5
_FOLDERS: dict[str, Callable[[Scene], tuple[Path, str]]] = {TRAINED: trained_folder, MERGED: merged_folder}


@dataclass(frozen=True, slots=True)
class Step:
    """A title, and what to do; `run` returns a sentence, or raises DemoFailed."""

    title: str
    run: Callable[[Scene], str]


def publish_base(scene: Scene) -> str:
    """The base model with its own card, as its makers wrote it."""
    state = _publish(scene, BASE, scene.base_folder, "Publish all-MiniLM-L6-v2")
    return f"{BASE} {state}, {_amount([scene.base_folder])}."


def publish_trained(scene: Scene) -> str:
    """The first derivative."""
    return _publish_derivative(scene, TRAINED, "Fine-tune for the repair desk")


def publish_merged(scene: Scene) -> str:
    """The second derivative, over a line that counts: of its bytes, the hub has most since the base came."""
    folder, how = merged_folder(scene)
    size_bytes = sum(path.stat().st_size for path in _files(folder))
    with counted_line(scene.hub.url) as line:
        state = _publish(scene, MERGED, folder, "Merge a low-rank change", endpoint=line.url)
        sent_bytes = line.sent_bytes
    if sent_bytes > size_bytes * _MOST_SENT:
        raise DemoFailed(f"the client sent {sent_bytes:,} bytes of the {size_bytes:,} of {MERGED}")
    sent = f"its upload sent {sent_bytes / 1e6:.1f} MB for {size_bytes / 1e6:.1f} MB of files"
    return f"{MERGED} {state}: {how} The hub has the rest from the base: {sent}."


def load_back(scene: Scene) -> str:
    """Every published file, through a cache that is empty, against the file that was published."""
    client = scene.client(PUBLISHER)
    folders = {BASE: scene.base_folder, **{repo: make(scene)[0] for repo, make in _FOLDERS.items()}}
    with tempfile.TemporaryDirectory(dir=scene.folder, prefix="cache-") as cache:
        for repo, folder in folders.items():
            loaded = client.snapshot_download(repo, revision=scene.commits[repo], cache_dir=cache)
            _compare(repo, folder, Path(loaded))
    amount = _amount(folders.values())
    return f"{len(folders)} models by snapshot_download into an empty cache: {amount}, each equal by SHA-256."


def see_examined(scene: Scene) -> str:
    """What the hub read out of the weights, against what the files here say."""
    counts = {BASE: scene.base_folder, **{repo: make(scene)[0] for repo, make in _FOLDERS.items()}}
    said = []
    for repo, folder in counts.items():
        measured, counted = _parameters(scene, repo), _count_parameters(folder / "model.safetensors")
        if measured != counted:
            raise DemoFailed(f"{repo} has parameters {counted}, and the hub says {measured}")
        said.append(f"{repo.partition('/')[2]} {sum(counted.values()):,}")
    return f"The hub counted the parameters of each without running anything: {', '.join(said)}."


def find_again(scene: Scene) -> str:
    """The lists that people search."""
    client = scene.client(None)
    similar = {model.id for model in client.list_models(filter="sentence-similarity")}
    derived = {model.id for model in client.list_models(filter=f"base_model:{BASE}")}
    if not similar >= {BASE, TRAINED, MERGED}:
        raise DemoFailed(f"the tag sentence-similarity lists only {sorted(similar)}")
    if not derived >= {TRAINED, MERGED}:
        raise DemoFailed(f"the derivatives of {BASE} are listed as {sorted(derived)}")
    return f"The tag sentence-similarity lists {len(similar)} models, and {len(derived)} come from {BASE}."


def publish_lie(scene: Scene) -> str:
    """A model whose card names a base that it does not come from, and that base."""
    _publish(scene, CLAIMED, claimed_folder(scene), "Our own start", person=STRANGER)
    _publish(scene, LIAR, lying_folder(scene), "Our own model", person=STRANGER)
    return contradict_lie(scene)


def read_record(scene: Scene) -> str:
    """What is known of the merge, as one document and as others' forms of it."""
    return tell_record(scene, merged_folder(scene)[0])


def keep_private(scene: Scene) -> str:
    """A private repo, as its owner and as others see it."""
    from huggingface_hub.errors import RepositoryNotFoundError

    folder = scene.work_folder("notes")
    rows = "".join(f'"{complaint}","{remedy}"\n' for complaint, remedy in PAIRS)
    (folder / "notes.csv").write_text(f"complaint,remedy\n{rows}", "utf-8")
    _publish(scene, PRIVATE, folder, "Keep our notes", repo_type="dataset", private=True)
    for name in (STRANGER, None):
        client = scene.client(name)
        try:
            client.dataset_info(PRIVATE)
        except RepositoryNotFoundError:
            pass
        else:
            raise DemoFailed(f"{name or 'somebody without an account'} can see {PRIVATE}")
        if PRIVATE in {dataset.id for dataset in client.list_datasets()}:
            raise DemoFailed(f"{PRIVATE} is listed for {name or 'everybody'}")
    missing = "werkstatt/there-is-no-such-repo"
    seen, unseen = (read_refusal(scene.hub.url, f"/api/datasets/{name}") for name in (PRIVATE, missing))
    if seen != unseen:
        raise DemoFailed(f"a private repo does not look like a missing one: {seen} and {unseen}")
    return f"To strangers {PRIVATE} does not exist: unlisted, and answered like a repo that never was."


def open_pages(scene: Scene) -> str:
    """The pages, without an account and without a script."""
    for path, expected in (
        ("/", "all-MiniLM-L6-v2"),
        (f"/{BASE}", "sentence-transformers"),
        (f"/{TRAINED}", BASE),
        (f"/{LIAR}", "contradicted"),
        (f"/{BASE}/lineage", MERGED),
    ):
        page = read_page(scene.hub.url, path)
        if expected not in page:
            raise DemoFailed(f"the page {path} does not say {expected!r}")
    return "The home page and the pages of the models are there, complete without scripts."


STEPS = (
    Step("Publish a base model", publish_base),
    Step("Publish a fine-tune", publish_trained),
    Step("Publish a merge", publish_merged),
    Step("Load them back", load_back),
    Step("Look inside", see_examined),
    Step("Find them", find_again),
    Step("Measure the lineage", tell_descent),
    Step("Contradict a lie", publish_lie),
    Step("Store what is new", store_what_is_new),
    Step("Sign and verify", sign_and_verify),
    Step("Verify without the hub", verify_offline),
    Step("Read the record", read_record),
    Step("Write its papers", write_papers),
    Step("Assess a use of it", assess_application),
    Step("Keep something private", keep_private),
    Step("Refuse what attacks", refuse_danger),
    Step("Open the pages", open_pages),
)
"""In the order in which they are shown."""


def _publish_derivative(scene: Scene, repo: str, message: str) -> str:
    folder, how = _FOLDERS[repo](scene)
    state = _publish(scene, repo, folder, message)
    return f"{repo} {state}: {how}"


def _publish(
    scene: Scene,
    repo: str,
    folder: Path,
    message: str,
    *,
    repo_type: str = "model",
    private: bool = False,
    endpoint: str | None = None,
    person: str = PUBLISHER,
) -> str:
    """Create the repo if need be and upload the folder; says whether that changed anything."""
    client = scene.client(person, endpoint=endpoint)
    client.create_repo(repo, repo_type=repo_type, private=private, exist_ok=True)
    before = client.repo_info(repo, repo_type=repo_type).sha
    commit = client.upload_folder(
        repo_id=repo, repo_type=repo_type, folder_path=folder, commit_message=message
    )
    scene.commits[repo] = commit.oid
    state = "is unchanged" if commit.oid == before else "is published"
    return f"{state} at revision {commit.oid[:10]}"


def _compare(repo: str, published: Path, loaded: Path) -> None:
    expected, found = _hashes(published), _hashes(loaded)
    # Every repo starts with a .gitattributes of its own.
    expected.setdefault(".gitattributes", found.get(".gitattributes", ""))
    if expected != found:
        differing = sorted(path for path in expected | found if expected.get(path) != found.get(path))
        raise DemoFailed(f"these files of {repo} did not come back as they were: {', '.join(differing)}")


def _hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): _sha256(path) for path in _files(folder)}


def _files(folder: Path) -> list[Path]:
    """What `upload_folder` sends of a folder, and what a snapshot holds."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and ".cache" not in path.parts[-3:]]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _amount(folders: Iterable[Path]) -> str:
    paths = [path for folder in folders for path in _files(folder)]
    return f"{len(paths)} files, {sum(path.stat().st_size for path in paths) / 1e6:.1f} MB"


def _parameters(scene: Scene, repo: str) -> dict[str, int]:
    """Parameters by type as the hub tells them; waits until it has examined the revision."""
    client, deadline = scene.client(PUBLISHER), time.monotonic() + _EXAMINED_S
    while time.monotonic() < deadline:
        info = client.model_info(repo, revision=scene.commits[repo])
        if info.safetensors is not None:
            return dict(info.safetensors.parameters)
        time.sleep(0.2)
    raise DemoFailed(f"{repo} was not examined within {_EXAMINED_S:.0f} s")


def _count_parameters(weights: Path) -> dict[str, int]:
    from safetensors import safe_open

    counted: dict[str, int] = {}
    with safe_open(weights, framework="numpy") as tensors:
        for name in tensors.keys():  # noqa: SIM118  # it is not a mapping
            tensor = tensors.get_slice(name)
            dtype = tensor.get_dtype()
            counted[dtype] = counted.get(dtype, 0) + prod(tensor.get_shape())
    return counted
