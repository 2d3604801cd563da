"""HTTP/1.1 on a socket: uvicorn's, with an end to what a head may hold, and errors in the one body."""

from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.problems import problem

_MOST_HEADERS = 100
_MOST_HEAD_BYTES = 32 << 10


class StrictProtocol(HttpToolsProtocol):
    """Refuses what is no HTTP with 400, and a head over the limits with 431, as soon as it gets there. What
    stands behind a body in chunks, the trailers, is passed over, and has the limits of a head."""

    _head_bytes = 0  # that arrived since the last head was complete or some of a body came
    _in_body = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # else it is a trailer, which must not pass for a header
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._too_large():
            raise ValueError("the parser stops here, and send_400_response tells why")
        super().on_headers_complete()
        self._in_body = True
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)  # until it is known where the head ends, or that it is a body
        super().data_received(data)
        if self._head_bytes > _MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("")

    def _too_large(self) -> bool:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return size > _MOST_HEAD_BYTES or len(self.headers) > _MOST_HEADERS

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  it says nothing that helps
        """What uvicorn answers to whatever its parser stops at. Where an earlier request is not answered yet,
        its client would take the refusal for the answer: it only sees the end."""
        current = self.cycle
        own = self._in_body and not self.pipeline  # the body of the current request is what is broken
        if current is None or current.response_complete or (own and not current.response_started):
            self.transport.write(self._refusal())
        self.transport.close()

    def _refusal(self) -> bytes:
        if self._head_bytes > _MOST_HEAD_BYTES or (self.headers and self._too_large()):
            status, code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"
            detail = f"the headers must be at most {_MOST_HEAD_BYTES} bytes, in {_MOST_HEADERS} headers"
        else:
            status, code, detail = HTTPStatus.BAD_REQUEST, "bad_request", "this is not HTTP/1.1"
        refusal = problem(status, detail, code=code, headers={"Connection": "close"})
        head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        head += [name + b": " + value for name, value in refusal.raw_headers]
        return b"\r\n".join([*head, b"", bytes(refusal.body)])

    def _unsupported_upgrade_warning(self) -> None:
        """Offers to speak something else are passed over, as they may be; the request is answered."""
