"""The pass with which ``giestack doctor`` asks a running giestack how a request has arrived.

Both know the configuration's secret, so nothing has to be set up for it: a pass is a time and a
random word, signed with a key that is derived from that secret. Strangers have none, and are
answered as if there was nothing to ask.
"""

import hmac
import re
from hashlib import sha256

HEADER = b"X-Giestack-Doctor"
"""The request field that carries a pass."""

COOKIE = b"giestack_doctor"
"""A cookie that the doctor sends, to see whether cookies arrive."""

SUBPROTOCOL = b"giestack.doctor"

LIFETIME = 120.0
"""Seconds by which the clocks of the doctor and of giestack may differ."""

_PASS = re.compile(rb"([0-9]{1,12})\.([0-9a-zA-Z_-]{16,64})\.([0-9a-f]{64})")


def key_of(secret: str) -> bytes:
    """The key that belongs to a secret; good for nothing else."""
    return hmac.new(secret.encode(), b"giestack doctor", sha256).digest()


def signed(key: bytes, now: float, word: str) -> str:
    """A pass.

    :param now: seconds since the epoch.
    :param word: 16 to 64 random characters, as `secrets.token_urlsafe` makes them.
    """
    text = f"{int(now)}.{word}"
    return f"{text}.{_signature(key, text.encode())}"


def is_pass(key: bytes, text: bytes, now: float) -> bool:
    """Whether somebody with this key has made a pass, not long ago or ahead."""
    found = _PASS.fullmatch(text)
    if found is None or abs(now - int(found[1])) > LIFETIME:
        return False
    return hmac.compare_digest(_signature(key, b"%b.%b" % found.group(1, 2)).encode(), found[3])


def _signature(key: bytes, text: bytes) -> str:
    return hmac.new(key, text, sha256).hexdigest()
