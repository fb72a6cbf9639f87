"""Coverage-guided fuzzing of the scanner's readers: any answer is right, as long as there is one, in time.

    python -m tools.fuzz_scan TARGET [--seconds N] [--corpus DIR]

Runs in the environment `fuzz`. Seeds are the cases of the test corpus that suit the target. A crash is a
file under `.cache/fuzz/TARGET/`; it goes into `tests/attack/findings/` with a telling name, where a test
replays it.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["allmende.scan", "allmende.formats"]):
    from allmende.scan import Limits, Source, scan_source

from tests.attack.corpus.all_cases import all_cases

TARGETS = {
    "pickle": ("model.pkl", ("pickle",)),
    "torch": ("model.pt", ("torch", "carrier", "zip")),
    "joblib": ("model.joblib", ("joblib",)),
    "zip": ("model.zip", ("zip",)),
    "archive": ("model.tar", ("tar", "gz", "xz", "bz2", "stream", "compress")),
    "safetensors": ("model.safetensors", ("safetensors", "tensor")),
    "gguf": ("model.gguf", ("gguf",)),
    "template": ("chat_template.jinja", ("template",)),
    "json": ("tokenizer_config.json", ("json", "config")),
    "yaml": ("config.yaml", ("yaml",)),
    "hdf5": ("model.h5", ("h5", "hdf5")),
    "keras": ("model.keras", ("keras",)),
    "onnx": ("model.onnx", ("onnx",)),
    "tensorflow": ("saved_model.pb", ("tf", "tensorflow")),
    "tflite": ("model.tflite", ("tflite",)),
    "python": ("modeling.py", ("python", "code")),
    "notebook": ("run.ipynb", ("notebook",)),
    "r": ("model.rds", ("r-", "rds")),
    "msgpack": ("model.msgpack", ("msgpack",)),
    "ubjson": ("model.ubj", ("ubjson",)),
    "xml": ("model.xml", ("xml", "openvino", "pmml")),
    "settings": ("model.conf", ("settings",)),
    "program": ("run.sh", ("program", "launcher")),
    "caffe": ("deploy.prototxt", ("stored",)),
    "parts": ("__0_0.distcp", ("parts",)),
    "objects": ("model.ser", ("stored",)),
    "anything": ("model.bin", ("",)),
}
"""For each target: the name that the bytes get, and words of the families that seed it."""

_LIMITS = Limits(expanded_bytes=16 * 1024 * 1024, opcodes=200_000, members=500)
_MAX_SEED_BYTES = 64 * 1024
_TIMEOUT_S = 20
"""Four times what a file may take: code that is watched runs several times slower, and time is the wall's."""


def main(arguments: Sequence[str]) -> int:
    """Fuzz one target until the time is over or something breaks."""
    parser = argparse.ArgumentParser(prog="fuzz_scan", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--corpus", type=Path, default=Path(".cache/fuzz"))
    options = parser.parse_args(arguments)
    folder = options.corpus / options.target
    seeds = folder / "seeds"
    write_seeds(options.target, seeds)
    flags = [
        f"-max_total_time={options.seconds}",
        f"-timeout={_TIMEOUT_S}",
        "-rss_limit_mb=2048",
        "-max_len=65536",
    ]
    atheris.Setup(
        ["fuzz_scan", *flags, f"-artifact_prefix={folder}/", "-print_final_stats=1", str(seeds)],
        one_input(TARGETS[options.target][0]),
    )
    atheris.Fuzz()
    return 0


def one_input(name: str) -> Callable[[bytes], None]:
    """What is done with each input: whatever it raises is a finding."""

    def scan(data: bytes) -> None:
        scan_source(Source.of_bytes(data), name, _LIMITS)

    return scan


def write_seeds(target: str, folder: Path) -> None:
    """The cases of the corpus that suit the target."""
    folder.mkdir(parents=True, exist_ok=True)
    words = TARGETS[target][1]
    for case in all_cases():
        if any(word in case.family for word in words):
            data = case.make()
            if len(data) <= _MAX_SEED_BYTES:
                (folder / case.id.replace("/", "-")).write_bytes(data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
