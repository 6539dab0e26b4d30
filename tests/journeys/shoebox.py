"""What a person does in Shoebox, the demo app, and at Chirp, its social network."""

from __future__ import annotations

import base64
from typing import Final

from playwright.sync_api import Page, expect

SIGN_IN: Final = "Continue with Chirp"
CLAIM: Final = "Keep them: sign in with Chirp"
PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def sign_in(page: Page, username: str, button: str = SIGN_IN, *, known: bool = False) -> str:
    """By the app's button and Chirp's form, which does not come up if Chirp knows the browser; the folder."""
    page.get_by_role("button", name=button).click()
    if not known:
        page.get_by_role("row", name=username).get_by_role("link").click()
        page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Signed in with Chirp:")).to_be_visible()
    return page.inner_text("#folder")


def come_as_guest(page: Page) -> str:
    """Without a sign-in; the folder."""
    page.get_by_role("button", name="Continue as guest").click()
    expect(page.get_by_text("Guest:", exact=True)).to_be_visible()
    return page.inner_text("#folder")


def add(page: Page, name: str, body: bytes = PIXEL, kind: str = "image/png") -> None:
    """Upload a file, and see that it is there."""
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": body})
    expect(page.get_by_role("status").filter(has_text=f"{name} is in your folder.")).to_be_visible()
    expect(page.locator("#files .name", has_text=name)).to_be_visible()


def files(page: Page) -> list[str]:
    """Names in the folder, as the page shows them."""
    return page.locator("#files .name").all_inner_texts()


def look(page: Page, folder: str) -> str:
    """Try the keys at a folder; what came of it, in the words of S3 if that says no."""
    page.evaluate("document.getElementById('answer').textContent = ''")
    page.get_by_label("Folder", exact=True).fill(folder)
    page.get_by_role("button", name="Look").click()
    expect(page.locator("#answer")).not_to_be_empty()
    return page.inner_text("#answer")
