"""The page in Chromium: two people side by side, a guest who stays, renewal. The broker is a stand-in."""

import base64

import pytest
from playwright.sync_api import expect

from demo.app import Settings, serve
from tests.demo.app.stand_in import StandIn
from tests.demo.aws.s3 import shipped_double
from tests.journeys import browsers

pytestmark = pytest.mark.interop

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def chromium():
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture
def double():
    with shipped_double() as running:
        yield running


@pytest.fixture
def broker(double):
    with StandIn(double) as running:
        yield running


@pytest.fixture
def site(broker, double, request):
    settings = Settings(
        broker=broker.url, social=broker.url, s3=double.url, renew_before=getattr(request, "param", 300)
    )
    with serve(settings) as running:
        yield running


@pytest.fixture
def visitors(chromium, site):
    """Opens the page in a browser of its own each time."""
    opened = []

    def visit(**options):
        manager = browsers.new_page(chromium, site.url, **options)
        page = manager.__enter__()
        opened.append(manager)
        page.goto(site.url)
        return page

    yield visit
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


def sign_in(page, person, button="Continue with Chirp"):
    page.get_by_role("button", name=button).click()
    page.get_by_role("link", name=person).click()
    expect(page.get_by_text("Signed in with Chirp:")).to_be_visible()
    return page.inner_text("#folder")


def add(page, name, body=PIXEL, kind="image/png"):
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": body})
    expect(page.get_by_role("status").filter(has_text=f"{name} is in your folder.")).to_be_visible()


def files(page):
    return page.locator("#files .name").all_inner_texts()


def look(page, folder):
    page.get_by_label("Folder", exact=True).fill(folder)
    page.get_by_role("button", name="Look").click()
    expect(page.locator("#answer")).not_to_be_empty()
    return page.inner_text("#answer")


def test_two_people_side_by_side_each_with_their_own_files(visitors, site):
    ana, ben = visitors(), visitors()
    of_ana, of_ben = sign_in(ana, "ana"), sign_in(ben, "ben")
    assert of_ana != of_ben
    assert ana.url == f"{site.url}/"  # no code is left in the address
    add(ana, "cat (1) é.png")
    add(ben, "dog.png")
    assert (files(ana), files(ben)) == (["cat (1) é.png"], ["dog.png"])
    expect(ana.get_by_role("img", name="cat (1) é.png")).to_be_visible()
    said = look(ana, of_ben)
    assert said.startswith("403 AccessDenied") and "no session policy allows the s3:ListBucket action" in said
    assert look(ana, of_ana) == f"Your keys open {of_ana}: 1 files."
    ana.get_by_role("button", name="Delete cat (1) é.png").click()
    expect(ana.get_by_text("Nothing here yet.")).to_be_visible()


def test_a_guest_who_signs_in_keeps_the_files(visitors, broker):
    page = visitors()
    page.get_by_role("button", name="Continue as guest").click()
    expect(page.get_by_text("Guest:", exact=True)).to_be_visible()
    folder = page.inner_text("#folder")
    add(page, "note.txt", b"hello", "text/plain")
    page.reload()
    expect(page.get_by_text("Guest:", exact=True)).to_be_visible()
    assert page.inner_text("#folder") == folder
    expect(page.locator("#files .name")).to_have_text(["note.txt"])
    assert sign_in(page, "ana", "Keep them: sign in with Chirp") == folder
    expect(page.locator("#files .name")).to_have_text(["note.txt"])
    assert broker.access == broker.refresh == {}  # the guest's tokens are gone
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0
    assert "guest_token" in broker.asked[-1]


def test_a_guest_who_turns_out_to_have_a_folder_is_told_what_stays_behind(visitors):
    folder = sign_in(visitors(), "ana")
    page = visitors()
    page.get_by_role("button", name="Continue as guest").click()
    expect(page.get_by_text("Guest:", exact=True)).to_be_visible()
    add(page, "note.txt", b"hello", "text/plain")
    assert sign_in(page, "ana", "Keep them: sign in with Chirp") == folder
    expect(page.get_by_text("You have a folder already")).to_be_visible()
    assert files(page) == []
    assert page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize("site", [897], indirect=True)
def test_keys_are_renewed_before_they_run_out(visitors, broker):
    page = visitors()
    sign_in(page, "ana")
    first = page.inner_text("#access-key")
    expect(page.locator("#renewed")).not_to_have_text("0 times")
    expect(page.locator("#access-key")).not_to_have_text(first)
    broker.down = True  # what is held serves on
    add(page, "cat.png")
    assert files(page) == ["cat.png"]


def test_refusals_are_said_in_words(visitors, broker):
    page = visitors()
    broker.down = True
    page.get_by_role("button", name="Continue as guest").click()
    expect(page.get_by_role("alert")).to_have_text("The stand-in says temporarily_unavailable.")
    broker.down = False
    page.get_by_role("button", name="Continue as guest").click()
    expect(page.get_by_text("Guest:", exact=True)).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
    page.set_input_files("#file", {"name": "big", "mimeType": "x/y", "buffer": b"x" * (5 * 1024 * 1024 + 1)})
    expect(page.get_by_role("alert")).to_contain_text("big is too large")


def test_an_answer_that_belongs_to_no_sign_in_of_this_tab_is_not_taken(visitors, site, broker):
    page = visitors()
    page.goto(f"{site.url}/?code=stolen&state=x")
    expect(page.get_by_role("alert")).to_contain_text("belongs to no sign-in of this tab")
    assert page.url == f"{site.url}/" and broker.asked == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_on_a_phone_and_in_the_dark(visitors, scheme):
    page = visitors(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    browsers.assert_accessible(page, "welcome")
    page.get_by_role("button", name="Continue as guest").click()
    expect(page.get_by_text("Guest:", exact=True)).to_be_visible()
    add(page, "a-picture-with-a-long-name-that-does-not-fit.png")
    look(page, "somebody")
    browsers.assert_accessible(page, "inside")
