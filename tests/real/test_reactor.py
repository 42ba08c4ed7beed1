"""Twisted's own tests of reactors and their transports, on giestack's reactor."""

from collections.abc import Iterator
from unittest import TestLoader

from twisted.internet.test import test_core, test_tcp, test_tls, test_unix
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.trial.runner import TestSuite
from twisted.trial.unittest import SynchronousTestCase

from giestack.epoll import EagerEPollReactor

BUILDERS: tuple[type[ReactorBuilder], ...] = (
    test_core.SystemEventTestsBuilder,
    test_tcp.TCP4ClientTestsBuilder,
    test_tcp.TCP4ConnectorTestsBuilder,
    test_tcp.TCP6ClientTestsBuilder,
    test_tcp.TCP6ConnectorTestsBuilder,
    test_tcp.TCPConnectionTestsBuilder,
    test_tcp.TCPFDPortTestsBuilder,
    test_tcp.TCPPortTestsBuilder,
    test_tcp.TCPTransportTestsBuilder,
    test_tcp.AdoptStreamConnectionTestsBuilder,
    test_tcp.AbortConnectionTests,
    test_tcp.TestBindAddressBuilder,
    test_tls.SSLClientTestsMixin,
    test_tls.StartTLSClientTestsMixin,
    test_tls.TLSPortTestsBuilder,
    test_tls.AbortSSLConnectionTests,
    test_unix.UNIXTestsBuilder,
    test_unix.UNIXPortTestsBuilder,
    test_unix.UnixClientTestsBuilder,
)

LEFT_OUT = {
    # Protocols are called without a logging context of their own: it costs more than a read.
    "test_logPrefix",
}


def _on_our_reactor(builder: type[ReactorBuilder]) -> type[SynchronousTestCase]:
    attributes = {"reactorFactory": EagerEPollReactor, "__module__": __name__}
    return type(f"{builder.__name__}OnEager", (builder, SynchronousTestCase), attributes)


def _tests() -> Iterator[SynchronousTestCase]:
    for builder in BUILDERS:
        case = _on_our_reactor(builder)
        for name in TestLoader().getTestCaseNames(case):
            method = getattr(case, name)
            # What this machine has no IPv6 for is not run.
            skipped = {getattr(one, "__unittest_skip__", False) for one in (builder, method)}
            if name not in LEFT_OUT and skipped == {False}:
                yield case(name)


def testSuite() -> TestSuite:
    """What trial runs of this module."""
    return TestSuite(_tests())
