import base64
import json
import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real programs
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.docker.credentials import PATIENCE, Credentials, runner
from giestack.docker.errors import DockerError

HUB = "https://index.docker.io/v1/"


def basic(name: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


class CredentialsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.asked: list[tuple[str, bytes]] = []
        self.answer: tuple[int, bytes] | Exception = (1, b"credentials not found in store")

    async def run_helper(self, program: str, standard_input: bytes) -> tuple[int, bytes]:
        self.asked.append((program, standard_input))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def config(self, **found: object) -> None:
        (self.folder / "config.json").write_text(json.dumps(found))

    def sent(self, reference: str) -> object:
        """What an engine would read of the header; "" where there is none."""
        credentials = Credentials(self.folder, self.run_helper)
        value = self.successResultOf(Deferred.fromCoroutine(credentials.for_image(reference)))
        return json.loads(base64.urlsafe_b64decode(value)) if value else ""

    def refused(self, reference: str = "quay.io/a") -> str:
        credentials = Credentials(self.folder, self.run_helper)
        failure = self.failureResultOf(
            Deferred.fromCoroutine(credentials.for_image(reference)), DockerError
        )
        error = failure.value
        assert isinstance(error, DockerError)
        self.assertEqual(error.status, 0)
        return str(error)

    def test_without_a_login_we_are_nobody(self) -> None:
        self.assertEqual(self.sent("quay.io/a"), "")
        self.config(auths={"other.example": basic("a", "b")})
        self.assertEqual(self.sent("quay.io/a"), "")

    def test_an_image_by_its_id_has_no_registry(self) -> None:
        self.config(credsStore="pass")
        self.assertEqual(self.sent("sha256:" + "a" * 64), "")
        self.assertEqual(self.asked, [])

    def test_what_is_no_image_is_said(self) -> None:
        self.assertIn("no reference", self.refused("A B"))

    def test_a_login(self) -> None:
        self.config(auths={"quay.io": basic("alice", "pass:wörd"), "x:5000": basic("a", "b")})
        expected = {"username": "alice", "password": "pass:wörd", "serveraddress": "quay.io"}
        self.assertEqual(self.sent("quay.io/a/b:1"), expected)
        expected = {"username": "a", "password": "b", "serveraddress": "x:5000"}
        self.assertEqual(self.sent("x:5000/a"), expected)

    def test_a_header_holds_no_characters_that_are_not_for_headers(self) -> None:
        self.config(auths={"quay.io": basic("a", "???>>>~~~")})
        credentials = Credentials(self.folder, self.run_helper)
        value = self.successResultOf(Deferred.fromCoroutine(credentials.for_image("quay.io/a")))
        self.assertRegex(value, r"\A[A-Za-z0-9_=-]+\Z")

    def test_the_hub_has_a_key_of_its_own(self) -> None:
        expected = {"username": "a", "password": "b", "serveraddress": HUB}
        for key in (HUB, "index.docker.io", "docker.io", "https://docker.io/"):
            self.config(auths={key: basic("a", "b")})
            for image in ("busybox", "docker.io/site/image:1"):
                self.assertEqual(self.sent(image), expected, key)

    def test_keys_were_urls_once(self) -> None:
        self.config(auths={"https://quay.io/v1/": basic("a", "b")})
        self.assertEqual(
            self.sent("quay.io/a"), {"username": "a", "password": "b", "serveraddress": "quay.io"}
        )
        self.assertEqual(self.sent("quay.io.example/a"), "")

    def test_tokens(self) -> None:
        for kind in ("identitytoken", "registrytoken"):
            self.config(auths={"quay.io": {**basic("a", "b"), kind: "tok"}})
            self.assertEqual(self.sent("quay.io/a"), {kind: "tok", "serveraddress": "quay.io"})

    def test_name_and_password_in_the_clear(self) -> None:
        self.config(auths={"quay.io": {"username": "a", "password": "b"}})
        expected = {"username": "a", "password": "b", "serveraddress": "quay.io"}
        self.assertEqual(self.sent("quay.io/a"), expected)

    def test_an_entry_that_says_nothing_is_none(self) -> None:
        entries: list[object] = [{}, None, {"auth": ""}, {"username": "a"}, {"identitytoken": ""}]
        for entry in entries:
            self.config(auths={"quay.io": entry})
            self.assertEqual(self.sent("quay.io/a"), "", entry)
        self.config(auths=[])
        self.assertEqual(self.sent("quay.io/a"), "")

    def test_what_cannot_be_read_is_said_without_being_told(self) -> None:
        for auth in ("s3cret", base64.b64encode(b"s3cret").decode(), "czNjcmV0Og==", "/w==", "é"):
            self.config(auths={"quay.io": {"auth": auth}})
            words = self.refused()
            self.assertIn("auths of quay.io in", words)
            self.assertIn("docker login", words)
            self.assertNotIn("s3cret", words)
            self.assertNotIn(auth, words)

    def test_a_damaged_configuration_is_named(self) -> None:
        (self.folder / "config.json").write_text("{")
        self.assertIn("config.json is not JSON", self.refused())

    # Programs that keep credentials.

    def test_a_program_for_all_registries(self) -> None:
        self.config(credsStore="pass", auths={"quay.io": {}})
        self.answer = (0, b'{"ServerURL": "quay.io", "Username": "a", "Secret": "b"}\n')
        expected = {"username": "a", "password": "b", "serveraddress": "quay.io"}
        self.assertEqual(self.sent("quay.io/a"), expected)
        self.assertEqual(self.asked, [("docker-credential-pass", b"quay.io")])

    def test_a_program_for_one_registry(self) -> None:
        self.config(credsStore="pass", credHelpers={"quay.io": "q", HUB: "hub"})
        for image in ("quay.io/a", "busybox", "other.example/a"):
            self.sent(image)
        self.assertEqual(
            self.asked,
            [
                ("docker-credential-q", b"quay.io"),
                ("docker-credential-hub", HUB.encode()),
                ("docker-credential-pass", b"other.example"),
            ],
        )

    def test_a_program_may_have_a_token(self) -> None:
        self.config(credsStore="pass")
        self.answer = (0, b'{"Username": "<token>", "Secret": "tok"}')
        self.assertEqual(
            self.sent("quay.io/a"), {"identitytoken": "tok", "serveraddress": "quay.io"}
        )

    def test_a_program_that_has_none_is_no_failure(self) -> None:
        self.config(credsStore="pass")
        self.assertEqual(self.sent("quay.io/a"), "")
        self.answer = (0, b'{"Username": "", "Secret": ""}')
        self.assertEqual(self.sent("quay.io/a"), "")
        self.config(credsStore="pass", auths={"quay.io": basic("a", "b")})
        self.assertNotEqual(self.sent("quay.io/a"), "")

    def test_a_program_that_fails_is_named_with_its_words(self) -> None:
        self.config(credsStore="pass")
        self.answer = (1, b"the store is\nlocked")
        self.assertIn("docker-credential-pass", self.refused())
        self.assertIn("failed with status 1: the store is locked", self.refused())
        self.answer = FileNotFoundError(2, "there is no such program in PATH")
        self.assertIn("for quay.io, can't be started: there is no such", self.refused())
        self.answer = TimeoutError()
        self.assertIn("has not answered in 30 seconds", self.refused())

    def test_a_program_that_prints_something_else_is_named_and_not_quoted(self) -> None:
        self.config(credsStore="pass")
        for output in (b"s3cret", b'"s3cret"', b'{"Secret": "s3cret"}', b"[" * 9999, b"\xff"):
            self.answer = (0, output)
            self.assertIn("has printed no credentials", self.refused())
            self.assertNotIn("s3cret", self.refused())
        self.answer = (0, b'{"Username": 1, "Secret": "s3cret"}')
        self.assertNotIn("s3cret", self.refused())

    def test_a_program_has_a_plain_name(self) -> None:
        names: list[object] = ["../x", "a b", "-x", 7, ["pass"]]
        for name in names:
            self.config(credsStore=name)
            self.assertIn("names a credential helper that there can't be", self.refused())
        self.assertEqual(self.asked, [])


class RunnerTests(TestCase):
    """Real programs."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.patch(os, "environ", {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"})

    def program(self, text: str) -> None:
        file = self.folder / "docker-credential-test"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    async def test_it_is_asked_by_its_standard_input(self) -> None:
        self.program('printf "%s:" "$1"; cat; printf more >&2')
        run = runner(reactor)
        self.assertEqual(await run("docker-credential-test", b"quay.io"), (0, b"get:quay.io"))

    async def test_its_status_is_told(self) -> None:
        self.program("printf sorry; exit 7")
        self.assertEqual(await runner(reactor)("docker-credential-test", b""), (7, b"sorry"))
        self.program("kill -9 $$")
        self.assertEqual(await runner(reactor)("docker-credential-test", b""), (-1, b""))

    async def test_one_that_is_not_there(self) -> None:
        run = runner(reactor)
        with self.assertRaises(FileNotFoundError):
            await run("docker-credential-of-nobody", b"")

    async def test_one_that_prints_without_end_is_no_danger(self) -> None:
        self.program("head -c 1000000 /dev/zero")
        status, output = await runner(reactor)("docker-credential-test", b"")
        self.assertEqual((status, len(output)), (0, 65_536))

    async def test_it_is_killed_when_nobody_waits_any_more(self) -> None:
        self.program("exec sleep 100")
        started = _Started(reactor)
        waiting = Deferred.fromCoroutine(_awaited(runner(started), "docker-credential-test"))
        waiting.cancel()
        with self.assertRaises(CancelledError):
            await waiting
        self.assertIsNone(await started.ended)

    async def test_it_is_killed_when_it_takes_too_long(self) -> None:
        self.program("exec sleep 100")
        started = _Started(reactor)
        waiting = Deferred.fromCoroutine(_awaited(runner(started), "docker-credential-test"))
        started.clock.advance(PATIENCE)
        with self.assertRaises(TimeoutError):
            await waiting
        self.assertIsNone(await started.ended)
        waiting.cancel()

    async def test_cancelling_what_has_ended_is_no_failure(self) -> None:
        self.program("exit 0")
        started = _Started(reactor, tell=False)
        waiting = Deferred.fromCoroutine(_awaited(runner(started), "docker-credential-test"))
        await started.ended
        waiting.cancel()
        with self.assertRaises(CancelledError):
            await waiting


class _Started:
    """A reactor whose clock is ours; ``ended`` fires with the exit status of what it started."""

    def __init__(self, real: Any, *, tell: bool = True) -> None:
        self.clock = Clock()
        self.ended: Deferred[int | None] = Deferred()
        self._real = real
        self._tell = tell
        self.callLater = self.clock.callLater

    def spawnProcess(self, protocol: Any, *arguments: Any, **keywords: Any) -> Any:
        told = protocol.processEnded

        def ended(reason: Any) -> None:
            if self._tell:
                told(reason)
            self.ended.callback(reason.value.exitCode)

        protocol.processEnded = ended
        return self._real.spawnProcess(protocol, *arguments, **keywords)


async def _awaited(run: Any, program: str) -> Any:
    return await run(program, b"")
