"""Chat's own addresses: the same below the own prefix and on listeners that are chat's alone."""

from giestack.routing.places import ChatPlace, ChatWay, Nowhere

_ADDRESSES: dict[bytes, ChatWay] = {
    b"": "folder",
    b"/": "public",
    b"/widget.js": "public",
    b"/whoami": "personal",
    b"/moderation": "page",
    b"/ws": "socket",
}
_FOLDERS: dict[bytes, ChatWay] = {b"static": "public", b"api": "personal"}
_NOWHERE = Nowhere()


def chat_place(path: bytes) -> ChatPlace | Nowhere:
    """Return what stands at a path below chat's root, as it came in and without query."""
    way = _ADDRESSES.get(path)
    if way is None:
        folder, slash, _ = path[1:].partition(b"/")
        way = _FOLDERS.get(folder) if slash else None
    return _NOWHERE if way is None else ChatPlace(way)


def in_chat_alone(host: bytes, path: bytes) -> ChatPlace | Nowhere:
    """`giestack.routing.table.RouteTable.locate` where there is nothing but chat."""
    return chat_place(path)
