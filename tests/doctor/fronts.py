"""What fronts make of requests: each of these breaks one thing."""

from tests.doctor.servers import Asked, reply


def keeps_all(asked: Asked) -> None:
    """As a front should."""
    asked.put(b"X-Forwarded-For", b"198.51.100.7")
    asked.put(b"X-Forwarded-Proto", b"http")


def loses_upgrade(asked: Asked) -> None:
    keeps_all(asked)
    asked.drop(b"upgrade", b"connection")


def loses_host(asked: Asked) -> None:
    keeps_all(asked)
    asked.put(b"Host", b"localhost:8800")


def tells_its_own_host(asked: Asked) -> None:
    """As nginx does, unless it is told otherwise."""
    keeps_all(asked)
    asked.put(b"Host", b"127.0.0.1:8800")


def loses_the_port(asked: Asked) -> None:
    keeps_all(asked)
    host = asked.value(b"host") or b""
    asked.put(b"Host", host.partition(b":")[0])


def tells_another_scheme(asked: Asked) -> None:
    keeps_all(asked)
    asked.put(b"X-Forwarded-Proto", b"https")


def tells_no_scheme(asked: Asked) -> None:
    keeps_all(asked)
    asked.drop(b"x-forwarded-proto")


def loses_cookies(asked: Asked) -> None:
    keeps_all(asked)
    asked.drop(b"cookie")


def tells_no_address(asked: Asked) -> None:
    asked.drop(b"x-forwarded-for")


def believes_visitors(asked: Asked) -> None:
    """What they write into X-Forwarded-For is passed on."""
    asked.put(b"X-Forwarded-Proto", b"http")


def adds_to_the_chain(asked: Asked) -> None:
    keeps_all(asked)
    asked.put(b"X-Forwarded-For", b"192.0.2.99, 198.51.100.7")


def decodes_slashes(asked: Asked) -> None:
    keeps_all(asked)
    asked.target = asked.target.replace(b"%2F", b"/")


def refuses_slashes(asked: Asked) -> bytes | None:
    keeps_all(asked)
    path = asked.target.partition(b"?")[0]
    return reply(404, b"Not Found", b"Server: Apache") if b"%2F" in path else None


def refuses_uploads(asked: Asked) -> bytes | None:
    keeps_all(asked)
    if int(asked.value(b"content-length") or 0) > 1_000_000:
        return reply(413, b"Too large", b"Server: nginx")
    return None


def has_pages_of_its_own(asked: Asked) -> bytes | None:
    keeps_all(asked)
    return reply(404, b"<h1>Oops</h1>") if b"/nothing" in asked.target else None


def knows_only_our_pages(asked: Asked) -> bytes | None:
    """Interactive tools, environments and the login go elsewhere."""
    keeps_all(asked)
    ours = asked.target.startswith(b"/giestack/") and b"doctor-doctor" not in (
        asked.value(b"host") or b""
    )
    return None if ours else reply(404, b"Galaxy knows no such page", b"Server: nginx")


def leads_elsewhere(asked: Asked) -> bytes:
    return reply(200, b"Welcome to nginx!", b"Server: nginx/1.22")


def loses_a_prefix(asked: Asked) -> None:
    keeps_all(asked)
    for prefix in (b"/interactivetool/ep", b"/gie_proxy"):
        asked.target = asked.target.removeprefix(prefix)


def has_the_documented_block(asked: Asked) -> None:
    """The nginx block of Galaxy's page on interactive environments, as it is printed."""
    keeps_all(asked)
    if b"/api/kernels" in asked.target:
        asked.target = asked.target.partition(b"?")[0].replace(b"/jupyter/", b"/")
