"""What follows from other keys, once all of them are read."""

import re
from dataclasses import replace
from pathlib import Path

from giestack.settings.databases import sqlite_path
from giestack.settings.document import Node, lookup
from giestack.settings.galaxy_defaults import GalaxyDefaults
from giestack.settings.kinds import LogTarget
from giestack.settings.places import host, http_url, is_loopback
from giestack.settings.problems import Report, Wrong
from giestack.settings.reading import World
from giestack.settings.schema import (
    ChatSettings,
    GalaxySettings,
    LogSettings,
    ProxySettings,
    Service,
    Settings,
)

_DOMAINS = "proxy.interactivetools_domains"


def derive(
    settings: Settings, own: Node, galaxy: GalaxyDefaults | None, world: World, report: Report
) -> Settings:
    """Fill in the defaults that depend on other keys; `own` is what the file itself says."""
    data_dir = Path(world.folder, settings.data_dir)
    host_application = _galaxy(settings.galaxy)
    return replace(
        settings,
        data_dir=data_dir,
        galaxy=host_application,
        proxy=_proxy(settings.proxy, host_application, own, galaxy or GalaxyDefaults({}), report),
        chat=settings.chat and _chat(settings.chat, data_dir),
        log=_log(settings.log, data_dir),
    )


def _galaxy(galaxy: GalaxySettings) -> GalaxySettings:
    url, known = galaxy.url, galaxy.galaxy_infrastructure_url
    if url is None and known is not None and not is_loopback(http_url(known, "a URL").host):
        url = known
    # Galaxy itself takes single_user for a remote user that is always the same.
    remote = galaxy.use_remote_user or galaxy.single_user is not None
    return replace(galaxy, url=url, use_remote_user=remote)


def _proxy(
    proxy: ProxySettings, galaxy: GalaxySettings, own: Node, told: GalaxyDefaults, report: Report
) -> ProxySettings:
    domains, auth = proxy.interactivetools_domains, proxy.interactivetools_auth
    if not domains:
        domains = _domains(galaxy, told, report)
    key = "proxy.interactivetools_auth"
    if galaxy.database_connection is None and lookup(own, key).empty and report.sound("galaxy"):
        auth = "token"
        if proxy.session_maps:
            report.warn(
                key,
                "is 'token', because no host database is configured: interactive tools are open "
                "to whoever knows their URL, as with gx-it-proxy. For owners only, name Galaxy's "
                "file as galaxy.config_file, or its database as galaxy.database_connection",
            )
    elif auth == "token" and proxy.session_maps and report.sound("galaxy"):
        report.warn(
            key,
            "is 'token': interactive tools are open to whoever knows their URL, as with "
            "gx-it-proxy, and whoever has their owner's link can act as their owner. For owners "
            "only, remove the key or set it to owner",
        )
    services = tuple(_service(service) for service in proxy.services)
    return replace(
        proxy, interactivetools_domains=domains, interactivetools_auth=auth, services=services
    )


def _domains(galaxy: GalaxySettings, told: GalaxyDefaults, report: Report) -> tuple[str, ...]:
    """``ep.interactivetool.HOST``, and what Galaxy 23.1 and before put there."""
    try:
        if told.tools_host is not None:
            name = host(re.sub(r":[0-9]+$", "", told.tools_host))
        elif galaxy.url is not None:
            name = http_url(galaxy.url, "a URL").host
        else:
            return ()
        if ":" in name:
            return ()  # an IPv6 address has no hosts below it
        below = host(f"{told.tools_word}.{name}")
    except Wrong as wrong:
        report.problem(_DOMAINS, f"{wrong} (interactivetools_* in Galaxy's file)")
        return ()
    return (f"ep.{below}", f"interactivetoolentrypoint.{below}", below)


def _service(service: Service) -> Service:
    if service.ca_file is None:
        return service
    return replace(service, backend=replace(service.backend, ca_file=str(service.ca_file)))


def _chat(chat: ChatSettings, data_dir: Path) -> ChatSettings:
    path = sqlite_path(chat.database)
    return chat if path is None else replace(chat, database=f"sqlite:///{data_dir / path}")


def _log(log: LogSettings, data_dir: Path) -> LogSettings:
    def target(name: LogTarget) -> LogTarget:
        return data_dir / name if isinstance(name, Path) else name

    return replace(log, access=target(log.access), audit=target(log.audit))
