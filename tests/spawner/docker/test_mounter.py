"""The program that mounts answers requests, each in a process of its own."""

import json
import os
import signal
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker import mounter
from giestack.spawner.docker.mounter import answer, names_container
from giestack.spawner.docker.mounts import Refused
from tests.demo.place import new_folder
from tests.demo.processes import PATIENCE, Watched, python, started
from tests.spawner.docker.contained import CONTAINER, Contained, alone

# There is no control group of that name.
_BELIEVES = """
from giestack.spawner.docker import mounter
mounter.names_container = lambda cgroups, container: container == "%s"
mounter.main()
"""


class AnswerTests(SynchronousTestCase):
    """What a request comes to, in this process."""

    def setUp(self):
        self.contained = Contained(self)
        self.believed = [CONTAINER]
        self.patch(
            mounter, "names_container", lambda cgroups, container: container in self.believed
        )

    def request(self, **more):
        return {"pid": self.contained.pid, "container": CONTAINER, **more}

    def answer(self, **more):
        umask = os.umask(0)
        try:
            return alone(answer, self.request(**more))
        finally:
            os.umask(umask)

    def mount(self, source, **more):
        return {"source": str(source), "target": str(self.contained.home), **more}

    def rehearse(self, **more):
        mounts = [self.mount(self.contained.placeholder)]
        return self.answer(mounts=mounts, rehearse=True, **more)

    def assert_refused(self, found, reason):
        self.assertEqual(found.get("reason"), reason, found)
        self.assertTrue(found["error"])

    def test_a_home_is_mounted(self):
        home = self.contained.new_home(file="mine")
        self.assertEqual(self.answer(mounts=[self.mount(home)]), {})
        self.assertEqual(self.contained.lists(), "['file']")

    def test_several_are_mounted(self):
        contained = self.contained = Contained(self, more=["data"])
        data = str(contained.folder / "data")
        both = [
            self.mount(contained.new_home(file="mine")),
            {"source": str(contained.new_home("theirs", set="x")), "target": data},
        ]
        self.assertEqual(self.answer(mounts=both), {})
        self.assertEqual((contained.lists(), contained.lists(data)), ("['file']", "['set']"))
        self.assertEqual(len(contained.mounts()), 2)

    def test_read_only(self):
        home = self.contained.new_home(file="mine")
        made = [["run", True, 0o755, 0, 0]]
        found = self.answer(mounts=[self.mount(home, read_only=True, made=made)])
        self.assertEqual(found, {})
        self.assertEqual(self.contained.lists(), "['file']")
        self.assertEqual(self.contained.ask("os.access('.', os.W_OK)"), "False")

    def test_what_was_made_is_carried_over(self):
        (self.contained.home / "from-image").touch()
        (self.contained.placeholder / "from-image").touch()
        self.contained.ask("os.makedirs('run/here')")
        rehearsed = self.rehearse()
        self.assertEqual([one[0] for one in rehearsed["made"][0]], ["run", "run/here"])
        # As the program gets it.
        made = json.loads(json.dumps(rehearsed))["made"][0]
        home = self.contained.new_home(file="mine")
        self.assertEqual(self.answer(mounts=[self.mount(home, made=made)]), {})
        self.assertEqual(self.contained.lists(), "['file', 'run']")
        self.assertTrue((home / "run/here").is_dir())

    def test_a_rehearsal_changes_nothing(self):
        self.contained.ask("open('file', 'w').close()")
        folder = self.contained.new_home("secrets")
        # What is at a path inside is what is at a path outside: nothing of it is contained.
        found = self.rehearse(folder=str(folder), secrets=str(folder), files={"TOKEN": "1"})
        self.assertEqual(list(found), ["made"])
        self.assertEqual(self.contained.lists(), "['file']")
        self.assertEqual(self.contained.lists(self.contained.home), "['file']")
        self.assertEqual(list(folder.iterdir()), [])
        self.assertEqual(len(self.contained.mounts()), 1)

    def test_a_rehearsal_finds_open_files(self):
        self.contained.ask("globals().update(held=open('held', 'w'))")
        self.assert_refused(self.rehearse(), "busy")

    def test_a_rehearsal_finds_that_paths_are_others(self):
        elsewhere = self.contained.new_home()
        found = self.answer(mounts=[self.mount(elsewhere)], rehearse=True)
        self.assert_refused(found, "foreign")
        found = self.rehearse(folder=str(elsewhere), secrets="/tmp")
        self.assert_refused(found, "foreign")

    def test_an_empty_source(self):
        home = self.contained.new_home()
        self.assert_refused(self.answer(mounts=[self.mount(home, filled=True)]), "empty")
        self.assertEqual(self.contained.mounts()[0][1], str(self.contained.placeholder))
        self.assertEqual(self.answer(mounts=[self.mount(home)]), {})

    def test_a_source_with_something_in_it(self):
        home = self.contained.new_home(file="mine")
        self.assertEqual(self.answer(mounts=[self.mount(home, filled=True)]), {})

    def test_a_source_that_is_no_folder(self):
        home = self.contained.new_home(file="mine")
        self.assert_refused(self.answer(mounts=[self.mount(home / "file")]), "failed")
        self.assert_refused(self.answer(mounts=[self.mount("/no/such")]), "failed")

    def test_a_target_behind_a_planted_link(self):
        contained = self.contained
        contained.ask(f"os.symlink('{contained.placeholder}', '{contained.folder}/link')")
        home = contained.new_home(file="mine")
        mounts = [{"source": str(home), "target": f"{contained.folder}/link"}]
        self.assert_refused(self.answer(mounts=mounts), "unfit")

    def test_files_are_put(self):
        folder = self.contained.new_home("secrets")
        self.assertEqual(self.answer(folder=str(folder), files={"TOKEN": "s3cret"}), {})
        self.assertEqual((folder / "TOKEN").read_text(), "s3cret")

    def test_not_into_a_folder_behind_a_link(self):
        folder = self.contained.new_home("secrets")
        link = self.contained.folder / "link"
        link.symlink_to(folder)
        self.assert_refused(self.answer(folder=str(link), files={"TOKEN": "1"}), "failed")
        self.assertEqual(list(folder.iterdir()), [])

    def test_another_containers_process(self):
        self.believed.clear()
        self.assert_refused(self.rehearse(), "foreign")

    def test_a_process_without_a_namespace_of_its_own(self):
        found = alone(answer, {"pid": os.getpid(), "container": CONTAINER})
        self.assert_refused(found, "foreign")

    def test_a_process_that_has_ended(self):
        ended = started(self, ["true"])
        ended.wait(PATIENCE)
        found = alone(answer, {"pid": ended.pid, "container": CONTAINER})
        self.assert_refused(found, "gone")

    def test_requests_that_are_none(self):
        for wrong in (
            {},
            {"pid": "x"},
            {"pid": [], "container": CONTAINER},
            {"pid": 1, "container": 7},
            {"pid": 1, "container": "../../1"},
            self.request(mounts=7),
            self.request(mounts=[{}]),
            self.request(mounts=["x"]),
            self.request(folder="/no/such"),
            self.request(folder=7),
            self.request(folder=str(self.contained.folder), files=[1]),
            self.request(folder=str(self.contained.folder), files={"x": 1}),
        ):
            self.assert_refused(alone(answer, wrong), "failed")

    def test_an_error_names_its_path(self):
        found = self.answer(mounts=[self.mount("/no/such")])
        self.assertEqual(found["error"], "/no/such: No such file or directory")


class NamesContainerTests(SynchronousTestCase):
    def test_the_control_groups_of_engines(self):
        for line in (
            f"9:name=systemd:/docker/{CONTAINER}",
            f"0::/docker/{CONTAINER}",
            f"0::/system.slice/docker-{CONTAINER}.scope",
            f"0::/machine.slice/libpod-{CONTAINER}.scope/container",
            f"4:pids:/parent/of/all/{CONTAINER}/init.scope",
        ):
            self.assertTrue(names_container(f"1:cpu:/\n{line}\n", CONTAINER), line)

    def test_others(self):
        other = CONTAINER[::-1]
        for line in (
            "0::/",
            f"0::/docker/{other}",
            f"0::/docker/{CONTAINER}0",
            f"0::/docker/0{CONTAINER}",
            f"0::/user.slice/{CONTAINER}.scope",
            f"0::/docker-{CONTAINER}.scope.d",
        ):
            self.assertFalse(names_container(f"1:cpu:/\n{line}\n", CONTAINER), line)


class ProgramTests(SynchronousTestCase):
    """Requests and answers, as lines."""

    def setUp(self):
        self.run_program(_BELIEVES % CONTAINER)

    def run_program(self, script):
        self.program = started(self, python(script))
        self.addCleanup(self.end, self.program)

    def end(self, program):
        program.stdin.close()
        self.assertEqual(program.wait(PATIENCE), 0)

    def send(self, text):
        self.program.stdin.write(text)
        self.program.stdin.flush()

    def ask(self, **request):
        self.send(json.dumps(request).encode() + b"\n")
        return self.heard()

    def heard(self):
        return json.loads(self.program.stdout.readline())

    def test_it_comes_back_for_the_next(self):
        contained = Contained(self)
        for number in range(3):
            home = contained.new_home(str(number), **{f"n{number}": ""})
            mounts = [{"source": str(home), "target": str(contained.home)}]
            found = self.ask(id=number, pid=contained.pid, container=CONTAINER, mounts=mounts)
            self.assertEqual(found, {"id": number, "done": True})
            self.assertEqual(contained.lists(), f"['n{number}']")

    def test_what_is_not_understood_is_answered(self):
        for text in (b"\n", b"[]\n", b"{\n", b"\xff\n", b'"x"\n', b"7\n"):
            self.send(text)
            found = self.heard()
            self.assertEqual((found["id"], found["reason"]), (None, "failed"))
        self.assertEqual(self.ask(id="still here")["id"], "still here")

    def test_lines_in_pieces_and_several_at_once(self):
        line = json.dumps({"id": 1, "pid": 2**22, "container": CONTAINER}).encode()
        self.send(line[:10])
        self.send(line[10:] + b"\n" + line.replace(b": 1,", b": 2,") + b"\n")
        found = [self.heard() for _ in range(2)]
        self.assertEqual({one["id"] for one in found}, {1, 2})
        self.assertEqual({one["reason"] for one in found}, {"gone"})

    def test_it_is_done_in_milliseconds(self):
        contained = Contained(self)
        home = contained.new_home()
        mounts = [{"source": str(home), "target": str(contained.home)}]
        took = []
        for number in range(10):
            began = time.monotonic()
            self.ask(id=number, pid=contained.pid, container=CONTAINER, mounts=mounts)
            took.append(time.monotonic() - began)
        # Three are usual; others use this machine, too.
        self.assertLess(min(took), 0.05)

    def test_it_ends_with_its_input(self):
        self.end(self.program)

    def stuck(self):
        """The child for a request that does not come to an end, for its folder is a pipe's."""
        folder = new_folder(self)
        folder.mkdir()
        pipe = folder / "cgroup"
        os.mkfifo(pipe)
        script = _BELIEVES % CONTAINER
        script = script.replace(
            "mounter.main()",
            f"mounter.namespace_of = lambda *_: open({str(pipe)!r})\nmounter.main()",
        )
        self.run_program(script)
        self.send(json.dumps({"id": 1, "pid": 1, "container": CONTAINER}).encode() + b"\n")
        children = Path(f"/proc/{self.program.pid}/task/{self.program.pid}/children")
        while not (found := children.read_text(encoding="ascii").split()):
            time.sleep(0.01)
        return Watched(self, int(found[0]))

    def test_work_that_hangs_keeps_nobody_waiting(self):
        self.stuck()
        self.assertEqual(self.ask(id=2)["id"], 2)

    def test_work_that_is_killed_is_answered(self):
        os.kill(self.stuck().pid, signal.SIGKILL)
        found = self.heard()
        self.assertEqual((found["id"], found["reason"]), (1, "failed"))

    def test_work_ends_with_the_program(self):
        child = self.stuck()
        self.end(self.program)
        self.assertTrue(child.has_ended())


class RefusedTests(SynchronousTestCase):
    def test_says_why(self):
        refused = Refused("busy", "Files are open.")
        self.assertEqual((refused.reason, str(refused)), ("busy", "Files are open."))
