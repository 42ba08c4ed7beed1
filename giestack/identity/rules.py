"""When a Galaxy session is valid, and whom it stands for: Galaxy's own rules, as functions.

Galaxy 26.1 has two stacks that check a session differently. These are the rules of its web
(WSGI) stack, the stricter one: FastAPI's accepts deleted users and overdue sessions. Galaxy
repairs what it meets (it makes anonymous sessions, attaches users to sessions, stamps
``last_action``); here nothing is written, so a session that Galaxy would first repair is
refused until it has. All times are naive UTC, as Galaxy stores them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from giestack.visitor import USER_DELETED, Anonymous, Identity, Refused

# Impersonating makes the two new sessions in one request (11 ms apart when measured with
# Galaxy 26.1); a person who logs out and types a password needs longer than this.
_ONE_REQUEST = timedelta(seconds=2)

# A database that hangs makes that request longer (3 s when tried). But the session between then
# never has a history, which every page gives to a person who logs out and in.
_LONG_REQUEST = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class GalaxyPolicy:
    """The options of Galaxy's configuration that decide about sessions, named as there.

    :ivar admin_users: e-mail addresses, compared exactly, letter case included.
    :ivar session_duration: minutes without a request after which a session is over; 0: never.
    :ivar require_login: whether sessions without a user count for nothing.
    :ivar use_remote_user: whether a front server says in a header who the user is.
    :ivar remote_user_maildomain: what Galaxy appends to a header value without ``@``.
    :ivar single_user: the one e-mail address that every request stands for; it switches
        ``use_remote_user`` on and takes the header's place.
    :ivar allow_user_impersonation: whether an administrator may act as another user.
    """

    admin_users: frozenset[str] = frozenset()
    session_duration: int = 0
    require_login: bool = False
    use_remote_user: bool = False
    remote_user_maildomain: str | None = None
    single_user: str | None = None
    allow_user_impersonation: bool = False

    @property
    def trusts_remote_user(self) -> bool:
        """Whether the user's name comes from outside Galaxy."""
        return self.use_remote_user or bool(self.single_user)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A row of ``galaxy_session`` with its user and the two sessions before it.

    NULL booleans are False. ``previous`` is the session that ``prev_session_id`` names,
    ``earlier`` the one before that.

    :ivar session_id: ``galaxy_session.id``.
    :ivar session_key: the secret that names the session; never logged.
    :ivar is_valid: False after logout.
    :ivar user_id: None for an anonymous session.
    :ivar create_time: when the session was made.
    :ivar last_action: the last web request, None where Galaxy has not stamped it yet.
    :ivar email: of the user; None where there is no such user.
    :ivar username: the public name, which may be missing.
    :ivar deleted: whether the user is deleted.
    :ivar purged: whether the user is purged.
    :ivar external: whether the user was made for a ``use_remote_user`` site.
    :ivar previous_user_id: user of the previous session, if any.
    :ivar previous_create_time: when the previous session was made; None: there is none.
    :ivar previous_history_id: its current history, if it ever had one.
    :ivar earlier_user_id: user of the session before that, if any.
    :ivar earlier_email: that user's e-mail address.
    """

    session_id: int
    session_key: str = field(repr=False)
    is_valid: bool = False
    user_id: int | None = None
    create_time: datetime | None = None
    last_action: datetime | None = None
    email: str | None = None
    username: str | None = None
    deleted: bool = False
    purged: bool = False
    external: bool = False
    previous_user_id: int | None = None
    previous_create_time: datetime | None = None
    previous_history_id: int | None = None
    earlier_user_id: int | None = None
    earlier_email: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so.

    :ivar words: what is checked, as a sentence that is true when it passed.
    :ivar passed: whether it is so.
    :ivar refusal: what to say when it is not; holds no secret.
    """

    words: str
    passed: bool
    refusal: str


def session_checks(row: SessionRow | None, policy: GalaxyPolicy, now: datetime) -> Iterator[Check]:
    """Yield each check of a session by itself, without the header of ``use_remote_user``.

    ``row`` is what the database holds for the session key, None for nothing; ``now`` is
    naive UTC. Checks that make no sense after a failed one are left out.
    """
    yield Check(
        "Galaxy's database has the session", row is not None, "no such session in Galaxy's database"
    )
    if row is None:
        return
    yield Check("the session has not ended", row.is_valid, "the session has ended")
    if row.user_id is not None:
        yield from _user_checks(row, policy)
    elif policy.trusts_remote_user:
        yield Check(
            "the session has a user",
            False,
            "the session has no user yet, and use_remote_user is on",
        )
    elif policy.require_login:
        yield Check("the session has a user", False, "not logged in, and require_login is on")
    if policy.session_duration > 0:
        limit = timedelta(minutes=policy.session_duration)
        yield Check(
            f"the session was used within session_duration ({policy.session_duration} minutes)",
            row.last_action is None or now - row.last_action <= limit,
            f"the session was idle for more than {policy.session_duration} minutes",
        )


def _user_checks(row: SessionRow, policy: GalaxyPolicy) -> Iterator[Check]:
    found = row.email is not None
    yield Check("the session's user exists", found, "the session's user does not exist")
    if not found:
        return
    yield Check("the user is not deleted", not row.deleted, USER_DELETED)
    # Galaxy looks at deleted only, and never purges a user it has not deleted.
    yield Check("the user is not purged", not row.purged, "the user is purged")
    if not policy.trusts_remote_user:
        yield Check(
            "the user is not external",
            not row.external,
            "the user is external, but use_remote_user is off",
        )


def checks(
    row: SessionRow | None, policy: GalaxyPolicy, now: datetime, remote_user: str | None = None
) -> Iterator[Check]:
    """Yield every check that applies, in Galaxy's order.

    ``remote_user`` is the value of the ``remote_user_header``, None where it is missing or
    came from a peer that is not trusted; it counts only where the policy says so.
    """
    yield from session_checks(row, policy, now)
    if row is None or row.email is None or not policy.trusts_remote_user:
        return
    named = _remote_email(policy, remote_user)
    yield Check("the remote user header is there", named is not None, "no remote user header")
    if named is not None:
        yield Check(
            "the remote user is the session's user, or an administrator who may impersonate",
            named.lower() == row.email.lower()
            or (policy.allow_user_impersonation and named in policy.admin_users),
            "the remote user is not the session's user",
        )


def refusal_of(found: Iterator[Check]) -> Refused | None:
    """Return the refusal of the first check that did not pass, None if all passed."""
    return next((Refused(check.refusal) for check in found if not check.passed), None)


def visitor_of(
    row: SessionRow | None,
    policy: GalaxyPolicy,
    encode_id: Callable[[int], str],
    now: datetime,
    remote_user: str | None = None,
) -> Identity | Anonymous | Refused:
    """Return whom a session stands for, or the first reason why it stands for nobody.

    ``encode_id`` writes a user's id as Galaxy's API does (`CookieCodec.encode_id`); the
    other arguments are those of `checks`.
    """
    refused = refusal_of(checks(row, policy, now, remote_user))
    if refused is not None:
        return refused
    assert row is not None, "the first check refuses a missing row"
    if row.user_id is None:
        return Anonymous(session_id=row.session_id, session_key=row.session_key)
    assert row.email is not None, "the checks refuse a user that does not exist"
    return Identity(
        host="galaxy",
        user_id=row.user_id,
        encoded_id=encode_id(row.user_id),
        username=row.username,
        email=row.email,
        is_admin=row.email in policy.admin_users,
        session_id=row.session_id,
        session_key=row.session_key,
        impersonated_by=_impersonator(row, policy, remote_user),
    )


def _remote_email(policy: GalaxyPolicy, header: str | None) -> str | None:
    """Read the header as Galaxy's middleware does."""
    if policy.single_user:
        return policy.single_user
    # Apache's rewriting gives "(null)" for a visitor that it knows nothing about.
    if not header or header.startswith("(null)"):
        return None
    if "@" not in header and policy.remote_user_maildomain:
        return f"{header}@{policy.remote_user_maildomain}"
    return header


def _impersonator(row: SessionRow, policy: GalaxyPolicy, remote_user: str | None) -> str | None:
    """Return the e-mail of the administrator behind the session, if there is one.

    With ``use_remote_user`` the header tells. Else Galaxy (20.05 to 26.1) leaves no mark but
    the order of its rows: impersonating logs the administrator out into a new anonymous
    session and that one, in the same request, into the user's. A script that logs an
    administrator out and a user in within two seconds looks the same and is marked too:
    wrongly marked is the safe side.
    """
    if policy.trusts_remote_user:
        named = _remote_email(policy, remote_user)
        same = named is None or row.email is None or named.lower() == row.email.lower()
        return None if same else named
    if row.create_time is None or row.previous_create_time is None:
        return None
    if row.previous_user_id is not None or row.earlier_user_id in (None, row.user_id):
        return None
    longest = _LONG_REQUEST if row.previous_history_id is None else _ONE_REQUEST
    gap = row.create_time - row.previous_create_time
    if row.earlier_email not in policy.admin_users or not timedelta(0) <= gap <= longest:
        return None
    return row.earlier_email
