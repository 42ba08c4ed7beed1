"""Carry the bytes: HTTP/1.1 heads and bodies, upstream connections, WebSocket tunnels."""
