"""Which programs started this one, nearest first: Linux's /proc, macOS's `ps`, Windows's process snapshot.

Reading them never fails: what cannot be read ends the list.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Callable, Optional

FARTHEST = 12
"""So many ancestors are looked at: a shell that is farther away is not the one that reads our lines."""

Look = Callable[[int], "Optional[tuple[int, str]]"]
"""Process id → its parent's id and its program's name; None if there is no such process."""


def programs(platform: str, pid: int | None = None, look: Look | None = None) -> Iterator[str]:
    """Names of the ancestors' programs, as the system tells them: `bash`, `-zsh`, `C:\\…\\pwsh.exe`.

    `pid` is the first to be named, our parent unless said.
    """
    current = os.getppid() if pid is None else pid
    look = look or _look(platform)
    seen: set[int] = set()
    while current > 0 and current not in seen and len(seen) < FARTHEST:
        seen.add(current)
        found = look(current)
        if found is None:
            return
        current, name = found
        yield name


def _look(platform: str) -> Look:
    if platform == "windows":
        table = _windows_processes()
        return table.get
    return _by_ps if platform == "macos" else _by_proc


def _by_proc(pid: int) -> tuple[int, str] | None:
    """`/proc/PID/stat`: `PID (NAME) STATE PPID …`; the name may hold blanks and brackets (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read(4096)
        name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
        return int(rest.split()[1]), name
    except (OSError, ValueError, IndexError):
        return None


def _by_ps(pid: int) -> tuple[int, str] | None:
    import subprocess

    asked = ["/bin/ps", "-o", "ppid=,comm=", "-p", str(pid)]
    try:
        told = subprocess.run(  # noqa: S603 - a fixed program, a number
            asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=3, check=True
        )
        return parse_ps(told.stdout.decode("utf-8", "replace"))
    except (OSError, subprocess.SubprocessError):
        return None


def parse_ps(text: str) -> tuple[int, str] | None:
    """What `ps -o ppid=,comm=` prints: a number, blanks, the program (which may hold blanks)."""
    parts = text.strip().split(None, 1)
    if len(parts) != 2 or not parts[0].isdigit():
        return None
    return int(parts[0]), parts[1]


def _windows_processes() -> dict[int, tuple[int, str]]:
    """All processes, by Toolhelp32 (CreateToolhelp32Snapshot, Process32FirstW); empty where it fails."""
    if sys.platform != "win32":
        return {}
    import ctypes
    from ctypes import wintypes

    class Entry(ctypes.Structure):
        _fields_ = (
            ("dwSize", wintypes.DWORD),
            ("cntUsage", wintypes.DWORD),
            ("th32ProcessID", wintypes.DWORD),
            ("th32DefaultHeapID", ctypes.c_size_t),
            ("th32ModuleID", wintypes.DWORD),
            ("cntThreads", wintypes.DWORD),
            ("th32ParentProcessID", wintypes.DWORD),
            ("pcPriClassBase", wintypes.LONG),
            ("dwFlags", wintypes.DWORD),
            ("szExeFile", wintypes.WCHAR * 260),
        )

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
    kernel.CreateToolhelp32Snapshot.argtypes = (wintypes.DWORD, wintypes.DWORD)
    for step in (kernel.Process32FirstW, kernel.Process32NextW):
        step.argtypes = (wintypes.HANDLE, ctypes.POINTER(Entry))
        step.restype = wintypes.BOOL
    kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    snapshot = kernel.CreateToolhelp32Snapshot(2, 0)  # TH32CS_SNAPPROCESS
    if snapshot in (None, wintypes.HANDLE(-1).value):
        return {}
    found: dict[int, tuple[int, str]] = {}
    try:
        entry = Entry()
        entry.dwSize = ctypes.sizeof(Entry)
        more = kernel.Process32FirstW(snapshot, ctypes.byref(entry))
        while more:
            found[int(entry.th32ProcessID)] = (int(entry.th32ParentProcessID), str(entry.szExeFile))
            more = kernel.Process32NextW(snapshot, ctypes.byref(entry))
    finally:
        kernel.CloseHandle(snapshot)
    return found
