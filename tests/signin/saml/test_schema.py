"""The schema may be asked for first by many threads at once, as when several sources warm up side by side."""

import subprocess
import sys

from tests.company import ROOT

FIRST = """
import threading
from app.signin.saml_signature import schema
gate, failed = threading.Barrier(6), []
def first():
    gate.wait()
    try:
        schema()
    except Exception as error:
        failed.append(repr(error))
threads = [threading.Thread(target=first) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
raise SystemExit("; ".join(failed) or 0)
"""


def test_many_threads_at_once_may_ask_for_the_schema_first():
    # Without the lock about one process in seven ends with a broken libxml2, for good.
    for _ in range(12):
        done = subprocess.run(
            [sys.executable, "-c", FIRST], capture_output=True, text=True, timeout=60, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
