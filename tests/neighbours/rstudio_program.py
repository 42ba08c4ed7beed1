"""A stand-in for RStudio Server, with nothing but Python's own library.

It shows what RStudio needs of a proxy: it answers at its root and puts X-RStudio-Root-Path before
every address it sends; it decodes no %2F in paths; it signs in with a form that it reads only
under exactly the names that it knows; and with DISABLE_AUTH=true it signs in by itself.

    rstudio_program.py [--port 8787] [--address 127.0.0.1]
"""

import argparse
import base64
import html
import json
import os
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote

USER, PASSWORD = os.environ.get("USER_NAME", "rstudio"), os.environ.get("PASSWORD", "rstudio")
OPEN = os.environ.get("DISABLE_AUTH", "").lower() == "true"
COOKIE = "user-id"
_TICKET = secrets.token_hex(16)

# A key for trying out, known to everybody who reads this.
MODULUS = int(
    "cd91cff9880f9ff58d635598d8b705072101af1f575576867446e3fcaedb866cd2c7077d"
    "70ab1017fcdbf37afa127386cb4df1e8b5cfd7b01e77aa1af79633e40643f557f60f4294"
    "46aaf67803c4f9db2c42934965e988217cece378bb805c242f9e05c2fbfca1cdf89b2593"
    "40b6be220cf8974bbfe67e6225908c9d44105b7f",
    16,
)
EXPONENT = 0x10001
_PRIVATE = int(
    "26b8282c1fec917c76bd170a4b076df301cc8767a7d37917aa1f10222fed394c9606d6ea"
    "51a666c99ddeefe561e4c7cdc3cd529b3a638384b0b86959daf8779d4ce37b2021541afd"
    "22dcc52c31d7f6d53e403722dd6c7b98958f621a04fa3435e998a7d0035d2431d0b6ff5f"
    "fcf74d3943ffa8345b000e84e7ea14406e2adf41",
    16,
)


class RStudio(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/auth-public-key":
            self._text(f"{EXPONENT:x}:{MODULUS:x}")
        elif path == "/auth-sign-in":
            if OPEN:
                self._redirect("/")
            else:
                self._page("Sign in to RStudio", '<form method="post" action="auth-do-sign-in">')
        elif path == "/auth-sign-out":
            self._redirect("/auth-sign-in", f"{COOKIE}=; Path={self._cookie_path}; Max-Age=0")
        elif not self._signed_in:
            self._redirect(f"/auth-sign-in?appUri={quote(self.path, safe='')}")
        elif path == "/":
            self._page("RStudio", '<script src="rstudio/rstudio.nocache.js">')
        elif path.startswith("/told"):
            # Not RStudio's own: what has arrived, for tests.
            fields = [list(field) for field in self.headers.items()]
            self._text(json.dumps({"path": self.path, "headers": fields}), "application/json")
        elif path.startswith("/files/"):
            # A name may hold a slash, which is none of the path's.
            parts = [unquote(part) for part in path.removeprefix("/files/").split("/")]
            self._text(json.dumps(parts), "application/json")
        else:
            self._text("Not found", status=404)

    def do_POST(self) -> None:
        # RStudio looks for these names as they are written.
        named = dict(self.headers.items())
        size, sort = named.get("Content-Length"), named.get("Content-Type")
        if size is None:
            self.close_connection = True
            self._text("No Content-Length", status=400)
            return
        body = self.rfile.read(int(size)).decode("latin-1")
        if self.path == "/auth-do-sign-in":
            form = parse_qs(body) if sort == "application/x-www-form-urlencoded" else {}
            self._sign_in({name: values[0] for name, values in form.items()})
        elif not self._signed_in:
            self._text("Unauthorized", status=401)
        elif self.path.startswith("/rpc/") and sort == "application/json":
            self._text(json.dumps({"result": json.loads(body)}), "application/json")
        else:
            self._text("Bad request", status=400)

    def _sign_in(self, form: "dict[str, str]") -> None:
        if _decrypted(form.get("v", "")) == f"{USER}\n{PASSWORD}":
            cookie = f"{COOKIE}={_TICKET}; Path={self._cookie_path}; HttpOnly"
            self._redirect(form.get("appUri") or "/", cookie)
        else:
            self._redirect("/auth-sign-in?error=2")

    @property
    def _root(self) -> str:
        """The path below which visitors see it, without a slash at the end."""
        return self.headers.get("X-RStudio-Root-Path", "").rstrip("/")

    @property
    def _cookie_path(self) -> str:
        return self._root or "/"

    @property
    def _signed_in(self) -> bool:
        pairs = (pair.strip() for pair in self.headers.get("Cookie", "").split(";"))
        return OPEN or f"{COOKIE}={_TICKET}" in pairs

    def _redirect(self, path: str, cookie: str = "") -> None:
        self.send_response(302)
        self.send_header("Location", f"{self._root}{path}")
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _page(self, title: str, more: str) -> None:
        base = html.escape(f"{self._root}/")
        self._text(f'<title>{title}</title><base href="{base}">{more}', "text/html")

    def _text(self, text: str, sort: str = "text/plain", status: int = 200) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{sort}; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def _decrypted(text: str) -> str:
    """What a page has encrypted with the public key (PKCS #1 v1.5); "" for anything else."""
    try:
        number = int.from_bytes(base64.b64decode(text, validate=True), "big")
    except ValueError:
        return ""
    size = (MODULUS.bit_length() + 7) // 8
    padded = pow(number, _PRIVATE, MODULUS).to_bytes(size, "big")
    start, _, plain = padded.partition(b"\0")[2].partition(b"\0")
    return plain.decode("latin-1") if start[:1] == b"\2" else ""


def encrypted(text: str) -> str:
    """What RStudio's page makes of a user and a password."""
    size = (MODULUS.bit_length() + 7) // 8
    plain = text.encode("latin-1")
    padding = bytes(secrets.choice(range(1, 256)) for _ in range(size - 3 - len(plain)))
    padded = int.from_bytes(b"\0\2" + padding + b"\0" + plain, "big")
    return base64.b64encode(pow(padded, EXPONENT, MODULUS).to_bytes(size, "big")).decode()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=8787)
    options.add_argument("--address", default="127.0.0.1")
    given = options.parse_args()
    with ThreadingHTTPServer((given.address, given.port), RStudio) as server:
        server.daemon_threads = True
        print(f"RStudio's stand-in listens on port {given.port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
