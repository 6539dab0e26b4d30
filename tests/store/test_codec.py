"""Documents and digests are what they were: rows of any daypass are found and read by the next."""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from app.store.codec import digest, dump, load, person_key

TEXT = st.text(st.characters(codec=None, exclude_categories=()))
DOCUMENT = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(TEXT, inner),
)


@given(DOCUMENT)
def test_documents_are_sorted_ascii_json_without_spaces(document):
    text = dump(document)
    assert text == json.dumps(document, separators=(",", ":"), sort_keys=True)
    assert text.isascii()
    assert load(text) == json.loads(text)


@given(st.lists(TEXT))
def test_a_digest_is_that_of_its_parts_as_a_document(parts):
    assert digest(*parts) == hashlib.sha256(dump(parts).encode()).hexdigest()


def test_keys_of_rows_that_are_there_stay():
    assert (
        digest("once", "n", 'v"\\\u00e9\ud800')
        == "be48fd6a396c534aa8530240abdcf3394f42d6b5fd80a8c420315b7b45bd14d6"
    )
    assert (
        person_key("corp", "ana-4f1c") == "950bbf3ec29138a1827ac5a8b0690532a7217c6e5c5c4524656be97d6e689c4f"
    )
