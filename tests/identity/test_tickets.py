"""Tickets: one use, one host, half a minute, one browser."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.identity.tickets import (
    LIFETIME,
    SKEW,
    BadTicket,
    Tickets,
    Vouched,
    challenge_of,
    is_nonce,
    new_nonce,
)

SECRET = b"s" * 32
ALICE = Vouched("0123456789abcdef" * 2)
NAMED = Vouched("0123456789abcdef" * 2, "alice@example.org")
HERE = b"https://k-t.ep.interactivetool.galaxy.example.org"
THERE = b"https://k2-t2.ep.interactivetool.galaxy.example.org"
NONCE = new_nonce()
NOW = 1_800_000_000.25
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class TicketTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.tickets = Tickets(SECRET)
        self.ticket = self.tickets.ticket(HERE, challenge_of(NONCE), NAMED, NOW).encode()

    def refused(self, why: str, **changed: object) -> None:
        given = {"ticket": self.ticket, "origin": HERE, "nonces": [NONCE], "now": NOW, **changed}
        with self.assertRaises(BadTicket) as caught:
            self.tickets.redeem(**given)  # type: ignore[arg-type]
        self.assertIn(why, str(caught.exception))

    def test_it_is_good_once(self) -> None:
        found = self.tickets.redeem(self.ticket, HERE, [new_nonce(), NONCE], NOW)
        self.assertEqual(found, NAMED)
        self.refused("used already")
        self.refused("used already", now=NOW + 29)

    def test_it_is_good_for_half_a_minute(self) -> None:
        for late in (LIFETIME, LIFETIME + 0.001, 3600.0, -SKEW - 0.001):
            self.refused("too old", now=NOW + late)
        self.assertEqual(self.tickets.redeem(self.ticket, HERE, [NONCE], NOW + 29.9), NAMED)

    def test_another_node_may_be_a_little_behind(self) -> None:
        other = Tickets(SECRET)
        self.assertEqual(other.redeem(self.ticket, HERE, [NONCE], NOW - SKEW), NAMED)

    def test_another_host(self) -> None:
        for origin in (THERE, HERE + b":8443", HERE.replace(b"https", b"http"), b""):
            self.refused("another host", origin=origin)

    def test_another_browser(self) -> None:
        for nonces in ([], [new_nonce()], [b""], [challenge_of(NONCE)]):
            self.refused("has not the nonce", nonces=nonces)

    def test_a_refused_one_is_not_used_up(self) -> None:
        self.refused("another host", origin=THERE)
        self.refused("has not the nonce", nonces=[])
        self.assertEqual(self.tickets.redeem(self.ticket, HERE, [NONCE], NOW), NAMED)

    def test_another_secret(self) -> None:
        self.tickets = Tickets(b"t" * 32)
        self.refused("none of ours")

    def test_what_is_sealed_for_another_purpose(self) -> None:
        self.refused("none of ours", ticket=self.tickets.cookie(HERE, ALICE))
        self.refused("none of ours", ticket=self.tickets.close_address("x").encode())
        self.assertIsNone(self.tickets.vouched(HERE, self.ticket))
        self.assertIsNone(self.tickets.open_address(self.ticket))

    def test_nothing_can_be_read_in_it(self) -> None:
        plain = urlsafe_b64decode(self.ticket + b"=" * (-len(self.ticket) % 4))
        for secret in (NAMED.session_key.encode(), b"alice", b"galaxy.example.org"):
            self.assertNotIn(secret, plain)
            self.assertNotIn(secret, self.ticket)
        self.assertNotIn(NAMED.session_key, repr(NAMED))

    def test_with_too_many_of_them_there_are_no_more(self) -> None:
        self.tickets = Tickets(SECRET, most=2)
        for late in (0.0, 1.0):
            one = self.tickets.ticket(HERE, challenge_of(NONCE), ALICE, NOW + late).encode()
            self.tickets.redeem(one, HERE, [NONCE], NOW + 1)
        self.refused("too many", now=NOW + 2)
        # Those that have ended make room.
        fresh = self.tickets.ticket(HERE, challenge_of(NONCE), ALICE, NOW + 30.5).encode()
        self.assertEqual(self.tickets.redeem(fresh, HERE, [NONCE], NOW + 30.5), ALICE)

    def test_a_line_end_is_no_way_into_it(self) -> None:
        self.assertRaises(
            ValueError, self.tickets.ticket, HERE + b"\n", challenge_of(NONCE), ALICE, NOW
        )

    @given(st.integers(0, 10_000), st.sampled_from(LETTERS))
    def test_one_that_was_altered(self, at: int, letter: int) -> None:
        at %= len(self.ticket)
        altered = self.ticket[:at] + bytes((letter,)) + self.ticket[at + 1 :]
        if altered != self.ticket:
            self.refused("none of ours", ticket=altered)

    @given(st.binary(max_size=300))
    def test_anything_else(self, forged: bytes) -> None:
        self.refused("none of ours", ticket=forged)
        self.refused("none of ours", ticket=urlsafe_b64encode(forged).rstrip(b"="))

    @given(
        st.sampled_from((HERE, THERE)),
        st.booleans(),
        st.floats(-100, 100),
        st.integers(1, 3),
    )
    def test_all_of_it_at_once(self, origin: bytes, own: bool, late: float, times: int) -> None:
        tickets = Tickets(SECRET)
        ticket = tickets.ticket(HERE, challenge_of(NONCE), ALICE, NOW).encode()
        nonces = [NONCE if own else new_nonce()]
        taken = 0
        for _ in range(times):
            try:
                tickets.redeem(ticket, origin, nonces, NOW + late)
                taken += 1
            except BadTicket:
                pass
        right = origin == HERE and own and -SKEW <= (NOW + late) - NOW < LIFETIME
        self.assertEqual(taken, int(right))

    def test_padding_is_no_second_spelling(self) -> None:
        for end in (b"=", b"==", b"\n", b" ", b"A"):
            self.refused("none of ours", ticket=self.ticket + end)
        self.refused("none of ours", ticket=b"A" * 10_000)


class CookieTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.tickets = Tickets(SECRET)

    def test_it_names_a_session_on_one_host(self) -> None:
        for vouched in (ALICE, NAMED):
            value = self.tickets.cookie(HERE, vouched)
            self.assertRegex(value, rb"\A[A-Za-z0-9_-]+\Z")
            self.assertEqual(self.tickets.vouched(HERE, value), vouched)
            self.assertEqual(Tickets(SECRET).vouched(HERE, value), vouched)
            self.assertIsNone(self.tickets.vouched(THERE, value))
            self.assertIsNone(Tickets(b"t" * 32).vouched(HERE, value))

    @given(st.integers(0, 10_000), st.sampled_from(LETTERS))
    def test_one_that_was_altered(self, at: int, letter: int) -> None:
        value = self.tickets.cookie(HERE, ALICE)
        at %= len(value)
        altered = value[:at] + bytes((letter,)) + value[at + 1 :]
        if altered != value:
            self.assertIsNone(self.tickets.vouched(HERE, altered))


class AddressTests(SynchronousTestCase):
    @given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300))
    def test_there_and_back(self, address: str) -> None:
        tickets = Tickets(SECRET)
        closed = tickets.close_address(address)
        self.assertRegex(closed, r"\A[A-Za-z0-9_-]+\Z")
        self.assertEqual(tickets.open_address(closed.encode()), address)
        self.assertIsNone(tickets.open_address(closed[:-1].encode()))


class NonceTests(SynchronousTestCase):
    def test_nonces(self) -> None:
        self.assertNotEqual(new_nonce(), new_nonce())
        self.assertTrue(is_nonce(new_nonce()) and is_nonce(challenge_of(NONCE)))
        for odd in (b"", NONCE + b"x", NONCE[:-1], b"\xff" * 43, NONCE[:-1] + b"\n"):
            self.assertFalse(is_nonce(odd), odd)
