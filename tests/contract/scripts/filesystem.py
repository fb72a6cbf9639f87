"""HfFileSystem as people use it: look, read parts, write, copy, remove."""

from huggingface_hub import HfApi, HfFileSystem

from tests.contract.scripts.asking import answer, given

asked = given()
api, repo = HfApi(), asked["repo"]
fs = HfFileSystem()
long_text = "".join(f"line {number}\n" for number in range(200_000)).encode()

api.create_repo(repo)
with fs.open(f"{repo}/notes/first.txt", "wb") as file:
    file.write(long_text)
fs.write_text(f"{repo}/notes/second.txt", "second")
fs.pipe_file(f"{repo}/weights.bin", b"\0" * 100_000)

below = sorted(str(path) for path in fs.ls(f"{repo}/notes", detail=False))
assert below == [f"{repo}/notes/first.txt", f"{repo}/notes/second.txt"]
assert fs.glob(f"{repo}/**/*.txt") == [f"{repo}/notes/first.txt", f"{repo}/notes/second.txt"]
assert fs.info(f"{repo}/weights.bin")["size"] == 100_000
assert fs.isdir(f"{repo}/notes")
assert fs.isfile(f"{repo}/weights.bin")
assert not fs.exists(f"{repo}/nope")
assert fs.cat_file(f"{repo}/notes/first.txt", start=50_000, end=50_100) == long_text[50_000:50_100]
assert fs.cat_file(f"{repo}@main/notes/second.txt") == b"second"
with fs.open(f"{repo}/notes/first.txt", "rb", block_size=65536) as file:
    file.seek(-20, 2)
    assert file.read() == long_text[-20:]
    assert file.read() == b""
    file.seek(0)
    assert file.readline() == b"line 0\n"
with fs.open(f"{repo}/notes/first.txt", "rb", block_size=0) as stream:
    assert stream.read() == long_text
assert fs.modified(f"{repo}/notes/second.txt") >= fs.modified(f"{repo}/notes/first.txt")

pull = api.upload_file(path_or_fileobj=b"proposed", path_in_repo="proposed.txt", repo_id=repo, create_pr=True)
number = str(pull.pr_revision).rpartition("/")[2]
assert fs.cat_file(f"{repo}@refs%2Fpr%2F{number}/proposed.txt") == b"proposed"
assert fs.cat_file(f"{repo}@refs/pr/{number}/proposed.txt") == b"proposed"
fs.invalidate_cache()
fs.cp_file(f"{repo}/weights.bin", f"{repo}/copied.bin")
fs.mv(f"{repo}/notes/second.txt", f"{repo}/notes/renamed.txt")
fs.rm(f"{repo}/notes/first.txt")
assert fs.find(repo) == [
    f"{repo}/.gitattributes",
    f"{repo}/copied.bin",
    f"{repo}/notes/renamed.txt",
    f"{repo}/weights.bin",
]
assert fs.cat_file(f"{repo}/copied.bin") == b"\0" * 100_000
answer(api.list_repo_files(repo))
