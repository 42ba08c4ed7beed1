"""Galaxy's ``galaxysession`` cookie, its encoded ids and its entry point keys, both ways.

Galaxy (``galaxy.security.idencoding``, unchanged from 15.05 to 26.1) fills a text up with
1 to 8 ``!`` on the left to whole blocks of 8 bytes, encrypts it with Blowfish in ECB mode
under ``id_secret`` and writes it in hexadecimal. Many strings therefore mean one session:
upper case, with or without leading blocks of padding. Nothing may be keyed by the string;
decode first.

Nothing here waits or keeps state, but one codec must not be used by two threads at once.
"""

import re
from binascii import Error as NotHex
from binascii import hexlify, unhexlify

from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.primitives.ciphers import Cipher, modes

_BLOCK = 8
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Galaxy sets 80 characters; the padding block may be doubled any number of times.
_LONGEST_COOKIE = 256
# Galaxy's id columns are 32 bits wide with a sign: ten digits, two blocks.
_LARGEST_ID = 2**31 - 1
_LONGEST_ID = 2 * 2 * _BLOCK
_session_key = re.compile(rb"[0-9a-f]{32}").fullmatch
_decimal = re.compile(rb"0|[1-9][0-9]{0,9}").fullmatch
_entry_point_key = re.compile(r"[0-9a-z]{1,25}|[0-9a-f]{32}").fullmatch


class BadSecret(ValueError):
    """The ``id_secret`` cannot be a Blowfish key; the text does not show it."""


class MalformedCookie(ValueError):
    """The cookie is not one that a Galaxy with this ``id_secret`` has made."""


class MalformedId(ValueError):
    """The text is not an id that a Galaxy with this ``id_secret`` has encoded."""


class CookieCodec:
    """Reads and writes what a Galaxy with this ``id_secret`` encodes.

    The secret must be 4 to 56 bytes of UTF-8, as Galaxy's cipher demands; else `BadSecret`.
    """

    def __init__(self, id_secret: str) -> None:
        try:
            key = id_secret.encode("utf-8")
        except UnicodeEncodeError:
            raise BadSecret("id_secret is not valid Unicode text") from None
        if not 4 <= len(key) <= 56:
            raise BadSecret(f"id_secret must be 4 to 56 bytes of UTF-8, not {len(key)}")
        cipher = Cipher(Blowfish(key), modes.ECB())
        # ECB has no state between whole blocks, and setting up Blowfish costs a hundred
        # times more than a cookie: one of each is kept and never finalized.
        self._encrypt = cipher.encryptor().update
        self._decrypt = cipher.decryptor().update

    def decode(self, cookie: bytes) -> str:
        """Return the session key, 32 lower-case hexadecimal characters.

        Takes the raw cookie value; surrounding double quotes do not count, as in Galaxy's
        own cookie parsers. Anything else that Galaxy never makes is `MalformedCookie`, also
        the few odd payloads (``0x…``, upper case, underscores) that Galaxy 26.1 lets through
        to its database, where they match nothing.
        """
        if cookie[:1] == b'"' and cookie[-1:] == b'"':
            cookie = cookie[1:-1]
        if len(cookie) > _LONGEST_COOKIE or len(cookie) % (2 * _BLOCK):
            raise MalformedCookie("the cookie has an impossible length")
        try:
            plain = self._decrypt(unhexlify(cookie))
        except NotHex:
            raise MalformedCookie("the cookie is not hexadecimal") from None
        key = plain.lstrip(b"!")
        if _session_key(key) is None:
            raise MalformedCookie("the cookie does not decode with this id_secret")
        return key.decode("ascii")

    def encode(self, session_key: str) -> str:
        """Return the cookie value that Galaxy sets for a session key."""
        return self._encode(session_key.encode("utf-8"))

    def encode_id(self, number: int) -> str:
        """Return an id as Galaxy's API shows it: 16 hexadecimal characters, 32 from 8 digits."""
        return self._encode(b"%d" % number)

    def decode_id(self, value: str) -> int:
        """Return the number behind an id of Galaxy's API.

        Letter case does not count. `MalformedId` for everything that `encode_id` never
        gives for a number from 0 to 2**31 - 1, negative numbers too, which Galaxy decodes.
        """
        if not value or len(value) > _LONGEST_ID or len(value) % (2 * _BLOCK):
            raise MalformedId("the id has an impossible length")
        try:
            plain = self._decrypt(unhexlify(value))
        except ValueError:
            raise MalformedId("the id is not hexadecimal") from None
        digits = plain.lstrip(b"!")
        if _decimal(digits) is None or int(digits) > _LARGEST_ID:
            raise MalformedId("the id does not decode with this id_secret")
        number = int(digits)
        if self.encode_id(number) != value.lower():
            raise MalformedId("the id has superfluous padding")
        return number

    def entry_point_key(self, number: int) -> str:
        """Return the key of an interactive tool's entry point as Galaxy 23.2 and later write it.

        It is the encoded id in base 36: up to 13 characters, up to 25 for ids of 8 digits
        and more.
        """
        return _base36(int(self.encode_id(number), 16))

    def entry_point_id(self, key: str) -> int:
        """Return the id (``interactivetool_entry_point.id``) behind a session map's key.

        Both forms are taken: base 36 (Galaxy 23.2 and later), and the encoded id as it is,
        16 or 32 characters (up to 23.1). One id has exactly one key of each form: any other
        spelling is `MalformedId`. Leading zeros that base 36 has lost are put back, which
        Galaxy itself forgets for ids of 8 digits and more.
        """
        if _entry_point_key(key) is None:
            raise MalformedId("the key has impossible characters or an impossible length")
        if len(key) in (2 * _BLOCK, 4 * _BLOCK):
            # A base 36 key of 16 characters would need eleven zeros in front of its id.
            number = self.decode_id(key)
            canonical = self.encode_id(number)
        else:
            value = int(key, 36)
            width = 2 * _BLOCK if value < 1 << 64 else 4 * _BLOCK
            number = self.decode_id(f"{value:0{width}x}")
            canonical = self.entry_point_key(number)
        if canonical != key:
            raise MalformedId("the key is not spelt as Galaxy does")
        return number

    def _encode(self, text: bytes) -> str:
        padding = b"!" * (_BLOCK - len(text) % _BLOCK)
        return hexlify(self._encrypt(padding + text)).decode("ascii")


def _base36(value: int) -> str:
    digits = ""
    while True:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
        if not value:
            return digits
