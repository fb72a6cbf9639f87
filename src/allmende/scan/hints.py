"""What a name promises to the programs that go by names.

A verdict follows from the bytes; a name can only add readers, because some loaders choose by it: a text
becomes a template or a program by what it is called. So that verdicts can be kept for bytes, the names are
reduced to the few words below.
"""

__all__ = ["HINTS", "name_hint"]

_BY_SUFFIX = {
    "pickle": ("pkl", "pickle", "pk", "dill", "cloudpickle", "pdparams", "pdopt", "pdiparams"),
    "joblib": ("joblib", "jbl"),
    "torch": ("pt", "pth", "pt2", "ckpt", "ptl", "mar", "nemo", "jit", "distcp"),
    "numpy": ("npy", "npz"),
    "safetensors": ("safetensors",),
    "gguf": ("gguf", "ggml"),
    "template": ("jinja", "jinja2", "j2"),
    "json": ("json", "webmanifest"),
    "jsonl": ("jsonl", "ndjson"),
    "yaml": ("yaml", "yml"),
    "toml": ("toml",),
    "keras": ("keras", "h5", "hdf5"),
    "onnx": ("onnx", "ort"),
    "tensorflow": ("pb", "pbtxt", "tf", "meta"),
    "paddle": ("pdmodel",),
    "tflite": ("tflite", "lite"),
    "coreml": ("mlmodel",),
    "xml": ("xml", "pmml"),
    "r": ("rds", "rda", "rdata"),
    "msgpack": ("msgpack",),
    "ubjson": ("ubj",),
    "skops": ("skops",),
    "python": ("py", "pyw", "pyi"),
    "bytecode": ("pyc", "pyo"),
    "notebook": ("ipynb",),
    "shell": ("sh", "bash"),
    "native": ("so", "dll", "dylib", "pyd", "exe", "o", "a"),
    "archive": ("zip", "tar", "gz", "tgz", "bz2", "xz", "lzma", "zst", "7z", "rar", "whl", "jar"),
    "markdown": ("md", "markdown"),
    "data": (
        "bin",
        "dat",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "webp",
        "bmp",
        "wav",
        "mp3",
        "mp4",
        "pdf",
        "parquet",
        "arrow",
        "model",
        "ico",
    ),
    "text": ("txt", "log", "vocab", "rst", "tex", "rtf"),
    "table": ("csv", "tsv"),
    "markup": ("svg", "html", "htm", "xhtml"),
    "launcher": (
        "bat",
        "cmd",
        "ps1",
        "vbs",
        "vbe",
        "wsf",
        "jse",
        "hta",
        "url",
        "desktop",
        "scf",
        "reg",
        "inf",
    ),
    "macros": (),
}
_SUFFIXES = {suffix: hint for hint, suffixes in _BY_SUFFIX.items() for suffix in suffixes}

_BY_NAME = {
    "pytorch_model.bin": "torch",
    "adapter_model.bin": "torch",
    "diffusion_pytorch_model.bin": "torch",
    "optimizer.bin": "torch",
    "scheduler.bin": "torch",
    "training_args.bin": "torch",
    "random_states_0.pkl": "pickle",
    "chat_template": "template",
    "__model__": "paddle",
    "dockerfile": "shell",
    **dict.fromkeys(
        (
            "readme",
            "license",
            "licence",
            "notice",
            "authors",
            "changelog",
            "copying",
            "citation",
            "contributing",
        ),
        "text",
    ),
    "mlmodel": "yaml",
    ".rprofile": "launcher",
    "rprofile.site": "launcher",
    "vbaproject.bin": "macros",
}

HINTS = frozenset({"", *_BY_SUFFIX})
"""Every hint there is; the empty one for names that promise nothing."""


def name_hint(path: str) -> str:
    """The hint that the last part of `path` gives; one of `HINTS`."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1].lower()
    named = _BY_NAME.get(name)
    if named is not None:
        return named
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        return ""
    if suffix == "bin" and stem.startswith("pytorch_model"):
        return "torch"
    return _SUFFIXES.get(suffix, "")
