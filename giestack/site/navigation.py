"""The links at the head of the pages."""

from dataclasses import dataclass

from giestack.site.links import Links
from giestack.visitor import Anonymous, Identity


@dataclass(frozen=True, slots=True)
class Link:
    """One link; ``here``: it leads to the page that it stands on."""

    href: str
    title: str
    here: bool = False


def navigation(
    links: Links, visitor: Identity | Anonymous, here: str, *, spawning: bool
) -> list[Link]:
    """Return the links for a visitor of the page at the path ``here``.

    ``spawning``: whether there are sessions.
    """
    found = []
    chat = links.chat_path
    if spawning:
        found.append((f"{links.prefix}/", "My sessions"))
        if isinstance(visitor, Identity) and visitor.is_admin:
            found.append((f"{links.prefix}/admin", "All sessions"))
    elif chat:
        found.append((f"{links.prefix}/", "My tools"))
    if chat:
        found.append((f"{chat}/", "Chat"))
        if isinstance(visitor, Identity) and links.moderates(visitor):
            found.append((f"{chat}/moderation", "Moderation"))
    if links.demo:
        found.append((f"{links.prefix}/demo", "Become another user"))
    elif links.galaxy_url:
        found.append((links.galaxy_url, "Galaxy"))
    return [Link(href, title, href == here) for href, title in found]
