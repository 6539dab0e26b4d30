"""Every attack on the SAML side, mounted through the address where directories' answers arrive.

The broker runs as in production, with two workers. What the unit tests forge is posted here as it is; beside
it stand the attacks that need HTTP, cookies, two browsers or two workers at once.
"""

from __future__ import annotations

import gzip
import http.client
import threading
import time
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from app.limits import REFUSALS_PER_MINUTE
from tests.attacks.answers import refused
from tests.attacks.directories import Started
from tests.attacks.production import BINDING, LABS, SESSION, Mounted, Production
from tests.signin.saml import test_attacks as unit
from tests.signin.saml.builders import BASE, NOW, posted, signed, written

Body = Callable[[Production, Started], bytes]
"""What is posted."""

SOON_ENOUGH = 2.0
"""Seconds within which the broker answers, whatever it was sent."""
FORM = "application/x-www-form-urlencoded"
MALLORY = "203.0.113.66"
CODES_OVER_HTTP = {"24 MB": "request.too_large", "no answer": "request.malformed"}
"""What is refused before the document is looked at."""


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with Production(tmp_path_factory.mktemp("acme")) as company:
        yield company
        assert '"defect"' not in company.log()


@pytest.fixture(autouse=True)
def _the_unit_tests_time(acme: Production) -> None:
    acme.at(NOW)


def gets_in(acme: Production, answer: requests.Response, browser: requests.Session) -> None:
    assert answer.status_code == 303, answer.text
    assert browser.cookies[SESSION]
    assert acme.me(browser).json()["username"] == "ana"


def stays_out(acme: Production, answer: requests.Response, browser: requests.Session, code: str) -> None:
    refused(answer, code)
    assert SESSION not in answer.headers.get("Set-Cookie", "").replace(BINDING, "")
    refused(acme.me(browser), "session.missing")


def honest_twin(acme: Production) -> None:
    """Somebody else signs in right behind it, without having to wait."""
    began = time.perf_counter()
    started = acme.begin()
    answer = acme.post(started, acme.response(started))
    assert answer.status_code == 303, answer.text
    assert started.browser.cookies[SESSION]
    assert time.perf_counter() - began < SOON_ENOUGH


def post_form(
    acme: Production, browser: requests.Session, form: str | bytes, **headers: str
) -> requests.Response:
    """A form as it stands, to corp's address."""
    return browser.post(
        acme.acs,
        data=form,
        headers={"Content-Type": FORM, "Accept": "application/json", "Connection": "close", **headers},
        allow_redirects=False,
        timeout=30,
    )


def form_of(document: bytes | str, handle: str) -> str:
    """The directory's form; `urlencode` alone takes seconds for the largest."""
    if isinstance(document, str):
        return urlencode({"SAMLResponse": document, "RelayState": handle})
    plain = posted(document).replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    return f"SAMLResponse={plain}&RelayState={handle}"


# --- forged documents -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "attack", "code"), [row[:3] for row in unit.ROWS], ids=[row[0] for row in unit.ROWS]
)
def test_a_forged_answer_is_refused_and_the_next_honest_one_gets_in(
    acme: Production, name: str, attack: unit.Document, code: str
) -> None:
    started = acme.begin()
    form = form_of(attack(Mounted(acme.idp, started.request_id)), started.handle)  # type: ignore[arg-type]
    acme.at(NOW)
    began = time.perf_counter()
    answer = post_form(acme, started.browser, form)
    assert time.perf_counter() - began < SOON_ENOUGH
    stays_out(acme, answer, started.browser, CODES_OVER_HTTP.get(name, code))
    honest_twin(acme)


SLOW: dict[str, unit.Document] = {
    "XSLT": unit.grows(unit.unsigned_loops),
    "a device by reference": unit.grows(unit.set_uri("file:///dev/zero")),
    "2000 references": unit.grows(unit.bare_references),
}


@pytest.mark.parametrize("attack", SLOW.values(), ids=SLOW)
def test_work_before_the_check_holds_no_worker_however_often_it_is_sent(
    acme: Production, attack: unit.Document
) -> None:
    """As many at once as both workers have threads, from one address; then an honest person comes."""
    mallory = acme.browser()
    started = [acme.begin(mallory) for _ in range(32)]
    forms = [form_of(attack(Mounted(acme.idp, one.request_id)), one.handle) for one in started]  # type: ignore[arg-type]
    acme.at(NOW)
    answers = at_once([partial(post_form, acme, copy_of(acme, mallory), form) for form in forms])
    assert Counter(refused(answer) for answer in answers) == {"saml.shape": 32}
    began = time.perf_counter()
    assert acme.browser().get(f"{BASE}/healthz", timeout=SOON_ENOUGH).status_code == 200
    honest_twin(acme)
    assert time.perf_counter() - began < SOON_ENOUGH


# --- once, in one browser, at one address -----------------------------------------------------------------


def at_once(calls: Sequence[Callable[[], requests.Response]]) -> list[requests.Response]:
    """All calls in the same instant, each in a thread of its own."""
    gate = threading.Barrier(len(calls))

    def call(one: Callable[[], requests.Response]) -> requests.Response:
        gate.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def copy_of(acme: Production, browser: requests.Session) -> requests.Session:
    """The same cookies over a connection of its own, so that either worker may get it."""
    another = acme.browser()
    another.cookies.update(browser.cookies)
    return another


def outcomes(answers: Sequence[requests.Response]) -> Counter[str]:
    return Counter("in" if answer.status_code == 303 else refused(answer) for answer in answers)


def test_the_same_answer_twenty_times_at_once_lets_one_in(acme: Production) -> None:
    for _ in range(3):
        started = acme.begin()
        form = form_of(acme.response(started), started.handle)
        browsers = [copy_of(acme, started.browser) for _ in range(20)]
        answers = at_once([partial(post_form, acme, one, form) for one in browsers])
        assert outcomes(answers) == {"in": 1, "signin.not_started_here": 19}
        assert sum(acme.me(one).status_code == 200 for one in browsers) == 1


def test_one_assertion_for_twenty_sign_ins_at_once_lets_one_in(acme: Production) -> None:
    """A directory that gives each sign-in the same assertion ID, or a forger who could make it do so."""
    for turn in range(3):
        started = [acme.begin() for _ in range(20)]
        knobs = {"assertion_id": f"_the_same_{turn}"}
        forms = [form_of(acme.response(one, knobs), one.handle) for one in started]
        answers = at_once(
            [partial(post_form, acme, one.browser, form) for one, form in zip(started, forms, strict=True)]
        )
        assert outcomes(answers) == {"in": 1, "saml.replayed": 19}
    honest_twin(acme)


def test_an_answer_used_before_is_refused_in_every_browser(acme: Production) -> None:
    started = acme.begin()
    document = acme.response(started)
    gets_in(acme, acme.post(started, document), started.browser)
    # The binding cookie is gone after a sign-in; a thief would have kept it.
    for browser in (started.browser, acme.begin(copy_of(acme, started.browser)).browser, acme.browser()):
        again = Started(browser, started.request_id, started.handle)
        refused(acme.post(again, document), "signin.not_started_here")


def test_an_answer_in_a_new_envelope_is_still_the_same_answer(acme: Production) -> None:
    started = acme.begin()
    signed_once = acme.response(started)
    gets_in(acme, acme.post(started, signed_once), started.browser)
    rewrapped = signed_once.replace(f'ID="_r{started.request_id}"'.encode(), b'ID="_new_envelope"')
    assert rewrapped != signed_once
    again = acme.begin()
    stays_out(acme, acme.post(again, rewrapped), again.browser, "signin.not_started_here")


def test_the_attackers_answer_in_the_victims_browser_is_refused(acme: Production) -> None:
    """Login CSRF: the victim would work in the attacker's account."""
    attacker, victim, bystander = acme.begin(), acme.begin(), acme.browser()
    document = acme.response(attacker)
    for handle in (attacker.handle, victim.handle):
        crossed = Started(victim.browser, attacker.request_id, handle)
        stays_out(acme, acme.post(crossed, document), victim.browser, "signin.not_started_here")
    nothing_begun = Started(bystander, attacker.request_id, attacker.handle)
    stays_out(acme, acme.post(nothing_begun, document), bystander, "signin.not_started_here")
    # None of it used up what the attacker had begun: refused for the browser, not for the document.
    gets_in(acme, acme.post(attacker, document), attacker.browser)


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "x",
        "A" * 43,
        "A" * 4_000,
        '"quoted"',
        "\xff\xfe",
        "a,b",
        "../../etc",
        f"A; {SESSION}=B",
        " ",
        "=",
        "%00",
    ],
)
def test_an_answer_with_a_made_up_binding_cookie_is_refused(acme: Production, cookie: str) -> None:
    started = acme.begin()
    stranger = acme.browser()
    form = form_of(acme.response(started), started.handle)
    refused(
        post_form(acme, stranger, form, Cookie=f"{BINDING}={cookie}"),
        "signin.not_started_here",
    )
    gets_in(acme, post_form(acme, started.browser, form), started.browser)


def test_a_session_cookie_does_not_stand_in_for_the_binding(acme: Production) -> None:
    signed_in = acme.sign_in()
    started = acme.begin()
    form = form_of(acme.response(started), started.handle)
    refused(post_form(acme, signed_in, form), "signin.not_started_here")
    as_binding = f"{BINDING}={signed_in.cookies[SESSION]}"
    refused(post_form(acme, acme.browser(), form, Cookie=as_binding), "signin.not_started_here")
    assert acme.me(signed_in).status_code == 200


def test_an_answer_at_another_sources_address_is_refused(acme: Production) -> None:
    browser = acme.browser()
    at_corp, at_labs = acme.begin(browser), acme.begin(browser, source="labs")
    document = acme.response(at_corp)

    def to_labs(document: bytes, handle: str) -> requests.Response:
        return browser.post(
            f"{BASE}/saml/labs/acs",
            data=form_of(document, handle),
            headers={"Content-Type": FORM, "Accept": "application/json"},
            allow_redirects=False,
            timeout=20,
        )

    stays_out(acme, to_labs(document, at_corp.handle), browser, "signin.not_started_here")
    # With a sign-in of theirs: addressed to corp, and signed by corp's key.
    stays_out(acme, to_labs(document, at_labs.handle), browser, "saml.signature")
    # labs' own key speaks for corp, at corp's address and at its own.
    forged = signed(acme.document(at_corp), LABS.key)
    stays_out(acme, acme.post(at_corp, forged), browser, "saml.signature")
    at_labs = acme.begin(browser, source="labs")
    knobs: dict[str, object] = {
        "now": acme.now(),
        "acs": f"{BASE}/saml/labs/acs",
        "entity": f"{BASE}/saml/labs/metadata",
    }
    lying = LABS.document(at_labs.request_id, **knobs).replace(LABS.entity_id, acme.idp.entity_id)  # type: ignore[arg-type]
    stays_out(acme, to_labs(signed(lying, LABS.key), at_labs.handle), browser, "saml.issuer")
    at_labs = acme.begin(browser, source="labs")
    honest = LABS.document(at_labs.request_id, **knobs)  # type: ignore[arg-type]
    assert to_labs(signed(honest, LABS.key), at_labs.handle).status_code == 303
    assert acme.me(browser).json()["source"] == "labs"


def test_two_sources_may_use_the_same_assertion_id(acme: Production) -> None:
    """The mark is of issuer and ID, so that no directory can use up another's."""
    at_labs = acme.begin(source="labs")
    honest = LABS.document(
        at_labs.request_id,
        now=acme.now(),
        acs=f"{BASE}/saml/labs/acs",
        entity=f"{BASE}/saml/labs/metadata",
        assertion_id="_of_both",
    )
    answer = at_labs.browser.post(
        f"{BASE}/saml/labs/acs",
        data={"SAMLResponse": posted(signed(honest, LABS.key)), "RelayState": at_labs.handle},
        allow_redirects=False,
        timeout=20,
    )
    assert answer.status_code == 303
    started = acme.begin()
    gets_in(acme, acme.post(started, acme.response(started, {"assertion_id": "_of_both"})), started.browser)


# --- cookies off loopback ---------------------------------------------------------------------------------


def test_all_cookies_are_bound_to_this_host_and_hidden_from_scripts(acme: Production) -> None:
    browser = acme.browser()
    start = browser.get(f"{BASE}/sign-in/corp", allow_redirects=False, timeout=20)
    started = acme.begin(browser)
    done = acme.post(started, acme.response(started))
    (binding,) = start.raw.headers.getlist("Set-Cookie")
    session, device, taken_back = done.raw.headers.getlist("Set-Cookie")
    for line, name, site in (
        (binding, BINDING, "SameSite=None"),
        (session, SESSION, "SameSite=Lax"),
        (device, f"{SESSION}-device", "SameSite=None"),
        (taken_back, BINDING, "SameSite=None"),
    ):
        first, *attributes = line.split("; ")
        assert first.startswith(f"{name}=")
        assert {"Secure", "HttpOnly", "Path=/", site} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)
    assert done.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_cookie_that_a_sibling_host_could_plant_is_not_read(acme: Production) -> None:
    """`__Host-` cookies cannot be set for a whole domain; names without it could be."""
    attacker = acme.begin()
    form = form_of(acme.response(attacker), attacker.handle)
    planted = attacker.browser.cookies[BINDING]
    for name in ("daypass-signin", "daypass-signin-lax", BINDING.lower(), BINDING.removeprefix("__Host-")):
        refused(post_form(acme, acme.browser(), form, Cookie=f"{name}={planted}"), "signin.not_started_here")
    session = acme.sign_in().cookies[SESSION]
    for name in ("daypass", SESSION.lower()):
        answer = acme.browser().get(f"{BASE}/v1/me", headers={"Cookie": f"{name}={session}"}, timeout=20)
        refused(answer, "session.missing")
    gets_in(acme, post_form(acme, attacker.browser, form), attacker.browser)


# --- RelayState -------------------------------------------------------------------------------------------

RELAY_STATES = {
    "missing": None,
    "empty": "",
    "another site": "//evil.test",
    "another site by backslash": "/\\evil.test",
    "another site without slashes": "https:evil.test",
    "a whole address": "https://evil.test/",
    "line ends": "a\r\nLocation: https://evil.test",
    "script": "javascript:alert(1)",
    "a null": "\0",
    "more than 80 bytes": "A" * 81,
    "100 KB": "A" * 100_000,
    "not our alphabet": "é" * 43,
    "a wildcard": "%",
    "SQL": "' OR '1'='1",
}


@pytest.mark.parametrize("state", RELAY_STATES.values(), ids=RELAY_STATES)
def test_a_foreign_relay_state_is_refused_and_never_followed(acme: Production, state: str | None) -> None:
    started = acme.begin()
    fields = {"SAMLResponse": posted(acme.response(started))}
    answer = post_form(
        acme, started.browser, urlencode(fields | ({} if state is None else {"RelayState": state}))
    )
    assert "Location" not in answer.headers
    stays_out(acme, answer, started.browser, "signin.not_started_here")
    gets_in(
        acme,
        post_form(acme, started.browser, urlencode({**fields, "RelayState": started.handle})),
        started.browser,
    )


def test_nearly_the_right_relay_state_is_refused(acme: Production) -> None:
    started = acme.begin()
    document = acme.response(started)
    for state in (
        started.handle + "A",
        started.handle[:-1],
        started.handle.swapcase(),
        started.handle + "\n",
    ):
        crooked = Started(started.browser, started.request_id, state)
        stays_out(acme, acme.post(crooked, document), started.browser, "signin.not_started_here")
    gets_in(acme, acme.post(started, document), started.browser)


def test_the_person_lands_where_the_sign_in_began_and_not_where_the_answer_says(acme: Production) -> None:
    started = acme.begin(next_path="/?q=sandbox")
    answer = acme.post(started, acme.response(started), next="https://evil.test/", RelayState=started.handle)
    assert answer.headers["Location"] == "/?q=sandbox"


# --- time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (6 * 60 + 1, "saml.time"),
        (-62, "saml.time"),
        (10 * 60 + 1, "signin.not_started_here"),
        (86_400 * 365, "signin.not_started_here"),
    ],
    ids=["out of date", "not yet true", "begun more than ten minutes ago", "a year later"],
)
def test_the_brokers_own_clock_decides(acme: Production, seconds: int, code: str) -> None:
    started = acme.begin()
    document = acme.response(started)
    acme.at(NOW + timedelta(seconds=seconds))
    stays_out(acme, acme.post(started, document), started.browser, code)
    honest_twin(acme)


@pytest.mark.parametrize("seconds", [5 * 60 + 55, -55])
def test_a_clock_that_is_less_than_a_minute_off_keeps_nobody_out(acme: Production, seconds: int) -> None:
    started = acme.begin()
    document = acme.response(started)
    acme.at(NOW + timedelta(seconds=seconds))
    answer = acme.post(started, document)
    assert answer.status_code == 303, answer.text


def test_a_clock_that_was_moved_back_makes_no_used_answer_good_again(acme: Production) -> None:
    """Even if its mark was forgotten meanwhile, what it answers was used up when it was taken."""
    started = acme.begin()
    document = acme.response(started)
    kept = copy_of(acme, started.browser)
    gets_in(acme, acme.post(started, document), started.browser)
    acme.at(NOW + timedelta(days=2))
    honest_twin(acme)
    acme.at(NOW - timedelta(seconds=20))
    again = Started(kept, started.request_id, started.handle)
    stays_out(acme, acme.post(again, document), kept, "signin.not_started_here")
    honest_twin(acme)


SOON, AGO, LATER = (
    written(NOW + timedelta(minutes=5)),
    written(NOW - timedelta(seconds=30)),
    written(NOW + timedelta(hours=8)),
)
LAST, FIRST = "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (f'NotOnOrAfter="{SOON}"', f'NotOnOrAfter="{FIRST}"', "saml.time"),
        (f'NotBefore="{AGO}"', f'NotBefore="{LAST}"', "saml.time"),
        (f'AuthnInstant="{AGO}"', f'AuthnInstant="{LAST}"', "saml.time"),
        (f'SessionNotOnOrAfter="{LATER}"', f'SessionNotOnOrAfter="{FIRST}"', "saml.time"),
        (f'NotOnOrAfter="{SOON}"', 'NotOnOrAfter="10000-01-01T00:00:00Z"', "saml.time"),
        (f'NotOnOrAfter="{SOON}"', 'NotOnOrAfter="0000-01-01T00:00:00Z"', "saml.shape"),
        (f'NotOnOrAfter="{SOON}"', 'NotOnOrAfter="-0001-01-01T00:00:00Z"', "saml.time"),
    ],
)
def test_times_at_the_ends_of_the_calendar_are_only_times(
    acme: Production, old: str, new: str, code: str
) -> None:
    started = acme.begin()
    document = Mounted(acme.idp, started.request_id).response(before=[(old, new)], response=True)
    acme.at(NOW)
    stays_out(acme, acme.post(started, document), started.browser, code)
    honest_twin(acme)


def test_an_answer_that_is_good_for_ever_is_still_good_once(acme: Production) -> None:
    edits = [(f'NotOnOrAfter="{SOON}"', f'NotOnOrAfter="{LAST}"'), (LATER, LAST), (AGO, FIRST)]
    for turn, code in enumerate((None, "saml.replayed")):
        acme.at(NOW)
        started = acme.begin()
        knobs = {"assertion_id": "_for_ever", "response_id": f"_for_ever_{turn}"}
        document = Mounted(acme.idp, started.request_id).response(knobs, before=edits)
        answer = acme.post(started, document)
        if code:
            stays_out(acme, answer, started.browser, code)
        else:
            gets_in(acme, answer, started.browser)


# --- what is no form, or too large ------------------------------------------------------------------------


def a_form(acme: Production, started: Started) -> bytes:
    return form_of(acme.response(started), started.handle).encode()


def as_multipart(acme: Production, started: Started) -> bytes:
    document = posted(acme.response(started))
    fields = (("SAMLResponse", document), ("RelayState", started.handle))
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    ]
    return ("".join(parts) + "--x--\r\n").encode()


def with_more(*more: tuple[str, str]) -> Body:
    return lambda acme, started: a_form(acme, started) + b"&" + urlencode(more).encode()


def of(text: bytes) -> Body:
    return lambda acme, started: text


def first_answer(text: str) -> Body:
    """The document's field holds this."""
    return lambda acme, started: urlencode({"SAMLResponse": text, "RelayState": started.handle}).encode()


def in_document(old: bytes, new: bytes) -> Body:
    return lambda acme, started: form_of(acme.response(started).replace(old, new), started.handle).encode()


BODIES: dict[str, tuple[Body, dict[str, str], str]] = {
    "multipart": (as_multipart, {"Content-Type": "multipart/form-data; boundary=x"}, "request.media_type"),
    "plain text": (a_form, {"Content-Type": "text/plain"}, "request.media_type"),
    "JSON": (of(b"{}"), {"Content-Type": "application/json"}, "request.media_type"),
    "XML": (
        lambda a, s: a.response(s),
        {"Content-Type": "application/samlassertion+xml"},
        "request.media_type",
    ),
    "no type": (a_form, {"Content-Type": ""}, "request.media_type"),
    "an odd type": (a_form, {"Content-Type": f"{FORM}\xff"}, "request.media_type"),
    "a type in a list": (a_form, {"Content-Type": f"text/plain, {FORM}"}, "request.media_type"),
    "compressed": (
        lambda a, s: gzip.compress(a_form(a, s)),
        {"Content-Encoding": "gzip"},
        "request.malformed",
    ),
    "a bomb": (
        lambda a, s: gzip.compress(b"0" * 24_000_000),
        {"Content-Encoding": "gzip"},
        "request.malformed",
    ),
    "a deflated document, as by the other binding": (
        lambda a, s: form_of(zlib.compress(a.response(s))[2:-4], s.handle).encode(),
        {},
        "saml.shape",
    ),
    "a deflate bomb": (
        first_answer(b64encode(zlib.compress(b"<a>" * 8_000_000)[2:-4]).decode()),
        {},
        "saml.shape",
    ),
    "the document twice": (with_more(("SAMLResponse", "x")), {}, "request.malformed"),
    "the handle twice": (with_more(("RelayState", "x")), {}, "request.malformed"),
    "the handle twice, the same": (
        lambda a, s: a_form(a, s) + f"&RelayState={s.handle}".encode(),
        {},
        "request.malformed",
    ),
    "nothing": (of(b""), {}, "request.malformed"),
    "other fields only": (of(b"a=b&c=d"), {}, "request.malformed"),
    "separators only": (of(b"&" * 50_000), {}, "request.malformed"),
    "ten thousand fields": (of(b"&".join(b"f%d=" % n for n in range(10_000))), {}, "request.malformed"),
    "a null in the document": (first_answer("PHg+\0"), {}, "saml.shape"),
    "a null in the XML": (in_document(b"Ana Ruiz", b"Ana\0Ruiz"), {}, "saml.shape"),
    "no UTF-8 in the XML": (in_document(b"Ana Ruiz", b"Ana\xff\xfeRuiz"), {}, "saml.shape"),
    "half a character in the XML": (in_document(b"Ana Ruiz", b"Ana\xed\xa0\x80Ruiz"), {}, "saml.shape"),
    "no UTF-8 in the form": (
        lambda a, s: b"SAMLResponse=%ff%fe&RelayState=" + s.handle.encode(),
        {},
        "saml.shape",
    ),
    "a percent sign alone": (
        lambda a, s: b"SAMLResponse=%&RelayState=" + s.handle.encode(),
        {},
        "saml.shape",
    ),
    "a little more than is read": (of(b"SAMLResponse=" + b"A" * 600_000), {}, "request.too_large"),
    "100 000 levels": (
        first_answer(b64encode(b"<a>" * 50_000 + b"</a>" * 10_000).decode()),
        {},
        "saml.shape",
    ),
    "a method in a header": (
        lambda a, s: b"RelayState=" + s.handle.encode(),
        {"X-HTTP-Method-Override": "GET"},
        "request.malformed",
    ),
}


@pytest.mark.parametrize(("body", "headers", "code"), BODIES.values(), ids=BODIES)
def test_what_is_no_form_with_an_answer_is_refused(
    acme: Production, body: Body, headers: dict[str, str], code: str
) -> None:
    started = acme.begin()
    sent = body(acme, started)
    began = time.perf_counter()
    answer = post_form(acme, started.browser, sent, **headers)
    assert time.perf_counter() - began < SOON_ENOUGH
    stays_out(acme, answer, started.browser, code)
    honest_twin(acme)


def test_a_body_of_unknown_length_is_read_to_the_cap_and_no_further(acme: Production) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b"SAMLResponse="
        while sent < 24_000_000:
            sent += 65_536
            yield b"A" * 65_536

    connection = http.client.HTTPConnection("127.0.0.1", acme.port, timeout=10)
    connection.connect()
    with suppress(BrokenPipeError, ConnectionResetError):  # the broker has answered and hung up
        connection.request(
            "POST",
            "/saml/corp/acs",
            endless(),
            {"Host": urlsplit(BASE).netloc, "Content-Type": FORM, "Accept": "application/json"},
            encode_chunked=True,
        )
    assert sent < 24_000_000
    honest_twin(acme)


def test_get_and_head_at_the_consumer_service_do_nothing(acme: Production) -> None:
    started = acme.begin()
    document = posted(acme.response(started))
    query = {"SAMLResponse": document[:4_000], "RelayState": started.handle}
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = started.browser.request(
            method, acme.acs, params=query, headers={"Accept": "application/json"}, allow_redirects=False
        )
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    gets_in(acme, acme.post(started, acme.response(started)), started.browser)


# --- floods -----------------------------------------------------------------------------------------------


def test_an_address_that_only_sends_forgeries_has_to_wait_and_no_other_does(acme: Production) -> None:
    mallory = acme.browser(MALLORY)
    form = urlencode({"SAMLResponse": "PHg+", "RelayState": "made-up"})
    codes: Counter[str] = Counter()
    for _ in range(60):  # many at once, so that both workers get their part: each counts for itself
        codes += outcomes(at_once([partial(post_form, acme, acme.browser(MALLORY), form)] * 24))
        if codes["signin.not_started_here"] >= 2 * REFUSALS_PER_MINUTE:
            break
    assert set(codes) == {"signin.not_started_here", "rate.limited"}
    limited = post_form(acme, mallory, form)
    assert 0 < int(limited.headers["Retry-After"]) <= 60
    honest_twin(acme)
    # A left-hand entry of X-Forwarded-For is the client's own claim: it buys no new count.
    refused(post_form(acme, mallory, form, **{"X-Forwarded-For": "192.0.2.7"}), "rate.limited")
    refused(post_form(acme, mallory, form, X_Forwarded_For="192.0.2.8"), "rate.limited")
    acme.at(NOW + timedelta(seconds=61))
    refused(post_form(acme, mallory, form), "signin.not_started_here")
