"""Where a request goes, by its host and raw path alone.

`RouteTable.locate` asks in this order: a host below the interactive tools' domains, spawned
sessions, own pages, interactive tools by path, services, cookie-routed environments. Paths are
matched as they came in, by whole segments: a percent-encoded prefix is no prefix.

Entry points come from several sources, each with a mapping of its own that is replaced as a
whole, so a change in one never copies the others. A request is held against every source: it
names KEY and TOKEN, and a key that two sources hold with different tokens (two Galaxys behind
one proxy) leads to the one whose token it is. Only where both are equal the source that was
named first wins.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from types import MappingProxyType

from giestack.address import Address
from giestack.routing.chat_paths import chat_place
from giestack.routing.environments import BySession, EnvironmentRoute, route_for
from giestack.routing.formats import EntryPoint
from giestack.routing.places import (
    Environment,
    HostEntryPoint,
    Nowhere,
    OwnPage,
    PathEntryPoint,
    Place,
    Service,
    ServicePlace,
    SpawnedSession,
    UnknownEntryPoint,
)

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+")
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_DOT_SEGMENT = re.compile(rb"(?:\A|/)(?:\.|%2[eE]){1,2}(?=/|\Z)")
# Stands in for a missing entry point, so that an unknown key costs the same comparison.
_ABSENT = EntryPoint("", "", "/" * 13, Address())
_NO_ENTRY_POINTS: Mapping[bytes, EntryPoint] = MappingProxyType({})
_NO_ENVIRONMENTS: BySession = MappingProxyType({})
_UNKNOWN = UnknownEntryPoint()
_NOWHERE = Nowhere()
_OLDER = b"/access/interactivetoolentrypoint/"
_OLDER_KEY = re.compile(rb"(?:[0-9a-f]{16}){1,2}")
_TOOL_LABELS = frozenset({b"ep", b"interactivetoolentrypoint"})


def has_dot_segment(path: bytes) -> bool:
    """Tell whether ``path`` has a ``.`` or ``..`` segment, also percent-encoded (RFC 3986 3.3)."""
    if path.find(b"/.") < 0 and path.find(b"/%2") < 0 and path[:1] == b"/":
        return False
    return _DOT_SEGMENT.search(path) is not None


def clean_prefix(text: str) -> str:
    """Return a configured path prefix without its closing slash.

    ``""`` stays as it is. Raise `ValueError` when ``text`` can be no prefix of a raw path.
    """
    prefix = text.removesuffix("/")
    if text and (not _PREFIX.fullmatch(prefix) or has_dot_segment(prefix.encode())):
        raise ValueError(f"not a path like /name: {text!r}")
    return prefix


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Where the rules of `RouteTable.locate` begin; an empty prefix switches its rule off.

    :ivar own: giestack's own pages.
    :ivar interactivetools: interactive tools by path (gx-it-proxy's ``--proxyPathPrefix``).
    :ivar gie: cookie-routed environments (Galaxy's ``dynamic_proxy_prefix``).
    :ivar domains: the names below which each host is an interactive tool, KEY-TOKEN.NAME.
        ``"*"`` is any, as in gx-it-proxy: then a host is a tool's if its first label names one,
        or if it looks like one that has gone (KEY-TOKEN.ep.…).
    :ivar session_domain: the name below which each host is a spawned session, ID.NAME.
    """

    own: str = "/giestack"
    interactivetools: str = "/interactivetool/ep"
    gie: str = "/gie_proxy"
    domains: tuple[str, ...] = ()
    session_domain: str | None = None

    @property
    def login(self) -> str:
        """The login page that every front of an interactive-tools site already sends to us."""
        return clean_prefix(self.interactivetools).rpartition("/")[0] + "/giestack/login"

    def login_below(self, cookie_path: str | None) -> str:
        """The login page that Galaxy's cookie reaches: our own pages are wherever it does."""
        if cookie_path and not f"{self.login}/".startswith(f"{cookie_path.rstrip('/')}/"):
            return f"{self.own}/login"
        return self.login


class RouteTable:
    """Looks places up; all of it in one thread.

    :ivar prefixes: as given.
    :ivar services: as given.
    """

    __slots__ = (
        "_any_domain",
        "_below",
        "_domains",
        "_environments",
        "_exact",
        "_gie_length",
        "_gie_start",
        "_names",
        "_older_starts",
        "_own_length",
        "_own_start",
        "_routes_by_cookie",
        "_service_lengths",
        "_services",
        "_session_hosts",
        "_session_start",
        "_sources",
        "_ticket",
        "_tools_length",
        "_tools_start",
        "prefixes",
        "services",
    )

    def __init__(
        self,
        prefixes: Prefixes,
        services: Iterable[Service] = (),
        sources: Iterable[str] = (),
    ) -> None:
        """Start without entry points.

        ``sources`` are the names that `replace` will be called with, in their order of
        precedence. Raise `ValueError` for prefixes, domains or service paths that cannot be
        matched.
        """
        self._names: tuple[str, ...] = ()
        self._sources: tuple[Mapping[bytes, EntryPoint], ...] = ()
        self._environments: dict[str, BySession] = {}
        self._routes_by_cookie = False
        self.keep(sources)
        self.configure(prefixes, services)

    def configure(self, prefixes: Prefixes, services: Iterable[Service] = ()) -> None:
        """Take other prefixes and services and keep the entry points.

        Raise `ValueError` and change nothing when they cannot be matched.
        """
        own = clean_prefix(prefixes.own).encode()
        tools = clean_prefix(prefixes.interactivetools).encode()
        gie = clean_prefix(prefixes.gie).encode()
        domains = frozenset(_domain(name) for name in prefixes.domains if name != "*")
        sessions = prefixes.session_domain
        session_hosts = b"" if sessions is None else b"." + _domain(sessions)
        by_path: dict[bytes, Service] = {}
        for service in services:
            clean_prefix(service.path.decode("latin-1"))
            if service.path.endswith(b"/") or service.path in by_path:
                raise ValueError(f"service path ends with a slash or is there twice: {service}")
            by_path[service.path] = service
        self.prefixes = prefixes
        self.services = tuple(by_path.values())
        self._domains = domains
        self._below = tuple(b"." + name for name in domains)
        self._any_domain = "*" in prefixes.domains
        # An empty tuple is the start of no path.
        self._own_start = (own + b"/",) if own else ()
        self._own_length = len(own)
        self._session_hosts = session_hosts
        self._session_start = own + b"/session/"
        self._ticket = own + b"/ticket"
        self._tools_start = (tools + b"/",) if tools else ()
        self._tools_length = len(tools)
        base = tools.removesuffix(b"/ep")
        self._older_starts = (base + _OLDER, base + b"/") if base not in (tools, b"") else ()
        self._gie_start = (gie + b"/",) if gie else ()
        self._gie_length = len(gie)
        exact: dict[bytes, Place] = {}
        if own:
            exact[prefixes.login.encode()] = OwnPage(b"/login")
        if tools:
            exact[tools] = _UNKNOWN
        if own:
            exact[own] = OwnPage(b"")
        self._exact = exact
        self._services = by_path
        self._service_lengths = sorted({len(path) for path in by_path}, reverse=True)

    def keep(self, sources: Iterable[str]) -> None:
        """Have these sources and no other, in this order of precedence; new ones are empty."""
        known = dict(zip(self._names, self._sources, strict=True))
        self._names = tuple(dict.fromkeys(sources))
        self._sources = tuple(known.get(name, _NO_ENTRY_POINTS) for name in self._names)
        self._environments = {
            name: self._environments[name] for name in self._names if name in self._environments
        }
        self._routes_by_cookie = bool(self._environments)

    def replace(
        self,
        source: str,
        entry_points: Mapping[bytes, EntryPoint],
        environments: BySession | None = None,
    ) -> None:
        """Put ``entry_points``, by key, in the place of what ``source`` had before.

        So for ``environments``, which are None where the source does not route by cookie. The
        mappings are not copied: they stay the source's own. A source with a name that was not
        announced comes last.
        """
        if environments is None:
            self._environments.pop(source, None)
        else:
            self._environments[source] = environments
        self._routes_by_cookie = bool(self._environments)
        if source not in self._names:
            self._names += (source,)
            self._sources += (entry_points,)
            return
        at = self._names.index(source)
        self._sources = (*self._sources[:at], entry_points, *self._sources[at + 1 :])

    def by_source(self) -> Mapping[str, Collection[EntryPoint]]:
        """All entry points, by the source that they come from."""
        return {
            name: source.values() for name, source in zip(self._names, self._sources, strict=True)
        }

    def environments(self) -> Mapping[str, Collection[EnvironmentRoute]]:
        """All cookie-routed environments that somebody may have, by source."""
        return {
            name: [route for routes in by_session.values() for route in routes]
            for name, by_session in self._environments.items()
        }

    def __len__(self) -> int:
        return sum(map(len, self._sources))

    def find(self, key: bytes, token: bytes) -> EntryPoint | None:
        """Return the entry point with this key and token.

        None, after the same work, for an unknown key and for a wrong token.
        """
        found = None
        for entry_points in self._sources:
            entry_point = entry_points.get(key, _ABSENT)
            if (
                compare_digest(entry_point.secret, token)
                and found is None
                and entry_point is not _ABSENT
            ):
                found = entry_point
        return found

    def environment(self, session: str, path: bytes) -> EnvironmentRoute | None:
        """Return where a session's requests go that nothing else has a place for.

        ``path`` is `Environment.rest`.
        """
        for name in self._names:
            routes = self._environments.get(name, _NO_ENVIRONMENTS).get(session)
            route = route_for(routes, path) if routes else None
            if route is not None:
                return route
        return None

    def locate(self, host: bytes, path: bytes) -> Place:
        """Return where a request goes.

        ``host`` is lower case and without port, ``path`` as it came in and without query. Any
        bytes have an answer.
        """
        if self._session_hosts and host.rstrip(b".").endswith(self._session_hosts):
            return self._session_host(host, path)
        if (self._below or self._any_domain) and (place := self._by_host(host, path)) is not None:
            return place
        if path.startswith(self._own_start):
            return self._own(path)
        if path.startswith(self._tools_start):
            return self._by_path(path, self._tools_length + 1)
        if (exact := self._exact.get(path)) is not None:
            return exact
        for length in self._service_lengths:
            if path[length : length + 1] in (b"/", b""):
                service = self._services.get(path[:length])
                if service is not None:
                    return _service_place(service, path)
        if path.startswith(self._older_starts):
            place = self._by_older_path(path)
            if place is not None:
                return place
        if not self._routes_by_cookie:
            return _NOWHERE
        if path.startswith(self._gie_start) or path + b"/" in self._gie_start:
            return Environment(True, path[self._gie_length :])
        return Environment(False, path)

    def _by_host(self, host: bytes, path: bytes) -> Place | None:
        host = host.rstrip(b".")
        label, _, domain = host.partition(b".")
        below = host.endswith(self._below)
        if not below and not self._any_domain:
            return None
        entry_point = None
        key, hyphen, token = label.partition(b"-")
        if self._any_domain or domain in self._domains:
            entry_point = self.find(key, token)
        if entry_point is None and not below:
            # Any domain, and no tool's: an ordinary host, unless it looks like one that has gone.
            looks_gone = hyphen and domain.partition(b".")[0] in _TOOL_LABELS
            if not looks_gone:
                return None
        return HostEntryPoint(entry_point, path == self._ticket)

    def _session_host(self, host: bytes, path: bytes) -> Place:
        label = host.rstrip(b".")[: -len(self._session_hosts)]
        # A deeper name is no session's: it would be another host to a browser.
        return SpawnedSession(
            "" if b"." in label else label.decode("latin-1"), path, True, path == self._ticket
        )

    def _own(self, path: bytes) -> Place:
        start = self._session_start
        if path.startswith(start):
            end = path.find(b"/", len(start))
            if end < 0:
                end = len(path)
            if end > len(start):
                return SpawnedSession(path[len(start) : end].decode("latin-1"), path[end:])
        rest = path[self._own_length :]
        if rest.startswith(b"/chat") and rest[5:6] in (b"/", b""):
            return chat_place(rest[5:])
        return OwnPage(rest)

    def _by_older_path(self, path: bytes) -> Place | None:
        """An address of a tool as Galaxy 23.1 and before handed it out.

        ``…/access/interactivetoolentrypoint/KEY/TOKEN``, or ``…/KEY/TOKEN`` with its option
        ``interactivetools_shorten_url``, where others stood below ``…/ep``.
        """
        for start in self._older_starts:
            if path.startswith(start):
                place = self._by_path(path, len(start))
                if isinstance(place, PathEntryPoint):
                    key = place.prefix[len(start) :].partition(b"/")[0]
                    return place if _OLDER_KEY.fullmatch(key) else None
        return None

    def _by_path(self, path: bytes, start: int) -> Place:
        """What KEY/TOKEN is that begin at an index of the path."""
        slash = path.find(b"/", start)
        if slash < 0:
            return _UNKNOWN
        end = path.find(b"/", slash + 1)
        if end < 0:
            end = len(path)
        entry_point = self.find(path[start:slash], path[slash + 1 : end])
        if entry_point is None:
            return _UNKNOWN
        return PathEntryPoint(entry_point, path[end:] or b"/", path[:end])


def _domain(name: str) -> bytes:
    if not _DOMAIN.fullmatch(name):
        raise ValueError(f"not a host name in lower case: {name!r}")
    return name.encode()


def _service_place(service: Service, path: bytes) -> ServicePlace:
    rest = path[len(service.path) :] or b"/"
    return ServicePlace(service, rest, rest if service.strip_path else path)
