"""Who may speak to the server: the token, and the addresses that need none."""

import hmac
import ipaddress
import os
import secrets
from pathlib import Path

from handlens.errors import OptionError

_LEAST = 16
_MOST = 1024


def new_token() -> str:
    """Returns a fresh token: 43 characters that carry 256 random bits."""
    return secrets.token_urlsafe(32)


def read_token(path: Path) -> str:
    """Reads a token from a file: its one line, without the white space around it.

    Raises:
        OptionError: others can read it, or it is not one word of 16 to 1,024 printable ASCII characters.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise OptionError(f"{path} can be read by others, so its token is no secret; run: chmod 600 {path}")
        data = file.read(_MOST + 2)
    try:
        token = data.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not (_LEAST <= len(token) <= _MOST and token.isprintable() and " " not in token):
        raise OptionError(
            f"{path} holds no token; expected one line of {_LEAST} to {_MOST:,} printable ASCII characters without "
            "spaces; leave --token-file out to have one made"
        )
    return token


def is_token(header: str | None, token: str) -> bool:
    """Whether an Authorization header bears the token; the comparison's time does not depend on where they differ."""
    scheme, _, given = (header or "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode("utf-8"))
    return scheme.lower() == "bearer" and same


def is_loopback(host: str) -> bool:
    """Whether an address to bind is reachable from this machine only. A name other than localhost counts as not."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
