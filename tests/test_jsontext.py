"""JSON as text: the same as the library's own way there."""

import json
from enum import IntEnum, StrEnum
from json import encoder

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.jsontext import dump, writer

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(anything, st.booleans(), st.sampled_from([(", ", ": "), (",", ":")]))
def test_documents_are_written_as_the_library_writes_them(document, ensure_ascii, separators):
    given = writer(ensure_ascii=ensure_ascii, separators=separators)(document)
    assert given == json.dumps(document, ensure_ascii=ensure_ascii, separators=separators)


@given(anything)
def test_dump_says_what_json_dumps_says(document):
    assert dump(document) == json.dumps(document)


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    YES = "yes"


@pytest.mark.parametrize("document", [Number.ONE, Word.YES, [Number.ONE], {"a": Word.YES}])
def test_members_of_enumerations_are_written_as_what_they_are(document):
    assert dump(document) == json.dumps(document)


@pytest.mark.parametrize("document", [object(), b"bytes", {"a": {1, 2}}, {(): 1}])
def test_what_json_has_no_word_for_is_an_error(document):
    with pytest.raises(TypeError):
        dump(document)


def test_without_an_encoder_in_c_the_librarys_own_writes(monkeypatch):
    monkeypatch.setattr(encoder, "c_make_encoder", None)
    assert writer(ensure_ascii=False, separators=(",", ":"))({"a": ["é", 1]}) == '{"a":["é",1]}'
