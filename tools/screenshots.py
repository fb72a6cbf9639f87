"""Pictures of every kind of page of a hub, in Debian's Chromium: for the documentation, and to look at.

    python -m tools.screenshots --url http://127.0.0.1:8080 pictures --model alice/tuned --dataset alice/notes
    python -m tools.screenshots --data demo-data/hub docs/images --model werkstatt/minilm-repair-desk
    python -m tools.screenshots --extremes pictures --on desk phone
    python -m tools.screenshots --examples pictures --on phone

With `--signed-in` also what only an administrator sees, and the owner of the model; the password is in the
environment as `ALLMENDE_PASSWORD`, of made examples it is known.

With `--data` a hub is started on that folder, with `--examples` and `--extremes` on made data in a temporary
one: what every hub might have, and names, tables, families and texts as long and foreign as they may be
(`tests/system/extremes.py`).

Writes `<page>-light.png` and `<page>-dark.png` at the width of a desk, and at that of a phone, if it is asked
for with `--on`, `<page>-phone-light.png`, each of at most 256 colours; with `--small` at two thirds of the
size, and with `--only` just the pages named.
Exits with 1 where one is missing.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tools.palette import with_few_colours
from tools.serving import HubProcess

__all__ = ["main", "pages_of", "pages_of_administrators", "pages_of_owners"]

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)
_PORT = 8080
_DESK = {"width": 1440, "height": 900}
_SMALL_DESK, _SMALLER = {"width": 1200, "height": 750}, 2 / 3
_PHONE = {"width": 390, "height": 780}


def pages_of(model: str, dataset: str | None) -> Mapping[str, str]:
    """The kinds of pages and where each is to be found, for a model and perhaps a dataset of the hub."""
    pages = {
        "home": "/",
        "list": "/models",
        "namespace": f"/{model.partition('/')[0]}",
        "model": f"/{model}",
        "files": f"/{model}/tree/main",
        "file": f"/{model}/blob/main/README.md",
        "history": f"/{model}/commits/main",
        "commit": f"/{model}/commit/main",
        "join": "/join",
        "applications": "/applications",
        "assess": f"/assess?model={model}",
        "scan": f"/{model}/scan/main",
        "lineage": f"/{model}/lineage",
        "layers": f"/{model}/layers/main",
        "licence": f"/{model}/licence/main",
        "record": f"/{model}/record/main",
        "signatures": f"/{model}/signatures/main",
        "documents": f"/{model}/documents/main",
        "revision-log": f"/{model}/log/main",
        "compare": f"/compare?model={model}",
        "log": "/log",
        "log-entries": "/log/entries",
        "log-entry": "/log/entries/0",
        "commons": "/glance",
        "login": "/login",
    }
    return pages if dataset is None else {**pages, "dataset": f"/datasets/{dataset}"}


def pages_of_owners(model: str) -> Mapping[str, str]:
    """The kinds of pages that somebody sees who is signed in, and may change the model."""
    return {
        "settings": "/settings",
        "new": "/new",
        "new-organisation": "/new/organisation",
        "repo-settings": f"/{model}/settings",
        "upload": f"/{model}/upload/main",
        "edit": f"/{model}/edit/main/README.md",
        "move": f"/{model}/move/main/README.md",
    }


def pages_of_administrators() -> Mapping[str, str]:
    """The kinds of pages that only an administrator who is signed in sees."""
    sections = ("users", "policy", "overrides", "jobs", "storage", "audit", "keys", "peers")
    return {"admin": "/settings/hub", **{f"admin-{each}": f"/settings/hub/{each}" for each in sections}}


def main(arguments: list[str] | None = None) -> int:
    """Take the pictures; 1 if a page did not answer."""
    asked = _parser().parse_args(arguments)
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed: apt-get install chromium", file=sys.stderr)
        return 1
    with _hub(asked) as url:
        return _all_of(asked, url, chromium)


def _all_of(asked: argparse.Namespace, url: str, chromium: str) -> int:
    pages = dict(pages_of(asked.model, asked.dataset))
    if asked.extremes:
        from tests.system.extremes import EXTREME_PAGES

        pages = {f"extreme-{number:02}": path for number, path in enumerate(EXTREME_PAGES)}
    pages |= dict(each.partition("=")[::2] for each in asked.also)
    if asked.signed_in:
        pages = {**pages, **pages_of_owners(asked.model), **pages_of_administrators()}
    wanted = {name: path for name, path in pages.items() if not asked.only or name in asked.only}
    asked.folder.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        for scheme in asked.scheme:
            for device in asked.on:
                failed += _take(browser, asked, url, wanted, scheme, phone=device == "phone")
        browser.close()
    for path in failed:
        print(f"{path} is not there", file=sys.stderr)
    return 1 if failed else 0


def _take(
    browser: Browser,
    asked: argparse.Namespace,
    url: str,
    pages: Mapping[str, str],
    scheme: str,
    *,
    phone: bool,
) -> list[str]:
    context = browser.new_context(
        viewport=_PHONE if phone else _SMALL_DESK if asked.small else _DESK,  # type: ignore[arg-type]
        device_scale_factor=_SMALLER if asked.small else 1,
        color_scheme="dark" if scheme == "dark" else "light",
        locale=asked.language,
    )
    page, decoder = context.new_page(), context.new_page()
    if asked.signed_in:
        _sign_in(page, url, asked.signed_in, _password(asked))
    failed = []
    for name, path in pages.items():
        answer = page.goto(url + path, wait_until="networkidle")
        if answer is None or not answer.ok:
            failed.append(path)
            continue
        file = asked.folder / f"{name}{'-phone' if phone else ''}-{scheme}.png"
        file.write_bytes(with_few_colours(page.screenshot(full_page=asked.whole), decoder))
    context.close()
    return failed


@contextmanager
def _hub(asked: argparse.Namespace) -> Iterator[str]:
    """The address of the hub that is asked for, which is started unless it runs."""
    if asked.data is not None:
        # The port that people know, so that a second run makes the same pictures.
        with HubProcess(data=asked.data.absolute(), port=_PORT) as hub:
            yield hub.url
    elif asked.extremes or asked.examples:
        from tests.system.browsing import hub_with
        from tests.system.examples import furnish_examples
        from tests.system.extremes import furnish_extremes

        furnish = furnish_extremes if asked.extremes else furnish_examples
        with (
            tempfile.TemporaryDirectory(prefix="allmende-pictures-") as folder,
            hub_with(Path(folder) / "data", furnish) as hub,
        ):
            yield hub.url
    else:
        yield asked.url.rstrip("/")


def _password(asked: argparse.Namespace) -> str:
    """That of the examples, or the one in the environment, so that it stands on no command line."""
    if not asked.examples:
        return os.environ["ALLMENDE_PASSWORD"]
    from tests.system.examples import PASSWORD

    return PASSWORD


def _sign_in(page: Page, url: str, name: str, password: str) -> None:
    page.goto(f"{url}/login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.click("main form button >> nth=0")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="screenshots", description="Pictures of the pages of a running hub."
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="where a hub is that runs")
    where.add_argument("--data", type=Path, help="the data folder of a hub that is not running")
    where.add_argument("--examples", action="store_true", help="made data, of every kind")
    where.add_argument("--extremes", action="store_true", help="made data, as extreme as they may be")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument(
        "--model", default="alice/heron-small", help="a model that is there, as namespace/name"
    )
    parser.add_argument("--dataset", help="a dataset that is there")
    parser.add_argument("--also", nargs="*", default=[], help="more pages, each as name=address")
    parser.add_argument("--signed-in", metavar="NAME", help="what an administrator and owner sees, too")
    parser.add_argument("--small", action="store_true", help="at two thirds of the size")
    parser.add_argument("--only", nargs="*", default=[], help="which pages; else all")
    parser.add_argument("--scheme", nargs="*", default=["light", "dark"], choices=["light", "dark"])
    parser.add_argument("--language", default="en-GB")
    parser.add_argument("--on", nargs="*", default=["desk"], choices=["desk", "phone"], help="how wide")
    parser.add_argument("--whole", action="store_true", help="whole pages, not what is seen at first")
    return parser


if __name__ == "__main__":
    sys.exit(main())
