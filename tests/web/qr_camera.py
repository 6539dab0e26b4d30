"""Reads a QR code from what stands on the screen, as a phone does (ISO/IEC 18004, 11): pixels, modules, codewords, text.

No error correction: a screenshot has no dirt on it. The tables of block sizes and alignment patterns are segno's.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from segno import consts

Modules = Sequence[Sequence[bool]]

_PIXELS = """async (source) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width; canvas.height = image.height;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const data = context.getImageData(0, 0, image.width, image.height).data;
  const rows = [];
  for (let y = 0; y < image.height; y += 1) {
    let row = "";
    for (let x = 0; x < image.width; x += 1) row += data[4 * (y * image.width + x)] < 128 ? "1" : "0";
    rows.push(row);
  }
  return rows;
}"""
_MASKS = (
    lambda y, x: (y + x) % 2 == 0,
    lambda y, x: y % 2 == 0,
    lambda y, x: x % 3 == 0,
    lambda y, x: (y + x) % 3 == 0,
    lambda y, x: (y // 2 + x // 3) % 2 == 0,
    lambda y, x: (y * x) % 2 + (y * x) % 3 == 0,
    lambda y, x: ((y * x) % 2 + (y * x) % 3) % 2 == 0,
    lambda y, x: ((y + x) % 2 + (y * x) % 3) % 2 == 0,
)
_LEVELS = {
    0b01: consts.ERROR_LEVEL_L,
    0b00: consts.ERROR_LEVEL_M,
    0b11: consts.ERROR_LEVEL_Q,
    0b10: consts.ERROR_LEVEL_H,
}


def photograph(context, element) -> Modules:
    """The modules of the code in an element of a page."""
    picture = base64.b64encode(element.screenshot()).decode()
    blank = context.new_page()
    try:
        rows = blank.evaluate(_PIXELS, f"data:image/png;base64,{picture}")
    finally:
        blank.close()
    dark = [(x, y) for y, row in enumerate(rows) for x, bit in enumerate(row) if bit == "1"]
    left, top = min(x for x, _ in dark), min(y for _, y in dark)
    width = max(x for x, _ in dark) - left + 1
    finder = rows[top].index("0", left) - left  # seven modules
    size = round(width / (finder / 7))
    size = 17 + 4 * round((size - 17) / 4)
    module = width / size
    return [
        [rows[int(top + (y + 0.5) * module)][int(left + (x + 0.5) * module)] == "1" for x in range(size)]
        for y in range(size)
    ]


def text(modules: Modules) -> str:
    """What the code says; only the byte mode is known."""
    size = len(modules)
    version = (size - 17) // 4
    formatted = _number([modules[8][x] for x in (0, 1, 2, 3, 4)]) ^ 0b10101
    mask, level = _MASKS[formatted & 0b111], _LEVELS[formatted >> 3]
    bits = [modules[y][x] ^ mask(y, x) for y, x in _path(size, version)]
    words = [_number(bits[at : at + 8]) for at in range(0, len(bits) - 7, 8)]
    stream = "".join(f"{word:08b}" for word in _data(words, version, level))
    assert stream[:4] == "0100", "not the byte mode"
    counted = 8 if version < 10 else 16
    length = int(stream[4 : 4 + counted], 2)
    body = stream[4 + counted : 4 + counted + 8 * length]
    return bytes(int(body[at : at + 8], 2) for at in range(0, len(body), 8)).decode()


def _data(words: Sequence[int], version: int, level: int) -> list[int]:
    """The data codewords in order, out of their interleaved blocks."""
    sizes = [block.num_data for block in consts.ECC[version][level] for _ in range(block.num_blocks)]
    blocks: list[list[int]] = [[] for _ in sizes]
    rest = iter(words)
    for column in range(max(sizes)):
        for block, size in zip(blocks, sizes, strict=True):
            if column < size:
                block.append(next(rest))
    return [word for block in blocks for word in block]


def _path(size: int, version: int) -> Iterator[tuple[int, int]]:
    """Where the bits stand: pairs of columns from the right, up and down, but for the patterns."""
    up = True
    for right in (*range(size - 1, 6, -2), 5, 3, 1):
        for y in range(size - 1, -1, -1) if up else range(size):
            for x in (right, right - 1):
                if not _patterned(y, x, size, version):
                    yield y, x
        up = not up


def _patterned(y: int, x: int, size: int, version: int) -> bool:
    corner = (y < 9 and (x < 9 or x >= size - 8)) or (y >= size - 8 and x < 9)
    timing = y == 6 or x == 6
    told = version >= 7 and ((y < 6 and size - 11 <= x < size - 8) or (x < 6 and size - 11 <= y < size - 8))
    if corner or timing or told:
        return True
    at = consts.ALIGNMENT_POS[version - 2] if version > 1 else ()
    ends = {(6, 6), (6, size - 7), (size - 7, 6)}
    return any(abs(y - cy) <= 2 and abs(x - cx) <= 2 for cy in at for cx in at if (cy, cx) not in ends)


def _number(bits: Sequence[bool]) -> int:
    return int("".join("1" if bit else "0" for bit in bits), 2)
