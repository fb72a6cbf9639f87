"""Lines to copy that fetch a repo from this hub with the tools that people already have."""

from dataclasses import dataclass

from allmende.registry import Repo

__all__ = ["Snippet", "snippets"]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A title (a key of the catalogue) and the lines."""

    title: str
    lines: str


def snippets(hub: str, repo: Repo, library: str | None) -> list[Snippet]:
    """What one types to have this repo; `hub` is the hub's address as the visitor knows it."""
    kind = "" if repo.type == "model" else f" --repo-type {repo.type}"
    typed = "" if repo.type == "model" else f', repo_type="{repo.type}"'
    found = [
        Snippet("shell", f"export HF_ENDPOINT={hub}\nhf download {repo.full_name}{kind}"),
        Snippet(
            "python",
            "from huggingface_hub import snapshot_download\n\n"
            f'path = snapshot_download("{repo.full_name}"{typed})',
        ),
    ]
    loading = _LOADING.get("datasets" if repo.type == "dataset" else library or "")
    if loading is not None:
        found.append(Snippet("load", loading.format(name=repo.full_name)))
    if repo.type == "model":
        lines = f"allmende pull {repo.full_name} --into {repo.name}\nallmende verify {repo.name} --offline"
        found.append(Snippet("checked", f"export HF_ENDPOINT={hub}\n{lines}"))
    return found


_LOADING = {
    "transformers": (
        "from transformers import AutoModel, AutoTokenizer\n\n"
        'tokenizer = AutoTokenizer.from_pretrained("{name}")\n'
        'model = AutoModel.from_pretrained("{name}")'
    ),
    "sentence-transformers": (
        'from sentence_transformers import SentenceTransformer\n\nmodel = SentenceTransformer("{name}")'
    ),
    "diffusers": (
        'from diffusers import DiffusionPipeline\n\npipeline = DiffusionPipeline.from_pretrained("{name}")'
    ),
    "datasets": 'from datasets import load_dataset\n\ndata = load_dataset("{name}")',
}
"""How the libraries load what they know; names of repos hold nothing that ends a string."""
