"""Lets pip install the one file: a wheel that holds it as a script (PEP 517, PEP 427). Needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from pathlib import Path
from typing import Any

from build import ROOT, build

NAME = "daypass"
_WINDOWS = (
    '@if exist "%~dp0python.exe" ("%~dp0python.exe" -I -S "%~dp0daypass" %*) '
    'else ("%~dp0..\\python.exe" -I -S "%~dp0daypass" %*)\r\n'
)
"""Windows starts no file without an ending: this one stands beside it."""


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Write the wheel (PEP 517). Returns its name."""
    version = re.search(r'^version = "([^"]+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version is not None  # noqa: S101 - our own file
    stem = f"{NAME}-{version[1]}"
    metadata = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version[1]}\nRequires-Python: >=3.9\n"
    files = {
        f"{stem}.data/scripts/daypass": build(None),
        f"{stem}.data/scripts/daypass.cmd": _WINDOWS.encode(),
        f"{stem}.dist-info/METADATA": metadata.encode(),
        f"{stem}.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: daypass\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{stem}.dist-info/RECORD"
    rows = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()]
    files[record] = "".join([*rows, f"{record},,\n"]).encode()
    name = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
            wheel.writestr(entry, content)
    return name


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
