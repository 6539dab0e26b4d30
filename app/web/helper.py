"""The command-line helper as this broker serves it: one file, its own address baked in, and its checksum.

`cli/` stands beside `app/` and is no part of it: the helper runs on people's machines, on other Pythons than
ours. Only `cli/build.py` is run here, once for each address, which reads the package's source and writes the
file; it is the same, byte for byte, on every worker and host of one release.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from app.errors import Unavailable
from app.web.visit import Visit
from app.web.wire import Response

log = logging.getLogger("daypass.web")

NAME: Final = "daypass"
_BUILDING: Final = threading.Lock()
_SOURCE: Final = Path(__file__).resolve().parents[2] / "cli" / "build.py"


@dataclass(frozen=True, slots=True)
class Helper:
    """The built file."""

    body: bytes = field(repr=False)
    sha256: str
    """Of the body, in hex."""


def prepare(base_url: str) -> None:
    """Build it beside the first requests: it takes half a second, and the sources are those of this start."""
    threading.Thread(target=_prepare, args=(base_url,), name="helper", daemon=True).start()


def of(base_url: str) -> Helper:
    """The helper of the broker at this address; built the first time.

    Raises:
        Unavailable: this installation came without the helper's source.
    """
    with _BUILDING:  # whoever comes meanwhile waits for the one build
        return _built(base_url)


def _prepare(base_url: str) -> None:
    with suppress(Unavailable):  # the log has it, and the helper's own address says it
        of(base_url)


@lru_cache(maxsize=4)
def _built(base_url: str) -> Helper:
    try:
        body = _build()(base_url)
    except Exception as error:
        log.exception("the helper cannot be built", extra={"at": str(_SOURCE)})
        raise Unavailable(f"{_SOURCE}: {type(error).__name__}") from error
    return Helper(body, hashlib.sha256(body).hexdigest())


def program(visit: Visit) -> Response:
    """`GET /cli/daypass`. Raises Unavailable."""
    helper = of(visit.settings.base_url)
    response = Response(helper.body, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{NAME}"'
    return _fresh(response, helper.sha256, visit)


def checksum(visit: Visit) -> Response:
    """`GET /cli/daypass.sha256`: a line for `sha256sum -c`. Raises Unavailable."""
    helper = of(visit.settings.base_url)
    response = Response(f"{helper.sha256}  {NAME}\n", content_type="text/plain; charset=utf-8")
    return _fresh(response, f"{helper.sha256}.sum", visit)


def _fresh(response: Response, tag: str, visit: Visit) -> Response:
    # Asked again each time, so that file and checksum never come from two releases.
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(tag)
    response.make_conditional(visit.request)
    return response


@cache
def _build() -> Callable[[str], bytes]:
    spec = importlib.util.spec_from_file_location("daypass_helper_build", _SOURCE)
    if spec is None or spec.loader is None:
        raise ImportError(str(_SOURCE))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build: Callable[[str], bytes] = module.build
    return build
