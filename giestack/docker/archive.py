"""Tar archives of small files, made and read in memory."""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """A file in an archive.

    :ivar mode: permission bits.
    :ivar owner: number of the user that it belongs to; its group has the same number unless
        ``group`` says otherwise.
    """

    content: bytes
    mode: int = 0o644
    owner: int = 0
    group: int | None = None
    modified: int = 0


def packed(files: Mapping[str, File | bytes]) -> bytes:
    """A tar of files by name; names are relative, with ``/`` between folders.

    Folders are not made members of it: those that are there keep their owner and mode.

    :raises ValueError: a name leads elsewhere.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, given in files.items():
            file = given if isinstance(given, File) else File(given)
            if name.startswith("/") or not name or ".." in name.split("/") or "\0" in name:
                raise ValueError(f"{name!r} is no relative path")
            member = tarfile.TarInfo(name)
            member.size = len(file.content)
            member.mode = file.mode
            member.uid = file.owner
            member.gid = file.owner if file.group is None else file.group
            member.mtime = file.modified
            tar.addfile(member, io.BytesIO(file.content))
        end = tar.offset + 2 * tarfile.BLOCKSIZE
    # Without the padding behind the end: Podman stops to read there, and may then break its pipe.
    return buffer.getvalue()[:end]


def unpacked(tar: bytes) -> dict[str, bytes]:
    """The plain files of a tar by name; links, folders and devices are left out.

    :raises ValueError: it is no tar, or cut short.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            found = {}
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None:
                    found[member.name] = content.read()
            return found
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"this is no readable tar: {error}") from None
