"""Checks of the Docker engines."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from giestack.docker.location import Location, LocationError, TlsFiles, located, location_of
from giestack.doctor.asking import NoAnswer
from giestack.doctor.check import CannotTell, Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment
from giestack.doctor.engine_api import EngineApi, segment
from giestack.doctor.machine import space
from giestack.doctor.once import Once
from giestack.doctor.trial import Trial
from giestack.settings.spawner_schema import Engine, Profile

GROUP = "Docker"
OLDEST = (1, 40)
"""The oldest version of Docker's API with all that giestack uses: Docker 19.03."""

_EXPOSED = (
    "use a UNIX socket, or TLS (spawner.engines[].tls): whoever reaches that port is root there"
)


def checks(deployment: Deployment) -> Sequence[Check]:
    """All checks of this group; none without a spawner with containers."""
    spawner = deployment.settings.spawner
    if spawner is None:
        return ()
    engines = [engine for engine in spawner.engines if not engine.is_process]
    if not spawner.engines:
        engines = [Engine(name="docker", docker_host="")]
    if not engines:
        return ()
    looks = [_Engine(deployment, engine, spawner.profiles) for engine in engines]

    def every(name: str) -> Iterator[Finding]:
        for look in looks:
            yield from getattr(look, name)()

    return (
        Check("docker.reachable", GROUP, "the engines", lambda: every("reachable")),
        Check("docker.version", GROUP, "their versions", lambda: every("version")),
        Check("docker.exposed", GROUP, "who else reaches them", lambda: every("exposed")),
        Check("docker.images", GROUP, "the profiles' images", lambda: every("images")),
        Check("docker.disk", GROUP, "their disks", lambda: every("disk")),
        Check("docker.address", GROUP, "published ports", lambda: every("address"), 10.0),
        Check(
            "docker.galaxy", GROUP, "Galaxy from inside a container", lambda: every("galaxy"), 10.0
        ),
    )


class _Engine:
    def __init__(self, deployment: Deployment, engine: Engine, profiles: Sequence[Profile]) -> None:
        self._deployment = deployment
        self._engine = engine
        self._name = engine.name
        self._images = sorted({one.image for one in profiles if one.image and "{" not in one.image})
        self._api = Once(self._open)
        self._alive = Once(self._ping)
        self._trial = Once(self._try)

    def reachable(self) -> Iterator[Finding]:
        try:
            version = self._alive()
        except CannotTell as error:
            yield fail(
                f"engine {self._name}: {error}",
                error.remedy
                or "start it, and put the service's user into the socket's group, "
                "which is mostly called docker",
            )
        else:
            yield ok(f"engine {self._name} answers: {version.get('Version', 'no version')}")

    def version(self) -> Iterator[Finding]:
        version = self._here()
        if version is None:
            return
        told = str(version.get("ApiVersion", ""))
        major, _, minor = told.partition(".")
        if not (major.isdecimal() and minor.isdecimal()):
            yield warn(f"engine {self._name} tells no version of its API", "use Docker or Podman 4")
        elif (int(major), int(minor)) < OLDEST:
            yield warn(f"engine {self._name} speaks version {told}", "use Docker 19.03 or later")
        else:
            yield ok(f"engine {self._name} speaks version {told} of Docker's API")

    def exposed(self) -> Iterator[Finding]:
        try:
            location = self._api().location
        except CannotTell:
            return
        if location.is_exposed:
            found = warn if self._engine.insecure else fail
            yield found(f"engine {self._name} is open to its network: {location.url}", _EXPOSED)
        elif location.is_socket:
            mode = Path(location.path).stat().st_mode if Path(location.path).exists() else 0
            if mode & 0o002:
                yield fail(
                    f"everybody on this machine may use {location.path}, which makes them root",
                    f"chmod o-rw {location.path}",
                )

    def images(self) -> Iterator[Finding]:
        if self._here() is None:
            return
        api = self._api()
        for image in self._images:
            if api.exists(f"/images/{segment(image)}/json"):
                yield ok(f"engine {self._name} has {image}")
            else:
                yield warn(
                    f"engine {self._name} has no image {image}: the first session waits for it",
                    f"docker pull {image}",
                )

    def disk(self) -> Iterator[Finding]:
        if self._here() is None or not self._api().location.is_socket:
            return
        root = (self._api().get("/info") or {}).get("DockerRootDir")
        if isinstance(root, str) and Path(root).is_dir():
            yield space(Path(root), f"the folder of engine {self._name}")

    def address(self) -> Iterator[Finding]:
        trial = self._tried()
        if trial is None:
            return
        if trial.reached is None:
            yield ok(f"published ports of engine {self._name} are reached at {trial.published}")
        else:
            yield fail(
                f"published ports of engine {self._name} are not reached: {trial.reached}",
                "set spawner.engines[].address to an address of the engine's machine that this "
                "machine reaches",
            )

    def galaxy(self) -> Iterator[Finding]:
        trial, url = self._tried(), self._deployment.settings.galaxy.url
        if trial is None or url is None:
            return
        if trial.galaxy == "reached":
            yield ok(f"Galaxy is reached from inside a container at {url}")
        elif trial.galaxy == "no client":
            yield warn(
                f"whether containers reach Galaxy can't be told: {trial.image} has none of "
                "curl, python3, wget and nc",
                f"try it by hand: docker run --rm IMAGE curl {url}api/version",
            )
        else:
            yield warn(
                f"Galaxy is not reached from inside a container at {url}",
                "set galaxy.url to a name that containers can resolve and reach, not localhost; "
                "let the firewall pass it",
            )

    def _here(self) -> dict[str, object] | None:
        """What does not answer is told once."""
        try:
            return self._alive()
        except CannotTell:
            return None

    def _tried(self) -> Trial | None:
        return self._trial() if self._here() is not None else None

    def _try(self) -> Trial | None:
        """A container that tries things out; None without an image to make it of."""
        api = self._api()
        images = [*self._images, "busybox", "busybox:stable"]
        image = next((one for one in images if api.exists(f"/images/{segment(one)}/json")), None)
        if image is None:
            return None
        at = self._engine.address or api.location.host or "127.0.0.1"
        return Trial(api, image, at, self._deployment.settings.galaxy.url, self._network())

    def _network(self) -> str:
        """The network that sessions are on, once there were any."""
        settings = self._deployment.settings
        file = settings.data_dir / "instance"
        instance = settings.instance
        if instance is None and file.exists():
            instance = file.read_text(encoding="latin-1").strip()
        network = f"giestack-{instance}"
        there = instance and self._api().exists(f"/networks/{segment(network)}")
        return network if there else ""

    def _open(self) -> EngineApi:
        try:
            return EngineApi(self._location())
        except LocationError as error:
            raise CannotTell(str(error), "mend spawner.engines") from None

    def _location(self) -> Location:
        engine = self._engine
        if not engine.docker_host:
            return located(self._deployment.environ, Path.home())
        tls = engine.tls
        if tls.ca is None or tls.cert is None or tls.key is None:
            return location_of(engine.docker_host)
        return location_of(engine.docker_host, TlsFiles(tls.ca, tls.cert, tls.key))

    def _ping(self) -> dict[str, object]:
        found = self._api().get("/version")
        if not isinstance(found, dict):
            raise NoAnswer("what answers there is no Docker engine")
        return found
