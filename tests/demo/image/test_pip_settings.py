"""What pip in the new file system is told."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.image import pip_settings
from giestack.demo.image.pip_settings import certificates, copyable, environment, listed

LISTED = """\
global.cert='/etc/ssl/ca.pem'
global.index-url='https://files.example.org/simple'
global.extra-index-url='file:///srv/a https://b.example.org/simple'
global.find-links='/srv/wheels'
download.timeout='1'
:env:.timeout='180'
"""


class EnvironmentTests(SynchronousTestCase):
    def test_indexes_as_configured_here(self) -> None:
        told = environment({}, LISTED)
        self.assertEqual(told["PIP_INDEX_URL"], "https://files.example.org/simple")
        self.assertEqual(told["PIP_EXTRA_INDEX_URL"], "https://b.example.org/simple")
        self.assertEqual(told["PIP_TIMEOUT"], "180")

    def test_nothing_that_is_a_file_here(self) -> None:
        given = {
            "PIP_FIND_LINKS": "/srv/wheels",
            "PIP_CONFIG_FILE": "/root/pip.conf",
            "SSL_CERT_DIR": "/etc/ssl/certs",
            "CURL_CA_BUNDLE": "/etc/ssl/ca.pem",
            "REQUESTS_CA_BUNDLE": "/etc/ssl/ca.pem",
            "PYTHONPATH": "/srv/lib",
        }
        told = environment(given, LISTED)
        self.assertEqual(set(given) & set(told), set())
        self.assertEqual(told["PIP_CERT"], pip_settings.CERTIFICATES)
        self.assertNotIn("/srv", str(told))

    def test_the_rest_stays(self) -> None:
        given = {"https_proxy": "http://proxy:3128", "PATH": "/usr/bin"}
        self.assertEqual({**given, **environment(given, "")}, environment(given, ""))

    def test_what_pip_says_here(self) -> None:
        # Nothing, or lines that are understood.
        for line in listed().splitlines():
            self.assertRegex(line, pip_settings._LINE)


class CertificatesTests(SynchronousTestCase):
    def test_those_that_are_named(self) -> None:
        file = Path(self.mktemp())
        file.write_bytes(b"mine")
        self.assertEqual(certificates({"SSL_CERT_FILE": str(file)}), b"mine")
        self.assertEqual(
            certificates({"PIP_CERT": "/nowhere", "SSL_CERT_FILE": str(file)}), b"mine"
        )

    def test_those_of_the_system_or_of_pip(self) -> None:
        self.assertIn(b"BEGIN CERTIFICATE", certificates({}))
        self.patch(pip_settings, "_USUAL", ())
        self.assertIn(b"BEGIN CERTIFICATE", certificates({}))


class CopyableTests(SynchronousTestCase):
    def test_pip_itself(self) -> None:
        self.assertTrue((copyable() / "__main__.py").exists())
