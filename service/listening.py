"""The socket that is served on, had before anything is loaded or not at all."""

import socket

from indexer.errors import UsageError


def listening_socket(host: str, port: int) -> socket.socket:
    """Raises UsageError where the address cannot be had; port 0 takes a free one."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no host name"
        raise UsageError(
            f"{host}:{port}: cannot be served on ({reason}); choose another --host or --port"
        ) from error
