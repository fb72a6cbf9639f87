"""The map of what changed by layer: colours, signs where there is no number, labels, odd documents."""

import re
from pathlib import Path

import pytest

from allmende.formats import JsonObject
from allmende.web import heat_map
from allmende.web.heat_map import COLOURS, heat_map_of
from allmende.web.messages import catalogue
from allmende.weights import STEPS, ramp

EN, DE = catalogue("en"), catalogue("de")


def cell(relative: float | None, share: float = 1.0, **counts: int) -> JsonObject:
    found: JsonObject = {"relative": relative, "share": share, "elements": 4, "tensors": 1}
    return found | counts


def document() -> JsonObject:
    return {
        "rows": [
            {
                "label": "input",
                "layer": None,
                "kinds": {"embeddings": cell(None, added=2)},
                "all": cell(None),
            },
            {
                "label": "layer 0",
                "layer": 0,
                "kinds": {"q": cell(0.0, 0.0), "norm": cell(1e-4), "up": cell(1e-2, 0.5, reshaped=1)},
                "all": cell(1e-3),
            },
        ],
        "rows_left_out": 3,
        "all": cell(1e-3),
    }


def test_a_cell_has_a_colour_by_its_decade_or_a_sign_where_it_has_no_number() -> None:
    found = heat_map_of(document(), EN)
    assert found.kinds == ("embed.", "q", "up", "norm")
    embeddings, nothing, *_rest = found.rows[0].cells
    assert nothing is None
    assert embeddings is not None
    assert (embeddings.mark, embeddings.says, embeddings.told) == ("odd", "\N{EN DASH}", "2 new")
    _none, q, up, norm = found.rows[1].cells
    assert q is not None
    assert up is not None
    assert norm is not None
    assert (q.mark, q.says, q.told) == ("zero", "0", "not changed")
    assert (norm.mark, up.mark) == ("heat-0", f"heat-{COLOURS - 1}")
    assert up.told == "relative change 0.01; 50% of the weights are other ones; 1 of another shape"
    assert found.ticks == ((0.0, "1e-4"), (0.5, "1e-3"), (1.0, "1e-2"))
    assert found.left_out == 3


def test_the_words_are_of_the_language_of_the_page() -> None:
    found = heat_map_of(document(), DE)
    assert [row.label for row in found.rows] == ["Eingang", "Schicht 0"]
    assert found.rows[1].whole.says == "0,001"


def test_every_cell_is_drawn_within_the_picture() -> None:
    found = heat_map_of(document(), EN)
    assert len(found.drawn) == 4
    for drawn in found.drawn:
        assert 0 < drawn.x < drawn.x + found.cell_width <= found.width
        assert 0 < drawn.y < drawn.y + found.cell_height <= found.height
    assert found.drawn[0].title == "input, embed.: 2 new"


@pytest.mark.parametrize(
    "broken", [{}, {"rows": None}, {"rows": [1, {"kinds": 2}]}, {"rows": [{"kinds": {"q": None}}], "all": []}]
)
def test_a_document_of_another_shape_is_a_map_without_numbers(broken: JsonObject) -> None:
    assert all(drawn.mark == "odd" for drawn in heat_map_of(broken, EN).drawn)


def test_a_long_label_is_cut() -> None:
    row: JsonObject = {"label": "x" * 300, "layer": 1, "kinds": {"q": cell(0.1)}, "all": cell(0.1)}
    assert len(heat_map_of({"rows": [row], "all": cell(0.1)}, EN).rows[0].label) == 32


def test_the_style_sheet_has_the_colours_of_the_scale_for_light_and_dark() -> None:
    sheet = (Path(heat_map.__file__).parent / "static" / "style.css").read_text()
    tokens = dict(re.findall(r"--(heat-\d+): (#[0-9a-f]{6});", sheet))
    used = re.findall(r"\.heat-(\d+) \{ fill: var\(--(heat-\d+)\); \}", sheet)
    told = [(number, tokens[token]) for number, token in used]
    places = [round(number * (STEPS - 1) / (COLOURS - 1)) for number in range(COLOURS)]
    wanted = [
        (str(number), colours[place])
        for colours in (ramp(dark=False), ramp(dark=True))
        for number, place in enumerate(places)
    ]
    assert told == wanted
