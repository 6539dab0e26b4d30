"""A mail server on loopback that keeps what it is given, and misbehaves where a test says so."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Received:
    """One mail, with what was said around it."""

    sender: str
    recipients: list[str]
    data: bytes
    secured: bool
    signed_in: str | None


@dataclass
class MailServer:
    """How it behaves, and what came."""

    starttls: ssl.SSLContext | None = None
    tls: ssl.SSLContext | None = None
    account: tuple[str, str] | None = None
    """The only one that may send."""
    refuses: dict[str, int] = field(default_factory=dict)
    """Verb: status that it is answered with."""
    drips_at: str = ""
    """Verb (or `greeting`, `quit`) at which it says the beginning of an answer again and again."""
    smuggles: bytes = b""
    """Plain text that it sends right behind its go-ahead for TLS."""
    received: list[Received] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    port: int = 0

    def talk(self, line: socket.socket) -> None:
        """One conversation (RFC 5321)."""
        if self.tls is not None:
            line = self.tls.wrap_socket(line, server_side=True)
        secured, signed_in, sender, recipients = self.tls is not None, None, "", []
        self._say(line, "greeting", "220 double ESMTP")
        file = line.makefile("rb")
        while command := file.readline():
            words = command.decode("utf-8", "replace").strip()
            self.said.append(words)
            verb = words.split(" ")[0].upper()
            if verb in self.refuses:
                line.sendall(f"{self.refuses[verb]} no\r\n".encode())
                continue
            match verb:
                case "EHLO":
                    offers = ["double"]
                    offers += ["STARTTLS"] if self.starttls is not None and not secured else []
                    offers += ["AUTH PLAIN"] if self.account is not None else []
                    lines = [f"250-{offer}\r\n" for offer in offers[:-1]] + [f"250 {offers[-1]}\r\n"]
                    line.sendall("".join(lines).encode())
                case "STARTTLS" if self.starttls is not None:
                    line.sendall(b"220 go ahead\r\n" + self.smuggles)
                    line = self.starttls.wrap_socket(line, server_side=True)
                    file, secured = line.makefile("rb"), True
                case "AUTH":
                    _, name, password = base64.b64decode(words.split(" ")[2]).decode().split("\0")
                    right = (name, password) == self.account
                    signed_in = name if right else None
                    line.sendall(b"235 welcome\r\n" if right else f"535 {password} is wrong\r\n".encode())
                case "MAIL" if self.account is not None and signed_in is None:
                    line.sendall(b"530 sign in first\r\n")
                case "MAIL":
                    sender = words[words.index("<") + 1 : words.index(">")]
                    self._say(line, "MAIL", "250 ok")
                case "RCPT":
                    recipients.append(words[words.index("<") + 1 : words.index(">")])
                    self._say(line, "RCPT", "250 ok")
                case "DATA":
                    line.sendall(b"354 go ahead\r\n")
                    data = b""
                    while (row := file.readline()) not in (b".\r\n", b""):
                        data += row[1:] if row.startswith(b".") else row
                    self.received.append(Received(sender, recipients, data, secured, signed_in))
                    self._say(line, "DATA", "250 taken")
                case "QUIT":
                    self._say(line, "quit", "221 bye")
                    return
                case _:
                    line.sendall(b"250 ok\r\n")

    def _say(self, line: socket.socket, at: str, answer: str) -> None:
        if at == self.drips_at:
            for _ in range(2_000):
                line.sendall(f"{answer[:3]}-wait\r\n".encode())
                time.sleep(0.02)
        line.sendall(f"{answer}\r\n".encode())


@contextmanager
def serving(server: MailServer) -> Iterator[MailServer]:
    """Let it listen; its port is in it."""
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]

    def one(line: socket.socket) -> None:
        try:
            with line:
                line.settimeout(5)
                server.talk(line)
        except (OSError, ValueError):
            return

    def accept() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(line,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(2)
