"""Where a container's port is published."""

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.spawner.docker.published import address_of
from tests.spawner.docker.launches import LAUNCH, PROFILE


def published(*bindings, port="8888/tcp"):
    return {"NetworkSettings": {"Ports": {port: list(bindings), "1/tcp": None}}}


class PublishedTests(SynchronousTestCase):
    def test_address(self):
        details = published({"HostIp": "0.0.0.0", "HostPort": "32768"})
        self.assertEqual(
            address_of(LAUNCH, details, "192.0.2.1"),
            Address("192.0.2.1", 32768, session=LAUNCH.session_id),
        )

    def test_https(self):
        profile = replace(PROFILE, scheme="https", ca_file=Path("/etc/ca.pem"))
        address = address_of(
            replace(LAUNCH, profile=profile), published({"HostPort": "1"}), "127.0.0.1"
        )
        assert address is not None
        self.assertTrue(address.tls)
        self.assertEqual(address.ca_file, "/etc/ca.pem")

    def test_none(self):
        for details in (
            {},
            {"NetworkSettings": None},
            {"NetworkSettings": {"Ports": None}},
            {"NetworkSettings": {"Ports": {"8888/tcp": None}}},
            published({"HostPort": "32768"}, port="9999/tcp"),
            published({"HostPort": ""}, {"HostPort": "0"}, {"HostPort": "99999"}, {}),
        ):
            self.assertIsNone(address_of(LAUNCH, details, "127.0.0.1"))
