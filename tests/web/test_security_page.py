"""Where I am signed in, and ending any of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.errors import StoreUnavailable
from tests.web.builders import EVIL, NOW, World, code_of, session
from tests.web.test_portal import SCRIPT


def world_with_helpers() -> tuple[World, object]:
    world = World()
    made = world.signed_in(last_used=NOW, last_address="127.0.0.1")
    world.broker.others = [
        session(
            id="c-1",
            client="cli",
            device="ana-laptop",
            created_at=NOW - timedelta(hours=2),
            expires_at=NOW + timedelta(hours=8, minutes=20),
            last_used=NOW - timedelta(minutes=5),
            last_address="192.0.2.44",
        ),
        session(id="c-2", client="gone", created_at=NOW - timedelta(days=1)),
        session(id="b-2"),
    ]
    return world, made


def ids(world: World) -> list[str]:
    return [each.id for each in world.broker.others]


def test_the_page_shows_each_with_name_device_times_and_place():
    world, _ = world_with_helpers()
    page = world.browser.get("/security").text
    for words in ("daypass command line on ana-laptop", "08:10 UTC", "10:05 UTC", "192.0.2.44", "18:30 UTC"):
        assert words in page
    assert "gone" in page  # a client that is no more, by its id
    assert page.count("<span>Browser</span>") == 2
    assert page.count("This one") == 1
    assert "End all others" in page


def test_alone_there_are_no_others_to_end():
    world = World()
    world.signed_in()
    page = world.browser.get("/security").text
    assert "This one" in page
    assert "End all others" not in page
    assert world.browser.get("/security/end?session=others").headers["Location"] == "/security"


def test_ending_one_asks_first_and_then_ends_that_one():
    world, made = world_with_helpers()
    page = world.browser.get("/security/end?session=c-1").text
    assert "ana-laptop" in page and 'method="post"' in page
    assert ids(world) == ["c-1", "c-2", "b-2"]
    answer = world.browser.post("/security/end", data=world.form(made, session="c-1"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/security")
    assert ids(world) == ["c-2", "b-2"]
    assert world.browser.get("/").status_code == 200


def test_ending_all_others_leaves_this_one():
    world, made = world_with_helpers()
    page = world.browser.get("/security/end?session=others").text
    assert "End all 3" in page and "This one" not in page
    world.browser.post("/security/end", data=world.form(made, session="others"))
    assert ids(world) == []
    assert world.browser.get("/").status_code == 200


def test_ending_this_one_is_signing_out():
    world, made = world_with_helpers()
    assert "Sign out of this browser?" in world.browser.get(f"/security/end?session={made.id}").text
    answer = world.browser.post("/security/end", data=world.form(made, session=made.id))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/signed-out")
    assert world.broker.times("sign_out") == 1
    assert ids(world) == ["c-1", "c-2", "b-2"]


@pytest.mark.parametrize("target", ["", "nobodys", "c-1\x00", SCRIPT, "x" * 5000])
def test_what_is_not_mine_cannot_be_ended(target):
    world, made = world_with_helpers()
    for answer in (
        world.browser.get("/security/end", query_string={"session": target}),
        world.browser.post("/security/end", data=world.form(made, session=target)),
    ):
        assert (answer.status_code, code_of(answer.text)) == (404, "session.unknown")
    assert len(ids(world)) == 3


def test_one_that_ended_meanwhile_is_no_error():
    world, made = world_with_helpers()
    really = world.broker.end_session

    def end(mine, id, *, caller):
        if id == "c-1":
            world.broker.others = [each for each in world.broker.others if each.id != "c-1"]
        really(mine, id, caller=caller)

    world.broker.end_session = end
    assert world.browser.post("/security/end", data=world.form(made, session="others")).status_code == 303
    assert ids(world) == []


@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}])
@pytest.mark.parametrize("target", ["c-1", "others", "s-1"])
def test_another_site_ends_nothing(headers, target):
    world, made = world_with_helpers()
    answer = world.browser.post("/security/end", data=world.form(made, session=target), headers=headers)
    assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    answer = world.browser.post("/security/end", data={"session": target, "csrf": "x"})
    assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    assert len(ids(world)) == 3
    assert world.broker.times("sign_out") == 0


def test_when_they_cannot_be_read_the_person_is_told():
    world, _ = world_with_helpers()
    world.broker.fail["sessions"] = StoreUnavailable()
    answer = world.browser.get("/security")
    assert (answer.status_code, code_of(answer.text)) == (503, "store.unavailable")


def test_names_that_others_gave_are_only_text():
    world, _ = world_with_helpers()
    world.broker.others = [
        session(id=SCRIPT, client=SCRIPT, device=SCRIPT, last_used=NOW, last_address=SCRIPT)
    ]
    for path in ("/security", "/security/end?session=others"):
        page = world.browser.get(path).text
        assert "<script>alert" not in page and "<img" not in page
        assert "&lt;script&gt;" in page


def test_pages_lead_to_it_and_the_signed_out_page_says_who_stays_signed_in():
    world, _ = world_with_helpers()
    page = world.browser.get("/").text
    for href in ('href="/security"', 'href="/terminal"'):
        assert href in page
    good_bye = world.browser.get("/signed-out").text
    assert "stay signed in" in good_bye and 'href="/security"' in good_bye
