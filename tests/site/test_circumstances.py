"""What a wish for a session comes with."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.seen import UNIX_PEER, Seen
from giestack.settings.spawner_schema import Profile
from giestack.site.asked import Asked
from giestack.site.circumstances import (
    checked_history,
    circumstances_of,
    no_datasets,
    options_with_image,
)
from giestack.spawner.engine import Circumstances
from giestack.spawner.view import SpawnRefused


def asked(address: bytes = b"2001:db8::7", host: bytes = b"galaxy.example.org") -> Asked:
    return Asked(b"POST", b"/x", False, Seen(address, b"https", host, address))


class CircumstanceTests(SynchronousTestCase):
    def test_how_the_visitor_sees_giestack(self) -> None:
        self.assertEqual(
            circumstances_of(asked(), "f2db41e1fa331b3e"),
            Circumstances(
                history_id="f2db41e1fa331b3e",
                remote_host="2001:db8::7",
                origin="https://galaxy.example.org",
            ),
        )

    def test_what_nobody_knows(self) -> None:
        self.assertEqual(circumstances_of(asked(UNIX_PEER, b""), None), Circumstances())

    def test_ids_as_galaxy_shows_them(self) -> None:
        for good in ("f2db41e1fa331b3e", "A_b-9", "x" * 64):
            self.assertEqual(checked_history(good), good)
        self.assertEqual((checked_history(None), checked_history("")), ("", ""))
        for bad in ("x" * 65, "a,b", "a b", "a.b", "a/b", "a\n", "${HOME}", "\u0661", "é"):
            refused = self.assertRaises(SpawnRefused, checked_history, bad)
            self.assertEqual(
                (refused.status, refused.code, refused.field), (422, "bad-options", "history_id")
            )

    def test_an_image_where_one_is_named(self) -> None:
        profile = Profile(name="lab", image="lab:1")
        for image in (None, "", "lab:1"):
            self.assertEqual(options_with_image(profile, image, {"a": 1}), {"a": 1})
        self.assertRaises(SpawnRefused, options_with_image, profile, "lab:2", {})
        # There is no such profile: somebody else says so.
        self.assertEqual(options_with_image(None, "lab:2", {}), {})

    def test_datasets(self) -> None:
        refused = no_datasets()
        self.assertEqual((refused.status, refused.field), (422, "dataset_id"))
