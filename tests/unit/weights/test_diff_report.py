"""The report: whole, well formed, without anything from elsewhere, and readable in light and in dark."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from allmende.weights import compare_models, compare_texts, diff_document, diff_report
from allmende.weights.colour_scale import STEPS, LogScale, is_dark_ink, ramp
from allmende.weights.diff_chart import MOST_ROWS
from tests.unit.weights.models_in_memory import model

RANDOM = np.random.default_rng(3)
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;'"


def llama(layers: int, **more: np.ndarray) -> dict[str, np.ndarray]:
    tensors = {"model.embed_tokens.weight": RANDOM.standard_normal((20, 8)).astype(np.float32)}
    for layer in range(layers):
        for part in ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj"):
            name = f"model.layers.{layer}.{part}.weight"
            tensors[name] = RANDOM.standard_normal((8, 8)).astype(np.float32)
    return tensors | more


def moved(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: (values * np.float32(1.01)).astype(values.dtype) for name, values in tensors.items()}


class Marks(HTMLParser):
    """The tags that were opened, and whether each was closed."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def marks_of(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Marks()
    parser.feed(page)
    parser.close()
    assert not parser.open
    return parser.seen


def hostile_page() -> str:
    a = llama(2) | {HOSTILE: np.ones((9, 9), np.float32), f"layers.{HOSTILE}.0": np.ones(3)}
    b = moved(a) | {f"{HOSTILE}.new.1": np.ones(3, np.float32)}
    texts_a = {"config.json": b"{}", "chat_template.jinja": b"x"}
    vocab = {"model": {"vocab": {HOSTILE: 0, "x": 1}}}
    texts_b = {
        "config.json": json.dumps({HOSTILE: HOSTILE}).encode(),
        "chat_template.jinja": HOSTILE.encode(),
        "tokenizer.json": json.dumps(vocab).encode(),
        "generation_config.json": HOSTILE.encode(),
    }
    texts_a["tokenizer.json"] = json.dumps({"model": {"vocab": {"x": 0}}}).encode()
    found = compare_models(model(HOSTILE, a, problems=(HOSTILE,)), model("b", b))
    return diff_report(found, compare_texts(texts_a, texts_b))


def test_nothing_from_the_files_becomes_a_mark() -> None:
    page = hostile_page()
    seen = marks_of(page)
    assert not {"script", "img", "link", "iframe", "object", "embed", "a", "form"} & {tag for tag, _ in seen}
    assert not [name for _, attributes in seen for name in attributes if name.startswith("on")]
    assert not [name for _, attributes in seen for name in attributes if name in {"src", "href", "style"}]
    assert "url(" not in page
    assert "@import" not in page


def test_the_pictures_are_well_formed_and_named() -> None:
    page = hostile_page()
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 2
    for picture in pictures:
        root = ET.fromstring(picture)
        assert root.get("role") == "img"
        assert root.get("aria-label") or root.get("aria-labelledby")


def test_the_table_holds_the_numbers_of_the_picture() -> None:
    a = llama(3)
    page = diff_report(compare_models(model("a", a), model("b", moved(a))), None)
    picture = re.search(r'<svg class="chart".*?</svg>', page, re.DOTALL)
    assert picture is not None
    shown = re.findall(r'class="value [^"]+"[^>]*>([^<]+)<', picture.group())
    assert shown == ["1.0e-2"] * 10
    table = page.split('id="numbers"')[1].split("</table>")[0]
    assert table.count("1.0e-2") == 10 + 4


def test_identical_models_make_a_page_too() -> None:
    a = llama(1)
    page = diff_report(compare_models(model("a", a), model("a", a)), compare_texts({}, {}))
    marks_of(page)
    assert "All 4 tensors in both hold the same values." in page
    assert "Configuration, tokenizer and chat template are the same." in page


def test_models_with_nothing_in_common_make_a_page_too() -> None:
    marks_of(diff_report(compare_models(model("a", {"x": np.ones(3)}), model("b", {"y": np.ones(3)})), None))


def test_a_model_of_very_many_layers_is_cut_in_the_picture() -> None:
    a = {f"layers.{layer}.x": np.ones(2, np.float32) for layer in range(1500)}
    page = diff_report(compare_models(model("a", a), model("b", moved(a))), None)
    assert page.count('<g class="line">') == MOST_ROWS
    assert f"The first {MOST_ROWS} of 1,500." in page
    assert "The first 1,000 of 1,500." in page
    assert len(page) < 1_500_000


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_every_number_can_be_read_on_its_colour(dark: bool) -> None:
    for step, colour in enumerate(ramp(dark=dark)):
        ink = luminance("#000000" if is_dark_ink(step, dark=dark) else "#ffffff")
        lighter, darker = sorted((ink, luminance(colour)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (step, colour)


def test_the_colours_grow_darker_step_by_step() -> None:
    light = [luminance(colour) for colour in ramp(dark=False)]
    assert len(light) == STEPS
    assert light == sorted(light, reverse=True)
    assert ramp(dark=True) == ramp(dark=False)[::-1]


def test_the_scale_holds_whole_decades() -> None:
    assert (LogScale.over([0.004]).first, LogScale.over([0.004]).last) == (-4, -2)
    assert (LogScale.over([1e-20, 0.5]).first, LogScale.over([1e-20, 0.5]).last) == (-8, 0)
    assert LogScale.over([]) == LogScale(-6, 0)
    scale = LogScale(-4, 0)
    assert [scale.step(value) for value in (1e-9, 1e-4, 1e-2, 1.0, 50.0)] == [0, 0, 12, 23, 23]


def test_the_document_is_json_without_nan() -> None:
    a = llama(1) | {"zero": np.zeros((8, 8), np.float32), "ids": np.arange(3)}
    b = moved(a) | {"zero": np.full((8, 8), np.inf, np.float32), "ids": np.arange(3) + 1}
    found = compare_models(model("a", a), model("b", b))
    document = diff_document(found, compare_texts({}, {}), with_tensors=True)
    text = json.dumps(document, allow_nan=False)
    tensors = {tensor["name"]: tensor for tensor in json.loads(text)["tensors"]}
    assert tensors["zero"]["figures"]["not_finite_b"] == 64
    assert tensors["ids"]["exact"] is True
    assert "tensors" not in diff_document(found, None, with_tensors=False)
