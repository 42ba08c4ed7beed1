"""Rows of session maps to entry points."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing.formats import BadRow, EntryPoint, gxitproxy_row

NEW_INFO = '{"requires_path_in_url": false, "requires_path_in_header_named": null}'
TYPE = "interactivetoolentrypoint"


def row(**changed):
    columns = {
        "key": "3r3tktmrlsiv6",
        "key_type": TYPE,
        "token": "ca0068bfc0ac",
        "host": "127.0.0.1",
        "port": 40001,
        "info": NEW_INFO,
    }
    return gxitproxy_row(**{**columns, **changed})


class GxitproxyRowTests(SynchronousTestCase):
    def refused(self, reason, **changed):
        error = self.assertRaises(BadRow, row, **changed)
        self.assertIn(reason, str(error))

    def test_galaxy_23_2_and_later(self):
        self.assertEqual(
            row(),
            EntryPoint(
                "3r3tktmrlsiv6", TYPE, "ca0068bfc0ac", Address(host="127.0.0.1", port=40001)
            ),
        )

    def test_path_in_url_and_header(self):
        entry_point = row(
            info='{"requires_path_in_url": true, "requires_path_in_header_named": "X-My-Path"}'
        )
        self.assertTrue(entry_point.requires_path_in_url)
        self.assertEqual(entry_point.requires_path_in_header_named, "X-My-Path")

    def test_galaxy_23_1_and_earlier(self):
        for token in ("0123456789abcdef0123456789abcdef", "0123456789"):
            entry_point = row(key="f6c98f95c62e6f82", token=token, port="40001", info=None)
            self.assertEqual(entry_point.key, "f6c98f95c62e6f82")
            self.assertEqual(entry_point.secret, token.encode())
            self.assertEqual(entry_point.address.port, 40001)
            self.assertFalse(entry_point.requires_path_in_url)
            self.assertIsNone(entry_point.requires_path_in_header_named)

    def test_info_defaults(self):
        for info in (None, "", "{}", '{"of_a_later_galaxy": [1]}'):
            entry_point = row(info=info)
            self.assertFalse(entry_point.requires_path_in_url)
            self.assertIsNone(entry_point.requires_path_in_header_named)

    def test_an_empty_header_name_is_none(self):
        entry_point = row(info='{"requires_path_in_header_named": ""}')
        self.assertIsNone(entry_point.requires_path_in_header_named)

    def test_impossible_info(self):
        for info in ("null", "[]", "1", '"x"'):
            self.refused("info is not a JSON object", info=info)
        for info in ("{", "no", "[" * 100_000):
            self.refused("info is not JSON", info=info)
        for column in (b"{}", 0, 1.5):
            self.refused("info is not text", info=column)
        for value in ('"yes"', "1", "{}"):
            self.refused("neither true nor false", info=f'{{"requires_path_in_url": {value}}}')

    def test_impossible_header_names(self):
        for value in ('"X Y"', '"X:"', '"X\\r\\nY"', '"é"', "1", "[]", "true"):
            self.refused("not a header name", info=f'{{"requires_path_in_header_named": {value}}}')

    def test_headers_that_are_not_a_tools_to_set(self):
        for name in ("Host", "content-length", "Transfer_Encoding", "CONNECTION", "Cookie"):
            self.refused(
                "not a tool's to set", info=f'{{"requires_path_in_header_named": "{name}"}}'
            )

    def test_impossible_keys(self):
        for key in ("", "a-b", "a/b", "a b", "a%2fb", "é", "a\n", None, 1, b"ab"):
            self.refused("key is not made of", key=key)
        self.refused("key_type is not text", key_type=None)

    def test_impossible_tokens(self):
        for token in ("", "a-b", "a/b", "a.b", "é", "a\n", None, 1, b"ab"):
            self.refused("token is not made of", token=token)

    def test_hosts(self):
        for host, meant in {
            "10.0.0.7": "10.0.0.7",
            "node-7.example.org": "node-7.example.org",
            "my_container": "my_container",
            "::1": "::1",
            "[FD80::0:1]": "fd80::1",
        }.items():
            self.assertEqual(row(host=host).address.host, meant)

    def test_numbers_in_other_spellings(self):
        for host in (
            *("2852039166", "0xA9FEA9FE", "169.254.43518", "127.1", "0177.0.0.1", "0x7f.1"),
            *("010.0.0.1", "10.0.0.256", "1.2.3.4.5", "host.7", "10.0.0.1.", "0x", "7"),
        ):
            self.refused("host is neither", host=host)
        for host in ("node7", "7node", "7.node", "0xbeef.example", "a-1", "10.0.0.1.example"):
            self.assertEqual(row(host=host).address.host, host)

    def test_where_no_container_is(self):
        for host in (
            *("169.254.169.254", "169.254.170.2", "fe80::1", "[fe80::1]", "::ffff:169.254.169.254"),
            *("::ffff:a9fe:a9fe", "fd00:ec2::254"),
        ):
            self.refused("no container", host=host)

    def test_impossible_hosts(self):
        for host in (
            *("", " ", "a b", "a/b", "//a", "a@b", "a:80", "[::1", "::1]", "::g", ":", "[]"),
            *("fe80::1%eth0", "http://a", "a\n", ".", "-", "é", "a?b", "a#b", None, 7, b"a"),
        ):
            self.refused("host is neither", host=host)

    def test_ports(self):
        for port in (1, 65535, "1", "65535"):
            self.assertEqual(row(port=port).address.port, int(port))

    def test_impossible_ports(self):
        for port in (0, -8888, 65536, "0", "65536", "", "-1", " 1", "1e3", "١", 1.5, True, None):
            self.refused("port is not", port=port)

    def test_no_reason_and_no_repr_tells_the_token(self):
        for changed in ({"key": "?"}, {"host": "?"}, {"port": 0}, {"info": "?"}):
            error = self.assertRaises(BadRow, row, token="s3cret", **changed)
            self.assertNotIn("s3cret", repr(error))
        error = self.assertRaises(BadRow, row, token="s3cret?")
        self.assertNotIn("s3cret", repr(error))
        self.assertNotIn("s3cret", repr(row(token="s3cret")))

    @given(
        st.tuples(
            *(
                st.just(good) | st.none() | st.integers() | st.floats() | st.text() | st.binary()
                for good in ("3r3tktmrlsiv6", TYPE, "ca0068bfc0ac", "127.0.0.1", 40001, NEW_INFO)
            )
        )
    )
    def test_any_row_is_an_entry_point_or_refused(self, columns):
        try:
            entry_point = gxitproxy_row(*columns)
        except BadRow:
            return
        self.assertEqual((entry_point.key, entry_point.token), (columns[0], columns[2]))

    @given(st.text())
    def test_any_info_is_read_or_refused(self, info):
        try:
            entry_point = row(info=info)
        except BadRow:
            return
        self.assertIsInstance(entry_point.requires_path_in_url, bool)
