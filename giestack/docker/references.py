"""References of images: ``busybox``, ``quay.io/jupyter/base-notebook:2026@sha256:…``, taken apart.

The grammar is that of Docker's own client.
"""

import re
from dataclasses import dataclass

HUB = "docker.io"
"""The registry of references that name none."""

_LONGEST = 255
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_registry = re.compile(
    rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
).fullmatch
_path = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*").fullmatch
_tag = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}").fullmatch
_digest = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}").fullmatch
_id = re.compile(r"(?:sha256:)?([0-9a-f]{64})").fullmatch


class BadReference(ValueError):
    """A text is no reference of an image; says why."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Which image is meant.

    :ivar registry: host, and port if need be; ``docker.io`` where the text names none.
    :ivar repository: its path there, as ``library/busybox``.
    :ivar tag: "" where there is a digest and no tag.
    :ivar digest: as ``sha256:…``; "" where any image of that tag will do.
    """

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def is_id(self) -> bool:
        """Whether it is the id of an image that an engine has: it can't be pulled."""
        return not self.repository

    @property
    def name(self) -> str:
        """Registry and repository, as ``docker.io/library/busybox``; "" for an id."""
        return "" if self.is_id else f"{self.registry}/{self.repository}"

    @property
    def version(self) -> str:
        """What Docker is to pull of it: the digest, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        if self.is_id:
            return self.digest
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def parsed(text: str) -> Reference:
    """Read a reference as people write it.

    :raises BadReference: in words.
    """
    by_id = _id(text)
    if by_id:
        return Reference("", "", digest=f"sha256:{by_id[1]}")
    rest, at, digest = text.partition("@")
    if at and not _digest(digest):
        raise BadReference(f"{text!r} must have sha256: and 64 hexadecimal digits behind the '@'")
    registry, path = _registry_and_path(rest)
    path, colon, tag = path.partition(":")
    if colon and not _tag(tag):
        raise BadReference(f"{text!r} must have a tag of letters, digits, '.', '_' and '-'")
    if not _path(path):
        lower = "; it must be in lower case" if _path(path.lower()) else ""
        raise BadReference(f"{text!r} is no reference of an image, as quay.io/site/image:1{lower}")
    if not _registry(registry):
        raise BadReference(f"{text!r} names no registry that there could be: {registry!r}")
    if registry == HUB and "/" not in path:
        path = f"library/{path}"
    if len(registry) + len(path) >= _LONGEST:
        raise BadReference(f"{text[:40]!r}… is too long for a reference of an image")
    return Reference(registry, path, tag or ("" if digest else "latest"), digest)


def _registry_and_path(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    # Docker's own rule: a.b/c and a:1/c name a host, a/c does not.
    if not slash or not (set(".:[") & set(first) or first == "localhost" or first != first.lower()):
        return HUB, text
    return (HUB if first == "index.docker.io" else first), rest
