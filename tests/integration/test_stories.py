"""A wire's story, two papers that print it, an update, a relative day: over HTTP and typed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.folder import IndexFolder
from indexer.local.generation import LocalIndex
from tests.conftest import build_index
from tests.integration.server import Server, serving
from tests.integration.test_formats import dateline
from tests.newsroom import STORIES, page
from tests.site import Page, Site, site

TEXT = (
    "A storm tore the roof off the swimming hall at Pell Harbour on Saturday. Forty-one swimmers left by the "
    "side door and nobody was hurt. The mayor, Ines Karlqvist, called it luck.\n\n"
    "Repairs will cost 640,000 crowns. The hall was insured for half of that. It stays closed.\n\n"
    "The roof had been inspected in autumn and passed."
)
CUT = TEXT.split("\n\nThe roof had", maxsplit=1)[0]
URL = "https://wire.example/pell-harbour"
Record = dict[str, str | None]
WIRE: Record = {
    "id": "wire",
    "title": "Storm tears roof off swimming hall",
    "text": TEXT,
    "published_at": "2024-02-12T06:00:00Z",
    "source": "Meridian Wire",
    "url": URL,
}
ECHO = {
    **WIRE,
    "id": "echo",
    "title": "Roof gone at Pell Harbour",
    "text": CUT,
    "source": "Echo",
    "url": None,
}
ECHO["published_at"] = "2024-02-12T09:30:00Z"
POST = {
    **WIRE,
    "id": "post",
    "title": "“Luck”, says mayor",
    "text": CUT.replace("tore", "ripped"),
    "url": None,
}
POST |= {"source": "Harbour Post", "published_at": "2024-02-11T23:00:00-05:00"}
WARDS: list[Record] = [
    {
        "id": day,
        "title": "Hospital opens a ward",
        "source": "Echo",
        "published_at": day,
        "text": f"The hospital opened a ward for {whom} last Tuesday. It has twelve beds and a garden.",
    }
    for day, whom in (("2024-05-13", "burns"), ("2024-05-27", "children"))
]
QUESTION = "What will the repairs of the swimming hall roof cost?"


def write(file: Path, *records: Record) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def index(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once from all five, then the wire's page again, changed."""
    folder = tmp_path_factory.mktemp("stories")
    shutil.copytree(seed_index, folder / "index")  # whose encoder is taken over
    build_index(folder / "index", write(folder / "all.jsonl", POST, ECHO, WIRE, *WARDS))
    update = {**WIRE, "text": TEXT.replace("640,000", "710,000"), "url": f"{URL}?utm_source=feed"}
    build_index(folder / "index", write(folder / "update.jsonl", update), from_current=True)
    return folder / "index"


@pytest.fixture(scope="module")
def server(index: Path) -> Iterator[Server]:
    with serving(index) as running:
        yield running


def found(server: Server, **asked: object) -> list[dict[str, object]]:
    answered = server.client.post("/v1/search", json={"query": QUESTION, **asked})
    assert answered.status_code == 200
    results: list[dict[str, object]] = answered.json()["results"]
    return results


def ids(results: object) -> list[str]:
    assert isinstance(results, list)
    return [one["article_id"] for one in results]


def test_a_story_is_found_once_in_its_earliest_copy_which_names_the_others(server: Server) -> None:
    first, *others = found(server)
    assert first["article_id"] == "post"  # 23:00 five hours west of Greenwich is 04:00 there
    assert ids(first["also_in"]) == ["wire", "echo"]
    assert not {"wire", "echo"} & set(ids(others))


def test_every_copy_is_found_where_nothing_is_collapsed(server: Server) -> None:
    results = found(server, collapse=False)
    assert set(ids(results)[:3]) == {"post", "wire", "echo"}
    link = server.client.get("/v1/search", params={"q": QUESTION, "collapse": "false"}).json()
    assert ids(link["results"]) == ids(results)


def test_a_copy_stands_for_its_story_where_the_filters_want_its_paper(server: Server) -> None:
    (result,) = [one for one in found(server, filters={"source": ["Echo"]}) if one["also_in"]]
    assert result["article_id"] == "echo"
    assert ids(result["also_in"]) == ["post", "wire"]


def test_an_answer_quotes_one_copy_and_names_the_others(server: Server) -> None:
    told = server.client.post("/v1/answer", json={"query": QUESTION}).json()
    sources = {source["article_id"]: ids(source["also_in"]) for source in told["sources"]}
    copies = {"post", "wire", "echo"}
    assert len(copies & sources.keys()) == 1
    (quoted,) = copies & sources.keys()
    assert set(sources[quoted]) == copies - {quoted}


def test_what_an_article_said_before_is_told(server: Server, index: Path) -> None:
    article = server.client.get("/v1/articles/wire").json()
    assert "710,000 crowns" in article["text"]
    assert article["versions"] == 1
    assert ids(article["also_in"]) == ["post", "echo"]
    history = server.client.get("/v1/history/wire").json()
    before, now = history["versions"]
    assert before["seen_at"] <= now["seen_at"] == article["seen_at"]
    assert (before["added"], before["removed"]) == ([], [])
    assert now["removed"] == ["Repairs will cost 640,000 crowns."]
    assert now["added"] == ["Repairs will cost 710,000 crowns."]
    assert server.client.get("/v1/history/nobody").status_code == 404
    printed = dateline(index.parent, "history", "wire")
    assert "- Repairs will cost 640,000 crowns." in printed.stdout
    assert "+ Repairs will cost 710,000 crowns." in printed.stdout
    assert (
        json.loads(dateline(index.parent, "history", "wire", "--json").stdout)["versions"]
        == history["versions"]
    )


def test_stories_in_several_copies_are_listed(index: Path) -> None:
    listed = dateline(index.parent, "stories", "--json")
    (story,) = map(json.loads, listed.stdout.splitlines())
    assert ids(story["copies"]) == ["post", "wire", "echo"]
    printed = dateline(index.parent, "stories").stdout
    assert printed.count("also in") == 2
    assert "Harbour Post" in printed.splitlines()[0]
    assert "also in Meridian Wire" in dateline(index.parent, "search", QUESTION).stdout
    assert "also in" in dateline(index.parent, "search", QUESTION, "--no-collapse").stdout


def test_a_trusted_source_stands_for_its_story_and_a_rebuild_keeps_the_history(
    seed_index: Path, tmp_path: Path
) -> None:
    articles = write(tmp_path / "all.jsonl", POST, ECHO, WIRE, *WARDS)
    target = Path(shutil.copytree(seed_index, tmp_path / "index"))
    build_index(target, articles)
    build_index(
        target,
        write(tmp_path / "all.jsonl", POST, ECHO, {**WIRE, "text": CUT}),
        trusted_sources=("Echo",),
    )
    with LocalIndex(IndexFolder(target)).open_best(pytest.fail) as generation:
        assert list(generation.corpus.stories()) == [["echo", "post", "wire"]]
        assert [version.text for version in generation.corpus.versions("wire")] == [TEXT]
        assert generation.manifest.settings["trusted_sources"] == ["Echo"]


@pytest.mark.parametrize(
    ("day", "said", "article"),
    [
        ("7 May 2024", "2024-05-07", "2024-05-13"),
        ("May 7, 2024", "2024-05-07", "2024-05-13"),
        ("2024-05-21", "2024-05-21", "2024-05-27"),
        ("Tuesday, 21 May 2024", "2024-05-21", "2024-05-27"),
    ],
)
def test_a_question_about_a_day_finds_what_happened_last_tuesday(
    server: Server, day: str, said: str, article: str
) -> None:
    first = server.client.get("/v1/search", params={"q": f"What did the hospital open on {day}?"}).json()[
        "results"
    ][0]
    assert first["article_id"] == article
    (mention,) = first["mentions"]
    assert mention["first"] == mention["last"] == said
    assert first["text"][mention["start"] : mention["end"]] == "last Tuesday"


@pytest.fixture
def there() -> Iterator[Site]:
    """A site with two stories, in its feed and its sitemap; one may not be fetched."""
    with site() as there:
        for name in ("html", "warc"):
            content = page(STORIES[name]).encode()
            there.pages[f"/{name}"] = Page(
                content, headers={"Content-Type": "text/html", "ETag": f'"{name}"'}
            )
        there.pages["/robots.txt"] = Page(b"User-agent: *\nDisallow: /warc\n")
        links = [f"{there.url}/html", f"{there.url}/warc"]
        items = "".join(
            f"<item><link>{one}</link><description>A teaser.</description></item>" for one in links
        )
        channel = f"<channel><title>Echo</title>{items}</channel>"
        there.pages["/feed"] = Page(f"<?xml version='1.0'?><rss version='2.0'>{channel}</rss>".encode())
        urls = "".join(f"<url><loc>{one}</loc></url>" for one in links)
        there.pages["/sitemap.xml"] = Page(f"<?xml version='1.0'?><urlset>{urls}</urlset>".encode())
        yield there


@pytest.mark.parametrize(
    ("option", "address"), [("--from-feed", "/feed"), ("--from-sitemap", "/sitemap.xml")]
)
def test_articles_come_from_a_feed_or_a_sitemap(
    there: Site,
    seed_index: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    address: str,
) -> None:
    shutil.copytree(seed_index, tmp_path / "index")
    for name, value in (("PRIVATE", "true"), ("PAUSE_S", "0"), ("CACHE", str(tmp_path / "cache"))):
        monkeypatch.setenv(f"DATELINE_FETCH_{name}", value)
    built = dateline(tmp_path, "index", "build", option, there.url + address, "--json")
    assert built.returncode == 0, built.stderr
    counts = json.loads(built.stdout)["counts"]
    assert counts["articles"] == (2 if option == "--from-feed" else 1)  # a feed tells a teaser
    assert "/warc" not in there.paths()
    assert ("robots.txt does not let us" in built.stderr) == (option == "--from-sitemap")
    first = dateline(tmp_path, "search", STORIES["html"].question, "--json").stdout.splitlines()[0]
    assert STORIES["html"].answer in json.loads(first)["text"]
    again = dateline(tmp_path, "index", "add", option, there.url + address, "--json")
    counts = json.loads(again.stdout)["counts"]
    assert counts["encoded"] == 0
    assert counts["repeated"] == counts["articles"]
    assert there.asked[-1].headers["If-None-Match"] == '"html"'
