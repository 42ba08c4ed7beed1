"""Tars of small files."""

import io
import tarfile

from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.archive import File, packed, unpacked


class ArchiveTests(SynchronousTestCase):
    def test_nothing_stands_behind_its_end(self):
        # A header, a block of content, two blocks of nothing.
        self.assertEqual(len(packed({"a": b"x"})), 4 * 512)

    def test_there_and_back(self) -> None:
        files: dict[str, File | bytes] = {
            "run/ключ": b"\0\xff",
            "empty": File(b""),
            "long/" * 40 + "name": b"x",
        }
        self.assertEqual(
            unpacked(packed(files)),
            {"run/ключ": b"\0\xff", "empty": b"", "long/" * 40 + "name": b"x"},
        )

    def test_mode_and_owner_are_as_told(self) -> None:
        tar = packed({"a": File(b"1", mode=0o400, owner=1000), "b": File(b"2", owner=7, group=8)})
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            told = [(one.name, one.mode, one.uid, one.gid, one.mtime) for one in archive]
        self.assertEqual(told, [("a", 0o400, 1000, 1000, 0), ("b", 0o644, 7, 8, 0)])

    def test_names_lead_nowhere_else(self) -> None:
        for name in ("/etc/passwd", "../x", "a/../../x", "", "a\0b"):
            with self.assertRaises(ValueError):
                packed({name: b""})

    def test_links_and_devices_are_not_followed(self) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE):
                member = tarfile.TarInfo(f"member{kind!r}")
                member.type = kind
                member.linkname = "/etc/passwd"
                tar.addfile(member)
        self.assertEqual(unpacked(buffer.getvalue()), {})

    def test_what_is_no_tar_is_told(self) -> None:
        for bad in (b"nonsense", packed({"a": b"x" * 5000})[:2000]):
            with self.assertRaisesRegex(ValueError, "no readable tar"):
                unpacked(bad)
