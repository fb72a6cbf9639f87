"""Pictures of pages with at most 256 colours, a quarter of their size and to the eye the same.

A page has few colours, and many shades only at the edges of letters. Those that most points have are kept,
then those that are farthest from what is kept, so that a word in a colour of its own stays in it; every other
becomes the nearest of them. Chromium decodes the picture, since it is open anyway.
"""

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

__all__ = ["with_few_colours"]

Points = NDArray[np.int32]

_COLOURS = 256
_OFTEN = 192
"""How many of them are taken for being often there."""
_DECODE = """async text => {
    const picture = new Image();
    picture.src = 'data:image/png;base64,' + text;
    await picture.decode();
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    const brush = canvas.getContext('2d');
    brush.drawImage(picture, 0, 0);
    const points = brush.getImageData(0, 0, picture.width, picture.height).data;
    let made = '';
    for (let start = 0; start < points.length; start += 32768)
        made += String.fromCharCode(...points.subarray(start, start + 32768));
    return [picture.width, picture.height, btoa(made)];
}"""


def with_few_colours(png: bytes, page: Page) -> bytes:
    """The same picture as a PNG with a palette; `page` is an empty page, which decodes it."""
    width, height, text = page.evaluate(_DECODE, base64.b64encode(png).decode())
    points = np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 4)[:, :3].astype(np.int32)
    packed = points @ np.array([1 << 16, 1 << 8, 1], np.int32)
    found, place, count = np.unique(packed, return_inverse=True, return_counts=True)
    kept = np.sort(_chosen(found, count))
    nearest = np.argmin(_apart(_parts(found)[:, None], _parts(kept)[None]), axis=1)
    rows = nearest.astype(np.uint8)[place].reshape(height, width)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", _parts(kept).astype(np.uint8).tobytes()))
    chunks = (*parts, (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chosen(found: Points, count: NDArray[np.int64]) -> Points:
    """The palette out of all colours."""
    order = np.argsort(-count, kind="stable")
    kept = list(order[:_OFTEN])
    parts = _parts(found)
    far = _apart(parts[:, None], parts[kept][None]).min(axis=1)
    while len(kept) < min(_COLOURS, len(found)):
        kept.append(np.argmax(far))
        far = np.minimum(far, _apart(parts, parts[kept[-1]]))
    return found[kept]


def _apart(one: Points, other: Points) -> Points:
    """The squares of distances."""
    squares: Points = ((one - other) ** 2).sum(axis=-1)
    return squares


def _parts(packed: Points) -> Points:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
