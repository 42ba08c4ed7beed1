"""Requests to an engine's UNIX socket as they are, for tests of what stands behind it."""

import json
from typing import Any
from urllib.parse import urlencode

import treq
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer


@implementer(IAgentEndpointFactory)
class _Socket:
    def __init__(self, reactor: Any, path: str) -> None:
        self._reactor = reactor
        self._path = path

    def endpointForURI(self, uri: Any) -> Any:
        return UNIXClientEndpoint(self._reactor, self._path)


class RawClient:
    """One request, one connection."""

    def __init__(self, reactor: Any, path: str) -> None:
        self._agent = Agent.usingEndpointFactory(
            reactor, _Socket(reactor, path), HTTPConnectionPool(reactor, persistent=False)
        )

    async def ask(
        self,
        method: str,
        path_: str,
        body: Any = None,
        *,
        data: bytes | None = None,
        **query: str,
    ) -> tuple[int, Any]:
        """The status, and the body: parsed where it is JSON, else bytes."""
        response = await self.open(method, path_, body, data=data, **query)
        content = await response.content()
        if response.headers.getRawHeaders("Content-Type") == ["application/json"] and content:
            try:
                return response.code, json.loads(content)
            except ValueError:
                pass
        return response.code, content

    def open(
        self,
        method: str,
        path_: str,
        body: Any = None,
        *,
        data: bytes | None = None,
        **query: str,
    ) -> "Deferred[Any]":
        """The response, its body still to come."""
        url = f"http://docker{path_}" + (f"?{urlencode(query)}" if query else "")
        headers = Headers({"Content-Type": ["application/json"]} if body is not None else {})
        content = json.dumps(body).encode() if body is not None else data
        return treq.request(
            method, url, agent=self._agent, data=content, headers=headers, unbuffered=True
        )
