"""Which metadata counts: what a person activated, kept, and never replaced in silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from app.errors import ProviderFailed, Refusal, RequestNotPossible
from app.model import SourceId
from app.signin.saml import SamlSource
from app.signin.saml_trust import REREAD, RETRY
from tests.signin.saml.builders import (
    BASE,
    METADATA_URL,
    NOW,
    PROVIDER,
    Idp,
    Known,
    Web,
    ec_key,
    keyring,
    pending,
    proof,
    rsa_key,
    signed,
)

HONEST = Idp()
SWAPPED = Idp(key=rsa_key("mallory"))


class Place:
    """A provider at an address, our store, and as many workers as a test wants."""

    def __init__(self, idp: Idp | None = HONEST) -> None:
        self.web = Web({METADATA_URL: idp.metadata()} if idp else {})
        self.known = Known()

    def worker(self, url: str = METADATA_URL, base: str = BASE) -> SamlSource:
        return SamlSource(replace(PROVIDER, metadata_url=url), keyring(), base, self.web, self.known)


def outcome(corp: SamlSource, idp: Idp, now: datetime = NOW) -> str:
    """How a sign-in through a provider ends: a subject or a refusal's code."""
    try:
        started = corp.start(now)
        document = signed(idp.document(started.secrets["request_id"], now=now), idp.key)
        return corp.finish(pending(started, now), proof(started, document), now).identity.subject
    except Refusal as refusal:
        return refusal.code


def test_metadata_is_fetched_once_and_kept() -> None:
    place = Place()
    corp = place.worker()
    for _ in range(5):
        assert outcome(corp, HONEST) == "ana-4f1c"
    assert place.web.asked == [METADATA_URL]
    assert list(place.known.rows.values()) == [HONEST.metadata()]


def test_sign_in_goes_on_while_the_provider_is_down_also_in_a_new_worker() -> None:
    place = Place()
    first = place.worker()
    assert outcome(first, HONEST) == "ana-4f1c"
    place.web.pages.clear()
    later = NOW + timedelta(days=3)
    assert outcome(first, HONEST, later) == "ana-4f1c"
    assert outcome(place.worker(), HONEST, later) == "ana-4f1c"
    assert place.web.asked == [METADATA_URL]


def test_swapped_metadata_is_never_adopted_in_silence() -> None:
    place = Place()
    corp = place.worker()
    assert outcome(corp, HONEST) == "ana-4f1c"
    place.web.pages[METADATA_URL] = SWAPPED.metadata()
    for worker in (corp, place.worker()):
        for later in (NOW, NOW + timedelta(minutes=5), NOW + timedelta(days=400)):
            assert outcome(worker, SWAPPED, later) == "saml.signature"
            assert outcome(worker, HONEST, later) == "ana-4f1c"


def test_a_change_counts_once_a_person_has_activated_it_and_in_every_worker() -> None:
    place = Place()
    operator, serving = place.worker(), place.worker()
    assert outcome(serving, HONEST) == "ana-4f1c"
    rolled = replace(
        HONEST, key=ec_key("next"), listed=(HONEST.key, ec_key("next")), sso="https://new.acme.test/sso"
    )
    place.web.pages[METADATA_URL] = rolled.metadata()
    change = operator.compare()
    assert change.differs
    assert outcome(operator, HONEST) == "ana-4f1c"
    assert list(place.known.rows.values()) == [HONEST.metadata()]
    lines = change.lines()
    assert lines[0] == "sign-in address: https://idp.acme.test/sso → https://new.acme.test/sso"
    assert len(lines) == 2
    assert lines[1].startswith("+ signing certificate SHA-256 ")
    operator.activate(change, NOW)
    assert operator.start(NOW).outbound.url.startswith("https://new.acme.test/sso?")
    assert serving.start(NOW).outbound.url.startswith("https://idp.acme.test/sso?")
    assert serving.start(NOW + REREAD).outbound.url.startswith("https://new.acme.test/sso?")


def test_a_withdrawn_certificate_is_out_within_a_minute_in_every_worker() -> None:
    place = Place(replace(HONEST, listed=(HONEST.key, SWAPPED.key)))
    operator, serving = place.worker(), place.worker()
    assert outcome(serving, SWAPPED) == "ana-4f1c"
    place.web.pages[METADATA_URL] = HONEST.metadata()
    change = operator.compare()
    assert [line[0] for line in change.lines()] == ["-"]
    operator.activate(change, NOW)
    assert outcome(operator, SWAPPED) == "saml.signature"
    assert outcome(serving, SWAPPED, NOW + REREAD) == "saml.signature"
    assert outcome(serving, HONEST, NOW + REREAD) == "ana-4f1c"


def test_what_was_seen_is_what_is_activated() -> None:
    """The provider changes again between the look and the word."""
    place = Place()
    operator = place.worker()
    operator.start(NOW)
    wished = replace(HONEST, wants_signed=True)
    place.web.pages[METADATA_URL] = wished.metadata()
    change = operator.compare()
    assert change.lines() == ("signed requests: not wanted → wanted",)
    place.web.pages[METADATA_URL] = SWAPPED.metadata()
    operator.activate(change, NOW)
    assert list(place.known.rows.values()) == [wished.metadata()]


def test_the_same_metadata_is_no_change() -> None:
    place = Place()
    corp = place.worker()
    corp.start(NOW)
    assert not corp.compare().differs
    assert corp.compare().lines() == ()


def test_the_first_look_shows_everything() -> None:
    change = Place().worker().compare()
    assert change.before is None
    assert change.differs
    assert [line.split(":")[0] for line in change.lines()[:3]] == [
        "entity ID",
        "sign-in address",
        "signed requests",
    ]
    assert change.lines()[3].startswith("+ signing certificate SHA-256 ")
    assert "PRIVATE" not in repr(change)


def test_kept_metadata_that_cannot_be_read_any_more_is_shown_as_none() -> None:
    place = Place()
    place.known.rows["corp", METADATA_URL] = b"torn"
    corp = place.worker()
    assert outcome(corp, HONEST) == "provider.failed"
    change = corp.compare()
    assert change.before is None
    corp.activate(change, NOW)
    assert outcome(corp, HONEST) == "ana-4f1c"


def test_a_change_of_another_source_is_not_activated() -> None:
    place = Place()
    corp = place.worker()
    change = corp.compare()
    for crossed in (
        replace(change, source=SourceId("partner")),
        replace(change, url="https://evil.test/metadata"),
    ):
        with pytest.raises(RequestNotPossible):
            corp.activate(crossed, NOW)
    with pytest.raises(ProviderFailed):
        corp.activate(replace(change, document=b"garbage"), NOW)
    assert place.known.rows == {}


def test_another_address_is_another_activation() -> None:
    place = Place()
    assert outcome(place.worker(), HONEST) == "ana-4f1c"
    moved = "https://idp.acme.test/new-metadata"
    place.web.pages[moved] = SWAPPED.metadata()
    assert outcome(place.worker(moved), SWAPPED) == "ana-4f1c"
    assert outcome(place.worker(), SWAPPED) == "saml.signature"


def test_of_two_workers_that_start_at_once_the_kept_copy_counts_for_both() -> None:
    place = Place()
    late = place.worker()
    real = place.web.get

    def overtaken(url: str, /) -> object:
        answer = real(url)
        place.known.remember(SourceId("corp"), url, SWAPPED.metadata(), NOW)
        return answer

    place.web.get = overtaken  # type: ignore[method-assign, assignment]
    assert outcome(late, HONEST) == "saml.signature"
    assert outcome(late, SWAPPED) == "ana-4f1c"


@pytest.mark.parametrize("body", [b"", b"garbage", b"<html/>", b"\x1f\x8b\x08", b"<a>" * 1000])
def test_a_provider_that_serves_garbage_is_a_failed_provider_and_nothing_is_kept(body: bytes) -> None:
    place = Place()
    place.web.pages[METADATA_URL] = body
    assert outcome(place.worker(), HONEST) == "provider.failed"
    assert place.known.rows == {}


def test_a_provider_that_answers_with_an_error_page_is_a_failed_provider() -> None:
    place = Place()
    place.web.status = 500
    assert outcome(place.worker(), HONEST) == "provider.failed"


def test_a_provider_that_is_down_is_asked_again_after_a_moment_and_not_by_every_sign_in() -> None:
    place = Place(None)
    corp = place.worker()
    for _ in range(10):
        assert outcome(corp, HONEST) == "provider.failed"
    assert len(place.web.asked) == 1
    place.web.pages[METADATA_URL] = HONEST.metadata()
    assert outcome(corp, HONEST, NOW + RETRY) == "ana-4f1c"


def test_metadata_is_fetched_over_https_unless_we_are_on_this_machine() -> None:
    url = "http://127.0.0.1:8001/metadata"
    local = Idp(sso="http://127.0.0.1:8001/sso")
    place = Place(None)
    place.web.pages[url] = local.metadata()
    assert outcome(place.worker(url), local) == "provider.failed"
    assert place.web.asked == []
    started = place.worker(url, "http://localhost:8000").start(NOW)
    assert started.outbound.url.startswith("http://127.0.0.1:8001/sso?")


def test_metadata_from_a_file_is_the_file() -> None:
    web = Web()
    provider = replace(PROVIDER, metadata_url=None, metadata_xml=HONEST.metadata())
    corp = SamlSource(provider, keyring(), BASE, web, Known())
    for later in (NOW, NOW + timedelta(days=365)):
        assert outcome(corp, HONEST, later) == "ana-4f1c"
    assert web.asked == []
    with pytest.raises(RequestNotPossible):
        corp.compare()
    torn = SamlSource(replace(provider, metadata_xml=b"torn"), keyring(), BASE, web, Known())
    assert outcome(torn, HONEST) == "provider.failed"


def test_warming_reads_what_is_kept_never_fetches_and_never_fails() -> None:
    place = Place(replace(HONEST, wants_signed=True))
    cold = place.worker()
    cold.warm()
    assert place.web.asked == []
    assert b'AuthnRequestsSigned="false"' in cold.metadata().body
    cold.start(NOW)
    warm = place.worker()
    warm.warm()
    assert b'AuthnRequestsSigned="true"' in warm.metadata().body
    place.known.rows["corp", METADATA_URL] = b"torn"
    torn = place.worker()
    torn.warm()
    assert b"SPSSODescriptor" in torn.metadata().body
