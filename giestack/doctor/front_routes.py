"""Checks of what the front sends to giestack: paths, and hosts of tools and sessions."""

from collections.abc import Iterator, Sequence

from giestack.doctor.asking import NoAnswer
from giestack.doctor.check import Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment, option
from giestack.doctor.front_door import Arrival, FrontDoor, NotOurs
from giestack.routing.table import Prefixes

GROUP = "front"
_WILDCARD = (
    "give the front a server for *.{domain} that sends everything to giestack and keeps Host"
)


def checks(deployment: Deployment, door: FrontDoor | None) -> Sequence[Check]:
    """All checks of what must arrive; none without a front."""
    if door is None:
        return ()
    look = _Routes(deployment, door)
    return (
        Check("front.tools", GROUP, "interactive tools by path", look.tools),
        Check("front.login", GROUP, "the login for hosts of their own", look.login),
        Check("front.tool_hosts", GROUP, "interactive tools by host", look.tool_hosts),
        Check("front.session_hosts", GROUP, "sessions by host", look.session_hosts),
        Check("front.environments", GROUP, "cookie-routed environments", look.environments),
    )


class _Routes:
    def __init__(self, deployment: Deployment, door: FrontDoor) -> None:
        self._deployment = deployment
        self._proxy = deployment.settings.proxy
        self._door = door

    def tools(self) -> Iterator[Finding]:
        if not self._proxy.session_maps or self._door.arrived() is None:
            return
        prefix = self._proxy.interactivetools_prefix
        target = f"{prefix}/doctor/doctor/lab?a=%2F"
        try:
            here = self._door.arrival(target)
        except NotOurs as error:
            yield _leads_elsewhere(prefix, error)
            return
        if here.target == target:
            yield ok(f"{prefix}/ leads to giestack, unchanged")
        else:
            yield fail(
                f"{target} arrives as {here.target}",
                "in nginx: proxy_pass without a path, not even a slash, behind the port",
            )

    def login(self) -> Iterator[Finding]:
        proxy, spawner = self._proxy, self._deployment.settings.spawner
        sessions = spawner is not None and spawner.domain is not None
        tools = proxy.interactivetools_domains and proxy.session_maps
        if not (tools or sessions) or self._door.arrived() is None:
            return
        prefixes = Prefixes(own=proxy.prefix, interactivetools=proxy.interactivetools_prefix)
        path = prefixes.login_below(self._deployment.settings.galaxy.cookie_path)
        try:
            self._door.arrival(path)
        except NotOurs as error:
            answer = error.answer
            said = answer.json
            ours = isinstance(said, dict) and {"error", "message"} <= said.keys()
            leads = answer.headers.get("location", "")
            if not ours and "login/start" not in leads and "giestack" not in leads:
                yield fail(
                    f"{path} does not lead to giestack: {answer}",
                    f"send {path.removesuffix('login')} to giestack: visitors of tools and "
                    "sessions with hosts of their own pass there",
                )
                return
        yield ok(f"{path} leads to giestack")

    def tool_hosts(self) -> Iterator[Finding]:
        domains = self._proxy.interactivetools_domains
        if self._proxy.session_maps and domains and self._door.arrived() is not None:
            domain = domains[0]
            if domain == "*":
                return
            yield from self._host(f"doctor-doctor.{domain}", domain, "interactive tools")

    def session_hosts(self) -> Iterator[Finding]:
        spawner = self._deployment.settings.spawner
        if spawner is not None and spawner.domain is not None and self._door.arrived() is not None:
            yield from self._host(f"doctor.{spawner.domain}", spawner.domain, "sessions")

    def _host(self, host: str, domain: str, what: str) -> Iterator[Finding]:
        _, colon, port = self._door.authority.rpartition("]")[2].partition(":")
        host = host + colon + port
        try:
            here = self._door.arrival("/doctor", host=host)
        except (NotOurs, NoAnswer) as error:
            yield warn(
                f"hosts of {what} (*.{domain}) do not lead to giestack: {error}",
                _WILDCARD.format(domain=domain),
            )
            return
        if here.host_name == host.partition(":")[0]:
            yield ok(f"hosts of {what} (*.{domain}) lead to giestack")
        else:
            yield fail(
                f"Host of {what} arrives as {here.host}, and was {host}",
                _WILDCARD.format(domain=domain),
            )

    def environments(self) -> Iterator[Finding]:
        if not self._has_environments() or self._door.arrived() is None:
            return
        prefix = self._proxy.gie_prefix
        page = f"{prefix}/jupyter/ipython/tree?a=%2F"
        try:
            here = self._door.arrival(page)
        except NotOurs as error:
            yield _leads_elsewhere(prefix, error)
            return
        if here.target != page:
            yield fail(
                f"{page} arrives as {here.target}",
                "pass the path on unchanged: containers know it as it is",
            )
            return
        yield self._kernels(prefix)

    def _kernels(self, prefix: str) -> Finding:
        """The WebSocket's own location in the nginx block of Galaxy's documentation."""
        target = f"{prefix}/jupyter/ipython/api/kernels/doctor/channels?session_id=doctor"
        try:
            here = self._door.arrival(
                target,
                more={
                    "Connection": "Upgrade",
                    "Upgrade": "websocket",
                    "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                },
            )
        except NotOurs as error:
            return fail(
                f"WebSockets of notebooks below {prefix}/ do not lead to giestack: {error.answer}",
                f"send all of {prefix}/ to giestack, with Upgrade and Connection",
            )
        return _kernels_arrived(target, here)

    def _has_environments(self) -> bool:
        spawner = self._deployment.settings.spawner
        options = (
            "dynamic_proxy",
            "dynamic_proxy_session_map",
            "dynamic_proxy_external_proxy",
            "interactive_environment_plugins_directory",
        )
        return (spawner is not None and spawner.gie_plugins_directory is not None) or any(
            option(self._deployment, name) is not None for name in options
        )


def _kernels_arrived(target: str, here: Arrival) -> Finding:
    if here.target == target and here.upgrade:
        return ok("notebooks' pages and WebSockets arrive unchanged")
    lost = [] if "?" in here.target else ["the query"]
    if "/jupyter/" not in here.target:
        lost.append("jupyter/")
    if here.target != target:
        return fail(
            f"the WebSocket of a notebook arrives as {here.target}: it loses "
            f"{' and '.join(lost) or 'a part of its path'}, as with the nginx block in Galaxy's "
            "documentation of interactive environments",
            "replace both locations by one: location PREFIX { proxy_pass http://HOST:PORT; … } "
            "with Upgrade and Connection, as in etc/fronts of giestack",
        )
    return fail(
        "WebSockets of notebooks arrive without Upgrade",
        "in nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
        "proxy_set_header Connection $connection_upgrade",
    )


def _leads_elsewhere(prefix: str, error: NotOurs) -> Finding:
    return fail(
        f"{prefix}/ does not lead to giestack: {error.answer}",
        f"send {prefix}/ to giestack's proxy.listen, with nothing taken off the path",
    )
