import io
import subprocess
import tarfile
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.archive import unpacked
from giestack.spawner.docker.files import secret_files, shell_lines

from .launches import LAUNCH, PROFILE

SECRETIVE = replace(
    LAUNCH, profile=replace(PROFILE, secrets={"TOKEN": "secret-value", "ca.pem": "ä\n"})
)
SHELL_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


class FilesTests(SynchronousTestCase):
    def test_each_secret_is_a_file(self) -> None:
        self.assertEqual(
            unpacked(secret_files(SECRETIVE)),
            {"TOKEN": b"secret-value", "ca.pem": "ä\n".encode()},
        )

    def test_the_environment_is_one_where_it_is_wanted(self) -> None:
        found = unpacked(secret_files(SECRETIVE, {"A": "it's"}))
        self.assertEqual(found["giestack.env"], b"A='it'\"'\"'s'\n")
        self.assertEqual(list(unpacked(secret_files(LAUNCH, {}))), ["giestack.env"])

    def test_everybody_inside_can_read_them_and_nobody_write(self) -> None:
        with tarfile.open(fileobj=io.BytesIO(secret_files(SECRETIVE, {"A": "b"}))) as archive:
            for member in archive:
                self.assertEqual((member.mode, member.uid, member.gid), (0o444, 0, 0))

    def test_what_is_no_name_in_a_shell_is_left_out(self) -> None:
        self.assertEqual(
            shell_lines({"A.B": "1", "C-D": "2", "1": "3", "é": "4", "_E1": "5"}), "_E1='5'\n"
        )

    @settings(deadline=None, max_examples=20)
    @given(
        st.lists(
            SHELL_TEXTS | st.sampled_from(['a"$(id)"@x', "'; exit 7; '", "\\", "`id`", "a\nb"])
        )
    )
    def test_a_shell_reads_what_was_written(self, values: list[str]) -> None:
        names = [f"V{number}" for number in range(len(values))]
        script = shell_lines(dict(zip(names, values, strict=True)))
        script += "printf '%s\\0' " + " ".join(f'"${name}"' for name in names)
        shown = subprocess.run(
            ["sh"], input=script.encode(), capture_output=True, check=True
        ).stdout
        self.assertEqual(shown.decode().split("\0")[:-1], values or [""])
