"""Hooks: what a site adds to the life of its sessions."""

import sys
from collections.abc import Callable, Coroutine, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.hooks import (
    GROUP,
    KINDS,
    PATIENCE,
    Hook,
    HookedSession,
    HookFailed,
    Hooks,
    Kind,
)
from giestack.spawner.owner import Owner

ALICE = Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org")
SESSION = HookedSession(id="abc", owner=ALICE, profile="jupyter", name="mine")

# What entry points of these tests lead to.
calls: list[tuple[str, HookedSession]] = []


def with_a_variable(session: HookedSession) -> Mapping[str, str]:
    calls.append(("before_spawn", session))
    return {"A": "1"}


module = SimpleNamespace(
    before_spawn=with_a_variable,
    after_stop=lambda session: calls.append(("after_stop", session)),
    before_spawning="something else",
)
wrong = SimpleNamespace(after_start="no function")
nothing = SimpleNamespace(before="x")


class OfAClass:
    def before_spawn(self, session: HookedSession) -> None:
        calls.append(("class", session))


an_object = OfAClass()


async def a_function(session: HookedSession) -> Mapping[str, str]:
    calls.append(("function", session))
    return {"B": "2"}


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value if ":" in value else f"{__name__}:{value}", GROUP)


class HookCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        calls.clear()

    def load(self, *points: EntryPoint) -> Hooks:
        def find(*, group: str) -> list[EntryPoint]:
            self.assertEqual(group, "giestack.hooks")
            return list(points)

        return Hooks.load(self.clock, find)

    def hooks(self, kind: Kind, **functions: Callable[[HookedSession], object]) -> Hooks:
        found = (Hook(name, kind, function) for name, function in functions.items())
        return Hooks(self.clock, found)

    def result_of(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(call))

    def assert_fails(self, call: Coroutine[Any, Any, Any], text: str, logged: int = 0) -> None:
        failure = self.failureResultOf(Deferred.fromCoroutine(call), HookFailed)
        self.assertEqual(str(failure.value), text)
        self.assertEqual(len(self.flushLoggedErrors()), logged)


class LoadTests(HookCase):
    def test_none(self) -> None:
        hooks = Hooks.load(self.clock)
        for kind in KINDS:
            self.assertIn(self.result_of(getattr(hooks, kind)(SESSION)), (None, {}))
        self.assertEqual(hooks.names, [])

    def test_installed_with_a_distribution(self) -> None:
        folder = Path(self.mktemp()).absolute()
        metadata = folder / "giestack_test_site-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Name: giestack-test-site\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(
            "[giestack.hooks]\noursite = giestack_test_site\n"
        )
        (folder / "giestack_test_site.py").write_text(
            "async def before_spawn(session):\n    return {'WHO': session.owner.username}\n"
        )
        self.patch(sys, "path", [*sys.path, str(folder)])
        self.addCleanup(sys.modules.pop, "giestack_test_site", None)
        hooks = Hooks.load(self.clock)
        self.assertEqual(hooks.names, ["oursite"])
        self.assertEqual(self.result_of(hooks.before_spawn(SESSION)), {"WHO": "alice"})

    def test_a_module_with_some_of_them(self) -> None:
        hooks = self.load(point("site", "module"))
        self.assertEqual(self.result_of(hooks.before_spawn(SESSION)), {"A": "1"})
        self.result_of(hooks.after_start(SESSION))
        self.result_of(hooks.before_stop(SESSION))
        self.result_of(hooks.after_stop(SESSION))
        self.assertEqual(calls, [("before_spawn", SESSION), ("after_stop", SESSION)])
        self.assertEqual(hooks.names, ["site"])

    def test_an_object(self) -> None:
        self.result_of(self.load(point("site", "an_object")).before_spawn(SESSION))
        self.assertEqual(calls, [("class", SESSION)])

    def test_a_function_by_its_name(self) -> None:
        hooks = self.load(point("before_spawn", "a_function"))
        self.assertEqual(self.result_of(hooks.before_spawn(SESSION)), {"B": "2"})
        self.assertEqual(hooks.names, [f"before_spawn ({__name__}:a_function)"])

    def test_found_twice_is_called_once(self) -> None:
        # As when one distribution is on two folders of sys.path.
        hooks = self.load(point("site", "module"), point("site", "module"))
        self.result_of(hooks.after_stop(SESSION))
        self.assertEqual(len(calls), 1)

    def test_in_the_order_of_names(self) -> None:
        hooks = self.load(
            point("b", "module"), point("before_spawn", "a_function"), point("a", "an_object")
        )
        self.assertEqual(self.result_of(hooks.before_spawn(SESSION)), {"A": "1", "B": "2"})
        self.assertEqual([name for name, _ in calls], ["class", "before_spawn", "function"])

    def test_one_that_cannot_be_used_is_an_error(self) -> None:
        for value, words in (
            ("giestack_no_such_module:x", "cannot be imported: ModuleNotFoundError: No module"),
            (f"{__name__}:no_such", "cannot be imported: AttributeError: module"),
            ("wrong", "after_start is no function"),
            ("nothing", "has none of before_spawn, after_start, before_stop, after_stop"),
            ("OfAClass", "is a class: name an object"),
        ):
            good, bad = point("good", "module"), point("site", value)
            error = self.assertRaises(ValueError, self.load, good, bad)
            self.assertTrue(
                str(error).startswith(f"the hook site ({bad.value}) of giestack.hooks {words}"),
                str(error),
            )
            self.assertEqual(len(str(error).splitlines()), 1)

    def test_a_function_that_is_none(self) -> None:
        error = self.assertRaises(ValueError, self.load, point("before_stop", "module"))
        self.assertIn("before_stop is no function", str(error))


class CallTests(HookCase):
    def test_may_take_time(self) -> None:
        answers: list[Deferred[object]] = [Deferred(), Deferred()]

        async def patient(session: HookedSession) -> object:
            return await answers[1]

        hooks = self.hooks("before_spawn", a=lambda _: answers[0], b=patient)
        asked = Deferred.fromCoroutine(hooks.before_spawn(SESSION))
        answers[0].callback({"A": "1", "C": "first"})
        self.assertNoResult(asked)
        answers[1].callback({"B": "", "C": "last"})
        self.assertEqual(self.successResultOf(asked), {"A": "1", "B": "", "C": "last"})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_long(self) -> None:
        cancelled: list[object] = []
        waiting: Deferred[None] = Deferred(cancelled.append)
        hooks = self.hooks("after_start", slow=lambda _: waiting)
        asked = Deferred.fromCoroutine(hooks.after_start(SESSION))
        self.clock.advance(PATIENCE - 0.1)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        failure = self.failureResultOf(asked, HookFailed)
        self.assertEqual(str(failure.value), "slow: it took more than 30 seconds")
        self.assertEqual(cancelled, [waiting])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_cannot_be_cancelled_is_left_behind(self) -> None:
        later: Deferred[None] = Deferred()

        async def stubborn(session: HookedSession) -> None:
            try:
                await Deferred()
            except CancelledError:
                await later
            raise ValueError("nobody listens")

        hooks = self.hooks("after_start", stubborn=stubborn)
        asked = Deferred.fromCoroutine(hooks.after_start(SESSION))
        self.clock.advance(PATIENCE)
        self.failureResultOf(asked, HookFailed)
        later.callback(None)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_late_answer_is_nothing(self) -> None:
        async def stubborn(session: HookedSession) -> object:
            try:
                await Deferred()
            except CancelledError:
                pass
            return {"A": "1"}

        hooks = self.hooks("before_spawn", stubborn=stubborn)
        asked = Deferred.fromCoroutine(hooks.before_spawn(SESSION))
        self.clock.advance(PATIENCE)
        self.failureResultOf(asked, HookFailed)

    def test_cancelled_with_the_start(self) -> None:
        cancelled: list[object] = []
        waiting: Deferred[None] = Deferred(cancelled.append)
        hooks = self.hooks("before_spawn", a=lambda _: waiting, b=calls.append)  # type: ignore[arg-type]
        asked = Deferred.fromCoroutine(hooks.before_spawn(SESSION))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((cancelled, calls), ([waiting], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_by_itself_has_failed(self) -> None:
        waiting: Deferred[None] = Deferred()
        hooks = self.hooks("before_spawn", site=lambda _: waiting)
        asked = Deferred.fromCoroutine(hooks.before_spawn(SESSION))
        waiting.cancel()
        failure = self.failureResultOf(asked, HookFailed)
        self.assertEqual(str(failure.value), "site: CancelledError")
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)


class FailureTests(HookCase):
    def failing(self, error: BaseException) -> Callable[[HookedSession], object]:
        def fail(session: HookedSession) -> None:
            raise error

        return fail

    def test_names_the_hook(self) -> None:
        hooks = self.hooks("after_start", site=self.failing(ValueError("no room")))
        self.assert_fails(hooks.after_start(SESSION), "site: ValueError: no room", 1)

    def test_on_one_line_and_not_too_long(self) -> None:
        hooks = self.hooks("after_start", site=self.failing(ValueError("a\nb\x1b[1mc\x00")))
        self.assert_fails(hooks.after_start(SESSION), "site: ValueError: a b [1mc ", 1)
        hooks = self.hooks("after_start", site=self.failing(ValueError("a" * 1000)))
        self.assert_fails(hooks.after_start(SESSION), "site: ValueError: " + "a" * 281 + "…", 1)

    def test_whatever_is_raised(self) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        for error, words in (
            (KeyError(), "KeyError"),
            (Mute(), "Mute"),
            (SystemExit("bye"), "SystemExit: bye"),
            (TimeoutError("theirs"), "TimeoutError: theirs"),
        ):
            hooks = self.hooks("after_start", site=self.failing(error))
            self.assert_fails(hooks.after_start(SESSION), f"site: {words}", 1)

    def test_a_start_ends_with_the_first_failure(self) -> None:
        for kind in ("before_spawn", "after_start"):
            hooks = self.hooks(
                kind,
                a=self.failing(ValueError("x")),
                b=lambda session: calls.append(("b", session)),
            )
            self.assert_fails(getattr(hooks, kind)(SESSION), "a: ValueError: x", 1)
        self.assertEqual(calls, [])

    def test_a_stop_calls_all_of_them(self) -> None:
        for kind in ("before_stop", "after_stop"):
            calls.clear()
            hooks = self.hooks(
                kind,
                a=self.failing(ValueError("x")),
                b=lambda session: calls.append(("b", session)),
                c=self.failing(ValueError("y")),
            )
            self.assert_fails(
                getattr(hooks, kind)(SESSION), "a: ValueError: x; c: ValueError: y", 2
            )
            self.assertEqual(calls, [("b", SESSION)])


class VariableTests(HookCase):
    def test_what_is_no_environment(self) -> None:
        shape = "site: it must return a mapping from text to text, not a"
        for answer, text in (
            ([("A", "1")], f"{shape} list"),
            ("A=1", f"{shape} str"),
            ({f"A{n}": "" for n in range(1001)}, f"{shape} dict"),
            ({"A B": "1"}, "site: 'A B' cannot be the name of a variable"),
            ({"": "1"}, "site: '' cannot be the name of a variable"),
            ({"A=B": "1"}, "site: 'A=B' cannot be the name of a variable"),
            ({"A\n": "1"}, "site: 'A\\n' cannot be the name of a variable"),
            ({1: "1"}, "site: 1 cannot be the name of a variable"),
            ({"A": 1}, "site: A must be a text of 32768 bytes at most"),
            ({"A": "s3cret\0"}, "site: A must be a text of 32768 bytes at most"),
            ({"A": "\ud800"}, "site: A must be a text of 32768 bytes at most"),
            ({"A": "é" * 16385}, "site: A must be a text of 32768 bytes at most"),
        ):
            hooks = self.hooks("before_spawn", site=lambda _, answer=answer: answer)  # type: ignore[misc]
            self.assert_fails(hooks.before_spawn(SESSION), text)

    def test_what_is_one(self) -> None:
        env = {"A_1": "é" * 16384, "_b": "two\nlines", "C": ""}
        hooks = self.hooks("before_spawn", site=lambda _: env)
        self.assertEqual(self.result_of(hooks.before_spawn(SESSION)), env)

    def test_only_before_the_start(self) -> None:
        hooks = self.hooks("after_start", site=lambda _: ["whatever"])
        self.assertIsNone(self.result_of(hooks.after_start(SESSION)))


class SessionTests(HookCase):
    def test_nobody_can_write_to_it(self) -> None:
        options = {"size": "small"}
        session = HookedSession(id="a", owner=ALICE, profile="p", name="n", options=options)
        options["size"] = "large"
        self.assertEqual(session.options, {"size": "small"})
        with self.assertRaises(TypeError):
            session.options["size"] = "large"  # type: ignore[index]
        with self.assertRaises(AttributeError):
            session.owner = ALICE  # type: ignore[misc]
