"""What a profile must say that is started as a container."""

from .test_checks import HOST, CheckCase
from .world import problems

CHOICE = "options: {version: {choices: ['1', '2']}, rows: {type: integer}, note: {}}"


class ContainerCheckTests(CheckCase):
    def spawner(self, *profiles: str, engines: str = "") -> str:
        listed = ", ".join(f"{{name: p{n}, {keys}}}" for n, keys in enumerate(profiles))
        return f"{HOST}spawner: {{{engines}profiles: [{listed}]}}"

    def assert_profile(self, keys: str, *words: str) -> None:
        self.assert_problem(
            self.spawner(f"image: x, {keys}"), *(f"spawner.profiles[0].{one}" for one in words)
        )

    def assert_warned(self, keys: str, *words: str) -> None:
        self.assert_warning(
            self.spawner(f"image: x, {keys}"), *(f"spawner.profiles[0].{one}" for one in words)
        )

    def assert_image(self, image: str, *words: str) -> None:
        text = self.spawner(f"image: '{image}', {CHOICE}")
        self.assert_problem(text, *(f"spawner.profiles[0].image: {one}" for one in words))

    # Images.

    def test_images(self) -> None:
        digest = "sha256:" + "a" * 64
        for image in (
            *("busybox", "quay.io/site/lab:1", f"lab@{digest}", "127.0.0.1:5000/a/b:c", digest),
            *("lab:{options.version}", "a/v{options.version}:{options.version}-x"),
        ):
            self.assert_image(image)

    def test_what_is_no_image(self) -> None:
        self.assert_problem(self.spawner("port: 1"), "spawner.profiles[0].image: is missing")
        self.assert_image("Lab:1", "'Lab:1' is no reference of an image")
        self.assert_image("lab:-{options.version}", "'lab:-1' must have a tag")
        self.assert_image("lab@sha256:12", "'lab@sha256:12' must have sha256:")

    def test_every_choice_must_lead_to_an_image(self) -> None:
        options = "options: {version: {choices: ['1', 'two words']}, other: {choices: [A, b]}}"
        self.assert_problem(
            self.spawner(f"image: 'lab:{{options.version}}', {options}"),
            "image: 'lab:two words' must have a tag",
        )
        self.assert_problem(
            self.spawner(f"image: 'lab/{{options.other}}', {options}"),
            "image: 'lab/A' is no reference of an image, as quay.io/site/image:1; it must be in",
        )

    def test_only_a_choice_can_be_part_of_an_image(self) -> None:
        for option in ("rows", "note"):
            self.assert_image(
                f"lab:{{options.{option}}}", f"{{options.{option}}} must be an option with choices"
            )
        self.assert_image("lab:{options.b}", "{options.b} is none of this profile's options")
        self.assert_image("lab:{user}", "{user} can't be in it; {options.NAME} of a choice can")

    def test_an_option_that_cannot_be_read_is_told_once(self) -> None:
        self.assert_profile("options: {a: {choices: []}}", "options.a.choices: must be a list")

    # Grants.

    def test_limits(self) -> None:
        self.assert_profile("ulimits: {nofile: 1024, core: {soft: 0, hard: -1}}")
        self.assert_profile("ulimits: {files: 1}", "ulimits.files: there is no such limit")
        self.assert_profile("ulimits: {core: many}", "ulimits.core: must be a whole number")
        self.assert_profile(
            "ulimits: {core: {soft: 1}}", "ulimits.core: must be a whole number, or"
        )

    def test_capabilities(self) -> None:
        self.assert_warned("cap_add: [SETUID, CAP_CHOWN, net_bind_service]")
        self.assert_profile("cap_add: [SETUID, SET]", "cap_add[1]: 'SET' is no capability")
        self.assert_warned(
            "cap_add: [SETUID, CAP_SYS_ADMIN, all]",
            "cap_add[1]: CAP_SYS_ADMIN reaches beyond the container",
            "cap_add[2]: all reaches beyond the container",
        )

    def test_devices(self) -> None:
        self.assert_profile("devices: [/dev/fuse, '/dev/x:/dev/y:rw']")
        self.assert_profile("devices: [/dev/fuse, /etc]", "devices[1]: '/etc' must be /dev/NAME")

    def test_folders_in_memory(self) -> None:
        self.assert_profile("tmpfs: [/tmp, '/x:size=64m']")
        self.assert_profile("tmpfs: ['/x:size=big']", "tmpfs[0]: 'size=big' is no option")

    def test_sizes(self) -> None:
        self.assert_profile("memory: 0, cpus: 0")
        self.assert_profile("memory: 6M, cpus: 0.01")
        self.assert_profile("memory: 5M", "memory: must be at least 6M; 0 is no limit")
        self.assert_profile("cpus: 0.001", "cpus: must be at least 0.01; 0 is no limit")

    def test_more_memory_than_any_engine_gives(self) -> None:
        small = "{name: a, memory: 1G}"
        text = "memory: 2048M are more than any engine may give: the largest of spawner.engines"
        for more, words in (
            ("", (text,)),
            (", {name: b, docker_host: 'unix:///b', memory: 512M}", (text,)),
            (", {name: b, docker_host: 'process:'}", (text,)),
            (", {name: b, docker_host: 'unix:///b', memory: 2G}", ()),
            (", {name: b, docker_host: 'unix:///b'}", ()),
            (", {name: b, docker_host: 'unix:///b', memory: 0}", ()),
        ):
            engines = f"engines: [{small}{more}], "
            self.assert_problem(self.spawner("image: x, memory: 2G", engines=engines), *words)
        self.assert_warning(
            self.spawner("image: x, memory: 0", engines=f"engines: [{small}], "),
            "memory: 0 is no limit: such sessions are not counted",
        )

    # Places.

    def test_volumes(self) -> None:
        self.assert_profile(
            "volumes: {'home-{user}': '/home/{username}', '/srv/data': '/data:ro', "
            "'v-{options.version}': /v}, " + CHOICE
        )
        for source, target, words in (
            ("home-{username}", "/a", "{username} can change hands"),
            ("home-{email}", "/a", "{email} can change hands"),
            ("home-{options.note}", "/a", "{options.note} is no choice"),
            ("{user}{options.version}", "/a", "'{user}{options.version}' must have '-'"),
            ("/var/run/docker.sock", "/a", "/var/run/docker.sock lies in /var/run"),
            ("/", "/a", "/ is all of the host"),
            ("home", "a", "'a' must be an absolute path in the container"),
            ("/etc/giestack/var/homes", "/a", "/etc/giestack/var/homes lies in /etc"),
        ):
            self.assert_profile(
                f"volumes: {{'{source}': '{target}'}}, {CHOICE}", f"volumes.{source}: {words}"
            )

    def test_giestacks_own_folders_and_engines_are_hidden(self) -> None:
        for source, hidden in (
            ("/opt/g", "/opt/g/var"),
            ("/opt/g/var/x", "/opt/g/var"),
            ("/opt/d", "/opt/d/docker.sock"),
        ):
            text = self.spawner(
                f"image: x, volumes: {{'{source}': /a}}",
                engines="engines: [{name: a, docker_host: 'unix:///opt/d/docker.sock'}], ",
            )
            (problem,) = problems(f"data_dir: /opt/g/var\n{text}")
            self.assertIn(f"{hidden}, which no session may see", problem)

    def test_one_place_is_for_one_thing(self) -> None:
        self.assert_profile(
            "volumes: {v1: /a, v2: '/a/:ro'}", "volumes.v2: something else is mounted at /a already"
        )
        self.assert_profile(
            "volumes: {v1: /a}, tmpfs: ['/a:size=1m']",
            "tmpfs[0]: something else is mounted at /a already",
        )
        self.assert_profile("volumes: {v1: /a}, tmpfs: [/a/b]")

    def test_no_link_leads_out_of_a_folder(self) -> None:
        homes = "volumes: {'/srv/homes/{user}': /home}"
        inside = "volumes: {'/srv/homes/{user}/work': /work}"
        self.assert_problem(
            self.spawner(f"image: x, {homes}", f"image: x, {inside}"),
            "spawner.profiles[1].volumes./srv/homes/{user}/work: lies in /srv/homes/{user}, where",
        )
        self.assert_problem(
            self.spawner(f"image: x, {inside}", "image: x, volumes: {/srv/homes: /homes}"),
            "spawner.profiles[0].volumes./srv/homes/{user}/work: lies in /srv/homes, where",
        )
        for fine in (
            homes.replace("/home}", "'/home:ro'}"),
            "volumes: {/srv/other: /home}",
            inside,
        ):
            self.assert_problem(self.spawner(f"image: x, {fine}", f"image: x, {inside}"))

    # The rest.

    def test_networks(self) -> None:
        for network in ("lab_net", "bridge"):
            self.assert_profile(f"network: {network}")
        for network in ("host", "none"):
            self.assert_profile(f"network: {network}", f"network: '{network}' leaves no port")
        self.assert_profile("network: 'container:x'", "network: must be the name of a network")

    def test_users(self) -> None:
        for user in ("jovyan", "1000", "1000:100", "root"):
            self.assert_profile(f"user: '{user}'")
        self.assert_profile("user: 'a b'", "user: must be a user of the image")

    def test_sockets_are_for_processes(self) -> None:
        self.assert_profile(
            "command: [lab, '{port}', '{socket}'], env: {A: '{socket}'}",
            "command[2]: {socket} is only for local processes; use {port}",
            "env.A: {socket} is only for local processes; use {port}",
        )

    # What is started ahead.

    def test_what_can_be_started_ahead(self) -> None:
        self.assert_warned(
            "warm: 2, command: [lab, '{base_url}', '{port}', '{session_id}'], "
            "env: {WHO: '{user}', NOTE: '{options.note}', A.B: '{base_url}'}, "
            "headers: {X-A: '{email}'}, volumes: {'home-{user}-{options.version}': /home}, "
            + CHOICE,
        )

    def test_what_is_not_known_ahead(self) -> None:
        for name in ("user", "username", "user_id", "email"):
            words = f"{{{name}}} is not known when a session is started ahead (warm)"
            self.assert_profile(f"warm: 1, command: [a, '{{{name}}}']", f"command[1]: {words}")
            self.assert_profile(
                f"warm: 1, volumes: {{v1: '/home/{{{name}}}'}}", f"volumes.v1: {words}"
            )
            self.assert_profile(f"command: [a, '{{{name}}}'], volumes: {{v1: '/h/{{{name}}}'}}")

    def test_who_chooses_something_else_waits(self) -> None:
        text = self.spawner(
            f"image: 'lab:{{options.version}}', warm: 1, command: ['{{options.note}}'], {CHOICE}"
        )
        self.assert_warning(
            text,
            "warm: only who leaves these options as they are gets a session that was started "
            "ahead: note, version",
        )

    def test_a_variable_that_no_shell_has_comes_too_late(self) -> None:
        self.assert_profile(
            "warm: 1, env: {A.B: '{user}', C: '{user}'}", "env.A.B: can't be told to a session"
        )

    def test_gpus_are_not_kept_ahead(self) -> None:
        self.assert_problem(
            self.spawner(
                "image: x, warm: 1, gpus: 1", engines="engines: [{name: a, gpus: ['0']}], "
            ),
            "warm: what is started ahead would keep its GPUs from others",
        )
