"""Runs inside Jupyter Server: lets in what comes through giestack, and nobody else.

The server listens on a port of 127.0.0.1, which every local user can reach. giestack writes one
header into each request to it, and removes that header from what clients send (Galaxy's
``requires_path_in_header_named``). Its name is random and known to giestack and to this process
only, so whoever sends it is giestack.
"""

from jupyter_server.auth.identity import IdentityProvider, User
from tornado.web import RequestHandler
from traitlets import Unicode


class FrontDoor(IdentityProvider):
    """Every request with the header is the one user's; there are no tokens and no cookies."""

    header = Unicode(help="name of the header that only giestack knows").tag(config=True)
    username = Unicode(help="who uses this server").tag(config=True)

    def get_user(self, handler: RequestHandler) -> User | None:
        """Return the user, or None, which Jupyter answers with 403 or its login page."""
        if self.header and self.header in handler.request.headers:
            return User(self.username)
        return None
