"""What the keys must say together: pairs that contradict, clash or leave a door open."""

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import combinations
from urllib.parse import urlsplit

from giestack.chat.word_filter import WordFilter
from giestack.settings.databases import place_of
from giestack.settings.document import Node, lookup
from giestack.settings.endpoints import parse
from giestack.settings.galaxy_defaults import GALAXYS_ID_SECRET
from giestack.settings.places import is_loopback
from giestack.settings.problems import Report
from giestack.settings.schema import ChatFilter, ProxySettings, Settings
from giestack.settings.spawner_checks import check_spawner


def check(settings: Settings, own: Node, report: Report) -> None:
    """Note every contradiction; `own` is what the file itself says.

    Keys that have a problem already are left alone: one mistake is told once.
    """
    _check_host(settings, own, report)
    _check_remote_user(settings, report)
    _check_names(settings.proxy, report)
    _check_domains(settings, own, report)
    _check_maps(settings, report)
    _check_endpoints(settings, report)
    _check_forward(settings.proxy, report)
    _check_pairs(settings, report)
    _check_go_api(settings, report)
    if settings.chat is not None:
        _check_filter(settings.chat.filter, report)
    if settings.spawner is not None:
        check_spawner(settings.spawner, settings.data_dir, report)


def _check_host(settings: Settings, own: Node, report: Report) -> None:
    """Whether somebody can tell who is asking, where that is needed."""
    galaxy = settings.galaxy
    if not report.sound("galaxy"):
        return
    if galaxy.id_secret == GALAXYS_ID_SECRET:
        text = (
            "is Galaxy's default, which everybody knows: whoever likes can make a cookie for "
            "any session. Set id_secret in Galaxy's file to a random text of 32 characters"
        )
        if settings.chat is not None:
            report.problem("chat", f"does not start while galaxy.id_secret {text}")
        else:
            report.warn("galaxy.id_secret", text)
    if galaxy.database_connection is not None and galaxy.id_secret is None:
        report.problem(
            "galaxy.id_secret",
            "is missing: without Galaxy's id_secret its cookies cannot be read. Write it here, or "
            "name Galaxy's own file as galaxy.config_file",
        )
    if galaxy.database_connection is not None:
        return
    remedy = "set galaxy.config_file, or galaxy.database_connection and galaxy.id_secret"
    if galaxy.touch_last_action:
        report.problem("galaxy.touch_last_action", f"there is no database to write to: {remedy}")
    if lookup(own, "proxy.interactivetools_auth").text == "owner":
        report.problem(
            "proxy.interactivetools_auth",
            f"'owner' needs the host's database, to ask who owns a tool: {remedy}",
        )
    if settings.openbis is not None:
        return
    for path, there in (
        ("proxy.services", settings.proxy.services),
        ("spawner", settings.spawner is not None),
        ("chat", settings.chat is not None),
    ):
        if there:
            report.problem(path, f"needs a host application, to know who is asking: {remedy}")


def _check_filter(filter: ChatFilter, report: Report) -> None:
    """Words that can be looked for."""
    for name, words in (("deny", filter.deny), ("mask", filter.mask)):
        for number, word in enumerate(words):
            try:
                WordFilter([word])
            except ValueError as error:
                report.problem(f"chat.filter.{name}[{number}]", str(error))


def _check_remote_user(settings: Settings, report: Report) -> None:
    galaxy, trusted = settings.galaxy, settings.proxy.trusted_proxies
    everybody = [str(network) for network in trusted if network.prefixlen == 0]
    path = "proxy.trusted_proxies"
    if everybody:
        text = f"{everybody[0]} is everybody: anyone can write X-Forwarded-For and be believed"
        if galaxy.use_remote_user and galaxy.single_user is None:
            report.problem(path, f"{text}, and with use_remote_user be any user")
        else:
            report.warn(path, text)
    if galaxy.use_remote_user and galaxy.single_user is None and not trusted:
        report.warn(path, f"is empty, so nobody's {galaxy.remote_user_header} header is believed")


def _check_names(proxy: ProxySettings, report: Report) -> None:
    """Prefixes that hide one another."""
    prefixes = {
        "proxy.prefix": proxy.prefix,
        "proxy.gie_prefix": proxy.gie_prefix,
        "proxy.interactivetools_prefix": proxy.interactivetools_prefix,
    }
    for number, service in enumerate(proxy.services):
        path = f"proxy.services[{number}]"
        prefixes[f"{path}.path"] = service.path
        if service.ca_file is not None and not service.backend.tls:
            report.problem(f"{path}.ca_file", "is only for a backend that begins with https://")
    for (one, first), (other, second) in combinations(prefixes.items(), 2):
        if report.sound(one, other) and _nested(first, second, "/"):
            report.problem(other, f"{second!r} clashes with {one}, {first!r}")
    login = proxy.interactivetools_prefix.rpartition("/")[0] + "/giestack"
    for number, service in enumerate(proxy.services):
        if service.path and _nested(service.path, login, "/"):
            path = f"proxy.services[{number}].path"
            if report.sound(path):
                report.problem(path, f"{service.path!r} clashes with {login!r}, where logins pass")


def _nested(one: str, other: str, mark: str) -> bool:
    return (one + mark).startswith(other + mark) or (other + mark).startswith(one + mark)


def _below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _check_domains(settings: Settings, own: Node, report: Report) -> None:
    domains, galaxy = settings.proxy.interactivetools_domains, settings.galaxy
    host = urlsplit(galaxy.url).hostname if galaxy.url else None
    path = "proxy.interactivetools_domains"
    for domain in domains:
        if host and _below(host, domain):
            report.problem(path, f"Galaxy's own host {host} is {domain} or below it")
    own_domain = settings.spawner.domain if settings.spawner else None
    if own_domain and host and host.endswith(f".{own_domain}"):
        report.problem("spawner.domain", f"Galaxy's own host {host} is below it")
    elif own_domain and any(_below(own_domain, one) or _below(one, own_domain) for one in domains):
        report.problem("spawner.domain", f"{own_domain} and {path} must not be below one another")
    if host or not report.sound("galaxy", path, "spawner"):
        return
    covered = galaxy.cookie_domain
    needing = {path: domains} if settings.proxy.interactivetools_auth == "owner" else {}
    needing["spawner.domain"] = (own_domain,) if own_domain else ()
    for key, names in needing.items():
        if not all(covered and _below(name, covered) for name in names):
            report.problem(
                "galaxy.url",
                f"is missing: {key} names hosts that Galaxy's cookie does not reach, so visitors "
                "are sent to Galaxy to log in",
            )


def _check_maps(settings: Settings, report: Report) -> None:
    seen: dict[tuple[str, ...], str] = {}
    database = settings.galaxy.database_connection
    for number, source in enumerate(settings.proxy.session_maps):
        path = f"proxy.session_maps[{number}]"
        url = f"sqlite:///{source.path}" if source.url is None else source.url
        place = place_of(url)
        if source.url is not None and find_spec("psycopg") is None:
            report.problem(path, "needs the package psycopg: pip install 'giestack[postgres]'")
        if database is not None and place == place_of(database):
            report.problem(
                path,
                "is Galaxy's own database; a session map needs one of its own (Galaxy's "
                "interactivetoolsproxy_map)",
            )
        if place in seen:
            report.problem(path, f"is the same as {seen[place]}")
        seen[place] = path


def _listening(settings: Settings) -> Iterator[tuple[str, str]]:
    lists = {"proxy.listen": settings.proxy.listen, "admin.listen": settings.admin.listen}
    lists["proxy.hub_api.listen"] = settings.proxy.hub_api.listen
    if settings.chat is not None:
        lists["chat.listen"] = settings.chat.listen
    if settings.openbis is not None:
        lists["openbis.integration_listen"] = settings.openbis.integration_listen
    for path, descriptions in lists.items():
        for number, description in enumerate(descriptions):
            yield f"{path}[{number}]", description


def _check_endpoints(settings: Settings, report: Report) -> None:
    """Two that would take the same port or socket."""
    for (one, first), (other, second) in combinations(_listening(settings), 2):
        a, b = parse(first).values, parse(second).values
        same_socket = first == second or ("address" in a and a["address"] == b.get("address"))
        ports = {values.get("port") for values in (a, b)}
        same_port = len(ports) == 1 and not ports & {None, "0"}
        hosts = {values.get("interface", "") for values in (a, b)}
        if (same_socket and ports != {"0"}) or (same_port and (len(hosts) == 1 or "" in hosts)):
            report.problem(other, f"{second!r} takes the same place as {one}, {first!r}")


def _check_forward(proxy: ProxySettings, report: Report) -> None:
    """A double proxy that leads somewhere else, and not everywhere."""
    forward, path = proxy.forward, "proxy.forward"
    if not report.sound(path, "proxy.listen"):
        return
    if (forward.ip is None) != (forward.port is None):
        report.problem(path, "needs both ip and port, or neither")
    elif forward.ip is not None and is_loopback(forward.ip):
        listening = [parse(description).values for description in proxy.listen]
        here = [one for one in listening if is_loopback(one.get("interface") or "localhost")]
        if str(forward.port) in [one.get("port") for one in here]:
            report.problem(path, f"leads back to giestack itself, which listens on {forward.port}")
    for number, target in enumerate(forward.allowed_targets):
        if target.endswith("/0"):
            text = f"{target} is everything: whoever is trusted could reach any host from here"
            report.problem(f"{path}.allowed_targets[{number}]", text)


def _check_pairs(settings: Settings, report: Report) -> None:
    """Small things that only make sense together."""
    hub, go = settings.proxy.hub_api, settings.proxy.go_api
    if hub.listen and hub.token is None and report.sound("proxy.hub_api"):
        report.problem("proxy.hub_api.token", "is missing: without it anybody can set routes")
    keys = {"proxy.go_api.api_key": go.api_key, "admin.token": settings.admin.token}
    for path, secret in keys.items():
        if secret == "THE_DEFAULT_IS_NOT_SECURE":
            report.problem(path, "is the default of the Go gxproxy, which everybody knows")
    host = urlsplit(settings.galaxy.url).hostname if settings.galaxy.url else None
    domain = settings.galaxy.cookie_domain
    if host and domain and not _below(host, domain) and not is_loopback(host):
        report.warn("galaxy.cookie_domain", f"{domain} does not cover Galaxy's own host {host}")
    proxy, told = settings.proxy, go.api_key is not None
    nothing = not (proxy.session_maps or proxy.services or settings.spawner or told)
    nothing = nothing and not settings.proxy.forward.allowed_targets
    if nothing and settings.proxy.listen and report.sound("proxy", "galaxy"):
        report.warn("proxy", "has neither session_maps nor services: it has nothing to pass on")


def _check_go_api(settings: Settings, report: Report) -> None:
    """Its one path, and the engine that it ends containers on."""
    proxy, go = settings.proxy, settings.proxy.go_api
    if go.api_key is not None:
        taken = {"proxy.prefix": proxy.prefix, "proxy.gie_prefix": proxy.gie_prefix}
        taken["proxy.interactivetools_prefix"] = proxy.interactivetools_prefix
        for number, service in enumerate(proxy.services):
            taken[f"proxy.services[{number}].path"] = service.path
        for path, prefix in taken.items():
            if prefix == "/api":
                report.problem(path, "/api is the address of proxy.go_api")
    engine = go.docker_host
    if engine is None:
        return
    path = "proxy.go_api.docker_host"
    if engine == "process:":
        report.problem(path, "must be unix:///PATH or tcp://HOST:PORT: it has containers")
    elif engine.startswith("tcp:") and not is_loopback(urlsplit(engine).hostname or ""):
        report.problem(
            path,
            f"{engine} without TLS gives everybody on that network this engine; name the engine "
            "in spawner.engines, with its tls, and leave this key out",
        )
