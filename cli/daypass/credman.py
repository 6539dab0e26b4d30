"""Windows' Credential Manager by advapi32 (wincred.h): a generic credential, on this machine only."""

from __future__ import annotations

import ctypes
from typing import Any

from daypass.errors import Local

GENERIC = 1
LOCAL_MACHINE = 2
NOT_FOUND = 1168


class Filetime(ctypes.Structure):
    """FILETIME; Windows fills it in."""

    _fields_ = (("low", ctypes.c_uint32), ("high", ctypes.c_uint32))


class Credential(ctypes.Structure):
    """CREDENTIALW."""

    _fields_ = (
        ("flags", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("target_name", ctypes.c_wchar_p),
        ("comment", ctypes.c_wchar_p),
        ("last_written", Filetime),
        ("blob_size", ctypes.c_uint32),
        ("blob", ctypes.c_void_p),
        ("persist", ctypes.c_uint32),
        ("attribute_count", ctypes.c_uint32),
        ("attributes", ctypes.c_void_p),
        ("target_alias", ctypes.c_wchar_p),
        ("user_name", ctypes.c_wchar_p),
    )


class WindowsVault:
    """One generic credential, named after the broker."""

    name = "Windows Credential Manager"

    def __init__(self, broker: str) -> None:
        self.target = f"daypass {broker}"

    def read(self) -> str | None:
        """The secret; None where there is none. Raises Local."""
        api = _api()
        found = ctypes.c_void_p()
        if not api.CredReadW(self.target, GENERIC, 0, ctypes.byref(found)):
            _absent("CredReadW")
            return None
        try:
            credential = ctypes.cast(found, ctypes.POINTER(Credential)).contents
            return ctypes.string_at(credential.blob, credential.blob_size).decode("ascii", "replace")
        finally:
            api.CredFree(found)

    def write(self, secret: str) -> None:
        """Raises Local."""
        content = ctypes.create_string_buffer(secret.encode("ascii"), len(secret))
        credential = Credential(
            type=GENERIC,
            target_name=self.target,
            blob_size=len(secret),
            blob=ctypes.addressof(content),
            persist=LOCAL_MACHINE,
            user_name="daypass",
        )
        if not _api().CredWriteW(ctypes.byref(credential), 0):
            raise _refused("CredWriteW", _last_error())

    def clear(self) -> None:
        """Raises Local."""
        if not _api().CredDeleteW(self.target, GENERIC, 0):
            _absent("CredDeleteW")


def _api() -> Any:
    api = ctypes.WinDLL("advapi32", use_last_error=True)  # type: ignore[attr-defined, unused-ignore]
    word, pointer = ctypes.c_uint32, ctypes.c_void_p
    api.CredReadW.argtypes = [ctypes.c_wchar_p, word, word, pointer]
    api.CredWriteW.argtypes = [pointer, word]
    api.CredDeleteW.argtypes = [ctypes.c_wchar_p, word, word]
    api.CredFree.argtypes, api.CredFree.restype = [pointer], None
    return api


def _last_error() -> int:
    return int(ctypes.get_last_error())  # type: ignore[attr-defined, unused-ignore]


def _absent(function: str) -> None:
    """Nothing, if the last error says that there is no such credential. Raises Local."""
    error = _last_error()
    if error != NOT_FOUND:
        raise _refused(function, error)


def _refused(function: str, error: int) -> Local:
    return Local("The Windows Credential Manager refuses.", why=f"{function}: error {error}.")
