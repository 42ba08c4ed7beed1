from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.grants import (
    CAPABILITIES,
    ESCAPES,
    BadGrant,
    capability_of,
    device_of,
    tmpfs_for,
    tmpfs_of,
    ulimit_of,
)


class GrantTests(SynchronousTestCase):
    def bad(self, function: Callable[..., object], *arguments: object) -> BadGrant:
        error: BadGrant = self.assertRaises(BadGrant, function, *arguments)
        self.assertEqual(str(error), f"{error.path}: {error.text}")
        return error

    def test_limits(self) -> None:
        for given, soft, hard in (
            (1024, 1024, 1024),
            ("1024", 1024, 1024),
            (-1, -1, -1),
            ({"soft": 1, "hard": 2}, 1, 2),
            ({"soft": 7, "hard": -1}, 7, -1),
        ):
            self.assertEqual(
                ulimit_of("nofile", given), {"Name": "nofile", "Soft": soft, "Hard": hard}
            )

    def test_what_is_no_limit(self) -> None:
        wrong: list[object] = [None, "", "many", True, 1.5, -2, 2**63, [], {}, {"soft": 1}]
        wrong += [{"soft": 1, "hard": 2, "x": 3}, {"soft": 2, "hard": 1}, {"soft": -1, "hard": 1}]
        for given in wrong:
            self.assertEqual(self.bad(ulimit_of, "nofile", given).path, "ulimits.nofile", given)
        self.assertIn("there are core, cpu", self.bad(ulimit_of, "files", 1).text)

    def test_capabilities(self) -> None:
        for text in ("SYS_NICE", "CAP_SYS_NICE", "sys_nice", "cap_sys_nice"):
            self.assertEqual(capability_of(text), "SYS_NICE")
        self.assertEqual(capability_of("all"), "ALL")
        for text in ("", "SYS", "CAP_", "SYS NICE", "CAP_CAP_CHOWN"):
            self.assertEqual(self.bad(capability_of, text, 3).path, "cap_add[3]")
        self.assertEqual(ESCAPES - CAPABILITIES, {"ALL"})

    def test_devices(self) -> None:
        for text, host, inside, rights in (
            ("/dev/fuse", "/dev/fuse", "/dev/fuse", "rwm"),
            ("/dev/dri/card0:r", "/dev/dri/card0", "/dev/dri/card0", "r"),
            ("/dev/x:/dev/y", "/dev/x", "/dev/y", "rwm"),
            ("/dev/x:/dev/y:rw", "/dev/x", "/dev/y", "rw"),
        ):
            self.assertEqual(
                device_of(text),
                {"PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": rights},
            )

    def test_what_is_no_device(self) -> None:
        for text in (
            *("", "/dev", "/dev/", "fuse", "/etc/passwd", "/dev/../etc", "/dev//x", "/dev/x:"),
            *("/dev/x:/tmp/y", "/dev/x:/dev/y:rwx", "/dev/x:/dev/y:/dev/z", "/dev/x:rr", "r:r"),
            *("/dev/x:/dev/y:rw:r", "/dev/a b", "/dev/mem", "/dev/kmem:/dev/x"),
        ):
            self.assertEqual(self.bad(device_of, text, 1).path, "devices[1]", text)

    def test_folders_in_memory(self) -> None:
        for text, where, options in (
            ("/tmp", "/tmp", ""),
            ("/tmp/:", "/tmp", ""),
            (
                "/home/a:size=64m,mode=1777,exec,uid=1000",
                "/home/a",
                "size=64m,mode=1777,exec,uid=1000",
            ),
            ("/x:size=50%", "/x", "size=50%"),
        ):
            self.assertEqual(tmpfs_of(text), (where, options))

    def test_what_is_no_folder_in_memory(self) -> None:
        for text in (
            *("", "/", "tmp", "/a/../b", "/a//b", "/tmp:size", "/tmp:size=0", "/tmp:size=64mb"),
            *("/tmp:a=b", "/tmp:size=1m,", "/tmp:/x", "/tmp:mode=9"),
        ):
            self.assertEqual(self.bad(tmpfs_of, text, 2).path, "tmpfs[2]", text)

    def test_a_read_only_root_leaves_tmp(self) -> None:
        self.assertEqual(tmpfs_for((), read_only=False, taken=()), {})
        self.assertEqual(tmpfs_for((), read_only=True, taken=()), {"/tmp": ""})
        self.assertEqual(tmpfs_for((), read_only=True, taken=("/tmp",)), {})
        given = ("/tmp:size=1m", "/x")
        for read_only in (True, False):
            self.assertEqual(
                tmpfs_for(given, read_only=read_only, taken=()), {"/tmp": "size=1m", "/x": ""}
            )
