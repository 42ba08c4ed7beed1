"""A small image whose one program does what tests need, made of Debian's busybox-static.

What the program does is told in `tests.docker.fake_programs`.
"""

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

from tests.docker.fake_programs import IMAGE
from tests.neighbours.docker_api import DockerApi

BUSYBOX = Path("/bin/busybox")

PROGRAM = """\
#!/bin/sh
what=$1
[ $# -eq 0 ] || shift
serve() { exec nc -ll -p "${PORT:-8888}" -e /bin/answer; }
case $what in
listen) serve ;;
stubborn) trap '' TERM; serve ;;
mute) exec sleep 1000000 ;;
exit) [ -z "$2" ] || sleep "$2"; exit "$1" ;;
print) for line; do echo "$line"; done ;;
both) echo out; echo err >&2 ;;
environ) env | sort ;;
tick) seconds=$1; shift; for line; do sleep "$seconds"; echo "$line"; done; exec sleep 1000000 ;;
eat) exec tail -c 1000000000 /dev/zero ;;
fork) (while :; do sleep 1000000 & done) 2>/dev/null; echo forked; exec sleep 1000000 ;;
fill) dd if=/dev/zero of="$1" bs=64k 2>/dev/null; echo filled; exec sleep 1000000 ;;
*) echo "program: what is $what?" >&2; exit 2 ;;
esac
"""

ANSWER = """\
#!/bin/sh
read -r method path version
end=$(printf '\\r')
while read -r line && [ "$line" != "$end" ]; do :; done
text="here is ${path%%\\?*}"
printf 'HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nConnection: close\\r\\n'
printf 'Content-Length: %d\\r\\n\\r\\n%s\\n' $((${#text} + 1)) "$text"
"""

PASSWD = "root:x:0:0::/:/bin/sh\nsomebody:x:1000:1000::/home/somebody:/bin/sh\n"


def have_tools_image(engine: DockerApi) -> str:
    """See to it that an engine has the image; its tag."""
    packed = packed_tools()
    version = hashlib.sha256(packed).hexdigest()[:16]
    if not engine.has_image(IMAGE, f"giestack-test.version={version}"):
        changes = [
            'CMD ["program", "listen"]',
            "ENV PATH=/bin",
            "EXPOSE 8888",
            "LABEL giestack-test=tools",
            f"LABEL giestack-test.version={version}",
        ]
        engine.import_image(IMAGE, packed, changes)
    return IMAGE


def packed_tools() -> bytes:
    """The files of the image, as a tar."""
    if not BUSYBOX.exists():
        raise RuntimeError("busybox is not installed (Debian: apt install busybox-static)")
    applets = subprocess.run(
        [BUSYBOX, "--list"], check=True, capture_output=True, text=True
    ).stdout.split()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in ("bin", "etc", "home", "home/somebody", "run", "tmp", "var"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            info.uid = info.gid = 1000 if folder == "home/somebody" else 0
            tar.addfile(info)
        _add(tar, "bin/busybox", BUSYBOX.read_bytes(), 0o755)
        for applet in applets:
            if applet != "busybox":
                info = tarfile.TarInfo(f"bin/{applet}")
                info.type, info.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(info)
        _add(tar, "bin/program", PROGRAM.encode(), 0o755)
        _add(tar, "bin/answer", ANSWER.encode(), 0o755)
        _add(tar, "etc/passwd", PASSWD.encode(), 0o644)
        _add(tar, "etc/group", b"root:x:0:\nsomebody:x:1000:\n", 0o644)
        _add(tar, "home/somebody/from-image", b"it came with the image\n", 0o644, 1000)
    return packed.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int, owner: int = 0) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uid, info.gid = len(content), mode, owner, owner
    tar.addfile(info, io.BytesIO(content))
