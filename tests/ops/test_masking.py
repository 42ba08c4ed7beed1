"""Secrets in URLs do not get through; what is no secret does."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.masking import Masking, is_secret

KEY = b"3r3tktmrlsiv6"
TOKEN = b"18tuwrng1ezzl"
DOMAIN = b"ep.interactivetool.galaxy.example.org"
mask = Masking("/galaxy/interactivetool/ep", (DOMAIN.decode(), "tools.example.org"))
mask_any = Masking("/interactivetool/ep", ("*",))
PATH = b"/galaxy/interactivetool/ep/" + KEY + b"/" + TOKEN
HOST = KEY + b"-" + TOKEN + b"." + DOMAIN


def encoded(text, times=1):
    for _ in range(times):
        text = quote(text, safe="").encode()
    return text


class PathTests(SynchronousTestCase):
    def test_token(self):
        for rest in (b"", b"/", b"/lab/tree/a%20b", b"?x=1", b"/a?b=%2F"):
            self.assertEqual(
                mask(PATH + rest), b"/galaxy/interactivetool/ep/3r3tktmrlsiv6/-" + rest
            )

    def test_wherever_it_stands(self):
        for text in (
            b"https://galaxy.example.org" + PATH + b"/lab",
            b"/giestack/login?next=" + PATH,
            b"/giestack/login?next=" + encoded(PATH + b"/lab") + b"&x=1",
            b"/giestack/login?next=" + encoded(PATH + b"/lab", 2),
            b"/giestack/login?next=" + encoded(PATH + b"/lab", 3),
            b"//galaxy//interactivetool//ep//" + KEY + b"//" + TOKEN + b"/",
            b"/Galaxy/InteractiveTool/EP/" + KEY + b"/" + TOKEN,
            b"/galaxy/interactivetool%2Fep/" + KEY + b"%2f" + TOKEN + b"%2flab",
        ):
            masked = mask(text)
            self.assertNotIn(TOKEN, masked)
            self.assertIn(KEY, masked)

    def test_addresses_of_older_galaxys(self):
        base, key, token = b"/galaxy/interactivetool", b"f6c98f95c62e6f82", b"0123456789"
        for start in (base + b"/access/interactivetoolentrypoint/", base + b"/"):
            self.assertEqual(mask(start + key + b"/" + token + b"/a"), start + key + b"/-/a")
            for text in (
                b"https://galaxy.example.org" + start + key + b"/" + token,
                b"/x?next=" + encoded(start + key + b"/" + token + b"/a", 2),
                start.replace(b"tool/", b"tool%2F").upper() + key + b"//" + token,
                start.replace(b"inter", b"%69nter") + key + b"/" + token,
            ):
                self.assertNotIn(token, mask(text))
        for text in (base + b"/giestack/login/x", base + b"/ep"):
            self.assertEqual(mask(text), text)

    def test_needless_encoding_hides_nothing(self):
        for text in (
            PATH.replace(b"interactive", b"%69nteractive"),
            PATH.replace(b"ep", b"%65p") + b"?a=b",
            b"/x?next=" + encoded(PATH.replace(b"ep", b"%65p")),
            PATH[:-5] + b"%31ezzl",
        ):
            masked = mask(text)
            self.assertNotIn(TOKEN[:-5], masked)
            self.assertNotIn(b"ezzl", masked)

    def test_other_paths_stay(self):
        for text in (
            b"/",
            b"*",
            b"",
            b"/galaxy/interactivetool/ep/",
            b"/galaxy/interactivetool/ep/3r3tktmrlsiv6",
            b"/galaxy/interactivetool/",
            b"/giestack/session/abc-def/lab/tree/a%20b%2Fc.ipynb?1700000000",
            b"/a%2",
            b"/%zz%FF\xff",
        ):
            self.assertEqual(mask(text), text)

    def test_without_a_prefix(self):
        self.assertEqual(Masking("")(b"/a/b/c"), b"/a/b/c")


class HostTests(SynchronousTestCase):
    def test_token(self):
        self.assertEqual(
            mask(b"https://" + HOST + b"/lab?x"),
            b"https://3r3tktmrlsiv6--.ep.interactivetool.galaxy.example.org/lab?x",
        )

    def test_wherever_it_stands(self):
        for text in (
            HOST + b":8080",
            HOST.upper(),
            b"http://" + HOST,
            b"/giestack/login?next=https://" + HOST + b"/",
            b"/giestack/login?next=" + encoded(b"https://" + HOST + b"/lab"),
            b"/giestack/login?next=" + encoded(b"https://" + HOST + b"/lab", 2),
            b"https://user@" + HOST,
            b"https://" + KEY + b"-" + TOKEN + b".tools.example.org/",
            b"https://" + KEY + b"-" + TOKEN + b".sub.tools.example.org/",
            b"https://" + KEY + b"-" + TOKEN + b"-more.tools.example.org/",
            # Names that Galaxy has had, whatever is configured.
            b"https://" + KEY + b"-" + TOKEN + b".ep.interactivetool.other.org/",
            b"https://" + KEY + b"-" + TOKEN + b".interactivetoolentrypoint.interactivetool.h/",
        ):
            self.assertNotIn(TOKEN, mask(text).lower())

    def test_needless_encoding_hides_nothing(self):
        self.assertNotIn(TOKEN, mask(b"https://" + HOST.replace(b".", b"%2E") + b"/?a"))

    def test_other_hosts_stay(self):
        for text in (
            b"https://my-galaxy.example.org/a-b/",
            b"https://a-b.nottools.example.org/",
            b"https://tools.example.org/",
        ):
            self.assertEqual(mask(text), text)

    def test_any_domain(self):
        for text in (
            b"http://" + KEY + b"-" + TOKEN + b".localhost:8000/",
            b"http://u@" + KEY + b"-" + TOKEN + b".localhost:8000/",
            b"/login?next=" + encoded(b"http://" + KEY + b"-" + TOKEN + b".somewhere.org/"),
        ):
            self.assertNotIn(TOKEN, mask_any(text))


class ParameterTests(SynchronousTestCase):
    def test_secret_names(self):
        for name in (
            b"token access_token id_token sessionToken Token TOKEN csrf _xsrf api_key apikey "
            b"api-key key x_key ticket password passwd passwort_pwd client_secret secret "
            b"session_id galaxysession X-Amz-Signature X-Amz-Credential sig code auth jwt "
            b"authorization key[]"
        ).split():
            self.assertTrue(is_secret(name), name)

    def test_other_names(self):
        for name in b"keyword monkey next path type author encode signal kernel_name id".split():
            self.assertFalse(is_secret(name), name)

    def test_values(self):
        for text, expected in (
            (b"/?token=abc", b"/?token=-"),
            (b"/?a=1&Token=abc&b=2", b"/?a=1&Token=-&b=2"),
            (b"/?a=1;token=abc;def&b=2", b"/?a=1;token=-&b=2"),
            (b"/?token=a/b+c==?x&b=2#f", b"/?token=-&b=2#f"),
            (b"/?a?token=x", b"/?a?token=-"),
            (b"/?token%3Dabc", b"/?token%3D-"),
            (b"/?token=", b"/?token=-"),
            (b"/a;jsessionid=abc/b", b"/a;jsessionid=-"),
            (b"/?key=a&api_key=b", b"/?key=-&api_key=-"),
            (b"/?keyword=a&b", b"/?keyword=a&b"),
            (b"/?token", b"/?token"),
            (b"/?next=%2Fa%3Fb%3D1%26token%3Dabc&c=2", b"/?next=%2Fa%3Fb%3D1%26token%3D-&c=2"),
            (b"/?next=%252Fa%253Ftoken%253Dabc", b"/?next=%252Fa%253Ftoken%253D-"),
            (b"galaxysession=abc", b"galaxysession=-"),
            (b"Firefox galaxysession=abc rest", b"Firefox galaxysession=- rest"),
        ):
            self.assertEqual(mask(text), expected)

    def test_an_encoded_name_hides_nothing(self):
        for text in (b"/?%74oken=s3cret", b"/a?b=1&token%5B%5D=s3cret", b"/?b=x%20token=s3cret"):
            self.assertNotIn(b"s3cret", mask(text))
        self.assertEqual(mask(b"/a?%74oken=s3cret"), b"/a?-")
        self.assertEqual(mask(b"/a;%74oken=s3cret"), b"-")


class CredentialTests(SynchronousTestCase):
    def test_user_and_password(self):
        for text, expected in (
            (b"http://me:s3cret@h/", b"http://-@h/"),
            (b"/?u=http%3A%2F%2Fme%3As3cret%40h%2F", b"/?u=http%3A%2F%2F-%40h%2F"),
            (b"http://h/@b", b"http://h/@b"),
        ):
            self.assertEqual(mask(text), expected)


class PropertyTests(SynchronousTestCase):
    """Whatever surrounds a secret."""

    separators = b"/ ? & = ; %2F %3F %3D %25 % - . a @ // %2f%2f".split()
    words = (b"token=", b"ep.", b"interactivetool", PATH, HOST)
    pieces = st.lists(st.sampled_from((*separators, *words)), max_size=12).map(b"".join)

    @given(pieces)
    def test_what_is_masked_stays_so(self, text):
        once = mask(text)
        self.assertEqual(mask(once), once)

    @given(pieces, st.integers(0, 3))
    def test_no_token_gets_through(self, before, times):
        for secret in (PATH, b"https://" + HOST):
            self.assertNotIn(TOKEN, mask(before + b"/" + encoded(secret, times) + b"/x"))

    @given(st.binary(max_size=200))
    def test_any_bytes_are_taken(self, text):
        self.assertIsInstance(mask_any(text), bytes)
