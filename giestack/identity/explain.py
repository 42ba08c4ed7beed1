"""What ``giestack whoami`` says about a cookie."""

from collections.abc import Iterator
from datetime import UTC, datetime

from giestack.database import BadDatabaseURL, DatabaseUnavailable, ask, open_engine
from giestack.identity.cookie import BadSecret, CookieCodec, MalformedCookie
from giestack.identity.galaxy import sessions_by_key
from giestack.identity.rules import GalaxyPolicy, checks, visitor_of
from giestack.visitor import Anonymous, Identity, Refused


def explain(
    cookie: str,
    policy: GalaxyPolicy,
    id_secret: str,
    database_url: str,
    now: datetime | None = None,
) -> list[str]:
    """Return every check of a cookie, passed or failed, and last whom it stands for.

    Waits for the database, a few seconds at most. ``now`` is naive UTC, by default the
    present. With ``use_remote_user`` the header is taken to name the session's own user. No
    line holds the cookie, the session key, the secret or a password.
    """
    return list(_lines(cookie, policy, id_secret, database_url, now))


def _lines(
    cookie: str, policy: GalaxyPolicy, id_secret: str, database_url: str, now: datetime | None
) -> Iterator[str]:
    try:
        codec = CookieCodec(id_secret)
        engine = open_engine(database_url)
    except (BadSecret, BadDatabaseURL) as error:
        yield f"verdict: nobody can tell: {error}"
        return
    words = "the cookie decodes with Galaxy's id_secret"
    try:
        key = codec.decode(cookie.encode("utf-8", "replace"))
    except MalformedCookie as error:
        yield f"failed: {words}"
        if not cookie.strip('"').lower().startswith(codec.encode("0" * 32)[:16]):
            yield (
                "note: it does not begin as every cookie that Galaxy sets with this id_secret;"
                " is it another Galaxy's, or the id_secret another one?"
            )
        yield f"verdict: refused: {error}"
        return
    yield f"passed: {words}"
    try:
        row = ask(engine, sessions_by_key, [key]).get(key)
    except DatabaseUnavailable as error:
        yield "failed: Galaxy's database answers"
        yield f"verdict: nobody can tell: {error}"
        return
    finally:
        engine.dispose()
    yield "passed: Galaxy's database answers"
    now = now or datetime.now(UTC).replace(tzinfo=None)
    remote_user = None if row is None else row.email
    if policy.use_remote_user and not policy.single_user:
        yield "note: the remote user header is taken to name the session's user"
    for check in checks(row, policy, now, remote_user):
        yield f"{'passed' if check.passed else 'failed'}: {check.words}"
    yield f"verdict: {_verdict(visitor_of(row, policy, codec.encode_id, now, remote_user))}"


def _verdict(visitor: Identity | Anonymous | Refused) -> str:
    if isinstance(visitor, Refused):
        return f"refused: {visitor.reason}"
    if isinstance(visitor, Anonymous):
        return f"anonymous: session {visitor.session_id} is valid and has no user"
    name = "no public name" if visitor.username is None else f"public name {visitor.username}"
    parts = [
        f"{visitor.email} ({name})",
        f"user {visitor.user_id}, in Galaxy's API {visitor.encoded_id}",
        "an administrator" if visitor.is_admin else "not an administrator",
    ]
    if visitor.impersonated_by:
        parts.append(f"impersonated by {visitor.impersonated_by}")
    return "; ".join(parts)
