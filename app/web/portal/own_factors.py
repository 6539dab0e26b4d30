"""A person's own devices: add, rename, remove; recovery codes. Each change needs a proof of the last minutes."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from app.errors import AskRefused, FactorsFull, FactorUnknown, Malformed, MfaMissing, ProofNotRecent
from app.people import Enrolled, Factor, OwnFactors
from app.web import asks, cookies, forms, page, records, times
from app.web.page import see_other
from app.web.portal import enrolling, kinds, typed
from app.web.portal.enrolling import Place
from app.web.portal.step_up import prove_path
from app.web.visit import Visit
from app.web.wire import Response

HERE = "/security"
_ENROL = "/security/enrol"
_CODES = "/security/recovery-codes"


@dataclass(frozen=True, slots=True)
class FactorView:
    """A device."""

    id: str
    kind: str
    name: str
    added: str
    added_at: str
    used: str
    """Empty: never."""
    used_at: str
    rename_href: str
    remove_href: str


@dataclass(frozen=True, slots=True)
class FactorPage:
    """Rename or remove one."""

    factor: FactorView
    remove: bool
    last: bool
    """No other is left then."""
    name: str
    name_longest: int
    wrong: str


@dataclass(frozen=True, slots=True)
class AskCodesPage:
    """New recovery codes?"""

    left: int


def ask_own(visit: Visit) -> Response:
    """`GET /security/enrol`: which kind? Raises FactorsFull, Unavailable."""
    mine = _mine(visit)
    if not mine.recent:
        return see_other(prove_path(_ENROL))
    if not mine.enrolable:
        raise FactorsFull
    return enrolling.choose(visit, _place(), mine.enrolable)


def add_own(visit: Visit) -> Response:
    """`POST /security/enrol`: begin with a kind, or finish with the device's answer.

    Raises:
        ChallengeOver, FactorsFull, Malformed, MediaType, TooMany, Unavailable.
    """
    fields = enrolling.read(visit)
    browser = cookies.browser_secret(visit.request, visit.settings)
    begins = fields.get("step") != "finish"
    if begins:
        browser = browser or cookies.new_browser_secret()
    try:
        result = (
            enrolling.begin(visit, _place(), browser, fields)
            if begins
            else enrolling.finish(visit, _place(), browser, _device(visit), fields)
        )
    except ProofNotRecent as refusal:
        records.note(visit, refusal)
        return see_other(prove_path(_ENROL))
    response = _added(visit, result) if isinstance(result, Enrolled) else result
    if begins:
        cookies.set_browser(response, visit.settings, browser)
    return response


def ask_factor(visit: Visit) -> Response:
    """`GET /security/factor?id=ID&do=rename|remove`. Raises FactorUnknown, Malformed, Unavailable."""
    fields = forms.query(visit.request, ("id", "do"))
    mine = _mine(visit)
    factor = _find(mine, fields.get("id", ""))
    remove = fields.get("do") == "remove"
    if not mine.recent:
        return see_other(prove_path(_href(factor.id, fields.get("do", ""))))
    return _show(visit, mine, factor, remove)


def change_factor(visit: Visit) -> Response:
    """`POST /security/factor`: rename or remove. Raises FactorUnknown, Malformed, MediaType, Unavailable."""
    fields = forms.form(visit.request, ("id", "do", "name"))
    mine = _mine(visit)
    factor = _find(mine, fields.get("id", ""))
    do = fields.get("do")
    if do not in ("rename", "remove"):
        raise Malformed("do", words="Choose one of the two buttons.")
    try:
        if do == "remove":
            visit.broker.remove_factor(visit.person, factor.id, caller=visit.caller)
            return see_other(HERE)
        name = asks.line(fields.get("name", "").strip(), "name", typed.NAME_LONGEST)
        visit.broker.rename_factor(visit.person, factor.id, name, caller=visit.caller)
    except ProofNotRecent as refusal:
        records.note(visit, refusal)
        return see_other(prove_path(_href(factor.id, do)))
    except AskRefused as refusal:
        records.note(visit, refusal)
        given = "".join(char for char in fields.get("name", "") if char.isprintable())[: typed.NAME_LONGEST]
        return page.refused(_show(visit, mine, factor, False, given, refusal.words), refusal)
    return see_other(HERE)


def ask_codes(visit: Visit) -> Response:
    """`GET /security/recovery-codes`: new ones? Raises MfaMissing, Unavailable."""
    mine = _mine(visit)
    if not mine.factors:
        raise MfaMissing(
            words="Recovery codes stand in for a second factor, and you have none. Add one first."
        )
    if not mine.recent:
        return see_other(prove_path(_CODES))
    return page.show("recovery_codes_ask.html", AskCodesPage(mine.recovery_left), visit)


def make_codes(visit: Visit) -> Response:
    """`POST /security/recovery-codes`: ten new ones, shown this once. Raises MfaMissing, Unavailable."""
    try:
        made = visit.broker.new_recovery_codes(visit.person, caller=visit.caller)
    except ProofNotRecent as refusal:
        records.note(visit, refusal)
        return see_other(prove_path(_CODES))
    words = "The earlier ones are worth nothing now."
    return enrolling.codes_page(visit, _place(), made, "Your new recovery codes", words, (HERE, "Done"))


def view(visit: Visit, factor: Factor) -> FactorView:
    """A device as pages show it."""
    used = factor.last_used
    return FactorView(
        id=factor.id,
        kind=kinds.view(factor.kind).name,
        name=factor.name,
        added=times.clock_time(factor.enrolled_at, visit.now),
        added_at=times.wire(factor.enrolled_at),
        used="" if used is None else times.clock_time(used, visit.now),
        used_at="" if used is None else times.wire(used),
        rename_href=_href(factor.id, "rename"),
        remove_href=_href(factor.id, "remove"),
    )


def _added(visit: Visit, result: Enrolled) -> Response:
    if not result.recovery_codes:
        return see_other(HERE)
    title, words = f"{result.factor.name} is added", "If you lose it, one of these codes stands in for it."
    return enrolling.codes_page(visit, _place(), result.recovery_codes, title, words, (HERE, "Done"))


def _place() -> Place:
    return Place(action=_ENROL, back_href=HERE)


def _mine(visit: Visit) -> OwnFactors:
    return visit.broker.own_factors(visit.person, caller=visit.caller)


def _find(mine: OwnFactors, id: str) -> Factor:
    found = next((factor for factor in mine.factors if factor.id == id), None)
    if found is None:
        raise FactorUnknown(f"factor {id[:60]!r}")
    return found


def _href(id: str, do: str) -> str:
    return f"/security/factor?id={quote(id, safe='')}&do={'remove' if do == 'remove' else 'rename'}"


def _device(visit: Visit) -> str:
    return cookies.device_secret(visit.request, visit.settings)


def _show(
    visit: Visit, mine: OwnFactors, factor: Factor, remove: bool, name: str = "", wrong: str = ""
) -> Response:
    shown = FactorPage(
        factor=view(visit, factor),
        remove=remove,
        last=len(mine.factors) == 1,
        name=name or factor.name,
        name_longest=typed.NAME_LONGEST,
        wrong=wrong,
    )
    return page.show("factor.html", shown, visit)
