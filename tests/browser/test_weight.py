"""The page is light enough to be opened anywhere."""

import re

import pytest

from tests.integration.server import Server

MOST_BYTES = 60 * 1024
VIEWS = ["ask", "search", "quotes", "timeline", "admin"]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_weighs_little(server: Server, view: str) -> None:
    """Everything that opening a view loads, as it is sent: compressed, without data."""
    sent: dict[str, int] = {}
    waiting = ["/", f"/static/{view}.js"]
    while waiting:
        path = waiting.pop()
        if path in sent:
            continue
        response = server.client.get(path, headers={"Accept-Encoding": "gzip"})
        assert response.status_code == 200, path
        sent[path] = int(response.headers["content-length"])
        assert sent[path] < 2000 or response.headers.get("content-encoding") == "gzip", path
        if path == "/":
            waiting += re.findall(r'(?:src|href)="(/static/[^"]+)"', response.text)
        elif path.endswith(".js") and "/vendor/" not in path:
            waiting += [
                f"/static/{name}" for name in re.findall(r'(?:from |import )"\./([^"]+)"', response.text)
            ]
    assert {"/static/app.js", f"/static/{view}.js", "/static/vendor/preact.js"} <= set(sent)
    assert sum(sent.values()) <= MOST_BYTES, sent
