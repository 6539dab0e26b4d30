"""A second process for the store's conformance suite: `process.py JOB URL KEY THREADS`.

Opens the store, says `ready`, waits for a line, does its job in so many threads at once, prints what came
of it as JSON. `append` goes on until it is killed, printing each request id once it is acknowledged.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.audit import AuditWriter
from app.clock import SystemClock
from app.errors import UserTaken
from app.model import GUEST, Authentication, Identity, Session
from app.people import Account, Budget
from app.sealing import Sealer
from app.store import Store, open_store
from app.tokens import Approved, CodeGrant, Rotated, SigningKeys
from tests.store.builders import (
    BOTH,
    BROWSER,
    CORP,
    MINUTE,
    NOW,
    PARTNER,
    clients_session,
    device_grant,
    event,
    identity,
    local_user,
    one_time_link,
    pending,
    recovery,
    security_key,
    session,
)


def take(store: Store, thread: int) -> bool:
    return store.pending.take(pending().key, CORP, BROWSER, NOW) is not None


def mark(store: Store, thread: int) -> bool:
    return store.once.mark("saml corp", "_assertion-1", NOW + MINUTE)


def end(store: Store, thread: int) -> bool:
    return store.sessions.end("s1", NOW)


def activate(store: Store, thread: int) -> int:
    return store.revisions.activate("d" * 64, {"daypass.yaml": "version: 1\n"}, NOW)


def count(store: Store, thread: int) -> int:
    store.refusals.count(NOW, "203.0.113.7", "saml.signature", 1)
    return 1


def chain(store: Store, thread: int) -> int:
    writer = AuditWriter(store.audit, SystemClock())
    for number in range(20):
        writer.record(event(f"{os.getpid()}-{thread}-{number}"))
    return 20


def opened(store: Store, thread: int) -> bool:
    return store.check()


def redeem(store: Store, thread: int) -> str:
    """Take the code and begin what it gives, as the broker does."""
    id = f"{os.getpid()}-{thread}"
    if not isinstance(store.codes.take("code", "cli", id, NOW), CodeGrant):
        return "reused"
    begun = store.refresh_tokens.begin(clients_session(id), f"token of {id}", BOTH, code="code")
    return "begun" if begun else "not begun"


def take_code(store: Store, thread: int) -> str:
    taken = store.codes.take("code", "cli", f"{os.getpid()}-{thread}", NOW)
    return "taken" if isinstance(taken, CodeGrant) else taken.session


def rotate(store: Store, thread: int) -> list[object]:
    got = store.refresh_tokens.rotate("first", "cli", f"next {os.getpid()}-{thread}", NOW)
    return [got.token, got.again] if isinstance(got, Rotated) else [None, None]


def fork(store: Store, thread: int) -> str:
    """Use the first token or the second, which it gave before: whoever comes in which order."""
    token = ("first", "second")[thread % 2]
    got = store.refresh_tokens.rotate(token, "cli", f"next {os.getpid()}-{thread}", NOW)
    return got.token if isinstance(got, Rotated) else "over"


def poll(store: Store, thread: int) -> str:
    heard = store.devices.poll("device code", "cli", NOW)
    return "approved" if isinstance(heard, Approved) else str(heard)


def ask(store: Store, thread: int) -> bool:
    return store.devices.add(f"device code {os.getpid()}-{thread}", device_grant())


def decide(store: Store, thread: int) -> bool:
    found = store.devices.find("BCDF-GHJK", NOW)
    return found is not None and store.devices.decide(found.handle, (None, "s1")[thread % 2], NOW)


class At:
    def now(self):
        return NOW


def first_key(store: Store, thread: int) -> str:
    return SigningKeys(store.token_keys, At()).current()[0]


def identify(store: Store, thread: int) -> str:
    return store.identities.of("photos", CORP, "ana-7", NOW)


def bind(store: Store, thread: int) -> list[object]:
    owner = ("photos", "notes")[thread % 2]
    return [owner, store.once.bind("token", "t", owner, NOW + MINUTE)]


def only(store: Store, statement: str) -> str:
    with store.identities._database.read() as connection:
        return connection.exec_driver_sql(statement).scalar_one()


def claim(store: Store, thread: int) -> str:
    guest = only(store, "SELECT id FROM pool_identities")
    return str(store.identities.claim("photos", guest, CORP, f"{os.getpid()}-{thread}", NOW))


def claim_and_begin(store: Store, thread: int) -> str:
    """The guest goes on, or signs in."""
    guest = only(store, "SELECT id FROM pool_identities")
    if thread % 5 == 0:
        return str(store.identities.claim("photos", guest, CORP, f"{os.getpid()}-{thread}", NOW))
    who = Identity(GUEST, guest, "guest", {}, Authentication(NOW))
    return begun(store, clients_session(f"{os.getpid()}-{thread}", identity=who, pool_identity=guest))


def unlink_and_begin(store: Store, thread: int) -> str:
    """One login is taken away while another of its sessions begins."""
    ana = only(store, "SELECT id FROM told")
    if thread % 5 == 0:
        return "unlinked" if store.identities.unlink("photos", ana, PARTNER, NOW) else "gone"
    who = identity(source=PARTNER, subject="ana@home")
    return begun(store, clients_session(f"{os.getpid()}-{thread}", identity=who, pool_identity=ana))


def begun(store: Store, made: Session) -> str:
    return "begun" if store.refresh_tokens.begin_on_proof(made, None, BOTH, pool="photos") else "over"


# --- local people ---------------------------------------------------------------------------------


def create_user(store: Store, thread: int) -> bool:
    return store.users.create(local_user(f"{os.getpid()}-{thread}"), by="operator ops", at=NOW)


def change_user(store: Store, thread: int) -> bool:
    mine = local_user(name=f"{os.getpid()}-{thread}")
    return store.users.change(mine, 1, by="operator ops", at=NOW) is not None


def rename_user(store: Store, thread: int) -> str:
    """Two users who want to be called the same."""
    try:
        mine = local_user(str(thread % 2) * 16, username="wanted")
        return "renamed" if store.users.change(mine, 1, by="operator ops", at=NOW) else "changed before"
    except UserTaken:
        return "taken"


def set_password(store: Store, thread: int) -> bool:
    """Each of them read the account before anybody set a password."""
    read = Account("5" * 16, epoch=only(store, "SELECT epoch FROM told"))
    new = replace(read, password=f"{os.getpid()}-{thread}", password_at=NOW + (thread + 1) * MINUTE)
    return store.users.set_account(new, NOW)


def add_factor(store: Store, thread: int) -> bool:
    name = f"{os.getpid()}-{thread}"
    return store.factors.add(security_key(name, name), 8)


def add_credential(store: Store, thread: int) -> bool:
    """One device, many people."""
    name = f"{os.getpid()}-{thread}"
    return store.factors.add(security_key(name, "the same", subject=name), 8)


def advance(store: Store, thread: int) -> bool:
    return store.factors.advance("f1", 59_000_000, NOW)


def climb(store: Store, thread: int) -> list[int]:
    """Every step that this thread was first to reach."""
    return [step for step in range(20) if store.factors.advance("f1", step, NOW)]


def use_recovery_code(store: Store, thread: int) -> bool:
    return store.recovery_codes.use(CORP, "ana-7", "code", NOW)


def replace_recovery_codes(store: Store, thread: int) -> None:
    codes = [f"{os.getpid()}-{thread}-{number}" for number in range(10)]
    store.recovery_codes.replace(CORP, "ana-7", codes, NOW)


def take_challenge(store: Store, thread: int) -> bool:
    return store.challenges.take("handle", BROWSER, NOW) is not None


def miss(store: Store, thread: int) -> int:
    return store.challenges.miss("handle", NOW)


def take_link(store: Store, thread: int) -> bool:
    return store.links.take("link", NOW) is not None


def add_link(store: Store, thread: int) -> str:
    token = f"{os.getpid()}-{thread}"
    store.links.add(token, one_time_link())
    return token


def reserve(store: Store, thread: int) -> str:
    """The account's budget is the narrower; the address's may be held in the other order by others."""
    account = Budget("password/account", "ana", 10, 15 * MINUTE)
    address = Budget("password/address", "203.0.113.7", 30, 15 * MINUTE)
    budgets = (account, address) if thread % 2 else (address, account)
    full = store.guesses.reserve(budgets, NOW)
    return "counted" if full is None else full.scope


def guess_right(store: Store, thread: int) -> bool:
    budgets = (Budget("password/account", "ana", 1000, 15 * MINUTE),)
    counted = store.guesses.reserve(budgets, NOW) is None
    store.guesses.give_back(budgets, NOW)
    return counted


def note_device(store: Store, thread: int) -> bool:
    return store.known_devices.note(CORP, "ana-7", "cookie", NOW, user_agent="Firefox", address="192.0.2.1")


def ask_recovery(store: Store, thread: int) -> bool:
    return store.recoveries.add(recovery(f"{os.getpid()}-{thread}"))


def decide_recovery(store: Store, thread: int) -> bool:
    return store.recoveries.decide("r1", approved=thread % 2 == 0, by=f"corp/{thread}", now=NOW)


def sign_off(store: Store, thread: int) -> bool:
    return store.root_uses.sign_off("u1", by=f"corp/{thread}", note="", now=NOW)


def due(store: Store, thread: int) -> list[str]:
    return [each.alert.id for each in store.alerts.due(NOW, 100)]


def renew(store: Store, thread: int) -> bool:
    """Step up, while somebody ends the session."""
    if thread == 0:
        return store.sessions.end("s1", NOW)
    token = f"{os.getpid()}-{thread}"
    store.sessions.renew("s1", token, session(csrf=token), NOW)
    store.sessions.prove("s1", Authentication(NOW, mfa_at=NOW), NOW)
    return False


def step_up(store: Store, thread: int) -> bool:
    """In the browser, and for a helper, at once."""
    done = []
    for number in range(10):
        if thread % 2:
            token = f"{os.getpid()}-{thread}-{number}"
            done.append(store.sessions.renew("s1", token, session(csrf=token), NOW))
        else:
            done.append(store.sessions.prove("s1", Authentication(NOW, mfa_at=NOW), NOW))
    return all(done)


PEOPLE_JOBS = (
    create_user,
    change_user,
    rename_user,
    set_password,
    add_factor,
    add_credential,
    advance,
    climb,
    use_recovery_code,
    replace_recovery_codes,
    take_challenge,
    miss,
    take_link,
    add_link,
    reserve,
    guess_right,
    note_device,
    ask_recovery,
    decide_recovery,
    sign_off,
    due,
    renew,
    step_up,
)
POOL_JOBS = (identify, bind, claim, claim_and_begin, unlink_and_begin)
TOKEN_JOBS = (redeem, take_code, rotate, fork, poll, ask, decide, first_key)
JOBS = {
    job.__name__: job
    for job in (take, mark, end, activate, count, chain, opened, *TOKEN_JOBS, *POOL_JOBS, *PEOPLE_JOBS)
}


def main() -> None:
    job, url, key, threads = sys.argv[1], sys.argv[2], sys.argv[3].encode(), int(sys.argv[4])
    if job == "opened":  # opening itself is the race
        go()
        store = open_store(url, Sealer([key]))
    else:
        store = open_store(url, Sealer([key]))
        go()
    if job == "append":
        append(store, threads)
    results: list[object] = []
    start = threading.Barrier(threads)

    def run(thread: int) -> None:
        start.wait()
        results.append(JOBS[job](store, thread))

    together(run, threads)
    store.close()
    print(json.dumps(results))


def go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def append(store: Store, threads: int) -> None:
    writer = AuditWriter(store.audit, SystemClock())

    def run(thread: int) -> None:
        number = 0
        while True:
            name = f"{os.getpid()}-{thread}-{number}"
            writer.record(event(name))
            os.write(1, f"{name}\n".encode())  # one short write is whole or not at all
            number += 1

    together(run, threads)


def together(run, threads: int) -> None:
    workers = [threading.Thread(target=run, args=(thread,), daemon=True) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
