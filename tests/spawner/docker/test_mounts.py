"""Mounts of the host get into another namespace, in place of what is there."""

import ctypes
import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.mounts import (
    PLACE,
    Refused,
    bare,
    clone,
    enter,
    open_inside,
    place_inside,
    replace,
)
from tests.demo.place import new_folder
from tests.spawner.docker.contained import Contained, alone


def put(contained, source, read_only=False):
    """Put a folder where the placeholder is."""
    namespace = os.open(f"/proc/{contained.pid}/ns/mnt", os.O_RDONLY)
    tree = clone(str(source), read_only)
    root = enter(namespace)
    path = str(contained.home)
    try:
        replace(tree, place_inside(root, path), path)
    finally:
        for each in (namespace, tree, root):
            os.close(each)


def share_all():
    """Have all mounts as most systems have them; in a namespace of this thread's own."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, recursive_shared = 0x20000, 0x104000
    assert not libc.unshare(new_namespace)
    assert not libc.mount(None, b"/", None, recursive_shared, None)
    with open("/proc/thread-self/mountinfo", encoding="utf-8") as file:
        assert all("shared:" in line for line in file)


class ReplaceTests(SynchronousTestCase):
    def test_all_paths_lead_to_the_new_mount(self):
        contained = Contained(self)
        alone(put, contained, contained.new_home(file="mine"))
        self.assertEqual(contained.lists(contained.home), "['file']")
        self.assertEqual(contained.ask(f"open('{contained.home}/file').read()"), "'mine'")

    def test_working_folders_lead_to_it_too(self):
        # Else what a program writes there would be gone with its container.
        contained = Contained(self)
        home = contained.new_home(file="mine")
        alone(put, contained, home)
        self.assertEqual(contained.lists("."), "['file']")
        contained.ask("open('written', 'w').write('x')")
        self.assertEqual((home / "written").read_text(), "x")
        self.assertEqual(list(contained.placeholder.iterdir()), [])
        self.assertEqual(contained.ask("os.getcwd()"), repr(str(contained.home)))

    def test_nothing_is_left_of_the_old_one(self):
        contained = Contained(self)
        home = contained.new_home()
        self.assertEqual(contained.mounts(), [(str(contained.home), str(contained.placeholder))])
        alone(put, contained, home)
        self.assertEqual(contained.mounts(), [(str(contained.home), str(home))])

    def test_again_and_again(self):
        contained = Contained(self)
        for name in ("one", "two", "three"):
            alone(put, contained, contained.new_home(name, **{name: ""}))
            self.assertEqual(contained.lists("."), f"['{name}']")
        self.assertEqual(len(contained.mounts()), 1)

    def test_refused_where_a_file_is_open(self):
        contained = Contained(self)
        contained.ask("globals().update(held=open('held', 'w'))")
        with self.assertRaises(Refused) as caught:
            alone(put, contained, contained.new_home())
        self.assertEqual(caught.exception.reason, "busy")

    def test_refused_where_somebody_works_further_down(self):
        contained = Contained(self, working="below")
        with self.assertRaises(Refused) as caught:
            alone(put, contained, contained.new_home())
        self.assertEqual(caught.exception.reason, "busy")

    def test_refused_where_nothing_is_mounted(self):
        contained = Contained(self)
        contained.home = contained.placeholder
        with self.assertRaises(Refused) as caught:
            alone(put, contained, contained.new_home())
        self.assertEqual(caught.exception.reason, "unfit")

    def test_read_only(self):
        contained = Contained(self)
        alone(put, contained, contained.new_home(file="mine"), True)
        self.assertEqual(contained.lists("."), "['file']")
        self.assertEqual(contained.ask("os.access('file', os.W_OK)"), "False")

    def test_nothing_of_it_is_seen_outside(self):
        contained = Contained(self)
        before = set(os.listdir(contained.folder))
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = file.read()
        alone(put, contained, contained.new_home(file="mine"))
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            self.assertEqual(file.read(), mounts)
        self.assertEqual(os.listdir(contained.home), [])
        self.assertEqual(set(os.listdir(contained.folder)), before | {"mine"})

    def test_no_mount_is_passed_on(self):
        # A mount that is the host's peer would show what anybody mounts there, and the reverse.
        contained = Contained(self)
        alone(lambda: share_all() or put(contained, contained.new_home()))
        with open(f"/proc/{contained.pid}/mountinfo", encoding="utf-8") as file:
            lines = [line for line in file if str(contained.home) in line]
        self.assertNotIn("shared:", lines[-1])
        self.assertNotIn("master:", lines[-1])

    def test_no_such_source(self):
        with self.assertRaises(OSError) as caught:
            clone("/no/such/folder", False)
        self.assertEqual(caught.exception.errno, errno.ENOENT)
        self.assertEqual(caught.exception.filename, "/no/such/folder")

    def test_bare_is_without_what_is_mounted_in_it(self):
        contained = Contained(self)
        (contained.home / "from-image").touch()

        def look():
            root = enter(os.open(f"/proc/{contained.pid}/ns/mnt", os.O_RDONLY))
            place = place_inside(bare(root), str(contained.home))
            return os.listdir(os.open(".", os.O_RDONLY, dir_fd=place))

        self.assertEqual(alone(look), ["from-image"])


class OpenInsideTests(SynchronousTestCase):
    def setUp(self):
        self.folder = new_folder(self)
        (self.folder / "in/deep").mkdir(parents=True)
        (self.folder / "secret").mkdir()
        self.root = os.open(self.folder / "in", PLACE)
        self.addCleanup(os.close, self.root)

    def found(self, path):
        opened = place_inside(self.root, path)
        try:
            return os.readlink(f"/proc/self/fd/{opened}")
        finally:
            os.close(opened)

    def test_paths_begin_in_the_folder(self):
        self.assertEqual(self.found("/deep"), f"{self.folder}/in/deep")
        self.assertEqual(self.found("deep/"), f"{self.folder}/in/deep")
        self.assertEqual(self.found("/"), f"{self.folder}/in")

    def test_dots_do_not_lead_out(self):
        self.assertEqual(self.found("/../../deep"), f"{self.folder}/in/deep")

    def test_no_symbolic_link_is_followed(self):
        (self.folder / "in/link").symlink_to(self.folder / "secret")
        (self.folder / "in/near").symlink_to("deep")
        (self.folder / "in/deep/up").symlink_to("..")
        for path in ("/link", "/near", "/deep/up/deep"):
            with self.assertRaises(Refused) as caught:
                self.found(path)
            self.assertEqual(caught.exception.reason, "unfit")

    def test_only_folders(self):
        (self.folder / "in/file").touch()
        for path in ("/file", "/nothing"):
            with self.assertRaises(Refused):
                self.found(path)

    def test_other_failures_are_told(self):
        with self.assertRaises(OSError) as caught:
            place_inside(self.root, "x" * 300)
        self.assertEqual(caught.exception.errno, errno.ENAMETOOLONG)

    def test_magic_links_of_proc_lead_nowhere(self):
        proc = os.open("/proc/self", PLACE)
        self.addCleanup(os.close, proc)
        for path in ("cwd", "root", "fd/0"):
            with self.assertRaises(OSError):
                open_inside(proc, path, os.O_RDONLY)
