"""A conversation with the chat's addresses in memory, below the own prefix or alone."""

from functools import cached_property
from typing import Any

from twisted.internet.task import Clock
from twisted.web.server import Site

from giestack.site.chat_resource import ChatSite, make_chat_site
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from giestack.site.streams import Streams
from giestack.visitor import Anonymous, Identity
from tests.site.conversation import ALICE, NOW, Galaxy, Said, ask, pages_of
from tests.site.fake_chat import FILES, FakeChat

GALAXY = b"https://usegalaxy.example.org"
ORIGINS = frozenset((GALAXY,))
LINKS = Links(galaxy_url="https://usegalaxy.example.org/", chat=True)
WRITE = (b"X-Giestack", b"1")


class ChatHouse:
    """The chat's addresses over a `FakeChat`."""

    def __init__(self) -> None:
        self.chat = FakeChat()
        self.clock = Clock()
        self.streams = Streams(self.clock)
        self.pages = pages_of(
            Galaxy(),
            Links(galaxy_url=LINKS.galaxy_url, chat=True, moderates=self.chat.moderates),
            ORIGINS,
            self.clock,
            streams=self.streams,
            chat=self.chat,
            files=FILES,
        )

    @cached_property
    def alone(self) -> Site:
        refusals = RefusalPages(LINKS, self.clock)
        site = ChatSite(self.chat, refusals, FILES, self.streams, lambda: NOW, ORIGINS)
        return make_chat_site(self.clock, site)

    def ask(
        self,
        target: str,
        visitor: Identity | Anonymous | None = ALICE,
        method: str = "GET",
        headers: Any = (),
        body: bytes = b"",
        *,
        alone: bool = False,
        html: bool = False,
    ) -> Said:
        """Ask for a path below the chat's root."""
        site = self.alone if alone else self.pages
        path = target if alone else f"/giestack/chat{target}"
        return ask(site, path.encode(), visitor, method.encode(), headers, body, html=html)
