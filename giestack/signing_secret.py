"""The secret that signs tickets and cookies: the configured one, Galaxy's, or one of our own."""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from giestack.kept_digits import kept_digits


def signing_secret(configured: str | None, id_secret: str | None, data_dir: Path) -> bytes:
    """The configured secret, else one made of ``id_secret``, else a random one that is kept.

    The kept one is the file ``secret`` in ``data_dir``, for nobody else to read. Several nodes
    need one of the first two, and the same. ``id_secret`` is None where Galaxy has none, or one
    that everybody knows. Without a folder ``data_dir`` the random one lasts as long as the process.

    Waits for the disk: for use before the reactor runs. Raises OSError where the file can't be
    made, ValueError where it holds something else.
    """
    if configured:
        return _stretched(configured, b"giestack secret")
    if id_secret:
        return _stretched(id_secret, b"giestack secret of galaxy")
    if not data_dir.is_dir():
        return secrets.token_bytes(32)
    return bytes.fromhex(kept_digits(data_dir / "secret", 64, 0o600))


def _stretched(text: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, purpose).derive(text.encode("utf-8", "surrogateescape"))
