"""A terminal (tmux) with a shell, at a person's machine: keys go in, what stands on the screen is read."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.journeys.workplace import Workplace

PROMPT: Final = "$ "


class Terminal:
    """One window, 100 columns wide. Use it as a context manager."""

    def __init__(self, at: Workplace, *, columns: int = 100, rows: int = 30, **extra: str) -> None:
        # Not in the test's own folder: a socket's path may have 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="terminal-"))
        self._env = at.env(**extra)
        self._home = at.home
        self._size = ("-x", str(columns), "-y", str(rows))

    def __enter__(self) -> Terminal:
        (self._folder / "tmux.conf").write_text("set -g status off\nset -g history-limit 2000\n")
        (self._folder / "bashrc").write_text(f"PS1='{PROMPT}'\n")
        shell = ("exec", "bash", "--rcfile", str(self._folder / "bashrc"))
        try:
            self._tmux("new-session", "-d", "-s", "main", *self._size, "-c", str(self._home), " ".join(shell))
            self.wait_for_prompt()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._command, "kill-server"], env=self._env, capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _command(self) -> list[str]:
        return ["tmux", "-S", str(self._folder / "socket"), "-f", str(self._folder / "tmux.conf")]

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments], env=self._env, capture_output=True, text=True, timeout=20
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def type(self, text: str) -> None:
        """Letters, as they are."""
        self._tmux("send-keys", "-t", "main", "-l", text)

    def press(self, *keys: str) -> None:
        """Keys by their names in tmux: Enter, Up, C-c."""
        self._tmux("send-keys", "-t", "main", *keys)

    def paste(self, text: str) -> None:
        """From the clipboard, then Enter."""
        self._tmux("set-buffer", text)
        self._tmux("paste-buffer", "-p", "-t", "main")
        self.press("Enter")

    def run(self, line: str) -> None:
        """A command line."""
        self.type(line)
        self.press("Enter")

    def screen(self) -> str:
        """What stands there, from the first line kept on; lines that the terminal wrapped are whole again."""
        return self._tmux("capture-pane", "-t", "main", "-p", "-J", "-S", "-")

    def wait_for(self, pattern: str, seconds: float = 40) -> re.Match[str]:
        """Look at the screen until it matches."""
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern, screen := self.screen())) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} on the screen:\n{screen}"
            time.sleep(0.1)
        return found

    def wait_for_prompt(self, seconds: float = 40) -> None:
        """Until the shell wants the next command."""
        self.wait_for(rf"(\A|\n){re.escape(PROMPT.strip())}\s*\Z", seconds)

    def clear(self) -> None:
        """An empty screen, nothing kept; at the prompt."""
        self.wait_for_prompt()
        self.run("clear")
        self.wait_for(rf"\A{re.escape(PROMPT.strip())}\s*\Z")
        self._tmux("clear-history", "-t", "main")
