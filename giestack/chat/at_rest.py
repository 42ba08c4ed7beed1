"""What Autobahn keeps for an open WebSocket, and what of it can be let go (pure)."""

from autobahn.websocket.protocol import TrafficStats

LET_GO = frozenset(
    (
        "_visitor",
        "_wskey",
        "http_headers",
        "http_request_data",
        "http_request_host",
        "http_request_params",
        "http_request_path",
        "http_request_uri",
        "http_response_data",
        "http_status_line",
        "send_queue",
        "trafficStats",
        "utf8validator",
        "websocket_extensions",
        "websocket_extensions_in_use",
        "websocket_origin",
        "websocket_protocol_in_use",
        "websocket_protocols",
    )
)
"""What an open connection never looks at again; for some of it the class has a stand-in."""

AT_REST: dict[str, object] = {
    "_perMessageCompress": None,
    "autoPingPending": None,
    "autoPingPendingCall": None,
    "autoPingPendingSent": None,
    "autoPingPendingSeq": 0,
    "autoPingTimeoutCall": None,
    "closeHandshakeTimeoutCall": None,
    "closedByMe": False,
    "connected": 1,
    "current_frame": None,
    "data": b"",
    "droppedByMe": False,
    "failedByMe": False,
    "inside_message": False,
    "localCloseCode": None,
    "localCloseReason": None,
    "message_data": None,
    "openHandshakeTimeoutCall": None,
    "remoteCloseCode": None,
    "remoteCloseReason": None,
    "send_queue": (),
    "send_state": 0,
    "trackedTimings": None,
    "trafficStats": TrafficStats(),
    "triggered": False,
    "utf8validator": None,
    "wasClean": False,
    "wasCloseHandshakeTimeout": False,
    "wasMaxFramePayloadSizeExceeded": False,
    "wasMaxMessagePayloadSizeExceeded": False,
    "wasNotCleanReason": None,
    "wasOpenHandshakeTimeout": False,
    "wasServerConnectionDropTimeout": False,
    "wasServingFlashSocketPolicyFile": False,
    "websocket_version": 13,
}
"""How an open connection is while nothing happens: known to the class once, instead of to each."""


def slim(attributes: dict[str, object]) -> dict[str, object]:
    """Return the attributes of an open connection that it really needs as its own."""
    return {
        name: value
        for name, value in attributes.items()
        if name not in LET_GO and (name not in AT_REST or value is not AT_REST[name])
    }
