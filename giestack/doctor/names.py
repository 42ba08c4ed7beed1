"""Checks of names in the DNS and of certificates."""

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509

from giestack.certificates import BadCertificate, certified_for, server_names_for
from giestack.doctor.asking import NoAnswer, Place, address_of, connect
from giestack.doctor.check import CannotTell, Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment, place_of_url
from giestack.settings.endpoints import parse
from giestack.settings.places import is_loopback

GROUP = "names and certificates"
ABOUT_TO = 14
"""Days before its end at which a certificate is about to expire."""

_RENEW = "renew it; certbot does so by itself with a deploy hook that sends giestack SIGHUP"

Resolve = Callable[[str], frozenset[str]]


def resolve(name: str) -> frozenset[str]:
    """The addresses of a name; none where it has none."""
    try:
        found = socket.getaddrinfo(address_of(name), None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return frozenset()
    return frozenset(str(entry[4][0]) for entry in found)


def checks(deployment: Deployment, resolve: Resolve = resolve) -> Sequence[Check]:
    """All checks of this group."""
    names, certificates = _Names(deployment, resolve), _Certificates(deployment)
    return (
        Check("names.galaxy", GROUP, "the name of Galaxy's host", names.galaxy),
        Check("names.tools", GROUP, "the names of interactive tools", names.tools),
        Check("names.sessions", GROUP, "the names of sessions", names.sessions),
        Check("names.certificate", GROUP, "Galaxy's certificate", certificates.galaxy),
        Check("names.front", GROUP, "the front's certificate", certificates.front),
        Check("names.wildcard", GROUP, "certificates for tools' hosts", certificates.wildcard),
        Check("names.listeners", GROUP, "giestack's own certificates", certificates.listeners),
    )


class _Names:
    def __init__(self, deployment: Deployment, resolve: Resolve) -> None:
        self._settings = deployment.settings
        self._front = deployment.front
        self._resolve = resolve

    def galaxy(self) -> Iterator[Finding]:
        url = self._settings.galaxy.url
        host = urlsplit(url).hostname if url else None
        if host is None or is_loopback(host):
            return
        found = self._resolve(host)
        if found:
            yield ok(f"{host} is {_some(found)}")
        else:
            yield fail(
                f"{host} has no address",
                "set galaxy.url to the name that people use, or give that name an address",
            )

    def tools(self) -> Iterator[Finding]:
        proxy = self._settings.proxy
        if proxy.session_maps:
            # The first form is today's; the others are Galaxy's of 23.1 and before.
            yield from self._below(proxy.interactivetools_domains[:1], "interactive tools")

    def sessions(self) -> Iterator[Finding]:
        spawner = self._settings.spawner
        if spawner is not None and spawner.domain is not None:
            yield from self._below((spawner.domain,), "sessions")

    def _below(self, domains: Sequence[str], what: str) -> Iterator[Finding]:
        url = self._settings.galaxy.url
        home = self._front.host if self._front else urlsplit(url).hostname if url else None
        for domain in domains:
            if _has_no_names(domain):
                continue
            found = self._resolve(f"giestack-doctor.{domain}")
            where = self._resolve(home) if home is not None else frozenset()
            if not found:
                yield warn(
                    f"names below {domain} have no address: {what} with a host of their own can't "
                    "be opened",
                    f"add a wildcard to the DNS: *.{domain} CNAME {home or 'the front'}.",
                )
            elif where and not found & where:
                yield warn(
                    f"names below {domain} lead to {_some(found)}, and {home} is {_some(where)}",
                    f"let *.{domain} lead to the front that sends it to giestack",
                )
            else:
                yield ok(f"names below {domain} lead to {_some(found)}")


class _Certificates:
    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._settings = deployment.settings
        self._now = deployment.now

    def galaxy(self) -> Iterator[Finding]:
        url = self._settings.galaxy.url
        if url is not None and url.startswith("https:"):
            yield from self._at(place_of_url(url), urlsplit(url).hostname or "")

    def front(self) -> Iterator[Finding]:
        front, url = self._deployment.front, self._settings.galaxy.url
        if front is None or front.scheme != "https":
            return
        if url is None or place_of_url(url) != place_of_url(front.origin):
            yield from self._at(place_of_url(front.origin), front.host)

    def wildcard(self) -> Iterator[Finding]:
        front, url = self._deployment.front, self._settings.galaxy.url
        home = front.origin if front is not None else url
        if home is None or not home.startswith("https:"):
            return
        spawner = self._settings.spawner
        domains = list(self._settings.proxy.interactivetools_domains[:1])
        if not self._settings.proxy.session_maps:
            domains = []
        if spawner is not None and spawner.domain is not None:
            domains.append(spawner.domain)
        for domain in domains:
            if not _has_no_names(domain):
                yield from self._at(place_of_url(home), f"giestack-doctor.{domain}")

    def listeners(self) -> Iterator[Finding]:
        endpoints = [*self._settings.proxy.listen, *self._settings.admin.listen]
        if self._settings.chat is not None:
            endpoints += self._settings.chat.listen
        for endpoint in endpoints:
            description = parse(endpoint)
            try:
                certified = certified_for(description)
                if certified:
                    server_names_for(description, certified)
            except BadCertificate as error:
                yield fail(
                    str(error),
                    "name PEM files with a certificate and its key, not encrypted; until then "
                    "giestack does not start, or keeps the certificate that it has",
                )
                continue
            for one in certified:
                yield self._aged(one.certificate, str(one.file))

    def _at(self, place: Place, name: str) -> Iterator[Finding]:
        """What is shown at a place to whoever asks for a name."""
        place = replace(place, name=name)
        try:
            with closing(connect(place)) as made:
                assert isinstance(made, ssl.SSLSocket)
                shown = x509.load_der_x509_certificate(made.getpeercert(True) or b"")
        except NoAnswer as error:
            raise CannotTell(str(error)) from None
        found = self._aged(shown, f"the certificate for {name}")
        if not _covers(shown, name):
            what = "*" + name[name.index(".") :] if name.startswith("giestack-doctor.") else name
            yield fail(
                f"the certificate that is shown for {name} is for {_some(_names_in(shown))}",
                f"have one made that names {what} (for a wildcard: by the DNS challenge)",
            )
            return
        if found.status != "fail":
            try:
                connect(place, self._verifying()).close()
            except NoAnswer as error:
                yield fail(
                    str(error),
                    "let the front send the whole chain, or name the authority as galaxy.ca_file",
                )
                return
        yield found

    def _verifying(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._settings.galaxy.ca_file is not None:
            context.load_verify_locations(self._settings.galaxy.ca_file)
        return context

    def _aged(self, certificate: x509.Certificate, what: str) -> Finding:
        now = datetime.fromtimestamp(self._now(), UTC)
        left = certificate.not_valid_after_utc - now
        if certificate.not_valid_before_utc > now:
            return fail(f"{what} is not valid yet", "look at the clock of this machine")
        if left.total_seconds() <= 0:
            return fail(f"{what} has expired {-left.days} days ago", _RENEW)
        if left.days < ABOUT_TO:
            return warn(f"{what} expires in {left.days} days", _RENEW)
        return ok(f"{what} is good for {left.days} days")


def _has_no_names(domain: str) -> bool:
    """Whether it is any domain, or below an address."""
    return domain == "*" or domain.rpartition(".")[2].isdecimal()


def _names_in(certificate: x509.Certificate) -> frozenset[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    names = [name.lower() for name in found.get_values_for_type(x509.DNSName)]
    return frozenset([*names, *map(str, found.get_values_for_type(x509.IPAddress))])


def _covers(certificate: x509.Certificate, name: str) -> bool:
    """Whether a certificate is for a host (RFC 9525, section 6.3: a star is one whole label)."""
    names = _names_in(certificate)
    return name in names or f"*.{name.partition('.')[2]}" in names


def _some(texts: frozenset[str]) -> str:
    first = sorted(texts)[:3]
    return ", ".join(first) + (" …" if len(texts) > len(first) else "") if texts else "nobody"
