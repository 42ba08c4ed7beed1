"""The codec against vectors made by Galaxy 26.1's own code, and against anything else."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.identity.cookie import BadSecret, CookieCodec, MalformedCookie, MalformedId

VECTORS = json.loads(
    Path(__file__, "../../data/galaxy/vectors.json").resolve().read_text(encoding="utf-8")
)
SECRET = "0123456789abcdef0123456789abcdef"
KEY = "6d40e1ea26bbee7c6a1ef030edd6211a"
COOKIE = b"cb8c80c61f932872629c1cfb80d2f528ab3b3b6013361bf2ba5f87c5ac579aeffd5358a465ae708c"


def is_session_key(text):
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


class VectorTests(SynchronousTestCase):
    """Every vector of Galaxy's own code."""

    def test_cookies(self):
        self.assertEqual(len(VECTORS["cookie_vectors"]), 40)
        for vector in VECTORS["cookie_vectors"]:
            codec = CookieCodec(vector["id_secret"])
            cookie, key = vector["cookie"].encode(), vector["session_key"]
            self.assertEqual(codec.encode(key), vector["cookie"])
            if is_session_key(key):
                self.assertEqual(codec.decode(cookie), key)
            else:
                self.assertRaises(MalformedCookie, codec.decode, cookie)

    def test_malformed(self):
        """We take what Galaxy takes, where it could be a key that Galaxy has made."""
        decoded = []
        for vector in VECTORS["malformed"]:
            codec = CookieCodec(vector["id_secret"])
            cookie = vector["cookie"].encode()
            if is_session_key(vector.get("decode_guid", "")):
                self.assertEqual(codec.decode(cookie), vector["decode_guid"])
                decoded.append(vector["case"])
            elif vector["case"] == "double-quoted":
                # Galaxy's codec refuses it, but its cookie parsers take the quotes off first.
                self.assertEqual(codec.decode(cookie), KEY)
                decoded.append(vector["case"])
            else:
                self.assertRaises(MalformedCookie, codec.decode, cookie)
        self.assertEqual(decoded, ["uppercase-hex", "pad-block-doubled", "double-quoted"])
        self.assertEqual(len(VECTORS["malformed"]), 18)

    def test_ids(self):
        plain = [vector for vector in VECTORS["id_vectors"] if vector["kind"] is None]
        for vector in plain:
            codec = CookieCodec(vector["id_secret"])
            number, encoded = vector["id"], vector["encoded"]
            self.assertEqual(codec.encode_id(number), encoded)
            self.assertEqual(codec.decode_id(encoded), number)
            self.assertEqual(codec.decode_id(encoded.upper()), number)
            self.assertEqual(codec.entry_point_key(number), vector["gxitproxy_key"])
            self.assertEqual(codec.entry_point_id(vector["gxitproxy_key"]), number)
            self.assertEqual(codec.entry_point_id(encoded), number)
        self.assertEqual(len(plain), 31)

    def test_ids_of_another_kind(self):
        """Galaxy encodes them under a derived key, so that they are no ids elsewhere."""
        others = [vector for vector in VECTORS["id_vectors"] if vector["kind"]]
        for vector in others:
            codec = CookieCodec(vector["id_secret"])
            self.assertRaises(MalformedId, codec.decode_id, vector["encoded"])
        self.assertEqual(len(others), 9)

    def test_malformed_ids(self):
        """The negative number, which Galaxy decodes, is refused too."""
        for vector in VECTORS["malformed_ids"]:
            codec = CookieCodec(vector["id_secret"])
            self.assertRaises(MalformedId, codec.decode_id, vector["value"])
            self.assertRaises(MalformedId, codec.entry_point_id, vector["value"])
        self.assertEqual(len(VECTORS["malformed_ids"]), 5)

    def test_bad_secrets(self):
        for vector in VECTORS["bad_secrets"]:
            error = self.assertRaises(BadSecret, CookieCodec, vector["id_secret"])
            self.assertIn(str(vector["utf8_bytes"]), str(error))
            if vector["id_secret"]:
                self.assertNotIn(vector["id_secret"], str(error))
        self.assertEqual(len(VECTORS["bad_secrets"]), 3)


class CookieTests(SynchronousTestCase):
    def setUp(self):
        self.codec = CookieCodec(SECRET)

    def test_padding_block_removed(self):
        self.assertEqual(self.codec.decode(COOKIE[16:]), KEY)

    def test_one_quote_is_no_pair(self):
        for cookie in (b'"', b'""', b'"' + COOKIE, COOKIE + b'"'):
            self.assertRaises(MalformedCookie, self.codec.decode, cookie)

    def test_overlong(self):
        """A key behind more padding than anybody would send is not looked at."""
        self.assertRaises(MalformedCookie, self.codec.decode, COOKIE[:16] * 100 + COOKIE)

    def test_a_bad_cookie_leaves_no_trace(self):
        for bad in (COOKIE[:-2], b"zz" * 40, b"00" * 40):
            self.assertRaises(MalformedCookie, self.codec.decode, bad)
            self.assertEqual(self.codec.decode(COOKIE), KEY)

    def test_secret_that_is_no_text(self):
        self.assertRaises(BadSecret, CookieCodec, "lone surrogate \ud800")

    @given(st.binary(max_size=120) | st.text("0123456789abcdefABCDEF", max_size=300))
    def test_any_bytes(self, cookie):
        """Nothing but MalformedCookie ever comes out of a bad cookie."""
        if isinstance(cookie, str):
            cookie = cookie.encode()
        try:
            key = self.codec.decode(cookie)
        except MalformedCookie:
            return
        self.assertTrue(is_session_key(key))

    @given(st.lists(st.integers(0, 4), max_size=12))
    def test_any_blocks_of_a_real_cookie(self, order):
        """Blocks swapped, repeated and left out."""
        cookie = b"".join(COOKIE[16 * place : 16 * place + 16] for place in order)
        try:
            key = self.codec.decode(cookie)
        except MalformedCookie:
            return
        self.assertTrue(is_session_key(key))

    @given(st.text("0123456789abcdef", min_size=32, max_size=32))
    def test_round_trip(self, key):
        self.assertEqual(self.codec.decode(self.codec.encode(key).encode()), key)


class EntryPointKeyTests(SynchronousTestCase):
    def setUp(self):
        self.codec = CookieCodec(SECRET)

    @given(st.integers(0, 2**31 - 1))
    def test_round_trip(self, number):
        """Also where base 36 drops a leading zero of an id of 8 digits and more."""
        key = self.codec.entry_point_key(number)
        self.assertEqual(self.codec.entry_point_id(key), number)
        self.assertEqual(self.codec.decode_id(self.codec.encode_id(number)), number)

    def test_leading_zero(self):
        """An encoded id that starts with a zero is found again, short or long."""
        short = next(i for i in range(10**4) if self.codec.encode_id(i).startswith("0"))
        self.assertEqual(self.codec.entry_point_id(self.codec.entry_point_key(short)), short)
        codecs = (CookieCodec(f"a secret {i}") for i in range(1000))
        codec = next(codec for codec in codecs if codec.encode_id(12345678).startswith("0"))
        self.assertEqual(codec.entry_point_id(codec.entry_point_key(12345678)), 12345678)

    def test_one_spelling(self):
        """Zeros in front, letter case and superfluous padding make no second key."""
        key = self.codec.entry_point_key(42)
        encoded = self.codec.encode_id(42)
        pad = COOKIE[:16].decode()
        for other in ("0" + key, key.upper(), encoded.upper(), pad + encoded):
            self.assertRaises(MalformedId, self.codec.entry_point_id, other)
        self.assertRaises(MalformedId, self.codec.decode_id, pad + encoded)

    def test_too_large(self):
        encoded = self.codec.encode_id(2**31)
        self.assertRaises(MalformedId, self.codec.decode_id, encoded)

    @given(st.text(max_size=40) | st.text("0123456789abcdefghijklmnopqrstuvwxyz", max_size=40))
    def test_any_text(self, text):
        for decode in (self.codec.decode_id, self.codec.entry_point_id):
            try:
                number = decode(text)
            except MalformedId:
                continue
            self.assertGreaterEqual(number, 0)

    def test_zero_is_no_key(self):
        for text in ("0", "z" * 25, "é" * 16, ""):
            self.assertRaises(MalformedId, self.codec.entry_point_id, text)
            self.assertRaises(MalformedId, self.codec.decode_id, text)
