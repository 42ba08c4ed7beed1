"""Galaxy's API, asked by giestack as one of its visitors.

A visitor's own session is what giestack shows there, made from the session key as Galaxy makes
the cookie: it can do what that visitor can and ends when they log out, an anonymous visitor has
one too, and nobody needs a key to the API that never ends.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from twisted.logger import Logger

from giestack.address import Address
from giestack.proxy.ask import Answer
from giestack.settings.places import http_url, is_loopback
from giestack.settings.schema import GalaxySettings
from giestack.site.stopping import Outcome
from giestack.visitor import Anonymous, Identity

PATIENCE = 20.0
"""Seconds that Galaxy may take: it ends a job while the visitor waits."""

_MOST = 65536


class Ask(Protocol):
    """Asks a backend; see `giestack.proxy.ask.Ask`."""

    def __call__(
        self,
        address: Address,
        target: bytes,
        host: bytes,
        *,
        seconds: float,
        most: int,
        method: bytes,
        fields: Sequence[tuple[bytes, bytes]],
    ) -> Awaitable[Answer]: ...


class GalaxyApi:
    """Stops interactive tools through Galaxy.

    ``cookie_of`` returns the value of the cookie for a session key. ``spellings`` returns the
    ids that Galaxy's API may have for an entry point's key, the likeliest first: before 23.2 it
    spelt them another way.
    """

    log = Logger()

    def __init__(
        self,
        ask: Ask,
        cookie_of: Callable[[str], str],
        spellings: Callable[[str], Sequence[str]],
        galaxy: GalaxySettings,
    ) -> None:
        self._ask = ask
        self._cookie_of = cookie_of
        self._spellings = spellings
        self._galaxy = galaxy

    def configure(self, galaxy: GalaxySettings) -> None:
        """Ask at another address from now on."""
        self._galaxy = galaxy

    @property
    def url(self) -> str | None:
        """Where it is asked: where visitors log in, else where its own jobs do.

        The first is where browsers send the cookie, too; the way to the second may be plain
        HTTP across a network. Where it is not, it is the better one for a site whose front logs
        people in: Galaxy itself takes a session for its API without such a front's header.
        """
        url, own = self._galaxy.url, self._galaxy.galaxy_infrastructure_url
        if self._galaxy.use_remote_user and own is not None and _is_private(own):
            return own
        return url or own

    async def stop(self, key: str, visitor: Identity | Anonymous) -> Outcome:
        """Have the tool of an entry point stopped; see `giestack.site.stopping.AskGalaxy`."""
        url = self.url
        if url is None:
            self.log.warn(
                "a tool was not stopped: galaxy.url is not set, so Galaxy can't be asked to"
            )
            return "unavailable"
        outcome: Outcome = "gone"
        for id in self._spellings(key):
            answer = await self._delete(url, f"api/entry_points/{id}", visitor)
            outcome = outcome_of(answer)
            if outcome == "stopping":
                break
            if answer.status != 400:
                if outcome != "gone":
                    self._complain(url, answer)
                break
        return outcome

    async def _delete(self, url: str, path: str, visitor: Identity | Anonymous) -> Answer:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        assert parts.hostname is not None
        ca_file = self._galaxy.ca_file
        address = Address(
            parts.hostname,
            parts.port or (443 if tls else 80),
            tls=tls,
            ca_file=str(ca_file) if tls and ca_file else None,
        )
        cookie = f"{self._galaxy.cookie_name}={self._cookie_of(visitor.session_key)}"
        return await self._ask(
            address,
            f"{parts.path}{path}".encode(),
            parts.netloc.encode(),
            seconds=PATIENCE,
            most=_MOST,
            method=b"DELETE",
            fields=((b"Cookie", cookie.encode()),),
        )

    def _complain(self, url: str, answer: Answer) -> None:
        said = f"{answer.status} {answer.reason}" if answer.status else answer.reason
        self.log.warn(
            "Galaxy at {url} did not stop a tool: it {said}",
            url=url,
            said=f"says {said}" if answer.status else said,
        )


def _is_private(url: str) -> bool:
    """Whether nobody on the way to a URL can read along."""
    parts = http_url(url, "a URL")
    return parts.scheme == "https" or is_loopback(parts.host)


def outcome_of(answer: Answer) -> Outcome:
    """What Galaxy's answer to ``DELETE /api/entry_points/ID`` means."""
    status = answer.status
    if not status:
        return "unavailable"
    # A front's page for a Galaxy that is away is HTML, too.
    if status in (502, 503, 504):
        return "unavailable"
    if 300 <= status < 400 or status == 401:
        return "login"
    if not _is_json(answer):
        return "failed"
    if status == 200:
        return "stopping"
    if status in (400, 404):
        return "gone"
    return "not-owner" if status == 403 else "failed"


def _is_json(answer: Answer) -> bool:
    if not answer.whole:
        return False
    try:
        json.loads(answer.body)
    except (ValueError, RecursionError):
        return False
    return True
