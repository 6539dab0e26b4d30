"""What is wrong with a policy document, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.errors import AskRefused


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One finding: its place, and what to write instead."""

    file: str
    line: int
    statement: str | None
    """`statement 2` or `statement 2 (Sid)`; None if it concerns the whole document."""
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where}  {self.statement}: {self.message}" if self.statement else f"{where}  {self.message}"


class PolicyInvalid(AskRefused):
    """A document that IAM would refuse; all its problems at once."""

    code: ClassVar[str] = "policy.invalid"
    default_words: ClassVar[str] = "This policy document is not valid. Mend what is listed and try again."

    def __init__(self, problems: tuple[PolicyProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))
