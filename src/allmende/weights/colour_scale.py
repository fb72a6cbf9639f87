"""A scale of colours for relative changes: even steps in a perceptual space, one decade as far as the next.

Colours are mixed in OKLCH (Ottosson 2020, https://bottosson.github.io/posts/oklab/), whose lightness is even
to the eye: it falls linearly from the smallest change to the largest, so the scale also holds in grey and for
people who see few colours. On a dark ground it runs the other way.
"""

import math
from dataclasses import dataclass

__all__ = ["STEPS", "LogScale", "is_dark_ink", "ramp"]

STEPS = 24

_LIGHTEST, _DARKEST = 0.95, 0.30
_MOST_DECADES = 8
_INK_TURNS_AT = 0.57
"""Where black and white letters are as easy to read."""


@dataclass(frozen=True, slots=True)
class LogScale:
    """A logarithmic scale from 10**`first` to 10**`last`; what lies outside takes the colour of its end."""

    first: int
    last: int

    @classmethod
    def over(cls, values: list[float]) -> "LogScale":
        """Whole decades that hold the values, at least two and at most eight (the largest)."""
        logs = [math.log10(value) for value in values if value > 0]
        if not logs:
            return cls(-6, 0)
        last = math.ceil(max(logs))
        return cls(max(min(math.floor(min(logs)), last - 2), last - _MOST_DECADES), last)

    def place(self, value: float) -> float:
        """Where on the scale a value above zero stands, 0 to 1."""
        return min(1.0, max(0.0, (math.log10(value) - self.first) / (self.last - self.first)))

    def step(self, value: float) -> int:
        """The number of its colour."""
        return min(STEPS - 1, int(self.place(value) * STEPS))


def ramp(*, dark: bool) -> list[str]:
    """The colours from the smallest change to the largest, as `#rrggbb`."""
    colours = [_hex(*_oklch(step / (STEPS - 1))) for step in range(STEPS)]
    return colours[::-1] if dark else colours


def is_dark_ink(step: int, *, dark: bool) -> bool:
    """Whether text on this colour is to be dark."""
    place = step / (STEPS - 1)
    return _lightness(1 - place if dark else place) > _INK_TURNS_AT


def _lightness(place: float) -> float:
    return _LIGHTEST + (_DARKEST - _LIGHTEST) * place


def _oklch(place: float) -> tuple[float, float, float]:
    """Lightness, chroma and hue: from pale sand over green to a deep blue."""
    return _lightness(place), 0.035 + 0.095 * math.sin(math.pi * min(1.0, place * 0.85)), 100 + 165 * place


def _hex(lightness: float, chroma: float, hue: float) -> str:
    red, green, blue = _linear_rgb(lightness, chroma, hue)
    while not all(-1e-4 <= channel <= 1 + 1e-4 for channel in (red, green, blue)):
        chroma *= 0.97
        red, green, blue = _linear_rgb(lightness, chroma, hue)
    return "#" + "".join(f"{round(255 * _gamma(channel)):02x}" for channel in (red, green, blue))


def _linear_rgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )


def _gamma(channel: float) -> float:
    channel = min(1.0, max(0.0, channel))
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055
