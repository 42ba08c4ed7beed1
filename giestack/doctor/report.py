"""What was found, for people and for programs."""

import json
import textwrap
from collections.abc import Collection, Sequence

from giestack.doctor.check import Check, Result, Status

_SIGNS: dict[Status, str] = {"ok": "ok", "warn": "warn", "fail": "FAIL"}
_COLOURS: dict[Status, str] = {"ok": "32", "warn": "33", "fail": "31;1"}
_WIDTH = 96
_INDENT = " " * 8
_SHORTEST = 6


class Redaction:
    """Takes secrets out of texts, should one have got into one."""

    def __init__(self, secrets: Collection[str | None]) -> None:
        # A short word would be found everywhere.
        told = {secret for secret in secrets if secret and len(secret) >= _SHORTEST}
        self._secrets = sorted(told, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


class Report:
    """Lines for a terminal or a file; ``colours`` where it is a terminal that has some."""

    def __init__(self, redaction: Redaction, *, colours: bool) -> None:
        self._redaction = redaction
        self._colours = colours
        self._group = ""

    def lines(self, result: Result) -> Sequence[str]:
        """The lines of one finding, before them the name of its group where that is another."""
        finding, lines = result.finding, []
        if result.check.group != self._group:
            lines += [""] if self._group else []
            self._group = result.check.group
            lines.append(self._coloured(self._group[:1].upper() + self._group[1:], "1"))
        sign = self._coloured(f"{_SIGNS[finding.status]:<4}", _COLOURS[finding.status])
        first, *rest = self._wrapped(finding.message)
        lines += [f"  {sign}  {first}", *(_INDENT + line for line in rest)]
        if finding.remedy:
            first, *rest = self._wrapped(finding.remedy)
            lines += [f"{_INDENT}→ {first}", *(f"{_INDENT}  {line}" for line in rest)]
        return lines

    def summary(self, results: Sequence[Result]) -> Sequence[str]:
        """The last lines."""
        counts = dict.fromkeys(_SIGNS, 0)
        for result in results:
            counts[result.finding.status] += 1
        warned, failed = counts["warn"], counts["fail"]
        if failed:
            text, colour = f"{_number(failed, 'failure')}, {_number(warned, 'warning')}", "fail"
        elif warned:
            text, colour = f"No failures, {_number(warned, 'warning')}", "warn"
        else:
            text, colour = "All is well", "ok"
        told = f"{text}; {counts['ok']} of {len(results)} are fine."
        return ["", self._coloured(told, _COLOURS[colour])]  # type: ignore[index]

    def waiting(self, check: Check, width: int) -> str:
        """What to show while a check is waited for, in so many columns."""
        return self._coloured(f"  …     {check.words}"[:width], "2")

    def _wrapped(self, text: str) -> Sequence[str]:
        return textwrap.wrap(
            self._redaction(text), _WIDTH, break_long_words=False, break_on_hyphens=False
        ) or [""]

    def _coloured(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colours else text


def as_json(results: Sequence[Result], redaction: Redaction) -> str:
    """A list of objects with check, group, status, message, remedy and seconds."""
    told = [
        {
            "check": result.check.id,
            "group": result.check.group,
            "status": result.finding.status,
            "message": redaction(result.finding.message),
            "remedy": redaction(result.finding.remedy),
            "seconds": round(result.seconds, 3),
        }
        for result in results
    ]
    return json.dumps(told, indent=1, ensure_ascii=False)


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
