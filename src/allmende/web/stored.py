"""What files take on the hub, in words: how much they are, how much is kept, and what makes it less."""

from allmende.flows import ContentsFigures
from allmende.web.messages import Catalogue

__all__ = ["stored_words"]

_MEANS = ("sharing", "prediction", "compression")


def stored_words(figures: ContentsFigures, t: Catalogue) -> tuple[str, str]:
    """The sizes, and by which means it is less; the second is empty while nothing is saved."""
    whole = t.size(figures.content_bytes)
    saved = (
        figures.saved_by_sharing_bytes,
        figures.saved_by_prediction_bytes,
        figures.saved_by_compression_bytes,
    )
    if figures.stored_bytes >= figures.content_bytes:
        return whole, ""
    told = [
        f"{t.size(count)} {t(f'stored.{means}')}"
        for means, count in zip(_MEANS, saved, strict=True)
        if count > 0
    ]
    return (
        t("stored.kept", whole=whole, kept=t.size(figures.stored_bytes)),
        t("stored.saved", means=", ".join(told)),
    )
