"""The double's console page."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from html import escape

from demo.aws.wire import Reply

_STYLE = """
:root { color-scheme: light dark; --ink: #16191f; --soft: #545b64; --page: #f2f3f3; --card: #fff; --line: #d5dbdb;
  --bar: #232f3e; --warn: #7a4b00; --warn-page: #fff4dc; --warn-line: #e0b45a; }
@media (prefers-color-scheme: dark) { :root { --ink: #eaeded; --soft: #aab7b8; --page: #0f141a; --card: #192534;
  --line: #354150; --bar: #0a1119; --warn: #ffdf9e; --warn-page: #33270d; --warn-line: #7a5c1c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.bar { background: var(--bar); color: #fff; padding: .75rem 1.25rem; display: flex; flex-wrap: wrap; gap: .5rem 1.5rem;
  justify-content: space-between; align-items: center; }
.bar strong { font-size: 1.05rem; }
.bar a { color: #fff; }
.warn { background: var(--warn-page); color: var(--warn); border-bottom: 1px solid var(--warn-line);
  padding: .6rem 1.25rem; margin: 0; text-wrap: pretty; }
main { max-width: 54rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.25rem 1.5rem; }
dl { margin: 0; display: grid; grid-template-columns: minmax(7rem, 9rem) 1fr; gap: .75rem 1.5rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; font-weight: 600; }
dd.code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-weight: 500; font-size: .95rem; }
@media (max-width: 32rem) { dl { grid-template-columns: 1fr; gap: .15rem; } dd { margin-bottom: .75rem; } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
_HEADERS = (
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """What the page of a signed-in session shows."""

    arn: str
    account: str
    role: str
    session_name: str
    source_identity: str | None
    until: datetime
    destination: str
    issuer: str
    """http(s) address of the broker's sign-in page, or empty."""


def console(page: ConsolePage) -> Reply:
    """Who is in, and until when."""
    rows = [
        ("Account", page.account, ""),
        ("Role", page.role, ""),
        ("Signed in as", page.arn, "code"),
        ("Session name", page.session_name, "code"),
        ("Source identity", page.source_identity or "none", "code"),
        ("Until", page.until.strftime("%Y-%m-%d %H:%M:%S UTC"), ""),
        ("Landing page", page.destination, "code"),
    ]
    facts = "".join(
        f'<dt>{escape(name)}</dt><dd class="{kind}" data-fact="{escape(name.lower().replace(" ", "-"))}">'
        f"{escape(value)}</dd>"
        for name, value, kind in rows
    )
    title = f"You are in account {page.account} as {page.role}"
    nav = '<a href="/oauth?Action=logout">Sign out</a>'
    return _page(200, title, f'<div class="card"><dl>{facts}</dl></div>', nav)


def message(status: int, title: str, words: str, issuer: str = "") -> Reply:
    """A page without a session."""
    link = f'<p><a href="{escape(issuer)}">Sign in again</a></p>' if issuer else ""
    return _page(status, title, f'<div class="card"><p>{escape(words)}</p>{link}</div>', "")


def _page(status: int, title: str, content: str, nav: str) -> Reply:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body>"
        f'<header class="bar"><strong>Management console (double)</strong><nav>{nav}</nav></header>'
        '<aside class="warn" aria-label="What this is">This is a double, not AWS. It runs on this machine for '
        "demonstration and tests; nothing here reaches an AWS account.</aside>"
        f"<main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return Reply(status, "text/html; charset=utf-8", text.encode(), _HEADERS)
