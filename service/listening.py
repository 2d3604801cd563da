"""The sockets that are served on, had before anything is loaded or not at all."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv6Address, ip_address

from indexer.errors import UsageError


def listening_socket(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Raises UsageError where the address cannot be had; port 0 takes a free one. `shared`: other sockets of
    this user may have the same one."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024, reuse_port=shared)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no host name"
        raise UsageError(
            f"{host}:{port}: cannot be served on ({reason}); choose another --host or --port"
        ) from error


@contextmanager
def listening_sockets(host: str, port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many sockets of one address, among which the system divides those who call. Raises as above."""
    with ExitStack() as opened:
        if count == 1:
            yield [opened.enter_context(listening_socket(host, port))]
            return
        if not hasattr(socket, "SO_REUSEPORT"):
            raise UsageError("workers: this system has one process for a port; leave it at 1")
        # Nobody else may serve there, though these could share it with them.
        listening_socket(host, port).close()
        sockets = [opened.enter_context(listening_socket(host, port, shared=True))]
        taken = sockets[0].getsockname()[1]
        sockets += [
            opened.enter_context(listening_socket(host, taken, shared=True)) for _ in range(count - 1)
        ]
        yield sockets


def is_local(name: str) -> bool:
    """Whether a host's name or address is this machine's own, that no other can reach."""
    return name == "localhost" or is_loopback(name)


def is_loopback(address: str) -> bool:
    """Of an address; False for what is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback
