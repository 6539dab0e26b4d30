"""Whatever is done to a good response: it is refused, or it still speaks of the same person."""

from __future__ import annotations

import copy
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from app.errors import Refusal
from app.model import Identity
from tests.signin.saml.builders import NAMES, PASSWORD, PHONE, Acme
from tests.signin.saml.library import second_opinion

PIECES = [
    b"<",
    b">",
    b"&",
    b'"',
    b"<!---->",
    b"<![CDATA[x]]>",
    b"<?x?>",
    b"\0",
    b" ",
    b"\n",
    b"mallory",
    b"&#0;",
    b"&#x6d;",
    b"<x/>",
    b"2.0",
    b"Assertion",
    b"</saml:Assertion>",
    b'ID="_assertion"',
    b"\xef\xbb\xbf",
]


@cache
def place() -> tuple[Acme, bytes, Identity]:
    acme = Acme()
    document = acme.response(response=True)
    return acme, document, acme.finish(document).identity


def harmless(document: bytes) -> bool:
    """Refused, or the same person, by the library's word too; any other exception fails the test."""
    acme, untouched, honest = place()
    if document == untouched:
        return True
    try:
        identity = acme.finish(document).identity
    except Refusal as refusal:
        assert refusal.status < 500
        assert refusal.detail.isprintable()
        assert len(refusal.detail) < 400
        return False
    assert identity == honest
    assert second_opinion(acme, document) is not None, "we accept what the library refuses"
    return True


@settings(max_examples=1_000, deadline=None)
@given(
    at=st.integers(0, 10_000),
    length=st.integers(0, 60),
    put=st.one_of(st.binary(max_size=12), st.sampled_from(PIECES)),
)
def test_bytes_put_in_or_cut_out_never_make_another_person(at: int, length: int, put: bytes) -> None:
    _, document, _ = place()
    at %= len(document)
    harmless(document[:at] + put + document[at + length :])


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_pieces_of_it_put_elsewhere_never_make_another_person(data: st.DataObject) -> None:
    _, document, _ = place()
    a, b, c = sorted(data.draw(st.integers(0, len(document))) for _ in range(3))
    how = data.draw(st.sampled_from(["swap", "double", "move"]))
    if how == "swap":
        mutated = document[:a] + document[b:c] + document[a:b] + document[c:]
    elif how == "double":
        mutated = document[:b] + document[a:b] + document[b:]
    else:
        mutated = document[:a] + document[b:] + document[a:b]
    harmless(mutated)


def branches(root: etree._Element) -> list[etree._Element]:
    return [element for element in root.iter() if element is not root]


@settings(max_examples=1_000, deadline=None)
@given(data=st.data())
def test_a_tree_rebuilt_from_its_branches_never_makes_another_person(data: st.DataObject) -> None:
    """Wrapping as a machine would invent it: branches copied, moved, wrapped, renamed, cut."""
    _, document, _ = place()
    root = etree.fromstring(document)
    for _ in range(data.draw(st.integers(1, 4))):
        elements = branches(root)
        if not elements:
            break
        one = elements[data.draw(st.integers(0, len(elements) - 1))]
        other = elements[data.draw(st.integers(0, len(elements) - 1))]
        change(data, root, one, other)
    harmless(etree.tostring(root))


def change(data: st.DataObject, root: etree._Element, one: etree._Element, other: etree._Element) -> None:
    how = data.draw(st.sampled_from(["copy", "move", "wrap", "cut", "text", "attribute", "identify", "name"]))
    parent = one.getparent()
    assert parent is not None
    within = any(ancestor is one for ancestor in [other, *other.iterancestors()])
    if how == "copy":
        other.insert(data.draw(st.integers(0, len(other))), copy.deepcopy(one))
    elif how == "move" and not within:
        other.insert(data.draw(st.integers(0, len(other))), one)
    elif how == "wrap":
        name = data.draw(st.sampled_from(["samlp:Extensions", "saml:Advice", "ds:Object", "saml:Assertion"]))
        prefix, local = name.split(":")
        box = etree.Element(f"{{{NAMES[prefix]}}}{local}")
        parent.replace(one, box)
        box.append(one)
    elif how == "cut":
        parent.remove(one)
    elif how == "text":
        one.text = data.draw(st.sampled_from(["mallory", "", " ", "root", PHONE, PASSWORD, "ana", None]))
    elif how == "attribute" and len(one.attrib):
        name = data.draw(st.sampled_from(sorted(one.attrib)))
        one.set(
            name, data.draw(st.sampled_from(["", "x", "_assertion", "_response", "2.0", "#_response", "uid"]))
        )
    elif how == "identify":
        one.set(
            data.draw(st.sampled_from(["ID", "Id", "id"])), data.draw(st.sampled_from(["_assertion", "_new"]))
        )
    elif how == "name":
        one.tag = other.tag


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=400))
def test_any_text_for_an_answer_is_refused(text: str) -> None:
    acme, _, _ = place()
    assert acme.refusal(text).code == "saml.shape"


@settings(max_examples=300, deadline=None)
@given(document=st.binary(max_size=400))
def test_any_bytes_for_a_document_are_refused(document: bytes) -> None:
    acme, _, _ = place()
    assert acme.refusal(document).code == "saml.shape"


VALUES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=40
)


@settings(max_examples=200, deadline=None)
@given(value=VALUES, name_id=VALUES)
def test_what_the_provider_signs_is_read_whole_and_unchanged(value: str, name_id: str) -> None:
    acme, _, _ = place()
    rows = [("uid", None, ["ana"]), ("memberOf", None, ["sre"]), ("note", None, [value])]
    try:
        identity = acme.finish(acme.response({"attributes": rows, "name_id": name_id})).identity
    except Refusal as refusal:
        assert refusal.code in {"identity.incomplete", "saml.content"}
        return
    assert (identity.subject, identity.claims["note"]) == (name_id, (value,))
