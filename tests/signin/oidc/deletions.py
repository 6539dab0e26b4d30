"""Take each check out once and see a test fail: `python -m tests.signin.oidc.deletions` prints the table.

Works on a copy in a temporary folder. A check is a `raise` that is made to do nothing, found by its words,
or a piece of the source that is replaced. First the tests meant for it run, then, if none fails, all that
could notice. `python -m tests.signin.oidc.deletions WORD` takes out only the checks with that word.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.deletions import ROOT, copied, failing, instead, raises, row

SIGNIN = "tests/signin/oidc"
FLOW, TOKEN, PROVIDER = (f"{SIGNIN}/test_oidc_{name}.py" for name in ("flow", "token", "provider"))
OUTBOUND = "tests/test_outbound.py"
PLACES = "tests/signin/test_places.py"
STORE = "tests/conformance/test_store.py -k pending_sign_in+another_browser+twenty_at_once"
HTTP = "tests/attacks/test_oidc_over_http.py -k foreign_state+attackers_answer+used_before+too_long"
CLAIMS = f"{TOKEN} -k claim+specification+clock+at_hash+factor"
FORGED = f"{TOKEN} -k forged+algorithm+asymmetric+symmetric+check_itself+means_no"
CLOSED = f"{OUTBOUND} -k address+loopback+spellings+http_goes+rebind+ipv6+closed"
SLOW = f"{OUTBOUND} -k slow+endless+deadline+cap+broken"
PUBLISHED = f"{PROVIDER} -k unknown+withdrawn+crowd+old_keys+without_a_key_id+two_fitting"
DOCUMENT = (
    f"{PROVIDER} -k refused_at_the_start+another_issuer+endpoint_that+http_endpoint+bad_status+dead_provider"
)
USERINFO = f"{PROVIDER} -k userinfo+email"
ANSWERS = f"{FLOW} -k token_endpoint+bad_status+too_many"
EMAIL = f"{TOKEN} -k email"
NEEDED = f"{TOKEN} -k claim"
REDIRECT = f"{OUTBOUND} -k redirect"
RESOLVER = f"{OUTBOUND} -k resolver"
TLS = f"{OUTBOUND} -k tls"
STATE = "State, code injection"
MIX_UP = "Mix-up"
ID_TOKEN = "ID token claims"
ALGORITHM = "Algorithm"
HEADER = "Header"
KEYS = "Unknown and withdrawn keys"
IDENTITY = "Wrong identity"
LIAR = "Lying provider"
SHAPE = "Token shape"
SSRF = "Addresses inside"

Edit = tuple[str, str] | str
"""What stands there and what instead; or words of the `raise` that is to do nothing."""

GROUPS: tuple[tuple[str, str, str, dict[str, Edit | list[Edit]]], ...] = (
    # (attack, file below app, tests meant for the checks, {check: how it is taken out})
    (
        STATE,
        "signin/oidc",
        FLOW,
        {
            "the answer's state is the sign-in's": ("not same(state, pending.key)", "False"),
            "pending, proof and place are of one source": (
                "{pending.source, proof.source} != {self.id}",
                "False",
            ),
            "the sign-in was started by this kind": "started by a source of this kind",
            "a code challenge goes out (PKCE)": [
                ("code_challenge=create_s256_code_challenge(verifier),", ""),
                ('code_challenge_method="S256",', ""),
            ],
            "each sign-in has a verifier of its own": (
                "        scopes = self",
                '        verifier = "v" * 43\n        scopes = self',
            ),
            "each sign-in has a nonce of its own": (
                "        scopes = self",
                '        nonce = "n" * 43\n        scopes = self',
            ),
        },
    ),
    (
        STATE,
        "signin/oidc_claims",
        FLOW,
        {
            "the token's nonce is the sign-in's": "`nonce` is not",
        },
    ),
    (
        STATE,
        "store/pending",
        STORE,
        {
            "the state row is deleted when it is taken": [
                (
                    "delete(PENDING)\n    .where(PENDING.c.handle",
                    "select(PENDING)\n    .where(PENDING.c.handle",
                ),
                (
                    "\n    .returning(PENDING.c.address, PENDING.c.created_at, PENDING.c.expires_at, PENDING.c.document)",
                    "",
                ),
            ],
            "it is found and deleted in one step (here in two)": (
                "        with self._database.write() as connection:\n"
                '            row = connection.execute(_TAKE, {"handle": handle}).one_or_none()\n',
                "        with self._database.read() as connection:\n"
                "            row = connection.execute(\n"
                "                select(PENDING).where(PENDING.c.handle == handle)\n"
                "            ).one_or_none()\n"
                "        with self._database.write() as connection:\n"
                "            connection.execute(delete(PENDING).where(PENDING.c.handle == handle))\n",
            ),
            "the state row is this browser's": (
                'digest("pending", key, source, browser)',
                'digest("pending", key, source)',
            ),
            "the state row is this source's": (
                'digest("pending", key, source, browser)',
                'digest("pending", key, browser)',
            ),
            "the state row ends": (" or row.expires_at <= now", ""),
        },
    ),
    (
        STATE,
        "broker",
        HTTP,
        {
            "a state row is needed": "no pending sign-in of this browser",
        },
    ),
    (
        MIX_UP,
        "signin/oidc",
        FLOW,
        {
            "`iss` is there where announced": "holds no `iss`",
            "`iss` is the configured issuer": "`iss` is another",
            "`iss` is looked at before an error is believed": (
                "            self._check_issuer(proof.fields, endpoints)\n",
                "            code_in(proof.fields, OidcRefused)\n            self._check_issuer(proof.fields, endpoints)\n",
            ),
            "each source has a redirect address of its own": ("{provider.id}/callback", "callback"),
        },
    ),
    (
        MIX_UP,
        "signin/oidc_discovery",
        PROVIDER,
        {
            "only `true` announces `iss`": (
                'iss_parameter_supported") is True',
                'iss_parameter_supported") is not None',
            ),
        },
    ),
    (
        ID_TOKEN,
        "signin/oidc_claims",
        CLAIMS,
        {
            "`iss`": "`iss` is not the configured",
            "`aud`": "`aud` is not",
            "one audience, not several (here: ours among them)": (
                "audience != [expected.client_id]",
                "not (isinstance(audience, list) and expected.client_id in audience)",
            ),
            "`azp`": "`azp` is not",
            "`exp` and `iat` are there": "`exp` or `iat` is missing",
            "`exp` has not passed": "`exp` has passed",
            "`iat` does not lie ahead": "`iat` lies ahead",
            "`iat` is not old": "`iat` is more than",
            "`nbf` does not lie ahead": "`nbf` lies ahead",
            "`auth_time` does not lie ahead": "`auth_time` lies ahead",
            "the tolerance is a minute (here Authlib's two)": ("SKEW.total_seconds()", "120"),
            "a time is a number": "is not a number of seconds",
            "a boolean is no number": ("isinstance(value, bool) or ", ""),
            "a time is of this time": "is no date of this time",
            "`sub` is a short ASCII string": "`sub` is not a string",
            "`sub` is not empty": ("0 < len(subject)", "0 <= len(subject)"),
            "`at_hash`": "`at_hash` is not",
        },
    ),
    (
        ALGORITHM,
        "signin/oidc_token",
        FORGED,
        {
            "the algorithm is configured": (" or algorithm not in algorithms", ""),
            "it is asymmetric": (" or algorithm not in ASYMMETRIC", ""),
            "the signature holds": "signature does not hold",
            "an exception of the library means no": (
                '        raise OidcToken(f"the ID token\'s signature cannot be checked: {type(error).__name__}") from None',
                "        holds = bool(error)",
            ),
        },
    ),
    (
        ALGORITHM,
        "signin/oidc_keys",
        FORGED,
        {
            "a key's configured algorithms are asymmetric": (" & ASYMMETRIC", ""),
            "a symmetric key is no key": [
                ("import ECKey, OKPKey", "import ECKey, OctKey, OKPKey"),
                ('    "OKP":', '    "oct": (OctKey, ("k",)),\n    "OKP":'),
            ],
        },
    ),
    (
        ALGORITHM,
        "signin/oidc_keys",
        PROVIDER,
        {
            "a key is for the algorithm that it names": ("own not in (None, algorithm)", "False"),
            "a key is for signatures": ('entry.get("use", "sig") != "sig" or not', "not"),
            "an RSA key has 2,048 bits, said (a first look)": ("SHORTEST_RSA <= len", "0 <= len"),
            "an RSA key has 2,048 bits, counted": (
                "None if isinstance(key, RSAKey) and key.public_key.key_size < SHORTEST_RSA else key",
                "key",
            ),
        },
    ),
    (
        HEADER,
        "signin/oidc_token",
        FORGED,
        {
            "nothing in it brings a key or changes what is signed": "header holds `",
            "`crit` is on the list": ('"crit", ', ""),
            "`typ` is JWT": "of another type than",
            "`kid` is a string": "`kid` is not a string",
        },
    ),
    (
        HEADER,
        "signin/oidc_keys",
        PUBLISHED,
        {
            "`kid` is compared": ("kid is None or known.kid == kid", "True"),
            "one key fits, not several": "several keys",
        },
    ),
    (
        KEYS,
        "signin/oidc_keys",
        PUBLISHED,
        {
            "one fetch a minute for unknown IDs": ("recent(self._tried, now, REFETCH)", "False"),
            "one thread fetches (here each)": (
                "self._lock = threading.Lock()",
                "self._lock = threading.Semaphore(99)",
            ),
            "keys live an hour": ("recent(self._fetched, now, LIFE)", "self._fetched is not None"),
        },
    ),
    (
        KEYS,
        "signin/oidc_discovery",
        DOCUMENT,
        {
            "a failure is remembered for a moment": "type(failure)",
        },
    ),
    (
        IDENTITY,
        "signin/oidc_claims",
        USERINFO,
        {
            "userinfo is of the same `sub`": "userinfo speaks of another",
            "the token's claims win over userinfo's": ("{**added, **claims}", "{**claims, **added}"),
            "userinfo proves no second factor": ("kept = _TOKENS_OWN |", "kept = frozenset() |"),
            "address and its proof come from one place": (
                "(_EMAIL if _EMAIL & claims.keys() else frozenset())",
                "frozenset()",
            ),
        },
    ),
    (
        IDENTITY,
        "signin/claims",
        EMAIL,
        {
            "an address counts only verified": ('claims.get("email_verified") != ("true",)', "False"),
        },
    ),
    (
        IDENTITY,
        "signin/claims",
        NEEDED,
        {
            "a name that is needed is there once": (
                "    if len(values) != 1:\n        count",
                "    if not values:\n        count",
            ),
        },
    ),
    (
        LIAR,
        "signin/oidc_discovery",
        DOCUMENT,
        {
            "the document is the configured issuer's": "for another issuer",
            "an endpoint is an acceptable address": (
                "isinstance(value, str) or not _acceptable(value, loopback)",
                "isinstance(value, str)",
            ),
            "http only where the issuer is on loopback": (" and loopback and ", " and "),
            "http only to loopback": (" and _is_loopback(host)", ""),
            "discovery's status is 200": "discovery: the provider answers with status",
        },
    ),
    (
        LIAR,
        "signin/oidc_keys",
        DOCUMENT,
        {
            "the key set's status is 200": "keys: the provider answers with status",
        },
    ),
    (
        LIAR,
        "signin/oidc",
        ANSWERS,
        {
            "the token endpoint's status is 200": "token endpoint: the provider answers with status",
            "a 400 holds no token": [
                ("answer.status in (400, 401)", "False"),
                (
                    'answer.status != 200:\n        raise ProviderFailed(f"token',
                    'answer.status not in (200, 400, 401):\n        raise ProviderFailed(f"token',
                ),
            ],
        },
    ),
    (
        LIAR,
        "signin/oauth2_answers",
        ANSWERS,
        {
            "the answer is application/json": "is not application/json",
        },
    ),
    (
        LIAR,
        "signin/places",
        PLACES,
        {
            "who finds no place is refused": "others wait",
            "nobody waits behind one who waited in vain": ("self._moving = False", "pass"),
        },
    ),
    (
        LIAR,
        "signin/oidc",
        ANSWERS,
        {
            "a sign-in's end takes a place": (
                "        with self._places.one():\n            endpoints = self._discovery.endpoints()\n            self",
                "        if True:\n            endpoints = self._discovery.endpoints()\n            self",
            ),
            "a sign-in's start takes a place": (
                "        with self._places.one():\n            endpoints = self._discovery.endpoints()\n        state",
                "        if True:\n            endpoints = self._discovery.endpoints()\n        state",
            ),
        },
    ),
    (
        LIAR,
        "outbound",
        REDIRECT,
        {
            "a redirect is not followed, nor taken as an answer": "answers with a redirect",
        },
    ),
    (
        LIAR,
        "outbound",
        SLOW,
        {
            "1 MB: said in the header (a first look)": (
                "response.length is not None and response.length > self._cap",
                "False",
            ),
            "1 MB: counted": [
                ("response.read(self._cap + 1)", "response.read()"),
                ("len(content) > self._cap", "False"),
            ],
            "headers and chunk sizes are counted": ("self._left < 0", "False"),
            "one deadline while reading (here each wait has its own)": (
                "        self._line.settimeout(self._deadline.left())\n        count",
                "        self._line.settimeout(0.4)\n        count",
            ),
        },
    ),
    (
        LIAR,
        "outbound",
        RESOLVER,
        {
            "the deadline holds for the name": ("thread.join(deadline.left())", "thread.join(5)"),
        },
    ),
    (
        SHAPE,
        "signin/oidc_token",
        FORGED,
        {
            "64 KB": "the ID token is longer",
            "ASCII": "holds other characters",
            "what the library raises is a refusal (RecursionError)": (
                ", KeyError, RecursionError)",
                ", KeyError)",
            ),
            "the header is an object": "header is not an object",
        },
    ),
    (
        SHAPE,
        "signin/oidc_json",
        FLOW,
        {
            "nested too deep is no JSON": ("except RecursionError", "except ZeroDivisionError"),
        },
    ),
    (
        SHAPE,
        "signin/oidc_json",
        FORGED,
        {
            "a member stands once": "a member is named twice",
            "no NaN": "NaN and Infinity",
            "no lone surrogate, no NUL": "text holds a lone",
        },
    ),
    (
        SSRF,
        "outbound",
        CLOSED,
        {
            "a closed address is not connected to": "which is closed",
            "an unreadable address is closed": (
                'raise ForbiddenAddress(f"{target}: resolves to an unreadable address") from None',
                "continue",
            ),
            "http only to loopback": "http is only for loopback",
            "every address of the name is looked at (here the first)": (
                "        for text in found:",
                "        for text in found[:1]:",
            ),
            "it connects to what it looked at (here to the name again)": (
                "create_connection((address, ",
                "create_connection((target.host, ",
            ),
            "cloud metadata outside link-local": (
                "any(_within(address, network) for network in _METADATA)",
                "False",
            ),
            "IPv4-mapped addresses": ("address.ipv4_mapped is not None", "False"),
            "loopback": ("return not allow_loopback", "return False"),
            "link-local, unspecified, reserved": (" or not address.is_global", ""),
            "multicast": ("address.is_multicast or ", ""),
            "IPv6 beyond global unicast": ("address not in _UNICAST or ", ""),
            "Teredo and 6to4": (" or any(address in network for network in _TUNNELS)", ""),
            "the IPv4 address inside NAT64's": ("address in _NAT64", "False"),
            "NAT64 is no way to loopback": (
                "0xFFFF_FFFF), allow_loopback=False",
                "0xFFFF_FFFF), allow_loopback=allow_loopback",
            ),
            "only https and http": "has the scheme",
            "no user name in an address": (' or "@" in parts.netloc', ""),
            "no odd characters in an address": "too long or holds characters",
        },
    ),
    (
        SSRF,
        "outbound",
        TLS,
        {
            "TLS is verified": (
                "    context.minimum_version",
                "    context.check_hostname = False\n    context.verify_mode = ssl.CERT_NONE\n    context.minimum_version",
            ),
            "TLS is verified under the name that was asked for": (
                "server_hostname=target.host",
                "server_hostname=address",
            ),
        },
    ),
)

SECOND_LOOKS = {
    "a key's configured algorithms are asymmetric": "`oidc_token` has refused the others by their names",
    "an RSA key has 2,048 bits, said (a first look)": "the bits are counted after it is imported, the row below",
    "1 MB: said in the header (a first look)": "the bytes are counted, the row below",
    "ASCII": "what cannot be encoded as ASCII is refused as no token",
    "what the library raises is a refusal (RecursionError)": "joserfc refuses headers of more than 512 bytes",
    "`kid` is a string": "joserfc refuses any other `kid`",
    "IPv4-mapped addresses": "also outside global unicast; from Python 3.13 on some would pass as loopback",
}
"""What is seen twice, and by whom else: only the tests meant for it are run."""

PARTS = (
    "app",
    "config",
    "demo",
    "wsgi.py",
    "pyproject.toml",
    *(f"tests/{name}" for name in ("__init__.py", "company.py", "served.py", "test_outbound.py")),
    *(f"tests/{name}" for name in ("attacks", "conformance", "signin", "store")),
)
SECONDS = 240
"""For one run of the tests; the machine may be busy."""


@dataclass(frozen=True)
class Deletion:
    attack: str
    file: str
    what: str
    tests: str
    source: str


def deletions() -> list[Deletion]:
    found = []
    for attack, file, tests, checks in GROUPS:
        text = (ROOT / f"app/{file}.py").read_text()
        for what, how in checks.items():
            source = without(text, how if isinstance(how, list) else [how])
            found.append(Deletion(attack, f"app/{file}.py", what, tests, source))
    return found


def without(text: str, edits: list[Edit]) -> str:
    """The module without the check. Raises LookupError if the module is not as the edits take it to be."""
    for edit in edits:
        if isinstance(edit, str):
            found = [source for words, source in raises(text) if edit in words]
            if len(found) != 1:
                raise LookupError(f"{len(found)} refusals have the words: {edit}")
            text = found[0]
        else:
            if edit[0] not in text:
                raise LookupError(f"not there: {edit[0]}")
            text = text.replace(*edit)
    return text


def chosen(tests: str) -> list[str]:
    """A file and words of names, as pytest takes them."""
    file, _, words = tests.partition(" -k ")
    return [file, "-k", words.replace("+", " or ")] if words else [file]


def everything(deletion: Deletion) -> list[str]:
    """All that could notice."""
    if deletion.file.startswith("app/signin"):
        return [SIGNIN, "tests/signin/test_claims.py", *([PLACES] if "place" in deletion.what else [])]
    return [OUTBOUND, SIGNIN] if deletion.file == "app/outbound.py" else chosen(deletion.tests)


def test_name(node: str) -> str:
    """`FILE::test_name[row]` as the table says it: the function, and its row where that is a word."""
    name, _, which = node.partition("::")[2].partition("[")
    readable = re.fullmatch(r"[\w .:/-]{1,50}\]", which) and not re.search(
        r"\d-|lambda|change\d|forge\d", which
    )
    return f"`{name}`" + (f" [{which}" if readable else "")


def outcome(folder: Path, deletion: Deletion) -> str:
    """The first test that fails without the check, or nothing."""
    with instead(folder / deletion.file, deletion.source):
        wider = [] if deletion.what in SECOND_LOOKS else [everything(deletion)]
        for tests in (chosen(deletion.tests), *wider):
            found = failing(folder, tests, most=1, seconds=SECONDS)
            if found:
                return found[0]
    return ""


def main(words: list[str]) -> int:
    alive, nodes = 0, set()
    print("| attack | module | check that was taken out | what then fails |\n|---|---|---|---|")
    with copied(*PARTS) as folder:
        for deletion in deletions():
            if words and not any(
                word in f"{deletion.attack} {deletion.file} {deletion.what}" for word in words
            ):
                continue
            found = outcome(folder, deletion)
            alive += not found and deletion.what not in SECOND_LOOKS
            nodes |= {found} if "::" in found else set()
            survives = f"survives: {SECOND_LOOKS.get(deletion.what, '**why?**')}"
            cell = test_name(found) if "::" in found else found or survives
            row(deletion.attack, f"`{Path(deletion.file).stem}`", deletion.what, cell)
        # A test that fails anyway (a busy machine) shows nothing.
        anyway = failing(folder, sorted(nodes), most=99, seconds=SECONDS) if nodes else []
    print("\nFail with every check in place: " + ", ".join(anyway) if anyway else "", end="")
    return 1 if alive or anyway else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
