"""What keeps a browser safe: headers on every page, and forms that only our own pages can send."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

PAGE_HEADERS: Final = {
    # Nothing runs and nothing comes from elsewhere; styles and fonts are files of ours.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: that would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def is_same_origin(request: Request) -> bool:
    """Whether a form came from a page of this very site.

    Browsers tell it in ``Sec-Fetch-Site``; older ones in ``Origin``, whose host must be the one that was asked (the
    scheme may differ behind a proxy that ends TLS). A form without either header does not come from a browser page.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    try:
        return origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:  # no address at all
        return False


def is_loopback_http(request: Request) -> bool:
    """Whether this is plain HTTP that never leaves the machine: the one place where a cookie need not be Secure."""
    return request.url.scheme == "http" and request.url.hostname is not None and _is_loopback(request.url.hostname)


def own_path(target: str | None, otherwise: str = "/queue") -> str:
    r"""Return a path of this site to go on to, never another site's.

    Examples
    --------
    >>> own_path("/cases/1?x=2"), own_path("//evil.example/"), own_path("https://evil.example"), own_path("/\\evil")
    ('/cases/1?x=2', '/queue', '/queue', '/queue')
    """
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\") or len(target) > 512:
        return otherwise
    return target if target.isprintable() and "\\" not in target else otherwise


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
