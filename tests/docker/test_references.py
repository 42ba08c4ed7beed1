from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.references import BadReference, Reference, parsed

DIGEST = "sha256:" + "0123456789abcdef" * 4
LONG_DIGEST = "sha512:" + "0123456789abcdef" * 8


class ParsedTests(SynchronousTestCase):
    def test_what_is_left_out_is_put_in(self) -> None:
        for text, whole in (
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("site/image", "docker.io/site/image:latest"),
            ("docker.io/busybox", "docker.io/library/busybox:latest"),
            ("index.docker.io/site/image:1", "docker.io/site/image:1"),
            ("localhost/a", "localhost/a:latest"),
            ("127.0.0.1:5000/a:b", "127.0.0.1:5000/a:b"),
            ("[::1]:5000/a", "[::1]:5000/a:latest"),
            ("quay.io/a/b/c__d-e.f:V_1.0-x", "quay.io/a/b/c__d-e.f:V_1.0-x"),
            ("Registry/a", "Registry/a:latest"),
            (f"a@{DIGEST}", f"docker.io/library/a@{DIGEST}"),
            (f"quay.io/a:1@{DIGEST}", f"quay.io/a:1@{DIGEST}"),
            (f"quay.io/a@{LONG_DIGEST}", f"quay.io/a@{LONG_DIGEST}"),
        ):
            self.assertEqual(str(parsed(text)), whole)
            self.assertEqual(str(parsed(whole)), whole)

    def test_its_parts(self) -> None:
        self.assertEqual(
            parsed(f"quay.io:443/a/b:1@{DIGEST}"), Reference("quay.io:443", "a/b", "1", DIGEST)
        )
        self.assertEqual(parsed("a/b").name, "docker.io/a/b")

    def test_a_digest_counts_before_a_tag(self) -> None:
        self.assertEqual(parsed("a:1").version, "1")
        self.assertEqual(parsed(f"a:1@{DIGEST}").version, DIGEST)

    def test_an_id_is_no_name(self) -> None:
        for text in (DIGEST, DIGEST.removeprefix("sha256:")):
            found = parsed(text)
            self.assertTrue(found.is_id)
            self.assertEqual((str(found), found.name), (DIGEST, ""))
        self.assertFalse(parsed("a").is_id)

    def test_what_is_no_reference(self) -> None:
        for text, words in (
            ("", "no reference of an image"),
            ("Jupyter", "it must be in lower case"),
            ("quay.io/Site/image", "it must be in lower case"),
            ("-a", "no reference"),
            ("a//b", "no reference"),
            ("a/", "no reference"),
            ("https://quay.io/a", "no reference"),
            ("a b", "no reference"),
            ("a\n", "no reference"),
            ("a:", "must have a tag"),
            ("a:b c", "must have a tag"),
            ("a:" + "b" * 129, "must have a tag"),
            ("a:b:c", "must have a tag"),
            ("a@sha256:12", "64 hexadecimal digits"),
            ("a@", "64 hexadecimal digits"),
            ("-.x/a", "names no registry"),
            ("a:b/c", "names no registry"),
            ("[::1/a", "names no registry"),
            ("a/" * 128 + "a", "too long"),
        ):
            error = self.assertRaises(BadReference, parsed, text)
            self.assertIn(words, str(error), text)

    @given(st.text() | st.from_regex(r"[a-zA-Z0-9./:@\[\]_-]*", fullmatch=True))
    def test_whatever_is_read_is_read_again_as_the_same(self, text: str) -> None:
        try:
            found = parsed(text)
        except BadReference:
            return
        self.assertEqual(parsed(str(found)), found)
