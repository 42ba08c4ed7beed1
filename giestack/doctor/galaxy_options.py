"""Checks of Galaxy's options and ours together, and of Galaxy at its address."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from giestack.doctor.asking import Answer, NoAnswer, ask
from giestack.doctor.check import Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment, is_on, option, place_of_url
from giestack.settings.document import Node
from giestack.settings.endpoints import parse

GROUP = "Galaxy"


def checks(deployment: Deployment) -> Sequence[Check]:
    """All checks of what the options say together."""
    options = _Options(deployment)
    return (
        Check("galaxy.cookie_path", GROUP, "the path of Galaxy's cookie", options.cookie_path),
        Check("galaxy.cookie_domain", GROUP, "the domain of the cookie", options.cookie_domain),
        Check("galaxy.dynamic_proxy", GROUP, "dynamic_proxy_manage", options.dynamic_proxy),
        Check("galaxy.gx_it_proxy", GROUP, "Gravity's gx_it_proxy", options.gx_it_proxy),
        Check("galaxy.session_duration", GROUP, "session_duration", options.session_duration),
        Check("galaxy.url", GROUP, "Galaxy at galaxy.url", _Address(deployment).answers),
    )


class _Options:
    """What Galaxy's options and ours say together."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._settings = deployment.settings

    def cookie_path(self) -> Iterator[Finding]:
        path = (self._settings.galaxy.cookie_path or "/").rstrip("/")
        proxy = self._settings.proxy
        prefixes = {"proxy.prefix": proxy.prefix}
        if proxy.session_maps:
            prefixes["proxy.interactivetools_prefix"] = proxy.interactivetools_prefix
            prefixes["proxy.gie_prefix"] = proxy.gie_prefix
        outside = [
            f"{key} {prefix}"
            for key, prefix in prefixes.items()
            if path and not f"{prefix}/".startswith(f"{path}/")
        ]
        for text in outside:
            yield fail(
                f"browsers send Galaxy's cookie below {path}/ only, and not to {text}",
                f"let it begin with {path}, or set cookie_path: / in Galaxy's file",
            )
        if not outside:
            yield ok(f"Galaxy's cookie (path {path or '/'}) reaches giestack's prefixes")

    def cookie_domain(self) -> Iterator[Finding]:
        galaxy, proxy = self._settings.galaxy, self._settings.proxy
        domain = galaxy.cookie_domain
        host = urlsplit(galaxy.url).hostname if galaxy.url else None
        if domain is None:
            if host is not None and proxy.session_maps and proxy.interactivetools_domains:
                yield ok(
                    f"Galaxy's cookie is for {host} alone; tools with a host of their own are "
                    "entered by a ticket"
                )
            return
        if host is not None and not _below(host, domain):
            yield fail(
                f"cookie_domain {domain} does not cover Galaxy's own host {host}",
                f"set cookie_domain in Galaxy's file to {host} or a domain above it, or remove it",
            )
            return
        uncovered = [one for one in proxy.interactivetools_domains if not _below(one, domain)]
        if uncovered:
            yield warn(
                f"cookie_domain {domain} does not cover {uncovered[0]}: visitors pass the login "
                "there",
                "set cookie_domain to a domain above both, or leave it as it is",
            )
        else:
            yield ok(f"cookie_domain {domain} covers Galaxy and its tools' hosts")

    def dynamic_proxy(self) -> Iterator[Finding]:
        manage = option(self._deployment, "dynamic_proxy_manage")
        plugins = option(self._deployment, "interactive_environment_plugins_directory")
        if is_on(manage) or (manage is None and plugins):
            yield fail(
                "dynamic_proxy_manage: true lets Galaxy start its own proxy on the same port",
                "set dynamic_proxy_manage: false in Galaxy's file",
            )
        elif manage is not None:
            yield ok("dynamic_proxy_manage is off: Galaxy starts no proxy of its own")

    def gx_it_proxy(self) -> Iterator[Finding]:
        galaxy = self._deployment.galaxy
        section = galaxy.gravity.get("gx_it_proxy") if galaxy else None
        if section is None or not isinstance(section.value, dict):
            return
        values = section.value
        if not _is_true(values.get("enable")):
            yield ok("Gravity starts no gx-it-proxy")
            return
        port = values.get("port")
        number = "4002" if port is None or port.empty else port.text
        ours = {parse(one).values.get("port") for one in self._settings.proxy.listen}
        if number in ours:
            yield fail(
                f"Gravity starts gx-it-proxy on port {number}, which is giestack's",
                "set gx_it_proxy: enable: false below gravity: in Galaxy's file, and run "
                "galaxyctl update",
            )
        else:
            yield warn(
                f"Gravity starts gx-it-proxy, too, on port {number}",
                "set gx_it_proxy: enable: false below gravity: once the front sends visitors here",
            )

    def session_duration(self) -> Iterator[Finding]:
        galaxy = self._settings.galaxy
        if galaxy.session_duration and not galaxy.touch_last_action:
            yield warn(
                f"Galaxy logs people out after {galaxy.session_duration} minutes without a "
                "request to it, also while they work in a notebook",
                "set galaxy.touch_last_action: true",
            )


class _Address:
    """Galaxy itself, at the address that visitors are sent to."""

    def __init__(self, deployment: Deployment) -> None:
        proxy = deployment.settings.proxy
        self._url = deployment.settings.galaxy.url
        self._hides_tools = proxy.interactivetools_auth == "owner" and bool(proxy.session_maps)
        self._hides_tools &= not proxy.interactivetools_domains

    def answers(self) -> Iterator[Finding]:
        if self._url is None:
            tools = ", and interactive tools on hosts of their own can't be reached"
            yield warn(
                "galaxy.url is not set: pages can't link to the login"
                f"{tools if self._hides_tools else ''}",
                "set galaxy.url to the address that people open Galaxy at",
            )
            return
        try:
            answer = self._ask("api/version")
        except NoAnswer as error:
            yield warn(
                f"Galaxy does not answer at {self._url}: {error}",
                "see that Galaxy runs, and that galaxy.url is the address people open it at; it "
                "may be reachable from elsewhere only",
            )
            return
        found = answer.json
        if isinstance(found, dict) and "version_major" in found:
            yield ok(f"Galaxy {found['version_major']} answers at {self._url}")
        else:
            yield warn(
                f"what answers at {self._url}api/version is no Galaxy: {answer}",
                "set galaxy.url to the address that people open Galaxy at, with its prefix",
            )

    def _ask(self, path: str) -> Answer:
        assert self._url is not None
        parts = urlsplit(self._url)
        return ask(place_of_url(self._url), parts.path + path, {"Host": parts.netloc})


def _below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _is_true(node: Node | None) -> bool:
    return node is not None and is_on(node.text)
