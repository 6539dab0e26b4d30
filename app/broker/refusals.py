"""What is done when something is refused, without a word about it where it is not."""

from __future__ import annotations

from collections.abc import Callable

from app.errors import Refusal


class OnRefusal:
    """`with OnRefusal(note):` calls `note` with what is refused within, which goes on. What fails is no refusal.

    A class, since a generator for each `with` of each request costs several times as much.
    """

    __slots__ = ("_note",)

    def __init__(self, note: Callable[[Refusal], None]) -> None:
        self._note = note

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, refusal: BaseException | None, _trace: object) -> None:
        if isinstance(refusal, Refusal):
            self._note(refusal)
