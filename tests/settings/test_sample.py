"""etc/giestack.yml.sample: every key with its default, and nothing that does not load."""

import re
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings import unready
from giestack.settings.document import Node, compose, lookup
from giestack.settings.kinds import ListOf, Section, keys_of
from giestack.settings.problems import Report
from giestack.settings.schema import Settings

from .world import EverythingThere, load

SAMPLE = Path(__file__).parents[2] / "etc" / "giestack.yml.sample"
TEXT = SAMPLE.read_text(encoding="utf-8")
# Keys that need a value before others can have their default.
NEEDED = {
    "id_secret": "abcd",
    "database_connection": "sqlite:////universe.sqlite",
    "url": "https://host.example.org",
}
HOST = (
    f"galaxy: {{id_secret: {NEEDED['id_secret']}, url: '{NEEDED['url']}',"
    f" database_connection: '{NEEDED['database_connection']}'}}\n"
)
OPENBIS = f"openbis: {{url: '{NEEDED['url']}'}}\n"


def uncommented(text: str, but: tuple[str, ...] = ()) -> str:
    """The text with every key switched on, but those sections."""
    lines, section = [], ""
    for line in text.splitlines():
        if not line.startswith((" ", "# ")) and line.strip("#"):
            section = line.lstrip("#").partition(":")[0]
        lines.append(line if section in but else re.sub(r"^( *)#(?=[a-z])", r"\1", line))
    switched_on = "\n".join(lines) + "\n"
    for name, value in NEEDED.items():
        switched_on = re.sub(rf"^  {name}: ", f"  {name}: {value} ", switched_on, flags=re.M)
    return switched_on


def examples() -> dict[str, str]:
    """The examples of lists, by key."""
    found = re.findall(r"^  # Example:\n((?:  #   .*\n)+)", TEXT, re.MULTILINE)
    blocks = (dedent(re.sub(r"^  #", "", block, flags=re.MULTILINE)) for block in found)
    return {block.partition(":")[0]: block for block in blocks}


def places(cls: type[object], path: str = "") -> set[str]:
    found = set()
    for name, key in keys_of(cls).items():
        below = f"{path}.{name}" if path else name
        inner = key.kind
        found |= places(inner.cls, below) if isinstance(inner, Section) else {below}
    return found


class SampleTests(SynchronousTestCase):
    def root(self) -> Node:
        report = Report()
        root = compose(uncommented(TEXT), report)
        self.assertEqual(report.problems, [])
        return root

    def written(self, node: Node, path: str = "") -> set[str]:
        if not isinstance(node.value, dict) or not node.value:
            return {path}
        found: set[str] = set()
        for name, one in node.value.items():
            found |= self.written(one, f"{path}.{name}" if path else name)
        return found

    def test_every_key_is_there_and_no_other(self) -> None:
        self.assertEqual(self.written(self.root()), places(Settings))

    def test_every_key_of_lists_is_in_their_examples(self) -> None:
        lists = {"services": "proxy", "engines": "spawner", "profiles": "spawner"}
        self.assertEqual(set(examples()), set(lists))
        sections = {name: key.kind for name, key in keys_of(Settings).items()}
        for name, section in lists.items():
            outer = sections[section]
            assert isinstance(outer, Section)
            kind = outer.keys[name].kind
            assert isinstance(kind, ListOf) and isinstance(kind.kind, Section)
            report = Report()
            item = lookup(compose(examples()[name], report), f"{name}[0]")
            self.assertEqual(report.problems, [])
            self.assertEqual(self.written(item), places(kind.kind.cls), name)

    def test_every_line_is_a_key_or_prose(self) -> None:
        for line in TEXT.splitlines():
            self.assertRegex(line, r"^( *#[a-z_]+:.*| *# .*| *#|[a-z]+:|)$")
            self.assertLessEqual(len(line), 120)

    def test_as_it_is(self) -> None:
        self.assertEqual(load(TEXT).settings, load("").settings)

    def test_switched_on(self) -> None:
        off = tuple(path for path in unready.NOT_YET if path in keys_of(Settings))
        expected = load(f"{HOST}spawner:\nchat:\n").settings
        self.assertEqual(load(uncommented(TEXT, off)).settings, expected)

    def test_what_people_can_start_in_this_version(self) -> None:
        blocks = examples()
        indented = {name: block.replace("\n", "\n  ") for name, block in blocks.items()}
        loaded = load(f"{HOST}spawner:\n  {indented['engines']}\n  {indented['profiles']}\n")
        assert loaded.settings.spawner is not None
        (profile,) = loaded.settings.spawner.profiles
        self.assertEqual(profile.command[0], "start-notebook.py")
        self.assertEqual([one for one in loaded.warnings if one.path.startswith("spawner")], [])


class ProfileTests(SynchronousTestCase):
    """etc/profiles.yml.sample: what can be copied."""

    text = SAMPLE.with_name("profiles.yml.sample").read_text(encoding="utf-8")

    def test_they_are_accepted_without_a_warning(self) -> None:
        loaded = load(HOST + self.text)
        assert loaded.settings.spawner is not None
        names = [profile.name for profile in loaded.settings.spawner.profiles]
        self.assertEqual(names, ["jupyter", "rstudio", "ethercalc", "page"])
        found = [one for one in loaded.warnings if one.path.startswith("spawner")]
        self.assertEqual(found, [])

    def test_the_one_with_a_file_of_its_own(self) -> None:
        text = re.sub(r"^    #(?=-|  [a-z])", "    ", self.text, flags=re.M)
        files = {"/etc/giestack/sessions-ca.pem": ""}
        loaded = load(HOST + text, files=files)
        assert loaded.settings.spawner is not None
        self.assertEqual(loaded.settings.spawner.profiles[-1].scheme, "https")

    def test_lines_are_short(self) -> None:
        self.assertLessEqual(max(map(len, self.text.splitlines())), 120)


class ValueTests(EverythingThere):
    def test_values_are_the_defaults(self) -> None:
        expected = load(f"{HOST}{OPENBIS}spawner:\nchat:\n").settings
        self.assertEqual(load(uncommented(TEXT)).settings, expected)

    def test_examples_are_right(self) -> None:
        blocks = examples()
        indented = {name: block.replace("\n", "\n  ") for name, block in blocks.items()}
        found = load(
            f"{OPENBIS}proxy:\n  {indented['services']}\n"
            f"spawner:\n  {indented['engines']}\n  {indented['profiles']}\n"
        ).settings
        assert found.spawner is not None
        self.assertEqual(found.proxy.services[0].path, "/apollo")
        self.assertEqual(found.spawner.profiles[0].memory, 2 * 1024**3)
        self.assertEqual(found.spawner.engines[0].name, "local")
