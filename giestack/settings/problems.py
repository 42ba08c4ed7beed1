"""What is wrong with a configuration: values, collected until all of them are known."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend, or to know about.

    :ivar path: the key, as ``proxy.limits.head`` or ``spawner.profiles[0].memory``; empty for
        the file as a whole.
    :ivar text: what is wrong and what is allowed, in words; holds no secret.
    :ivar line: line of the configuration file, from 1; None where there is none.
    """

    path: str
    text: str
    line: int | None = None

    def __str__(self) -> str:
        where = f" (line {self.line})" if self.line is not None else ""
        return f"{self.path}: {self.text}{where}" if self.path else f"{self.text}{where}"


class SettingsError(Exception):
    """A configuration that cannot be used; ``str()`` has one problem per line.

    :ivar problems: everything that is wrong, in the order of the file's sections.
    :ivar warnings: what is worth a look, but would not have stopped anything.
    """

    def __init__(self, problems: tuple[Problem, ...], warnings: tuple[Problem, ...] = ()) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.warnings = warnings


class Wrong(Exception):
    """A single value is not what its key allows; the text says what is."""


@dataclass(slots=True)
class Report:
    """Collects problems and warnings while a configuration is read."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, path: str, text: str, line: int | None = None) -> None:
        self.problems.append(Problem(_printable(path), _printable(text), line))

    def warn(self, path: str, text: str, line: int | None = None) -> None:
        self.warnings.append(Problem(_printable(path), _printable(text), line))

    def sound(self, *paths: str) -> bool:
        """Tell whether none of these keys, nor anything below them, has a problem."""
        return not any(
            problem.path == path or problem.path.startswith((f"{path}.", f"{path}["))
            for problem in self.problems
            for path in paths
        )


def _printable(text: str) -> str:
    """One line, without anything a terminal would act upon."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
