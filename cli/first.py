# Python's part. First what `credentials ARN` needs from a fresh cache, with nothing imported that costs: on Windows no
# shell has answered before, and `os` alone is a quarter of a bare Python's start. What else there is comes from `loader.py`.
import sys

DIGEST, URL, KEY = "@DIGEST@", "@URL@", "@KEY@"
PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:/+=,.@_-"
WINDOWS = sys.platform == "win32"
if WINDOWS:
    import nt as system
else:
    import posix as system


def variable(name):
    """An environment variable; empty where there is none."""
    if WINDOWS:
        return system.environ.get(name, "")
    return system.environ.get(name.encode(), b"").decode("utf-8", "surrogateescape")


def places():
    """The helper's (cache folder, configuration file), as `paths.find` has them; None without a home."""
    if WINDOWS:
        local, roaming = variable("LOCALAPPDATA"), variable("APPDATA")
        return (local + "\\daypass\\cache", roaming + "\\daypass\\config") if local and roaming else None
    home, cache, config = variable("HOME"), variable("XDG_CACHE_HOME"), variable("XDG_CONFIG_HOME")
    if home[:1] != "/":
        return None
    cache = cache if cache[:1] == "/" else home + "/.cache"
    if sys.platform == "darwin":
        cache = home + "/Library/Caches"
    return cache + "/daypass", (config if config[:1] == "/" else home + "/.config") + "/daypass/config"


def ours(path, kind):
    """`lstat` of what is ours alone, and no link; None of anything else. `kind`: 4 a folder, 8 a file."""
    found = system.lstat(path)
    if found.st_mode >> 12 != kind or (
        not WINDOWS and (found.st_uid != system.geteuid() or found.st_mode & 0o77)
    ):
        return None
    return found


def unsealed(data, address=None):
    """What DPAPI protected for this account (`sealed.py` has the long way). By `_ctypes`: `ctypes` costs three times that.

    `address` finds a function of a Windows library; the tests give their own.
    """
    import _ctypes

    class Pointer(_ctypes._SimpleCData):
        _type_ = "P"

    class Word(_ctypes._SimpleCData):
        _type_ = "I"

    class Byte(_ctypes._SimpleCData):
        _type_ = "c"

    class Call(_ctypes.CFuncPtr):
        _flags_ = 0 if WINDOWS and sys.maxsize < 2**32 else 1
        _restype_ = Pointer

    class Blob(_ctypes.Structure):
        _fields_ = [("size", Word), ("data", Pointer)]

    if address is None:

        def address(library, name):
            # 0x800: from System32 only.
            return (name, type("Library", (), {"_handle": _ctypes.LoadLibrary(library, 0x800)})())

    def text(of):
        kind = type("Text", (_ctypes.Array,), {"_type_": Byte, "_length_": len(of)})
        return kind.from_buffer_copy(of)

    def blob(of):
        return Blob(len(of), _ctypes.addressof(of))

    secret, entropy = text(data), text(b"daypass 1")
    given, salt, out = blob(secret), blob(entropy), Blob()
    refer, none = (lambda of: Pointer(_ctypes.addressof(of))), Pointer(None)
    unprotect = Call(address("crypt32.dll", "CryptUnprotectData"))
    # The answer is a BOOL: what stands above its 32 bits is not ours to read.
    done = unprotect(refer(given), none, refer(salt), none, none, Word(1), refer(out)) or 0
    if not done & 0xFFFFFFFF:
        return b""
    kind = type("Text", (_ctypes.Array,), {"_type_": Byte, "_length_": out.size})
    plain = bytes(kind.from_address(out.data).raw)
    Call(address("kernel32.dll", "LocalFree"))(Pointer(out.data))
    return plain


def served(arguments):
    """The line for `credentials ARN` from a fresh cache file, under the prelude's rules; empty where it is not so."""
    arguments = (
        [word for word in arguments[1:] if word != "--login"] if arguments[:1] == ["credentials"] else []
    )
    found = places()
    if len(arguments) != 1 or arguments[0][:4] != "arn:" or arguments[0].strip(PLAIN) or found is None:
        return b""
    url = variable("DAYPASS_URL") or URL
    key = url.replace("/", "!").replace(":", ";")
    slash = "\\" if WINDOWS else "/"
    top = found[0]
    folder = top + slash + "pass" + slash + key
    file = folder + slash + arguments[0].replace("/", "!").replace(":", ";") + "~"
    if not key or url.strip(PLAIN + "~[]"):
        return b""
    import time

    now = time.time()
    box, entry, stamp = ours(folder, 4), ours(file, 8), ours(folder + slash + "current", 8)
    if not (ours(top, 4) and ours(top + slash + "pass", 4) and box and entry and stamp):
        return b""
    try:
        if system.stat(found[1]).st_mtime >= stamp.st_mtime:
            return b""
    except FileNotFoundError:
        pass
    if not (box.st_mtime <= now < entry.st_mtime):
        return b""
    handle = system.open(file, system.O_RDONLY | getattr(system, "O_BINARY", 0))
    data = system.read(handle, 65536)
    line, end, _ = (unsealed(data) if WINDOWS else data).partition(b"\n")
    return line + end if line[:15] == b'{"Version": 1, ' and line[-1:] == b"}" and end else b""


if __name__ == "__main__":
    try:
        answer = served(sys.argv[1:])
        while answer:
            answer = answer[system.write(1, answer) :]
            if not answer:
                system._exit(0)
    except Exception:
        answer = b""
    import binascii
    import zlib

    # The rest (`loader.py`) is packed in a comment: what is not needed here should not be compiled at each start.
    with open(__file__, "rb") as file:
        packed = file.read().rpartition(b"\n#-")[2].partition(b"\n")[0]
    exec(zlib.decompress(binascii.a2b_base64(packed)))
