"""The headers of pages: what they may load, and what browsers keep and tell others of them."""

from __future__ import annotations

from nncli.export.html.page import source_hash


def security_policy(style: str, script: str | None = None) -> str:
    """The policy of a page with its own style and script, which may ask the server that it is from."""
    scripts = "" if script is None else f"script-src '{source_hash(script)}'; connect-src 'self'; "
    rest = "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"default-src 'none'; style-src '{source_hash(style)}'; {scripts}{rest}"


def page_headers(policy: str) -> dict[str, str]:
    """The headers of a page with a policy."""
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
