"""axe on every page of the administration, on a desk and on a phone, light and dark."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page

from tests.journeys.browsers import assert_accessible, new_page
from tests.journeys.test_delegation import AUDITORS, DEVELOPER, FINANCE, Handed

pytestmark = pytest.mark.interop

LOOKS = [
    {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    {"color_scheme": "light", "viewport": {"width": 320, "height": 640}},
    {"color_scheme": "dark", "viewport": {"width": 320, "height": 640}},
]
IDS = [f"{look['viewport']['width']} px, {look['color_scheme']}" for look in LOOKS]  # type: ignore[index]
CONDITION = "key1=daypass:Claim/memberOf&operator1=StringLike&values1=CN=*"
PAGES = {
    "home": "/admin",
    "revisions": "/admin/revisions",
    "difference": "/admin/difference?from=1&to=2",
    "roll-back": "/admin/roll-back?to=1",
    "plan": "/admin/plan",
    "people": "/admin/people",
    "nobody": "/admin/people?q=zebra",
    "why": "/admin/why",
    "case": f"/admin/why?person=corp/fay-1&role={DEVELOPER}",
    "wrong": "/admin/why?person=x&role=y",
    "generator": "/admin/policies/new",
    "problems": "/admin/policies/new?name=finance-x&preview=1",
    "draft": f"/admin/policies/new?name=finance-x&preview=1&role={DEVELOPER}&roles=*&group=finance&{CONDITION}",
}
RECORD = {
    "audit": "/admin/audit",
    "no record": "/admin/audit?person=zebra",
    "not understood": "/admin/audit?since=yesterday",
}


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handed]:
    with Handed(tmp_path_factory.mktemp("handed")) as company:
        company.enter("fay", FINANCE)
        groups = company.config / "groups.yaml"
        groups.write_text(groups.read_text() + "finance:\n  policies: [aws:PowerUserAccess]\n")
        assert company.operator("config", "check").returncode == 0
        sue = company.enter("sue", "sre")
        plan = company.get_page(sue, "/admin/plan").text
        digest = plan.split('name="digest" value="')[1][:64]
        assert company.send(sue, "/admin/plan", digest=digest, active="1", sure="yes").status_code == 303
        groups.write_text(groups.read_text().replace("PowerUserAccess]", "AdministratorAccess]"))
        yield company


def as_person(page: Page, company: Handed, browser: requests.Session) -> None:
    page.context.add_cookies(
        [{"name": each.name, "value": each.value or "", "url": company.base_url} for each in browser.cookies]
    )


@pytest.mark.parametrize("look", LOOKS, ids=IDS)
def test_axe_finds_nothing_and_every_page_fits(chromium, handed: Handed, look: dict[str, object]) -> None:
    operator, auditor = handed.enter("sue", "sre"), handed.enter("olga", AUDITORS)
    for browser, pages in ((operator, PAGES), (auditor, RECORD)):
        with new_page(chromium, handed.base_url, **look) as page:
            as_person(page, handed, browser)
            for name, path in pages.items():
                page.goto(handed.base_url + path)
                assert "There is nothing at this address" not in page.inner_text("main"), name
                assert_accessible(page, name)
            if pages is RECORD:
                page.goto(handed.base_url + "/admin/audit")
                page.locator("summary").first.click()
                assert_accessible(page, "a record")
