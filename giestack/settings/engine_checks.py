"""What the keys of ``spawner.engines`` must say together."""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from giestack.settings.places import is_loopback
from giestack.settings.problems import Report
from giestack.settings.spawner_schema import Engine

NO_ISOLATION = (
    "no isolation: sessions run as the user that giestack runs as, and whoever may start one may "
    "do what that user may; for trying out only"
)
FOR_DOCKER = ("address", "insecure", "memory", "gpus")
"""Keys of an engine that mean nothing to one of local processes."""


def check_engines(engines: Sequence[Engine], report: Report) -> None:
    """Note every contradiction in engines, and between them."""
    seen: dict[str, str] = {}
    for number, engine in enumerate(engines):
        path = f"spawner.engines[{number}]"
        if engine.docker_host in seen:
            other = seen[engine.docker_host]
            text = f"is that of another engine, {other}"
            if engine.is_process:
                text = "is that of another engine: one engine runs all local processes"
            report.problem(f"{path}.docker_host", text)
        seen.setdefault(engine.docker_host, engine.name)
        _check_transport(path, engine, report)
        _check_gpus(path, engine, report)
        if engine.is_process:
            report.warn(f"{path}.docker_host", NO_ISOLATION)
            _check_process(path, engine, report)
        else:
            _check_address(path, engine, report)


def _check_transport(path: str, engine: Engine, report: Report) -> None:
    parts = (engine.tls.ca, engine.tls.cert, engine.tls.key)
    if any(parts) and not all(parts):
        report.problem(f"{path}.tls", "needs ca, cert and key, or none of them")
    if any(parts) and not engine.docker_host.startswith("tcp:"):
        report.problem(f"{path}.tls", "is only for a docker_host that begins with tcp://")
    host = urlsplit(engine.docker_host).hostname
    if host and not any(parts) and not is_loopback(host) and not engine.insecure:
        report.problem(
            f"{path}.docker_host",
            f"{engine.docker_host} without tls gives everybody on that network this engine, which "
            "is as good as root there; add tls: {ca: FILE, cert: FILE, key: FILE}, or, if you "
            "mean it, insecure: true",
        )


def _check_address(path: str, engine: Engine, report: Report) -> None:
    address = engine.address or urlsplit(engine.docker_host).hostname or "127.0.0.1"
    try:
        everywhere = ip_address(address).is_unspecified
    except ValueError:
        # A name, which is looked up at start.
        everywhere = False
    if everywhere:
        report.problem(
            f"{path}.address",
            f"{address} is every address: ports would be open to everybody",
        )
    elif not is_loopback(address):
        # Docker's proxy answers whoever is on the host, and containers are.
        report.warn(
            f"{path}.address",
            f"whoever reaches {address} reaches the ports of sessions past giestack: let nobody "
            "else in there. Other sessions reach them, too, unless that engine's daemon.json has "
            '"userland-proxy": false',
        )


def _check_gpus(path: str, engine: Engine, report: Report) -> None:
    for number, gpu in enumerate(engine.gpus):
        if not gpu.strip():
            report.problem(f"{path}.gpus[{number}]", "must be an id, as nvidia-smi -L shows it")
        elif gpu in engine.gpus[:number]:
            report.problem(f"{path}.gpus[{number}]", f"{gpu!r} is there already")


def _check_process(path: str, engine: Engine, report: Report) -> None:
    default = Engine()
    ignored = [key for key in FOR_DOCKER if getattr(engine, key) != getattr(default, key)]
    if ignored:
        report.warn(path, f"local processes have no use for {', '.join(ignored)}")
