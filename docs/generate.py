"""Documentation made from the code, and a check of links: `python -m docs.generate [--check]`.

Without `--check` it writes the pages; with it, it says which page on disk differs and exits 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from app import errors
from app.policy import actions, condition_keys
from app.web import TABLE
from app.web.route import Cors

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)|!\[[^\]]*\]\(([^)\s]+)\)")


def refusals() -> Iterator[type[errors.Refusal]]:
    """Every class of refusal, parents before children."""
    waiting = [errors.Refusal]
    while waiting:
        found = waiting.pop(0)
        yield found
        waiting.extend(found.__subclasses__())


def errors_page() -> str:
    """docs/reference/errors.md."""
    rows = sorted({(r.status, r.code, r.default_words) for r in refusals() if r is not errors.Refusal})
    lines = [
        "# Errors",
        "",
        "Made from `app/errors.py` by `make docs`.",
        "",
        "Every refusal has a stable `code`. The JSON API answers `application/problem+json` (RFC 9457) with",
        "`type`, `title`, `status`, `detail`, `code` and `request_id`; a page shows the same words, code and request",
        "id, and the log line with that request id has what the operator needs to know.",
        "",
        "| status | code | what the person reads |",
        "|---|---|---|",
    ]
    lines += [f"| {status} | `{code}` | {words} |" for status, code, words in rows]
    return "\n".join(lines) + "\n"


def addresses_page() -> str:
    """docs/reference/addresses.md."""
    lines = [
        "# Addresses",
        "",
        "Made from the table in `app/web/__init__.py` by `make docs`.",
        "",
        "Who gets through: `none` anybody; `optional` anybody, a signed-in person is known; `page` the signed-in,",
        "others are led to the sign-in page; `api` the signed-in, by cookie or by an access token with the scope named,",
        "others get 401; `client` an OAuth client by its own proof. Against other sites: `form` the session's token and",
        "Origin; `origin` same origin, JSON only; `pending` only the answer to a sign-in of this browser; `browser`",
        "Origin or Sec-Fetch-Site must be there with a POST, and what follows is bound to this browser's cookie; `proof` no",
        "cookie counts; `safe` nothing changes. Pages of other origins (CORS): `clients` those that the client which",
        "asks declares in its file, without cookies, under /v1 with an access token only; elsewhere none.",
        "",
        "| address | methods | who | scope | against other sites | other origins |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{r.address}` | {', '.join(r.methods)} | {r.guard} | {r.scope or ''} | {r.csrf} | "
        f"{'' if r.cors is Cors.NONE else r.cors} |"
        for r in TABLE
    ]
    return "\n".join(lines) + "\n"


def condition_keys_page() -> str:
    """docs/reference/condition-keys.md."""
    lines = [
        "# Condition keys",
        "",
        "Made from `app/policy/condition_keys.py` by `make docs`.",
        "",
        "Names are compared in any case. A name that ends in `/` is followed by a tag's, a claim's or an attribute's",
        "name. An OpenID source's own keys are `ISSUER:aud`, `ISSUER:azp`, `ISSUER:amr` and `ISSUER:sub`, the issuer",
        "without `https://`.",
        "",
        "| key | type | values | what it is |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{key.name}` | {key.type} | {'several' if key.multivalued else 'one'} | {key.meaning} |"
        for key in condition_keys.KEYS
    ]
    return "\n".join(lines) + "\n"


def actions_page() -> str:
    """docs/reference/actions.md."""
    lines = [
        "# Actions on daypass itself",
        "",
        "Made from `app/policy/actions.py` by `make docs`. How to use them: [delegate](../how-to/delegate.md).",
        "",
        "Every action here is in force: a page asks for it. There are no others; `config check` warns of them.",
        "`NAME`, `SOURCE` and `SUBJECT` stand for names, and in a policy for patterns. The partition is `aws` everywhere.",
        "",
        "| action | is asked on | lets |",
        "|---|---|---|",
    ]
    lines += [f"| `{row.name}` | `{row.resource}` | {row.meaning} |" for row in actions.ACTIONS]
    return "\n".join(lines) + "\n"


def pages() -> Mapping[str, str]:
    """Path under the repository: text."""
    return {
        "docs/reference/errors.md": errors_page(),
        "docs/reference/addresses.md": addresses_page(),
        "docs/reference/condition-keys.md": condition_keys_page(),
        "docs/reference/actions.md": actions_page(),
    }


def broken_links() -> list[str]:
    """Relative links in the Markdown files that lead nowhere."""
    found = []
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for match in _LINK.finditer(page.read_text(encoding="utf-8")):
            target = match[1] or match[3]
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (page.parent / target).exists():
                found.append(f"{page.relative_to(ROOT)}: {target}")
    return found


def main(argv: list[str]) -> int:
    """Write or check. Returns 1 if something differs or a link is broken."""
    check = "--check" in argv
    wrong = [f"broken link: {link}" for link in broken_links()]
    for path, text in pages().items():
        page = ROOT / path
        if check:
            if not page.exists() or page.read_text(encoding="utf-8") != text:
                wrong.append(f"out of date: {path} (run `make docs`)")
        else:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
