"""An equivalent of Galaxy's communication server (``PORT DATABASE SECRET``).

The events, and what is done for each, are those of Galaxy 20.09's
``scripts/communication/communication_server.py``: for every event the cookie is decoded and its
session looked up in Galaxy's database, texts are made safe as HTML, a room hears its messages, and
everybody hears who joins. Nothing is kept. It runs in an environment of its own: see
`bench.chat_packages`.
"""

import html
import sqlite3
import sys
from binascii import unhexlify
from hashlib import md5

from Crypto.Cipher import Blowfish
from flask import Flask, request
from flask_login import LoginManager, UserMixin, current_user
from flask_socketio import SocketIO, emit, join_room, leave_room

app = Flask(__name__)
app.config["SECRET_KEY"] = "bench"
login_manager = LoginManager(app)
socketio = SocketIO(app, async_mode="eventlet", cors_allowed_origins="*")


class Galaxy:
    """What is asked of Galaxy: who has a session."""

    _QUESTION = (
        "SELECT u.id, u.username, u.email FROM galaxy_session s "
        "JOIN galaxy_user u ON u.id = s.user_id WHERE s.session_key = ?"
    )

    def __init__(self, path, secret):
        self._cipher = Blowfish.new(secret.encode(), mode=Blowfish.MODE_ECB)
        self._database = sqlite3.connect(path, check_same_thread=False)

    def user(self, cookie):
        """The user with this cookie, or None."""
        key = self._cipher.decrypt(unhexlify(cookie)).decode().lstrip("!")
        row = self._database.execute(self._QUESTION, (key,)).fetchone()
        return User(*row) if row else None


class User(UserMixin):
    """Somebody with a session."""

    def __init__(self, number, username, email):
        self.id = number
        self.username = username
        self.gravatar = md5(email.encode()).hexdigest()


@login_manager.request_loader
def load_user(asked):
    """For every event, as Galaxy's does."""
    cookie = asked.cookies.get("galaxysession")
    return galaxy.user(cookie) if cookie else None


@socketio.on("connect", namespace="/chat")
def connect(auth=None):
    """Only people with a session may come in."""
    return "galaxysession" in request.cookies


@socketio.on("event room", namespace="/chat")
def send_room_message(message):
    """Somebody says something in a room."""
    emit(
        "event response room",
        {
            "data": html.escape(message["data"]),
            "user": current_user.username,
            "gravatar": current_user.gravatar,
            "chatroom": html.escape(message["room"]),
        },
        room=message["room"],
    )


@socketio.on("join", namespace="/chat")
def join(message):
    """Somebody joins a room, and everybody hears it."""
    join_room(message["room"])
    emit(
        "event response room",
        {"data": html.escape(message["room"]), "userjoin": current_user.username},
        broadcast=True,
    )
    return "ok"


@socketio.on("leave", namespace="/chat")
def leave(message):
    """Somebody leaves a room, and everybody hears it."""
    leave_room(message["room"])
    emit(
        "event response room",
        {"data": html.escape(message["room"]), "userleave": current_user.username},
        broadcast=True,
    )


if __name__ == "__main__":
    port, database, secret = sys.argv[1:]
    galaxy = Galaxy(database, secret)
    # With eventlet's own 1,024 the next client hangs.
    socketio.run(app, host="127.0.0.1", port=int(port), max_size=20000, log_output=False)
