"""The demo app in Chromium, through the real broker and the demo's social network, as after `make run`."""

import pytest
from playwright.sync_api import expect

from tests.journeys import browsers, shoebox
from tests.journeys.aws_clients import calls
from tests.journeys.make_run import Demo

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]


@pytest.fixture
def demo(tmp_path):
    """Of each test's own: whether somebody has a folder already is what some of them are about."""
    with Demo(tmp_path) as running:
        yield running


@pytest.fixture
def visitors(chromium, demo):
    """Opens the app in a browser of its own each time."""
    opened = []

    def visit():
        manager = browsers.new_page(chromium, demo.ports.app_url)
        page = manager.__enter__()
        opened.append(manager)
        page.goto(demo.ports.app_url)
        return page

    yield visit
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


def test_two_people_side_by_side_each_with_their_own_files(visitors, demo):
    robin, sasha = visitors(), visitors()
    of_robin, of_sasha = shoebox.sign_in(robin, "robin"), shoebox.sign_in(sasha, "sasha")
    assert of_robin != of_sasha
    assert robin.url == f"{demo.ports.app_url}/"
    shoebox.add(robin, "cat (1) é.png")
    shoebox.add(sasha, "dog.png")
    shoebox.add(sasha, "note.txt", b"hello", "text/plain")
    assert shoebox.files(robin) == ["cat (1) é.png"]
    assert shoebox.files(sasha) == ["dog.png", "note.txt"]
    expect(robin.get_by_role("img", name="cat (1) é.png")).to_be_visible()  # it was fetched

    # Each other's, the double says no to; one's own, with the same keys, it lists.
    for page, own, other, count in ((robin, of_robin, of_sasha, 1), (sasha, of_sasha, of_robin, 2)):
        said = shoebox.look(page, other)
        assert (
            said.startswith("403 AccessDenied")
            and "no session policy allows the s3:ListBucket action" in said
        )
        assert shoebox.look(page, own) == f"Your keys open {own}: {count} files."
    browsers.assert_accessible(sasha, "a folder with a refusal")

    # AWS was told who by the identity, never by a name or an address.
    made = calls(demo.ports.aws_url, "AssumeRole")
    assert {f"{call['source_identity']}/" for call in made} == {f"app-{of_robin}", f"app-{of_sasha}"}
    assert not any(word in str(made) for word in ("robin", "sasha", "chirp.test"))

    # The same person comes back to the same folder, with other keys.
    before = robin.inner_text("#access-key")
    robin.get_by_role("button", name="Renew now").click()
    expect(robin.locator("#access-key")).not_to_have_text(before)
    robin.get_by_role("button", name="Sign out").click()
    assert shoebox.sign_in(robin, "robin", known=True) == of_robin
    assert shoebox.files(robin) == ["cat (1) é.png"]
    for page in (robin, sasha):  # nothing of the broker's stays in a browser
        assert page.context.cookies(demo.base_url) == []
        assert page.evaluate("sessionStorage.length + localStorage.length") == 0


def test_a_guest_signs_in_and_keeps_the_files(visitors):
    guest, robin = visitors(), visitors()
    folder = shoebox.come_as_guest(guest)
    shoebox.add(guest, "cat.png")
    of_robin = shoebox.sign_in(robin, "robin")
    assert shoebox.look(robin, folder).startswith("403 AccessDenied")
    guest.reload()
    expect(guest.get_by_text("Guest:", exact=True)).to_be_visible()
    assert guest.inner_text("#folder") == folder
    refresh_token = guest.evaluate("sessionStorage.getItem('shoebox.guest')")

    assert shoebox.sign_in(guest, "sasha", shoebox.CLAIM) == folder
    expect(guest.locator("#files .name")).to_have_text(["cat.png"])
    shoebox.add(guest, "dog.png")
    assert shoebox.look(guest, of_robin).startswith("403 AccessDenied")
    assert guest.evaluate("sessionStorage.length") == 0

    # The guest is over: its token opens nothing any more, in any browser.
    thief = visitors()
    thief.evaluate("token => sessionStorage.setItem('shoebox.guest', token)", refresh_token)
    thief.reload()
    expect(thief.get_by_role("alert")).to_be_visible()
    assert thief.locator("#inside").is_hidden()
    # Sasha, elsewhere, has what the guest had.
    assert shoebox.sign_in(thief, "sasha") == folder
    assert shoebox.files(thief) == ["cat.png", "dog.png"]


def test_a_guest_who_has_a_folder_already_is_told_what_stays_behind(visitors):
    folder = shoebox.sign_in(visitors(), "robin")
    page = visitors()
    assert shoebox.come_as_guest(page) != folder
    shoebox.add(page, "cat.png")
    assert shoebox.sign_in(page, "robin", shoebox.CLAIM) == folder
    expect(page.get_by_text("You have a folder already")).to_be_visible()
    assert shoebox.files(page) == []
