"""The rules of the house, kept by reading the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "giestack"
TESTS = ROOT / "tests"

# What each room may import of giestack. Every room may import the shared words.
SHARED = {"giestack.visitor", "giestack.address"}
ROOMS: dict[str, set[str]] = {
    "giestack.identity": {"giestack.database"},
    "giestack.routing": {"giestack.database", "giestack.notifications"},
    "giestack.proxy": set(),
    "giestack.settings": {
        "giestack.chat.word_filter",
        "giestack.routing",
        "giestack.docker.references",
        "giestack.spawner.docker.files",
        "giestack.spawner.docker.grants",
        "giestack.spawner.docker.volume_names",
        "giestack.spawner.options",
        "giestack.spawner.templates",
    },
    "giestack.docker": set(),
    "giestack.chat": {"giestack.database", "giestack.notifications"},
    "giestack.spawner": {"giestack.settings.spawner_schema", "giestack.docker"},
    "giestack.ops": {"giestack.proxy"},
    "giestack.doctor": {
        "giestack.certificates",
        "giestack.database",
        "giestack.docker.location",
        "giestack.identity",
        "giestack.probe",
        "giestack.routing",
        "giestack.settings",
    },
    "giestack.site": {
        "giestack.proxy",
        "giestack.routing",
        "giestack.database",
        "giestack.probe",
        "giestack.chat.about",
        "giestack.chat.frames",
        "giestack.chat.outlet",
        "giestack.chat.storage",
        "giestack.chat.wire",
        "giestack.settings.spawner_schema",
        "giestack.spawner.engine",
        "giestack.spawner.image_choice",
        "giestack.spawner.options",
        "giestack.spawner.owner",
        "giestack.spawner.view",
    },
    "giestack.demo": {
        "giestack.identity",
        "giestack.database",
        "giestack.routing",
        "giestack.spawner.process",
    },
}

# No reactor, no clock, no files.
PURE = (
    "giestack/access.py",
    "giestack/address.py",
    "giestack/host_cookies.py",
    "giestack/double_proxy.py",
    "giestack/probe.py",
    "giestack/visitor.py",
    "giestack/chat/at_rest.py",
    "giestack/chat/frames.py",
    "giestack/chat/mentions.py",
    "giestack/chat/names.py",
    "giestack/chat/outlet.py",
    "giestack/chat/rates.py",
    "giestack/chat/presence.py",
    "giestack/chat/rooms.py",
    "giestack/chat/rules.py",
    "giestack/chat/store/words.py",
    "giestack/chat/wire.py",
    "giestack/chat/word_filter.py",
    "giestack/docker/archive.py",
    "giestack/docker/lines.py",
    "giestack/docker/pull_progress.py",
    "giestack/docker/references.py",
    "giestack/identity/cookie.py",
    "giestack/identity/rules.py",
    "giestack/identity/tickets.py",
    "giestack/identity/entry_point.py",
    "giestack/proxy/frames.py",
    "giestack/proxy/handshake.py",
    "giestack/proxy/head.py",
    "giestack/proxy/own_address.py",
    "giestack/proxy/request_head.py",
    "giestack/proxy/response_head.py",
    "giestack/proxy/seen.py",
    "giestack/routing/chat_paths.py",
    "giestack/routing/cookie_rows.py",
    "giestack/routing/environment_formats.py",
    "giestack/routing/formats.py",
    "giestack/routing/go_routes.py",
    "giestack/routing/json_map.py",
    "giestack/routing/places.py",
    "giestack/routing/table.py",
    "giestack/spawner/admission.py",
    "giestack/spawner/docker/container.py",
    "giestack/spawner/docker/environment.py",
    "giestack/spawner/docker/files.py",
    "giestack/spawner/docker/gpus.py",
    "giestack/spawner/docker/grants.py",
    "giestack/spawner/docker/labels.py",
    "giestack/spawner/docker/volume_names.py",
    "giestack/spawner/entrance.py",
    "giestack/spawner/headers.py",
    "giestack/spawner/history.py",
    "giestack/spawner/image_choice.py",
    "giestack/spawner/lifecycle.py",
    "giestack/spawner/options.py",
    "giestack/spawner/owner.py",
    "giestack/spawner/templates.py",
    "giestack/spawner/view.py",
)
IMPURE_MODULES = ("twisted.internet", "twisted.web", "time", "socket", "sqlite3", "sqlalchemy")

WIRING = (
    "giestack.tap",
    "giestack.assembly",
    "giestack.demo_assembly",
    "giestack.cli",
    "giestack.chat_command",
    "giestack.doctor_command",
    "giestack.proxy_command",
)

# Modules that hold nothing to test by themselves, or are tested through their users.
UNTESTED = {
    "giestack/proxy/transport.py",
    "giestack/proxy/decision.py",
    "giestack/questions.py",
    "giestack/routing/source.py",
    "giestack/identity/entry_point.py",
    "giestack/chat/about.py",
    "giestack/chat/client.py",
    "giestack/chat/auditing.py",
    "giestack/chat/storage.py",
    "giestack/chat/store/append.py",
    "giestack/chat/store/event_rows.py",
    "giestack/chat/store/lookups.py",
    "giestack/chat/store/order.py",
    "giestack/chat/store/people.py",
    "giestack/chat/store/reading.py",
    "giestack/chat/store/retention.py",
    "giestack/chat/store/room_states.py",
    "giestack/chat/store/rooms.py",
    "giestack/chat/store/tables.py",
    "giestack/chat/store/words_index.py",
    "giestack/chat/surroundings.py",
    "giestack/docker/errors.py",
    "giestack/spawner/engine.py",
    "giestack/spawner/entrance.py",
    "giestack/spawner/view.py",
    "giestack/spawner/surroundings.py",
    "giestack/site/chatting.py",
    "giestack/site/operations.py",
    "giestack/site/spawning.py",
}


def modules(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.rglob("*.py")) if p.name != "__init__.py")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Each imported module or name, dotted, outside ``if TYPE_CHECKING``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node


class HouseRuleTests(SynchronousTestCase):
    def test_rooms_meet_only_where_they_may(self) -> None:
        wrong = []
        for path in modules(PACKAGE):
            module = name_of(path)
            room = next((r for r in ROOMS if module.startswith(r + ".")), None)
            if room is None:
                continue
            allowed = {room} | SHARED | ROOMS[room]
            for imported, _ in imports(path):
                if imported.startswith("giestack") and not any(
                    imported == one or imported.startswith(one + ".") for one in allowed
                ):
                    wrong.append(f"{module} imports {imported}")
        self.assertEqual(wrong, [])

    def test_nobody_imports_the_wiring(self) -> None:
        wrong = [
            f"{name_of(path)} imports {imported}"
            for path in modules(PACKAGE)
            for imported, _ in imports(path)
            if name_of(path) not in WIRING and imported.startswith(WIRING)
        ]
        self.assertEqual(wrong, [])

    def test_pure_modules_touch_nothing(self) -> None:
        wrong = [
            f"{file} imports {imported}"
            for file in PURE
            for imported, _ in imports(ROOT / file)
            if imported.startswith(IMPURE_MODULES)
        ]
        self.assertEqual(wrong, [])

    def test_the_reactor_is_imported_by_tap_alone(self) -> None:
        found = {
            name_of(path)
            for path in modules(PACKAGE)
            for imported, _ in imports(path)
            if imported == "twisted.internet.reactor"
        }
        self.assertEqual(found, {"giestack.tap"})

    def test_every_module_has_its_tests(self) -> None:
        missing = []
        for path in modules(PACKAGE):
            relative = path.relative_to(PACKAGE)
            mirror = TESTS / relative.parent / f"test_{relative.name}"
            if str(path.relative_to(ROOT)) not in UNTESTED and not mirror.exists():
                missing.append(str(mirror.relative_to(ROOT)))
        self.assertEqual(missing, [])

    def test_no_async_test_on_a_synchronous_test_case(self) -> None:
        # Such a test passes without ever having run.
        wrong = []
        for path in modules(TESTS):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if not isinstance(node, ast.ClassDef):
                    continue
                if not any("SynchronousTestCase" in ast.unparse(base) for base in node.bases):
                    continue
                wrong += [
                    f"{name_of(path)}.{node.name}.{inner.name}"
                    for inner in node.body
                    if isinstance(inner, ast.AsyncFunctionDef) and inner.name.startswith("test")
                ]
        self.assertEqual(wrong, [])

    def test_names_say_what_a_thing_does(self) -> None:
        vague = ("manager", "handler", "utils", "helper", "common")
        wrong = [
            f"{name_of(path)}: {name}"
            for path in modules(PACKAGE)
            for name in [
                path.stem,
                *(
                    node.name
                    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                ),
            ]
            if any(word in name.lower() for word in vague)
        ]
        self.assertEqual(wrong, [])

    def test_no_possessive_quantifier_behind_a_group(self) -> None:
        # Python 3.11.2, which Debian 12 has, gets them wrong: a token went into a log.
        wrong = [
            str(path.relative_to(ROOT))
            for path in modules(PACKAGE)
            if re.search(r"\)[*+?]\+(?!,)", path.read_text(encoding="utf-8"))
        ]
        self.assertEqual(wrong, [])
