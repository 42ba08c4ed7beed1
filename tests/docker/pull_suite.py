"""What the client promises about pulls, on a fake registry and a real one."""

from twisted.internet.defer import CancelledError

from giestack.docker.errors import DockerError, NotFound
from giestack.docker.pull_progress import Pulled
from tests.docker.client_case import ClientCase


class PullSuite(ClientCase):
    """Mixed into `twisted.trial.unittest.TestCase`, for an engine with a registry at hand."""

    def image(self, *, slow: bool = False) -> str:
        """The reference of an image that can be pulled, of some megabytes in two big layers.

        :param slow: it takes some time, perhaps until `hurry`.
        """
        raise NotImplementedError

    def hurry(self) -> None:
        """Nothing is slow any more."""

    def missing(self) -> str:
        """A reference that the registry does not have."""
        raise NotImplementedError

    async def pull(self, reference: str) -> list[Pulled]:
        heard: list[Pulled] = []
        self.addCleanup(self.forget, reference)
        await self.docker.images.pull(reference, heard.append)
        return heard

    async def forget(self, reference: str) -> None:
        try:
            await self.docker.images.remove(reference, force=True)
        except NotFound:
            pass

    async def test_pull(self):
        reference = self.image()
        heard = await self.pull(reference)
        shown = await self.docker.images.inspect(reference)
        self.assertEqual(shown["RepoTags"], [reference])
        self.assertEqual(heard[-1].bytes, heard[-1].total)
        self.assertGreater(heard[-1].total, 1_000_000)
        self.assertEqual(heard[-1].percent, 100.0)
        percents = [one.percent or 0.0 for one in heard]
        self.assertEqual(percents, sorted(percents))
        self.assertEqual(self.told[-2:], [("image pull", 200), ("image inspect", 200)])

    async def test_pull_by_digest(self):
        reference = self.image()
        await self.pull(reference)
        (pinned,) = (await self.docker.images.inspect(reference))["RepoDigests"]
        await self.forget(reference)
        await self.pull(pinned)
        self.assertEqual((await self.docker.images.inspect(pinned))["RepoDigests"], [pinned])

    async def test_what_the_registry_does_not_have(self):
        error = await self.failing(DockerError, self.pull(self.missing()))
        self.assertIn("manifest unknown", str(error))

    async def test_others_go_on_while_one_is_pulled(self):
        pulling = self.later(self.pull(self.image(slow=True)))
        for number in range(3):
            await self.launch("mute", name=f"n{number}")
        self.assertFalse(pulling.called)
        self.hurry()
        await pulling

    async def test_a_pull_that_is_given_up(self):
        reference = self.image(slow=True)
        heard: list[Pulled] = []
        pulling = self.later(self.docker.images.pull(reference, heard.append))
        await self.until(lambda: heard and heard[-1].bytes, "the first bytes")
        pulling.cancel()
        await self.assertFailure(pulling, CancelledError)
        told = list(heard)
        await self.docker.ping()
        await self.failing(NotFound, self.docker.images.inspect(reference))
        self.assertEqual(heard, told)
