"""Runs inside a session's Jupyter Server: whoever reaches its socket is the session's owner.

The socket lies in a folder that is open to one user of the system alone, and giestack lets
nobody through to it but the owner.
"""

import os

from jupyter_server.auth.identity import IdentityProvider, User
from tornado.web import RequestHandler


class OwnerOfSocket(IdentityProvider):
    """Every request is the one user's; there are no tokens and no cookies."""

    def get_user(self, handler: RequestHandler) -> User:
        """Return the user, whom ``$GIESTACK_USER`` names."""
        return User(os.environ.get("GIESTACK_USER") or "owner")
