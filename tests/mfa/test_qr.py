"""QR codes stand in a page under our Content-Security-Policy."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import segno
from hypothesis import given
from hypothesis import strategies as st

from app.mfa import qr
from app.mfa.registry import KINDS
from app.mfa.seam import RelyingParty

from .house import person

ALLOWED = {
    "svg": {"viewBox", "class"},
    "title": set(),
    "path": {"fill", "stroke", "d"},
}


def drawn(svg: str) -> set[tuple[int, int]]:
    """The dark modules, from the path of horizontal strokes, without the white border."""
    path = next(each for each in ET.fromstring(svg).iter("path") if "stroke" in each.attrib)
    dark, x, y = set(), 0.0, 0.0
    for step in path.attrib["d"].replace("M", " M ").replace("m", " m ").replace("h", " h ").split(" h "):
        length, *move = step.split()
        if length not in "Mm":
            for at in range(int(length)):
                dark.add((int(x) + at - 4, int(y - 0.5) - 4))
            x += int(length)
        else:
            move = [length, *move]
        if move:
            how, dx, dy = move
            x, y = (float(dx), float(dy)) if how == "M" else (x + float(dx), y + float(dy))
    return dark


@given(st.text(min_size=1, max_size=80), st.text(max_size=40))
def test_nothing_inline_and_nothing_from_elsewhere(text, title):
    title = "".join(each for each in title if each.isprintable())
    try:
        text.encode()
        title.encode()
    except UnicodeEncodeError:
        return
    root = ET.fromstring(qr.svg(text, title))
    for element in root.iter():
        assert set(element.attrib) <= ALLOWED[element.tag]
    assert not title or root.find("title").text == title


def test_it_draws_the_code_of_the_text():
    text = KINDS["totp"].begin(RelyingParty("a.example", "https://a.example", "Acme"), person(), ()).uri
    expected = {
        (x, y)
        for y, row in enumerate(segno.make(text, error="m", micro=False, boost_error=False).matrix)
        for x, module in enumerate(row)
        if module
    }
    assert drawn(qr.svg(text)) == expected


def test_the_longest_names_fit():
    party = RelyingParty("a.example", "https://a.example", "会" * 500)
    uri = KINDS["totp"].begin(party, person("𝔞" * 500), ()).uri
    assert "<svg" in qr.svg(uri)
