"""Windows and macOS by their rules, on a machine that is neither: paths, tools, structures, locks."""

from __future__ import annotations

import ctypes
import errno
import os
import runpy
import stat
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from daypass import browser, cache, credman, files, keychain, locks, paths, sealed
from daypass.context import SignInOptions, detect
from daypass.errors import Local
from tests.cli.contexts import context
from tests.cli.fake_broker import ADMIN, Broker
from tests.cli.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
BROKER = "https://daypass.example.com"
SECRET = "rt-" + "s" * 43


# --- paths ----------------------------------------------------------------------------------------


def test_linux_follows_xdg_but_not_to_a_relative_folder() -> None:
    usual = paths.find("linux", {"HOME": "/home/ana"})
    assert (usual.config, usual.state, usual.cache) == (
        "/home/ana/.config/daypass",
        "/home/ana/.local/state/daypass",
        "/home/ana/.cache/daypass",
    )
    given = {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "not/absolute"}
    moved = paths.find("wsl", {"HOME": "/home/ana", **given})
    assert (moved.config, moved.state, moved.cache) == (
        "/c/daypass",
        "/s/daypass",
        "/home/ana/.cache/daypass",
    )


def test_macos_keeps_its_cache_in_the_library() -> None:
    found = paths.find("macos", {"HOME": "/Users/ana", "XDG_CACHE_HOME": "/elsewhere"})
    assert found.cache == "/Users/ana/Library/Caches/daypass"
    assert found.config == "/Users/ana/.config/daypass"


def test_windows_keeps_state_out_of_the_roaming_profile() -> None:
    environ = {"APPDATA": r"C:\Users\ana\AppData\Roaming", "LOCALAPPDATA": r"C:\Users\ana\AppData\Local"}
    found = paths.find("windows", environ)
    assert found.config == r"C:\Users\ana\AppData\Roaming\daypass"
    assert found.state == r"C:\Users\ana\AppData\Local\daypass"
    assert found.cache == r"C:\Users\ana\AppData\Local\daypass\cache"
    name = cache.name_of("arn:aws:iam::111122223333:role/team/Admin")
    whole = found.join(found.passes(paths.key_of("https://daypass.example.com:8443/x")), name)
    assert not set(whole[3:]) & set('<>:"/|?*') and len(whole) < 260


@pytest.mark.parametrize(
    ("platform", "environ"), [("linux", {}), ("macos", {"HOME": "x"}), ("windows", {"APPDATA": "x"})]
)
def test_no_home_is_said(platform: str, environ: dict[str, str]) -> None:
    with pytest.raises(Local, match="home"):
        paths.find(platform, environ)


def test_platforms_are_told_apart() -> None:
    assert detect("win32", {}) == "windows"
    assert detect("darwin", {}) == "macos"
    assert detect("linux", {"WSL_DISTRO_NAME": "Ubuntu"}) == "wsl"
    assert detect("linux", {}) == "linux"


# --- browsers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "environ", "marks", "expected"),
    [
        ("linux", {"DISPLAY": ":0"}, {}, "desktop"),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, {}, "desktop"),
        ("linux", {}, {}, "no display"),
        ("linux", {"DISPLAY": ":0", "SSH_CONNECTION": "a b"}, {}, "ssh"),
        ("macos", {"SSH_TTY": "/dev/ttys1"}, {}, "ssh"),
        ("macos", {}, {}, "desktop"),
        ("windows", {}, {}, "desktop"),
        ("wsl", {}, {}, "desktop"),
        ("wsl", {}, {"/.dockerenv": True}, "container"),
        ("linux", {"DISPLAY": ":0"}, {"/run/.containerenv": True}, "container"),
        ("linux", {"DISPLAY": ":0", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, {}, "container"),
        ("linux", {"DISPLAY": ":0", "CI": "true"}, {}, "ci"),
        ("linux", {"DISPLAY": ":0", "CI": "false"}, {}, "desktop"),
    ],
)
def test_what_kind_of_place_this_is(
    platform: str, environ: dict[str, str], marks: dict[str, bool], expected: str
) -> None:
    assert browser.place(platform, environ, marks) == expected


@pytest.mark.parametrize(
    ("environ", "options", "configured", "device"),
    [
        ({"SSH_CONNECTION": "a"}, {}, "", True),
        ({"SSH_CONNECTION": "a", "BROWSER": "/bin/true"}, {}, "", False),
        ({"SSH_CONNECTION": "a", "BROWSER": "lynx"}, {}, "", True),
        ({"SSH_CONNECTION": "a"}, {"no_browser": True}, "", False),
        ({"SSH_CONNECTION": "a"}, {"browser": "firefox"}, "", False),
        ({"SSH_CONNECTION": "a"}, {}, "device = no", False),
        ({"DISPLAY": ":0"}, {}, "device = yes", True),
        ({"DISPLAY": ":0"}, {"device": True}, "device = no", True),
        ({"SSH_CONNECTION": "a"}, {}, "browser = firefox", False),
    ],
)
def test_browser_or_device_code(
    machine: Machine, environ: dict[str, str], options: dict[str, Any], configured: str, device: bool
) -> None:
    machine.configure(configured + "\n")
    given = context(machine, environ={"HOME": str(machine.home), **environ}, options=SignInOptions(**options))
    assert browser.by_device(given) is device


@pytest.mark.parametrize(
    ("platform", "tools", "expected"),
    [
        ("macos", {}, ["/usr/bin/open"]),
        ("wsl", {"wslview": "/usr/bin/wslview"}, ["wslview"]),
        ("wsl", {}, ["rundll32.exe", "url.dll,FileProtocolHandler"]),
        ("linux", {"xdg-open": "/usr/bin/xdg-open"}, ["xdg-open"]),
        ("linux", {}, []),
    ],
)
def test_what_opens_an_address(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    tools: dict[str, str],
    expected: list[str],
) -> None:
    monkeypatch.setattr(browser.shutil, "which", tools.get)
    given = context(machine, environ={"HOME": str(machine.home)}, platform=platform)
    assert browser.usual(given) == expected


def test_browser_variable_takes_lists_and_a_place_for_the_address(machine: Machine) -> None:
    environ = {"HOME": str(machine.home), "BROWSER": "w3m:sh -c 'open %s':firefox"}
    assert browser.named(context(machine, environ=environ)) == ["sh", "-c", "open %s"]


# --- macOS: the keychain by /usr/bin/security -----------------------------------------------------


class Tool:
    """Instead of `subprocess.run`: what was called, and with what on stdin."""

    def __init__(self, code: int = 0, out: str = "", err: str = "") -> None:
        self.calls: list[tuple[list[str], str]] = []
        self.answer = (code, out, err)

    def __call__(self, command: list[str], *, input: bytes, timeout: float, **_: Any) -> Any:
        assert timeout == 3.0
        self.calls.append((command, input.decode()))
        code, out, err = self.answer
        return types.SimpleNamespace(returncode=code, stdout=out.encode(), stderr=err.encode())


def test_macos_gets_the_secret_on_stdin_and_not_in_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = Tool()
    monkeypatch.setattr(keychain.subprocess, "run", tool)
    keychain.MacKeychain(BROKER).write('a"b\\c')
    [(command, line)] = tool.calls
    assert command == ["/usr/bin/security", "-i"]
    assert line == (
        f'"add-generic-password" "-U" "-s" "daypass" "-a" "{BROKER}" "-T" "/usr/bin/security" -w "a\\"b\\\\c"\n'
    )
    keychain.MacKeychain(BROKER).write("s" * 2000)
    assert len(tool.calls[1][1]) < 4030
    with pytest.raises(Local, match="fits no keychain"):
        keychain.MacKeychain(BROKER).write("s" * 2001)


def test_macos_complaints_of_the_interactive_mode_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keychain.subprocess, "run", Tool(0, "", "security: User interaction is not allowed."))
    with pytest.raises(Local, match="refuses"):
        keychain.MacKeychain(BROKER).write(SECRET)


@pytest.mark.parametrize(("code", "out", "expected"), [(0, SECRET + "\n", SECRET), (44, "", None)])
def test_macos_reads(monkeypatch: pytest.MonkeyPatch, code: int, out: str, expected: str | None) -> None:
    tool = Tool(code, out, "could not be found" if code else "")
    monkeypatch.setattr(keychain.subprocess, "run", tool)
    assert keychain.MacKeychain(BROKER).read() == expected
    assert tool.calls[0][0][1:] == ["find-generic-password", "-s", "daypass", "-a", BROKER, "-w"]


def test_macos_any_other_code_is_a_failure_and_not_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keychain.subprocess, "run", Tool(36, "", "interaction not allowed"))
    for action in (keychain.MacKeychain(BROKER).read, keychain.MacKeychain(BROKER).clear):
        with pytest.raises(Local, match="refuses"):
            action()


# --- Linux: the Secret Service, for real with a tool of our own -----------------------------------

TOOL = """#!/bin/sh
# secret-tool as far as the helper uses it; its "keyring" is a file.
echo "$@" >>"{log}"
case $1 in
store) cat >"{ring}" ;;
lookup) [ -f "{ring}" ] && cat "{ring}" || exit 1 ;;
clear) rm -f "{ring}" ;;
esac
"""


@pytest.fixture
def desktop(machine: Machine, tmp_path: Path) -> Machine:
    """A machine with a keyring."""
    (tmp_path / "tools").mkdir()
    tool = tmp_path / "tools" / "secret-tool"
    tool.write_text(TOOL.format(log=tmp_path / "ring.log", ring=tmp_path / "ring"))
    tool.chmod(0o755)
    machine.environ["PATH"] = f"{tmp_path / 'tools'}:{machine.environ['PATH']}"
    machine.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nowhere"
    return machine


def test_linux_keeps_the_refresh_token_in_the_keyring_only(
    desktop: Machine, broker: Broker, tmp_path: Path
) -> None:
    assert desktop.run("login").code == 0
    secret = (tmp_path / "ring").read_text()
    assert secret in broker.refresh
    assert secret not in (tmp_path / "ring.log").read_text()
    assert all(secret not in path.read_text() for path in desktop.state.rglob("*") if path.is_file())
    assert "Secret Service" in desktop.run("whoami").out
    assert desktop.run("logout").code == 0
    assert not (tmp_path / "ring").exists()


def test_linux_reads_the_keyring_once_where_a_refresh_is_due_and_else_never(
    desktop: Machine, broker: Broker, tmp_path: Path
) -> None:
    desktop.run("login")
    log = tmp_path / "ring.log"
    log.write_text("")
    desktop.run("credentials", ADMIN)
    desktop.run("credentials", ADMIN)
    assert log.read_text() == ""
    broker.end_access()
    desktop.run("roles")
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["lookup", "store"]
    assert (tmp_path / "ring").read_text() in broker.refresh


def test_linux_without_a_session_bus_uses_a_file(desktop: Machine, tmp_path: Path) -> None:
    del desktop.environ["DBUS_SESSION_BUS_ADDRESS"]
    assert desktop.run("login").code == 0
    assert not (tmp_path / "ring.log").exists()
    assert "file" in desktop.run("whoami").out


def test_linux_a_keyring_that_waits_for_a_prompt_is_given_up(desktop: Machine, tmp_path: Path) -> None:
    (tmp_path / "tools" / "secret-tool").write_text("#!/bin/sh\nexec sleep 60\n")
    assert desktop.run("login").code == 0
    assert "file" in desktop.run("whoami").out


def test_linux_a_keyring_that_closed_since_costs_no_sign_in_of_the_refresh(
    desktop: Machine, broker: Broker, tmp_path: Path
) -> None:
    desktop.run("login")
    tool = tmp_path / "tools" / "secret-tool"
    tool.write_text(tool.read_text().replace("store) ", "store) echo locked >&2; exit 5; "))
    broker.end_access()
    assert desktop.run("roles").code == 0
    assert "file" in desktop.run("whoami").out
    broker.end_access()
    assert desktop.run("roles").code == 0
    assert len(desktop.opened) == 1


def test_a_sign_out_is_told_to_the_broker_also_where_the_keyring_is_out_of_reach(
    desktop: Machine, broker: Broker
) -> None:
    desktop.run("login")
    del desktop.environ["DBUS_SESSION_BUS_ADDRESS"]
    assert desktop.run("logout").code == 0
    assert broker.forms[-1]["token"].startswith("at-") and not broker.refresh


def test_a_sign_out_that_cannot_be_told_is_no_success(desktop: Machine, broker: Broker) -> None:
    broker.access_life = 0
    desktop.run("login")
    del desktop.environ["DBUS_SESSION_BUS_ADDRESS"]
    done = desktop.run("logout")
    assert done.code == 7 and "Signed out here, but the broker could not be told." in done.err
    assert desktop.run("whoami").code == 3


def test_a_token_in_a_keyring_out_of_reach_is_said(desktop: Machine, broker: Broker) -> None:
    desktop.run("login")
    broker.end_access()
    del desktop.environ["DBUS_SESSION_BUS_ADDRESS"]
    done = desktop.run("credentials", ADMIN)
    assert done.code == 7 and "Secret Service" in done.err


# --- Windows: Credential Manager, DPAPI, locks, replacing -----------------------------------------


class Function:
    """One function of a library: takes `argtypes`, and converts by them as ctypes would."""

    def __init__(self, body: Any) -> None:
        self.body, self.argtypes, self.restype = body, None, ctypes.c_int

    def __call__(self, *given: Any) -> Any:
        assert self.argtypes is not None, "pointers of 64 bits would be cut without argtypes"
        assert len(given) == len(self.argtypes)
        for value, kind in zip(given, self.argtypes, strict=True):
            kind.from_param(value)
        return self.body(*given)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """advapi32, crypt32 and kernel32 as their documentation has them; gives what the vault holds."""
    vault: dict[str, bytes] = {}
    kept: list[Any] = []
    error = [0]

    def write(pointer: Any, flags: int) -> int:
        one = ctypes.cast(pointer, ctypes.POINTER(credman.Credential)).contents
        assert (flags, one.type, one.persist, one.flags) == (0, 1, 2, 0)
        if one.blob_size > 2560:
            error[0] = 1783
            return 0
        vault[one.target_name] = ctypes.string_at(one.blob, one.blob_size)
        return 1

    def read(target: str, kind: int, flags: int, out: Any) -> int:
        if target not in vault or kind != 1:
            error[0] = 1168
            return 0
        content = ctypes.create_string_buffer(vault[target], len(vault[target]))
        one = credman.Credential(blob_size=len(vault[target]), blob=ctypes.addressof(content))
        kept.extend((one, content))
        ctypes.cast(out, ctypes.POINTER(ctypes.c_void_p))[0] = ctypes.addressof(one)
        return 1

    def delete(target: str, kind: int, flags: int) -> int:
        error[0] = 0 if vault.pop(target, None) is not None else 1168
        return int(error[0] == 0)

    def crypt(mark: bytes, undo: bool) -> Any:
        def body(given: int, _d: Any, salt: int, _r: Any, _p: Any, flags: int, out: int) -> int:
            class Blob(ctypes.Structure):
                _fields_ = (("size", ctypes.c_uint32), ("data", ctypes.c_void_p))

            assert flags == 1, "never a prompt"
            data, entropy = (
                ctypes.string_at(b.data, b.size) for b in (Blob.from_address(given), Blob.from_address(salt))
            )
            assert entropy == b"daypass 1"
            if undo and not data.startswith(mark):
                error[0] = 13
                return 0
            plain = data[len(mark) :] if undo else mark + data
            buffer = ctypes.create_string_buffer(plain, len(plain))
            kept.append(buffer)
            answer = Blob.from_address(out)
            answer.size, answer.data = len(plain), ctypes.addressof(buffer)
            return 1

        return body

    libraries = {
        "advapi32": {
            "CredWriteW": write,
            "CredReadW": read,
            "CredDeleteW": delete,
            "CredFree": lambda pointer: None,
        },
        "crypt32": {
            "CryptProtectData": crypt(b"sealed:", False),
            "CryptUnprotectData": crypt(b"sealed:", True),
        },
        "kernel32": {"LocalFree": lambda pointer: 0},
    }

    def dll(name: str, **_: Any) -> Any:
        return types.SimpleNamespace(**{key: Function(body) for key, body in libraries[name].items()})

    monkeypatch.setattr(ctypes, "WinDLL", dll, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: error[0], raising=False)
    return vault


def test_windows_credential_is_generic_and_of_this_machine(windows: dict[str, bytes]) -> None:
    store = credman.WindowsVault(BROKER)
    assert store.read() is None
    store.clear()
    store.write(SECRET)
    assert windows == {f"daypass {BROKER}": SECRET.encode()}
    assert store.read() == SECRET
    store.clear()
    assert windows == {}


def test_windows_structure_is_as_wincred_h_has_it() -> None:
    if ctypes.sizeof(ctypes.c_void_p) == 8:
        offsets = {name: getattr(credman.Credential, name).offset for name, _ in credman.Credential._fields_}
        assert offsets == {
            "flags": 0, "type": 4, "target_name": 8, "comment": 16, "last_written": 24, "blob_size": 32, "blob": 40,
            "persist": 48, "attribute_count": 52, "attributes": 56, "target_alias": 64, "user_name": 72,
        }  # fmt: skip


def test_windows_refusals_are_told(windows: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Local, match="refuses"):
        credman.WindowsVault(BROKER).write("s" * 2561)


def test_windows_files_are_sealed_by_dpapi(
    windows: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed.sys, "platform", "win32")
    assert sealed.sealed(b"secret") == b"sealed:secret"
    assert sealed.opened(b"sealed:secret") == b"secret"
    with pytest.raises(Local, match="does not open"):
        sealed.opened(b"another account's")


def test_windows_warm_path_opens_what_was_sealed_without_ctypes() -> None:
    first = runpy.run_path(str(ROOT / "cli" / "first.py"), run_name="first")
    kept: list[Any] = []

    class Blob(ctypes.Structure):
        _fields_ = (("size", ctypes.c_uint32), ("data", ctypes.c_void_p))

    def unprotect(given: int, _d: Any, salt: int, _r: Any, _p: Any, flags: int, out: int) -> int:
        data, entropy = (
            ctypes.string_at(b.data, b.size) for b in (Blob.from_address(given), Blob.from_address(salt))
        )
        assert (entropy, flags) == (b"daypass 1", 1)
        if not data.startswith(b"sealed:"):
            return 0
        buffer = ctypes.create_string_buffer(data[7:], len(data) - 7)
        kept.append(buffer)
        answer = Blob.from_address(out)
        answer.size, answer.data = len(data) - 7, ctypes.addressof(buffer)
        return 1

    pointer, word = ctypes.c_void_p, ctypes.c_uint32
    freed: list[int] = []
    called = {
        "CryptUnprotectData": ctypes.CFUNCTYPE(
            ctypes.c_int, pointer, pointer, pointer, pointer, pointer, word, pointer
        )(unprotect),
        "LocalFree": ctypes.CFUNCTYPE(pointer, pointer)(lambda at: freed.append(at) or 0),
    }

    def address(library: str, name: str) -> int:
        assert library.endswith(".dll")
        return int(ctypes.cast(called[name], pointer).value or 0)

    secret = bytes(range(1, 256)) * 8 + b"\0end"
    assert first["unsealed"](b"sealed:" + secret, address) == secret
    assert freed == [ctypes.addressof(kept[0])]
    assert first["unsealed"](b"another account's", address) == b""


def test_windows_waits_a_second_for_whoever_holds_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def replace() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError
        return "done"

    with pytest.raises(PermissionError):
        files.patient(replace)
    monkeypatch.setattr(files.os, "name", "nt")
    tries.clear()
    assert files.patient(replace) == "done"
    monkeypatch.setattr(files, "PATIENCE", 0.05)

    def never() -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        files.patient(never)


def test_windows_locks_one_byte_at_the_beginning_without_blocking(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[int, int]] = []
    busy = [True]

    def locking(handle: int, mode: int, size: int) -> None:
        assert os.lseek(handle, 0, os.SEEK_CUR) == 0
        calls.append((mode, size))
        if busy.pop() if busy else False:
            raise OSError(errno.EACCES, "busy")

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(LK_NBLCK=2, locking=locking))
    monkeypatch.setattr(sys, "platform", "win32")
    space = runpy.run_path(locks.__file__)
    monkeypatch.undo()
    folder = tmp_path / "daypass"
    with space["held"](str(folder / "x.lock")) as waited:
        assert waited is True
    assert calls == [(2, 1), (2, 1)]


def test_windows_starts_itself_by_pythons_absolute_path(machine: Machine) -> None:
    command = context(machine, platform="windows").command()
    assert command == [sys.executable, "-I", "-S", str(machine.program)]
    assert os.path.isabs(command[0])


# --- files, here ----------------------------------------------------------------------------------


def test_files_and_folders_are_made_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.write(str(tmp_path / "daypass" / "a" / "b"), b"x")
    finally:
        os.umask(before)
    for path in (tmp_path / "daypass", tmp_path / "daypass" / "a"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "daypass" / "a" / "b").stat().st_mode) == 0o600


def test_a_file_of_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "daypass" / "a")
    files.write(path, b"x")
    assert files.read(path) == b"x"
    monkeypatch.setattr(files.os, "geteuid", lambda: 4711)
    with pytest.raises(Local, match="another user"):
        files.read(path)


def test_a_link_or_pipe_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "daypass"
    files.write(str(folder / "a"), b"x")
    (folder / "link").symlink_to(folder / "a")
    os.mkfifo(folder / "pipe", 0o600)
    for name in ("link", "pipe"):
        with pytest.raises(Local):
            files.read(str(folder / name))


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = str(tmp_path / "daypass" / "x.lock")
    source = f"import sys; sys.path.insert(0, {str(ROOT / 'cli')!r})\nfrom daypass import locks\n"
    source += f"with locks.held({path!r}):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", source], **pipes) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == b"held\n"
        with locks.at_once(path) as mine:
            assert not mine
        with pytest.raises(Local, match="Waited"), locks.held(path, wait=0.1):
            pass
        holder.kill()
    with locks.held(path, wait=0.1) as waited:
        assert not waited
