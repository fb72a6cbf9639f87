"""The hub's own files: kept by browsers for good, never under an address that means something else."""

import re

from allmende.web.assets import asset_path
from tests.integration.web.conftest import Person


def test_a_static_file_is_kept_for_good_and_named_by_its_content(stranger: Person) -> None:
    path = asset_path("style.css")
    assert re.fullmatch(r"/static/style\.[0-9a-f]{12}\.css", path)
    answer = stranger.open(path)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    again = stranger.open(path, **{"If-None-Match": f'W/"x", {answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")


def test_no_other_file_is_served(stranger: Person) -> None:
    for name in ("style.css", "style.000000000000.css", "..%2f..%2fapp.py", "%2e%2e/routes.py", "style"):
        assert stranger.open(f"/static/{name}").status_code == 404


def test_the_style_sheet_loads_nothing(stranger: Person) -> None:
    css = stranger.open(asset_path("style.css")).text
    assert "@import" not in css
    assert "url(" not in css


def test_colours_are_chosen_once(stranger: Person) -> None:
    css = stranger.open(asset_path("style.css")).text
    rules = re.sub(r":root \{.*?\}", "", css, flags=re.DOTALL)
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_enough_contrast_in_both_schemes(stranger: Person) -> None:
    css = stranger.open(asset_path("style.css")).text
    schemes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)[:2]
    ]
    light, dark = schemes[0], {**schemes[0], **schemes[1]}
    for tokens in (light, dark):
        pairs = [
            (ink, ground)
            for ink in (
                "ink",
                "ink-quiet",
                "accent",
                "accent-strong",
                "bad",
                "measured",
                "declared",
                "derived",
                "attested",
            )
            for ground in ("ground", "sheet", "sunk")
        ]
        pairs += [("on-accent", "accent"), ("ink", "notice-ground"), ("ink", "bad-ground")]
        pairs += [("ink", "added-ground"), ("ink", "removed-ground"), ("ink-quiet", "notice-ground")]
        for ink, ground in pairs:
            bright, dim = sorted((luminance(tokens[ink]), luminance(tokens[ground])), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground)


def test_robots_and_the_sign_are_there(stranger: Person) -> None:
    assert "Disallow: /api/" in stranger.open("/robots.txt").text
    assert stranger.open("/favicon.ico").headers["content-type"] == "image/svg+xml"
