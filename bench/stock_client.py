"""One call of the stock client; prints the seconds that it took, without the start of Python.

    python -m bench.stock_client upload_folder REPO FOLDER
    python -m bench.stock_client upload_file REPO FILE
    python -m bench.stock_client download_file REPO NAME FOLDER
    python -m bench.stock_client hash_file FILE

HF_ENDPOINT and HF_TOKEN, and whether it uses Xet, stand in the environment.
"""

import sys
import time
from pathlib import Path

import hf_xet  # type: ignore[import-untyped]
from huggingface_hub import HfApi


def upload_folder(repo: str, folder: str) -> None:
    """The whole folder; in one commit if Xet is switched off."""
    HfApi().upload_folder(repo_id=repo, folder_path=folder, commit_message="Add the files of the bench")


def upload_file(repo: str, file: str) -> None:
    """One file, in one commit."""
    HfApi().upload_file(repo_id=repo, path_or_fileobj=file, path_in_repo=Path(file).name)


def download_file(repo: str, name: str, folder: str) -> None:
    """One file, into a folder."""
    HfApi().hf_hub_download(repo, name, local_dir=folder)


def hash_file(file: str) -> None:
    """Cut a file into chunks and hash them, which an upload over Xet begins with: no hub is asked."""
    hf_xet.hash_files([file])


CALLS = {call.__name__: call for call in (upload_folder, upload_file, download_file, hash_file)}


if __name__ == "__main__":
    chosen = CALLS[sys.argv[1]]
    started = time.perf_counter()
    chosen(*sys.argv[2:])
    print(time.perf_counter() - started)
