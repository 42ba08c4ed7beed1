"""Where giestack passes on what gx-it-proxy does not, or the other way round."""

from typing import Any

from tests.gx_it_proxy_difference.cases import Case
from tests.gx_it_proxy_difference.sorts import Sorts

VERDICTS = expect = Sorts()


@expect("security: it connects to whatever listens on localhost:80", "verdict")
def unknown_routes_are_not_found(case: Case, gx: Any, ours: Any) -> bool:
    unknown = case.tool is None or case.theme == "bad host"
    # Should anybody listen there, the status is theirs.
    return unknown and not gx[0] and ours == (False, True, 404)


@expect("RFC 7239 section 5.3: what a trusted front says of the host counts", "verdict")
def fronts_say_the_host(case: Case, gx: Any, ours: Any) -> bool:
    told = case.values(b"x-forwarded-host") != [] and case.by_host
    return told and gx == (True, False, 200) and ours == (False, True, 404)


@expect("security: a page of another site uses a tool in the name of its visitor", "verdict")
def foreign_websockets_are_refused(case: Case, gx: Any, ours: Any) -> bool:
    return (
        case.theme == "foreign websocket"
        and gx == (True, False, 101)
        and ours == (False, True, 403)
    )


@expect("security: what is checked must be what is served (RFC 3986 section 5.2.4)", "verdict")
def dot_segments_are_refused(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "dots" and ours == (False, True, 400)


@expect("RFC 9112 section 3.2: 400 for two Host fields, and for one that is none", "verdict")
def bad_hosts_are_refused(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme in ("two hosts", "bad host") and ours == (False, True, 400)


@expect("RFC 9112 section 3.2: a target has no fragment, and is a path", "verdict")
def other_targets_are_refused(case: Case, gx: Any, ours: Any) -> bool:
    themes = ("fragment", "other target", "absolute target")
    return case.theme in themes and ours == (False, True, 400)


@expect("RFC 9112 section 3.2.2: a server must accept the absolute form", "verdict")
def absolute_targets_are_understood(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "absolute target" and not gx[0] and ours == (True, False, 200)


@expect("RFC 9110 section 2.5: another major version is not understood", "verdict")
def other_versions_are_refused(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "other version" and ours == (False, True, 505)


@expect("RFC 9112 section 6.1: 501 for a transfer coding that is not understood", "verdict")
def other_codings_are_refused(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "other coding" and gx[2] == 200 and ours == (False, True, 501)


@expect("RFC 9110 section 5.4: longer heads are needed, Jupyter's cookies grow", "verdict")
def long_heads_are_taken(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "long head" and gx[2] == 431 and ours == (True, False, 200)


@expect("RFC 6455 section 4.2.1: 400 for what is no handshake, not a cut connection", "verdict")
def no_handshake_is_said_so(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "websocket post" and gx[2] == 0 and ours == (False, True, 400)


@expect("RFC 9110 section 7.8: an Upgrade that is not wanted is ignored", "verdict")
def other_upgrades_are_ignored(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "other upgrade" and gx[2] == 0 and ours == (True, False, 200)


@expect("RFC 9110 section 15.2.2: 101 only for who has asked; and visitors wait", "verdict")
def unasked_switches_are_an_error(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "unasked switch" and gx == (True, True, 0) and ours[2] == 502


@expect("RFC 3986 section 3.4: a query is no part of the path, nor of the token", "verdict")
def queries_are_not_the_token(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "no slash" and not gx[0] and ours == (True, False, 200)


@expect("RFC 9110 section 9.3.2: there is no body behind the answer to a HEAD", "verdict")
def bodies_behind_head_are_no_trouble(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "body behind head" and gx[2] == 502 and ours == (True, False, 200)
