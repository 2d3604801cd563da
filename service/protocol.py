"""HTTP/1.1 on a socket: uvicorn's, with an end to what a head may hold, and errors in the one body."""

from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.problems import problem

_MOST_HEADERS = 200
_MOST_HEAD_BYTES = 32 * 1024


class StrictProtocol(HttpToolsProtocol):
    """Refuses what is no HTTP with 400, and a head over the limits with 431, as soon as it gets there."""

    _head_bytes = 0  # of the head that is arriving
    _in_head = False

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        if self._too_large():
            raise ValueError("the parser stops here, and send_400_response tells why")

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():  # a line that does not end is no header yet
            self._head_bytes = max(self._head_bytes, 0) + len(data)
            if self._too_large():
                self.send_400_response("")

    def _unsupported_upgrade_warning(self) -> None:
        """Offers to speak something else are passed over, as they may be; the request is answered."""

    def _too_large(self) -> bool:
        return self._head_bytes > _MOST_HEAD_BYTES or len(self.headers or ()) > _MOST_HEADERS

    def send_400_response(self, msg: str) -> None:
        """What uvicorn answers to whatever its parser stops at; the message says nothing that helps."""
        del msg
        if self._too_large():
            status, code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"
            detail = f"the headers must be at most {_MOST_HEADERS} and {_MOST_HEAD_BYTES} bytes"
        else:
            status, code, detail = HTTPStatus.BAD_REQUEST, "bad_request", "this is not HTTP/1.1"
        refusal = problem(status, detail, code=code, headers={"Connection": "close"})
        head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        head += [name + b": " + value for name, value in refusal.raw_headers]
        self.transport.write(b"\r\n".join([*head, b"", bytes(refusal.body)]))
        self.transport.close()
