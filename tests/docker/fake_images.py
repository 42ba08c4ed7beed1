"""The fake Docker engine's calls about images."""

import io
import json
import secrets
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.docker.fake_events import matches_labels
from tests.docker.fake_http import STREAMED, Answer, Call, Refused, Stream
from tests.docker.fake_programs import IMAGE
from tests.docker.fake_registry import TOOLS_CONFIG, Pull, credentials

if TYPE_CHECKING:
    from tests.docker.fake_docker import FakeDocker


@dataclass(slots=True, eq=False)
class Image:
    """An image, with its tags and digests (``repository@sha256:…``)."""

    id: str
    created: str
    config: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    size: int = 1984132
    comment: str = ""
    author: str = ""

    def json(self) -> dict[str, Any]:
        """As Docker shows it."""
        return {
            "Id": self.id,
            "RepoTags": self.tags,
            "RepoDigests": self.digests,
            "Created": self.created,
            "Comment": self.comment,
            "Author": self.author,
            "Config": self.config,
            "Architecture": "amd64",
            "Os": "linux",
            "Size": self.size,
            "VirtualSize": self.size,
            "RootFS": {"Type": "layers", "Layers": ["sha256:" + "1" * 64]},
        }


class Images:
    """What there is, by id, and what a registry has, by reference with its tag.

    :ivar pulling: references that are being pulled just now, once for each who asks.
    """

    def __init__(self, engine: "FakeDocker") -> None:
        self._engine = engine
        self.all: dict[str, Image] = {}
        self.registry: dict[str, Pull] = {}
        self.pulling: list[str] = []
        self.have(IMAGE, TOOLS_CONFIG)

    def have(self, tag: str, config: dict[str, Any] | None = None, id_: str = "") -> Image:
        """Make an image be there."""
        id_ = id_ or f"sha256:{secrets.token_hex(32)}"
        made = self.all.setdefault(id_, Image(id_, self._engine.events.stamp(), config or {}))
        if tag:
            self._untag(tag)
            made.tags.append(tag)
        return made

    def find(self, reference: str) -> Image | None:
        """By tag, digest, id or beginning of the id."""
        short = reference.removeprefix("sha256:")
        for one in self.all.values():
            if self.tagged(reference) in one.tags or reference in one.digests:
                return one
            if len(short) >= 4 and one.id.removeprefix("sha256:").startswith(short):
                return one
        return None

    @staticmethod
    def tagged(reference: str) -> str:
        """With ``:latest`` where it has neither tag nor digest."""
        last = reference.rpartition("/")[2]
        return reference if ":" in last or "@" in last else f"{reference}:latest"

    def _wanted(self, reference: str, words: str = "") -> Image:
        found = self.find(reference)
        if found is None:
            raise Refused(404, f"{words}No such image: {self.tagged(reference)}")
        return found

    def _untag(self, tag: str) -> None:
        for one in self.all.values():
            if tag in one.tags:
                one.tags.remove(tag)

    def inspect(self, call: Call) -> Answer:
        words = f"no such image: {call.target}: "
        return Answer(200, self._wanted(call.target, words).json())

    def list_(self, call: Call) -> Answer:
        filters = call.filters()
        shown = [
            one.json() | {"Labels": one.config.get("Labels"), "Containers": -1, "Created": 1}
            for one in self.all.values()
            if matches_labels(one.config.get("Labels") or {}, filters.get("label", []))
            and (
                "reference" not in filters
                or any(
                    each in (tag, tag.rpartition(":")[0])
                    for each in filters["reference"]
                    for tag in one.tags
                )
            )
        ]
        return Answer(200, shown)

    def tag(self, call: Call) -> Answer:
        found = self._wanted(call.target)
        name = f"{call.query['repo']}:{call.query.get('tag') or 'latest'}"
        self._untag(name)
        found.tags.append(name)
        return Answer(201)

    def remove(self, call: Call) -> Answer:
        found = self._wanted(call.target)
        users = [one for one in self._engine.containers.all.values() if one.image_id == found.id]
        by_id = call.target in found.id
        if users and not call.flag("force") and (by_id or len(found.tags) <= 1):
            raise Refused(
                409,
                f'conflict: unable to remove repository reference "{call.target}" (must force) - '
                f"container {users[0].id[:12]} is using its referenced image {found.id[7:19]}",
            )
        removed: list[dict[str, str]] = []
        tags = list(found.tags) if by_id else [self.tagged(call.target)]
        for tag in tags:
            if tag in found.tags:
                found.tags.remove(tag)
                removed.append({"Untagged": tag})
        if not found.tags and not users:
            del self.all[found.id]
            removed.append({"Deleted": found.id})
        return Answer(200, removed)

    # Getting them.

    def create(self, call: Call) -> Answer:
        """POST /images/create: pull, or import."""
        if "fromSrc" in call.query:
            return self._import(call)
        name, tag = call.query["fromImage"], call.query.get("tag", "")
        at = "@" if tag.startswith("sha256:") else ":"
        reference = f"{name}{at}{tag}" if tag else self.tagged(name)
        plan = self.registry.get(reference)
        if plan is None:
            text = f"manifest for {reference} not found: manifest unknown: manifest unknown"
            raise Refused(404, text)
        if plan.private is not None and credentials(call) != plan.private:
            raise Refused(500, f'Head "https://{name}/manifests/{tag}": no basic auth credentials')
        stream = call.stream()
        self.pulling.append(reference)
        stream.on_end(lambda: self.pulling.remove(reference))
        messages = list(plan.messages(reference))
        if plan.stalls or plan.fails:
            messages = messages[: len(messages) // 2]
        self._continue(stream, reference, plan, iter(messages))
        return STREAMED

    def _continue(
        self, stream: Stream, reference: str, plan: Pull, messages: Iterator[dict[str, Any]]
    ) -> None:
        # Who goes away ends the pull.
        for message in messages:
            if stream.over:
                return
            stream.line(message)
            if plan.seconds:
                self._engine.later(
                    plan.seconds, lambda: self._continue(stream, reference, plan, messages)
                )
                return
        if stream.over or plan.stalls:
            return
        if plan.fails:
            stream.line({"errorDetail": {"message": plan.fails}, "error": plan.fails})
        else:
            self._pulled(stream, reference, plan)
        stream.end()

    def _pulled(self, stream: Stream, reference: str, plan: Pull) -> None:
        digest = plan.digest(reference)
        repository, at, wanted = reference.partition("@")
        if at:
            digest = wanted
        else:
            repository = reference.rpartition(":")[0]
        image = self.have("" if at else reference, dict(plan.config), digest)
        image.digests = [f"{repository}@{digest}"]
        image.size = sum(plan.layers)
        self._engine.events.tell("image", "pull", reference, {"name": repository})
        stream.line({"status": f"Digest: {digest}"})
        stream.line({"status": f"Status: Downloaded newer image for {reference}"})

    def _import(self, call: Call) -> Answer:
        config = _changed({}, call.several("changes"))
        tag = f"{call.query['repo']}:{call.query.get('tag') or 'latest'}"
        stream = call.stream()
        stream.line({"status": self.have(tag, config).id})
        stream.end()
        return STREAMED

    def commit(self, call: Call) -> Answer:
        one = self._engine.containers.find(call.query["container"])
        name = call.query.get("repo", "")
        tag = f"{name}:{call.query.get('tag') or 'latest'}" if name else ""
        made = self.have(tag, _changed(one.config, call.several("changes")))
        made.comment = call.query.get("comment", "")
        made.author = call.query.get("author", "")
        self._engine.containers.tell(one, "commit", imageID=made.id)
        return Answer(201, {"Id": made.id})

    # In and out.

    def save(self, call: Call) -> Answer:
        names = [call.target] if "name" in call.arguments else call.several("names")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            manifest = []
            for name in names:
                found = self.find(name)
                if found is None:
                    raise Refused(404, f"No such image: {name}")
                config = f"{found.id[7:]}.json"
                manifest.append({"Config": config, "RepoTags": found.tags, "Layers": []})
                _add(tar, config, json.dumps({"config": found.config}).encode())
            _add(tar, "layer.tar", bytes(200_000))
            _add(tar, "manifest.json", json.dumps(manifest).encode())
        stream = call.stream("application/x-tar")
        stream.write(packed.getvalue())
        stream.end()
        return STREAMED

    def load(self, call: Call) -> Answer:
        stream = call.stream()
        try:
            with tarfile.open(fileobj=io.BytesIO(call.body)) as tar:
                for each in json.loads(_read(tar, "manifest.json")):
                    config = json.loads(_read(tar, each["Config"]))["config"]
                    for tag in each["RepoTags"]:
                        self.have(tag, config, "sha256:" + each["Config"].removesuffix(".json"))
                        stream.line({"stream": f"Loaded image: {tag}\n"})
        except (tarfile.TarError, KeyError) as error:
            stream.line({"errorDetail": {"message": str(error)}, "error": str(error)})
        stream.end()
        return STREAMED


def _changed(config: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """With instructions of a Dockerfile: CMD and LABEL."""
    changed = {**config, "Labels": dict(config.get("Labels") or {})}
    for line in changes:
        word, _, value = line.partition(" ")
        if word == "CMD":
            changed["Cmd"] = json.loads(value)
        if word == "LABEL":
            name, _, value = value.partition("=")
            changed["Labels"][name] = value
    return changed


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    return file.read() if file is not None else b""
