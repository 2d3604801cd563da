"""The page is light enough to be loaded anywhere."""

import re

from tests.integration.server import Server

_LINKS = r'(?:from |import\(|import )"\./([^"]+)"|(?:src|href)="(/static/[^"]+)"'
MOST_BYTES = 60 * 1024


def test_the_whole_page_weighs_little(server: Server) -> None:
    """Everything of every view, as it is sent: compressed, without data."""
    seen: dict[str, int] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        response = server.client.get(path, headers={"Accept-Encoding": "gzip"})
        assert response.status_code == 200, path
        sent = int(response.headers["content-length"])
        if response.headers.get("content-encoding") != "gzip":
            assert sent < 2000 or path == "/", f"{path} is sent as it is"
        seen[path] = sent
        if not path.startswith("/static/vendor/"):
            base = "/static/" if path.startswith("/static/") else "/"
            linked = re.findall(_LINKS, response.text)
            waiting += [base + module if module else file for module, file in linked]
    assert {"/static/app.js", "/static/admin.js", "/static/vendor/preact.js"} <= set(seen)
    assert sum(seen.values()) <= MOST_BYTES, seen
