"""Redirects to ``http://localhost/``, by backends that don't know where visitors see them.

gx-it-proxy and Galaxy's older proxy have ``--reverseProxy`` for such backends: there the proxy's
port was put in, which served a browser on the same machine. Here it becomes the address that the
visitor uses.
"""

import re

_LOCATION = re.compile(
    rb"(?P<name>(?:\A|(?<=\r\n))Location:[ \t]*)http://localhost(?P<path>[/?#][^\r]*)?(?=[ \t]*\r)",
    re.IGNORECASE,
)


def at_own_address(lines: bytes, origin: bytes, prefix: bytes) -> bytes:
    """Header lines of a response, with a Location at ``http://localhost/`` put right.

    :param origin: ``scheme://host[:port]`` that the visitor uses.
    :param prefix: path below which the visitor sees the backend, where the backend sees none;
        not put before a path that has it already.
    """

    def put_right(found: re.Match[bytes]) -> bytes:
        path = found["path"] or b"/"
        if not path.startswith(b"/"):
            path = b"/" + path
        bare = path.partition(b"#")[0].partition(b"?")[0]
        before = b"" if (bare + b"/").startswith(prefix + b"/") else prefix
        return b"%b%b%b%b" % (found["name"], origin, before, path)

    return _LOCATION.sub(put_right, lines)
