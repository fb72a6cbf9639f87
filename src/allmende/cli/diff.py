"""`allmende diff`: what changed between two models, weight by weight and text by text, offline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmende.cli.exits import FOUND, OK
from allmende.cli.output import AsJson, note, say_json
from allmende.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from allmende.weights import Model, TextsDiff

__all__ = ["diff"]


class ModelMissing(NotFound):
    """There is nothing at the path of a model."""

    code = "path_missing"


def diff(
    a: Annotated[Path, Parameter(help="The model to start from: a folder or a file.")],
    b: Annotated[Path, Parameter(help="The model to compare with it.")],
    /,
    *,
    tensors: Annotated[bool, Parameter(help="List every tensor, not the layers alone.")] = False,
    html: Annotated[Path | None, Parameter(help="Write a report to this file too.")] = None,
    as_json: AsJson = False,
) -> int:
    """Say what changed from model A to model B; nothing in their files is run.

    Exit code: 0 the same, 1 different.
    """
    from allmende.cli.diff_output import say_diff
    from allmende.cli.progress import ReadingProgress
    from allmende.weights import compare_models, diff_document, diff_report

    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise BadRequest(f"{html} cannot be written.", hint="Name a file in a folder that is there.")
    models = _opened(a), _opened(b)
    with ReadingProgress() as progress:
        found = compare_models(*models, tell=progress.tell)
        texts = _texts(a, b, *models)
    if html is not None:
        html.write_text(diff_report(found, texts), encoding="utf-8")
    if as_json:
        say_json("allmende.diff/1", diff_document(found, texts, with_tensors=tensors))
    else:
        say_diff(found, texts, with_tensors=tensors)
    if html is not None:
        note(f"The report is in {html}.")
    return FOUND if found.differs or texts.differs else OK


def _opened(path: Path) -> "Model":
    from allmende.weights import open_model

    if not path.exists():
        raise ModelMissing(f"There is nothing at {path}.")
    return open_model(path)


def _texts(a: Path, b: Path, model_a: "Model", model_b: "Model") -> "TextsDiff":
    """Texts lie beside the weights; of a single file only what is in it belongs to the model."""
    from allmende.weights import compare_texts, texts_of

    both = a.is_dir() and b.is_dir()
    gguf = model_a.layout == model_b.layout == "gguf"
    return compare_texts(
        texts_of(a) if both else {},
        texts_of(b) if both else {},
        model_a.metadata if gguf else None,
        model_b.metadata if gguf else None,
    )
