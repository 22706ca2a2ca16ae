"""A browser without a browser: cookies, forms and redirects over plain HTTP, against a real server."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.serving import Reply, Server

FORM = "application/x-www-form-urlencoded"


@dataclass
class Browser:
    """What a browser keeps between requests.

    Attributes
    ----------
    server : Server
    cookies : dict of str to str
    set_cookies : list of str
        Every ``Set-Cookie`` line that came, as it came.
    """

    server: Server
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    def get(self, path: str, **headers: str) -> Reply:
        """Open a page; redirects are not followed."""
        return self._keep(self.server.send("GET", path, Accept="text/html", **self._cookie(), **headers))

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Reply:
        """Send a form as a page of this site does, unless the headers say otherwise."""
        sent = {"Content_Type": FORM, "Sec_Fetch_Site": "same-origin", **self._cookie(), **headers}
        body = urlencode(fields).encode()
        return self._keep(self.server.send("POST", path, body=body, Accept="text/html", **sent))

    def sign_in(self, key: str = "analyst", next_path: str = "/queue") -> Reply:
        """Sign in with a key of the server's."""
        token = token_of(self.get("/sign-in"))
        fields = {"csrf_token": token, "key": self.server.keys.get(key, key), "next": next_path}
        return self.post("/sign-in", fields)

    def _cookie(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())} if self.cookies else {}

    def _keep(self, reply: Reply) -> Reply:
        line = header(reply, "set-cookie")
        if line:
            self.set_cookies.append(line)
            name, _, value = line.partition(";")[0].partition("=")
            if not value or value == '""':
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return reply


def header(reply: Reply, name: str) -> str:
    """Return a header of a reply; empty where it has none."""
    return next((value for key, value in reply.headers.items() if key.lower() == name), "")


def token_of(reply: Reply) -> str:
    """Return the token of the page's forms."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', reply.body.decode())
    assert found, reply.body.decode()[:500]
    return found[1]


def text_of(reply: Reply) -> str:
    """Return what a reader sees of a page, roughly."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", reply.body.decode()))).replace("\u00a0", " ")
