"""What files take, in words."""

import pytest

from allmende.flows import ContentsFigures
from allmende.web.messages import catalogue
from allmende.web.stored import stored_words


def figures(content: int, sharing: int = 0, prediction: int = 0, compression: int = 0) -> ContentsFigures:
    stored = content - sharing - prediction - compression
    return ContentsFigures(content, content, stored, 0, sharing, prediction, compression)


def test_what_is_saved_is_said_with_the_means() -> None:
    kept, saved = stored_words(figures(10_000_000, 5_000_000, 3_000_000, 1_000_000), catalogue("en"))
    assert kept == "10.0 MB, kept in 1.00 MB"
    means = (
        "5.00 MB as other files have the same",
        "3.00 MB as it follows from a relative",
        "1.00 MB by coding",
    )
    assert saved == f"Saved: {', '.join(means)}."


def test_means_that_save_nothing_are_not_named() -> None:
    assert stored_words(figures(2_000, compression=500), catalogue("en"))[1] == "Saved: 500 B by coding."


@pytest.mark.parametrize("language", ["en", "de"])
def test_where_nothing_is_saved_only_the_size_is_said(language: str) -> None:
    t = catalogue(language)
    assert stored_words(figures(0), t) == ("0 B", "")
    assert stored_words(figures(2_000), t) == (t.size(2_000), "")
