"""Pages of a site beside the chat, on another port: Galaxy's old masthead, and a strict page."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

from tests.neighbours.chat_pages import HOSTILE
from tests.neighbours.program import CleanUp

USERNAME = "mallory"
"""Who the old masthead says it is; the chat knows better."""

_PAGE = """<!DOCTYPE html><html lang="en"><head><title>Galaxy</title>
<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>
<body><main><h1>Galaxy</h1><p>A page of somebody else. <a href="#there">A link</a></p></main>
{body}</body></html>
"""
# What Galaxy's client did up to 20.09: ask across origins and without a cookie whether there is a
# chat, show an icon if so, and open the chat in a frame.
_MASTHEAD = """<button id="show-chat-online" hidden>Chat online</button>
<script>
const icon = document.getElementById("show-chat-online");
fetch("{chat}", {{credentials: "omit"}}).then(answer => {{ icon.hidden = !answer.ok; }});
icon.onclick = () => {{
    const frame = document.createElement("iframe");
    Object.assign(frame, {{title: "Chat", width: 600, height: 350}});
    frame.src = "{chat}?username={name}&persistent_communication_rooms={rooms}";
    document.body.append(frame);
}};
</script>"""


class SomebodyElsesPages:
    """Serves ``/`` with the old masthead, and ``/strict`` with the widget.

    :ivar origin: of the pages.
    """

    def __init__(self, test: CleanUp, port: int, chat: str, rooms: str) -> None:
        """
        :param port: of 127.0.0.1, where it listens.
        :param chat: the chat's address, with a slash at the end.
        :param rooms: those that the masthead names.
        """
        self.origin = f"http://127.0.0.1:{port}"
        parts = urlsplit(chat)
        there, sockets = f"http://{parts.netloc}", f"ws://{parts.netloc}"
        tag = f'<script src="{chat}widget.js" async></script>'
        policy = (
            f"default-src 'none'; script-src {there}; connect-src {there} {sockets}; "
            "style-src 'self'; base-uri 'none'; form-action 'none'"
        )
        masthead = _MASTHEAD.format(chat=chat, name=quote(USERNAME), rooms=quote(rooms))
        page = _PAGE.format(head='<link rel="stylesheet" href="/page.css">' + tag, body="")
        answers = {
            "/": ("text/html", "", _PAGE.format(head="", body=masthead)),
            "/strict": ("text/html", policy, page),
            "/page.css": ("text/css", "", HOSTILE),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                if path not in answers:
                    # Such as the favicon that browsers ask for.
                    self.send_response(204)
                    self.end_headers()
                    return
                content_type, policy, body = answers[path]
                self.send_response(200)
                self.send_header("Content-Type", f"{content_type}; charset=utf-8")
                if policy:
                    self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        # It may end with the process, which waits for other threads first.
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()

        def end() -> None:
            server.shutdown()
            thread.join()
            server.server_close()

        test.addCleanup(end)
