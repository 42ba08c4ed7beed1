"""The fake Docker engine's calls about what runs in containers, and what happens to it."""

import json
import signal
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.error import CannotListenError

from tests.docker.fake_container import Container
from tests.docker.fake_events import NEVER
from tests.docker.fake_http import DONE, RAW_STREAM, STREAMED, Answer, Call, Refused
from tests.docker.fake_programs import Program, PublishedPort, exists

if TYPE_CHECKING:
    from tests.docker.fake_docker import FakeDocker


class Running:
    """What runs."""

    def __init__(self, engine: "FakeDocker") -> None:
        self._engine = engine
        self._containers = engine.containers

    def start(self, call: Call) -> "Answer | Deferred[Answer]":
        one = self._containers.find(call.target)
        if one.status == "paused":
            raise Refused(409, "cannot start a paused container, try unpause instead")
        if one.running:
            raise Refused(304, "")
        for network in one.networks:
            if network not in ("bridge", "host", "none"):
                one.networks[network] = {"NetworkID": self._engine.networks.find(network).id}
        command = [*(one.config["Entrypoint"] or []), *(one.config["Cmd"] or [])]
        if not exists(command) and not one.host.get("Init"):
            one.exit_code = 127
            one.error = (
                "failed to create shim task: OCI runtime create failed: runc create failed: unable "
                f'to start container process: exec: "{command[0] if command else ""}": executable '
                "file not found in $PATH: unknown"
            )
            raise Refused(400, one.error)
        try:
            self._publish(one)
        except CannotListenError as error:
            text = (
                f"driver failed programming external connectivity on endpoint {one.name}: Bind for "
                f"{error.interface}:{error.port} failed: port is already allocated"
            )
            refused = Refused(500, text)
            return one.close_ports().addCallback(lambda _: _raise(refused))
        self._run(one, command)
        return DONE

    def _run(self, one: Container, command: "list[str]") -> None:
        one.status, one.exit_code, one.out_of_memory, one.error = "running", 0, False, ""
        one.started, one.finished = self._engine.events.stamp(), NEVER
        one.pid = self._engine.new_pid()
        self._containers.tell(one, "start")
        one.program = Program(
            self._engine.reactor,
            command,
            dict(each.partition("=")[::2] for each in one.config["Env"] or []),
            say=one.say,
            ended=lambda status, oom: self._ended(one, status, oom),
            init=bool(one.host.get("Init")),
        )

    def _publish(self, one: Container) -> None:
        wanted = dict(one.host["PortBindings"] or {})
        if one.host.get("PublishAllPorts"):
            wanted |= {inner: [{}] for inner in one.config.get("ExposedPorts") or {}}
        for inner, several in wanted.items():
            for binding in several or [{}]:
                host = binding.get("HostIp") or "0.0.0.0"
                port = PublishedPort(self._engine.reactor, lambda: one.program)
                # Never on an address that others reach, whatever was asked for.
                asked = int(binding.get("HostPort") or 0)
                number = port.listen(self._engine.reactor, "127.0.0.1", asked)
                one.published.setdefault(inner, []).append((host, number, port))

    def _ended(self, one: Container, status: int, out_of_memory: bool) -> None:
        if not one.running:
            return
        if out_of_memory:
            self._containers.tell(one, "oom")
            self._containers.tell(one, "oom")
        one.status, one.exit_code, one.out_of_memory = "exited", status, out_of_memory
        one.finished, one.pid = self._engine.events.stamp(), 0
        closed = one.close_ports()
        self._containers.tell(one, "die", exitCode=str(status))
        streams, one.streams = one.streams, []
        for stream in streams:
            stream.end()
        closed.addCallback(lambda _: self._is_over(one))

    def _is_over(self, one: Container) -> None:
        over, one.over = one.over, []
        for waiting in over:
            waiting.callback(one.exit_code)
        if one.host["AutoRemove"] and one.id in self._containers.all and one.status == "exited":
            self._containers.removed(one)

    def over(self, one: Container) -> "Deferred[int]":
        """Fires with its status when it does not run."""
        if not one.running:
            return succeed(one.exit_code)
        waiting: Deferred[int] = Deferred()
        one.over.append(waiting)
        return waiting

    def stop(self, call: Call) -> "Deferred[Answer]":
        one = self._containers.find(call.target)
        if not one.running:
            raise Refused(304, "")
        grace = float(call.query.get("t") or 10)
        self._signal(one, signal.SIGTERM)
        if one.running and grace >= 0:
            self._engine.later(grace, lambda: self._signal(one, signal.SIGKILL))

        def stopped(_: object) -> Answer:
            self._containers.tell(one, "stop")
            return DONE

        return self.over(one).addCallback(stopped)

    def kill(self, call: Call) -> "Answer | Deferred[Answer]":
        one, name = self._containers.find(call.target), call.query.get("signal") or "SIGKILL"
        if not one.running:
            text = f"Cannot kill container: {call.target}: Container {one.id} is not running"
            raise Refused(409, text)
        try:
            number = (
                int(name) if name.isdigit() else signal.Signals["SIG" + name.removeprefix("SIG")]
            )
        except KeyError:
            raise Refused(400, f"Invalid signal: {name}") from None
        over = self.over(one) if number == signal.SIGKILL else succeed(0)
        self._signal(one, number)
        return over.addCallback(lambda _: DONE)

    def _signal(self, one: Container, number: int) -> None:
        if one.running and one.program is not None:
            if one.status == "paused":
                one.pause(False)
            self._containers.tell(one, "kill", signal=str(int(number)))
            one.program.send(number)

    def pause(self, call: Call) -> Answer:
        one = self._containers.find(call.target)
        if not one.running:
            raise Refused(409, f"Container {one.id} is not running")
        if one.status == "paused":
            raise Refused(409, f"Container {one.id} is already paused")
        one.pause(True)
        self._containers.tell(one, "pause")
        return DONE

    def unpause(self, call: Call) -> Answer:
        one = self._containers.find(call.target)
        if one.status != "paused":
            raise Refused(500, f"Container {one.id} is not paused")
        one.pause(False)
        self._containers.tell(one, "unpause")
        return DONE

    def wait(self, call: Call) -> Answer:
        one = self._containers.find(call.target)
        removed = call.query.get("condition") == "removed"
        stream = call.stream()

        def over(status: int) -> None:
            stream.write(json.dumps({"Error": None, "StatusCode": status}).encode() + b"\n")
            stream.end()

        waiting: Deferred[int] = Deferred()
        if removed:
            one.gone.append(waiting)
        else:
            waiting = self.over(one)
        waiting.addCallback(over)
        return STREAMED

    # What it prints and uses.

    def logs(self, call: Call) -> Answer:
        one, tail = self._containers.find(call.target), call.query.get("tail", "all")
        wanted = {source for source, name in ((1, "stdout"), (2, "stderr")) if call.flag(name)}
        if not wanted:
            raise Refused(400, "Bad parameters: you must choose at least one stream")
        lines = [each for each in one.lines if each[0] in wanted]
        if tail.isdigit():
            lines = lines[len(lines) - min(int(tail), len(lines)) :]
        stream = call.stream(RAW_STREAM)
        for source, line in lines:
            stream.write(one.framed(source, line))
        if not (call.flag("follow") and one.running):
            stream.end()
            return STREAMED

        def hear(source: int, line: str) -> None:
            if source in wanted:
                stream.write(one.framed(source, line))

        one.followers.append(hear)
        stream.on_end(lambda: one.followers.remove(hear))
        one.streams.append(stream)
        return STREAMED

    def stats(self, call: Call) -> Answer:
        one = self._containers.find(call.target)
        cpu, memory, pids = {"total_usage": 0}, {}, {}
        system: dict[str, int] = {}
        if one.running:
            # A hundredth of a core, of two.
            now = self._engine.events.now()
            cpu = {"total_usage": now // 100, "usage_in_kernelmode": 0, "usage_in_usermode": 0}
            system = {"system_cpu_usage": 2 * now, "online_cpus": 2}
            limit = one.host["Memory"] or self._engine.memory
            memory = {"usage": 1384448, "stats": {"total_inactive_file": 384448}, "limit": limit}
            pids = {"current": 2}
        shown = {
            "read": self._engine.events.stamp() if one.running else NEVER,
            "preread": NEVER,
            "pids_stats": pids,
            "cpu_stats": {"cpu_usage": cpu, **system},
            "precpu_stats": {"cpu_usage": {"total_usage": 0}},
            "memory_stats": memory,
            "name": f"/{one.name}",
            "id": one.id,
        }
        return Answer(200, shown)

    # What happens to them by itself.

    def die(self, name: str, status: int = 1, *, out_of_memory: bool = False) -> None:
        """It ends; killed for want of memory with 137."""
        one = self._containers.find(name)
        assert one.program is not None
        one.program.end(137 if out_of_memory else status, out_of_memory=out_of_memory)

    def vanish(self, name: str) -> "Deferred[Any]":
        """Somebody removes it by force."""
        return self._containers.removed(self._containers.find(name))

    def end(self) -> "Deferred[Any]":
        """End all of them, without a word."""
        for one in self._containers.all.values():
            if one.program is not None:
                one.program.end(137)
        return DeferredList([one.close_ports() for one in self._containers.all.values()])


def _raise(error: Exception) -> Answer:
    raise error
