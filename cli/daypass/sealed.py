"""Protection of files beyond their access list: DPAPI on Windows, nothing elsewhere (the mode does it)."""

from __future__ import annotations

import sys

from daypass.errors import Local

_ENTROPY = b"daypass 1"
_UI_FORBIDDEN = 1


def sealed(content: bytes) -> bytes:
    """The content so that only this person on this machine opens it. Raises Local."""
    return _dpapi("CryptProtectData", content) if sys.platform == "win32" else content


def opened(content: bytes) -> bytes:
    """What `sealed` was given. Raises Local."""
    return _dpapi("CryptUnprotectData", content) if sys.platform == "win32" else content


def _dpapi(function: str, content: bytes) -> bytes:
    """One call of crypt32: (in, description, entropy, reserved, prompt, flags, out). Raises Local."""
    import ctypes

    class Blob(ctypes.Structure):
        _fields_ = (("size", ctypes.c_uint32), ("data", ctypes.c_void_p))

    def blob(of: bytes) -> tuple[Blob, object]:
        buffer = ctypes.create_string_buffer(of, len(of))
        return Blob(len(of), ctypes.addressof(buffer)), buffer

    dll = ctypes.WinDLL  # type: ignore[attr-defined, unused-ignore]
    given, kept = blob(content)
    entropy, kept_too = blob(_ENTROPY)
    out = Blob()
    call = getattr(dll("crypt32", use_last_error=True), function)
    call.argtypes = [ctypes.c_void_p] * 5 + [ctypes.c_uint32, ctypes.c_void_p]
    call.restype = ctypes.c_int
    refer = ctypes.addressof
    if not call(refer(given), None, refer(entropy), None, None, _UI_FORBIDDEN, refer(out)):
        error = ctypes.get_last_error()  # type: ignore[attr-defined, unused-ignore]
        raise Local(
            "Windows does not open what it protects for this account.", why=f"{function}: error {error}."
        )
    del kept, kept_too
    try:
        return ctypes.string_at(out.data, out.size)
    finally:
        free = dll("kernel32").LocalFree
        free.argtypes, free.restype = [ctypes.c_void_p], ctypes.c_void_p
        free(out.data)
