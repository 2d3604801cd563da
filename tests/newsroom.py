"""A newsroom's folder: one story in each format that is read, written as such files are written."""

import csv
import gzip
import json
import zlib
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple


class Story(NamedTuple):
    """What a file tells, and a question that only its story answers with `answer`."""

    title: str
    text: str
    day: str
    question: str
    answer: str


STORIES = {
    "html": Story(
        "Lighthouse keeper of Gull Point retires",
        "Ottoline Brandreth has kept the light at Gull Point for forty-one years. On Friday she hands the keys to "
        "a machine made in Trondheim. She says that she will miss the fog most of all.\n\nThe harbour board "
        "thanked her with a brass barometer. Nobody will live on the rock after her.",
        "2024-03-05",
        "Where was the machine made that replaces the lighthouse keeper?",
        "Trondheim",
    ),
    "html.gz": Story(
        "Tram line seven returns to Castle Street",
        "Line seven will cross Castle Street again from May. The tram was stopped nine years ago when the viaduct "
        "cracked. Engineers poured two thousand tonnes of concrete under its arches.\n\nThe first ride is free for "
        "everyone who was born in the year of the closure.",
        "2024-04-12",
        "How much concrete was poured under the viaduct arches for the tram?",
        "two thousand tonnes",
    ),
    "pdf": Story(
        "Beekeepers count fewer winter losses",
        "Beekeepers in the valley lost one colony in twelve this winter. That is the smallest share since counting "
        "began in 1998. A mild January and a new treatment against mites are named as the reasons. The association "
        "will repeat the count in autumn.",
        "2024-04-02",
        "What share of bee colonies was lost this winter?",
        "one colony in twelve",
    ),
    "rss": Story(
        "Chess club wins the county trophy",
        "The chess club of Alderbrook has won the county trophy for the first time. Its youngest player, "
        "eleven-year-old Priya Castellan, drew the last game with a rook against two pawns.",
        "2024-02-18",
        "Who drew the last game for the chess club?",
        "Priya Castellan",
    ),
    "atom": Story(
        "Museum buys the oldest map of the marshes",
        "The county museum paid 18,000 crowns for a map of the marshes drawn in 1612 by Willem Haak. It shows "
        "three villages that the sea has taken since.",
        "2024-01-23",
        "Who drew the oldest map of the marshes?",
        "Willem Haak",
    ),
    "sitemap": Story(
        "Bakery on Mill Lane burns down",
        "A fire destroyed the bakery on Mill Lane in the night to Sunday. The baker, Tomasz Ferrant, saved the "
        "sourdough that his grandmother had begun in 1931. The police think of a broken oven fan.\n\nNobody was "
        "hurt. A neighbour has lent him her garage so that he can go on baking.",
        "2024-05-06",
        "What did the baker save from the fire?",
        "sourdough",
    ),
    "warc": Story(
        "Ferry timetable halves in winter",
        "The ferry to Skerry Island will sail twice a day instead of four times from November. The operator says "
        "that diesel costs more than the tickets bring in. Islanders have written to the minister.\n\nThe school "
        "boat is not touched by the new timetable.",
        "2023-10-20",
        "What does the ferry operator say of diesel and tickets?",
        "diesel costs more",
    ),
    "jsonl": Story(
        "Council buys electric buses",
        "The council voted on Monday to buy fourteen electric buses. They are to replace the diesel fleet by the "
        "end of next year. The depot on Quay Road gets a transformer of its own.",
        "2024-06-11",
        "How many electric buses does the council buy?",
        "fourteen",
    ),
    "csv": Story(
        "Otters return to the upper river",
        'Otters have come back to the upper river, the warden Halvard Quist said. "We found prints, and then '
        'one looked at me," he told members. They had been gone for thirty years.',
        "2024-03-30",
        "Who said that otters have come back?",
        "Halvard Quist",
    ),
    "parquet": Story(
        "Observatory opens its dome to schools",
        "The observatory on Kestrel Hill opens its dome to schools on every clear Thursday. Its telescope has a "
        "mirror of eighty centimetres. Pupils may name the craters that they find, for one night.",
        "2024-02-02",
        "How large is the mirror of the telescope on Kestrel Hill?",
        "eighty centimetres",
    ),
    "md": Story(
        "Rowers cross the bay for the hospice",
        "Six rowers crossed the bay on Saturday and raised 9,300 crowns for the hospice. The crossing took seven "
        "hours against the tide. Their cox, Marguerite Oyelaran, lost her voice on the way.",
        "2024-05-27",
        "How much did the rowers raise for the hospice?",
        "9,300 crowns",
    ),
    "txt": Story(
        "Library lends out umbrellas",
        "The library of Wexcombe lends out umbrellas from this week. Readers may keep one for three days. "
        "The librarian expects to lose a tenth of them in a year.",
        "2024-04-19",
        "How long may readers keep an umbrella from the library?",
        "three days",
    ),
    "eml": Story(
        "Cheese market moves to the old station",
        "The cheese market moves into the old station hall in September. Twenty-two dairies have booked a stall. "
        "The tracks are covered with oak boards from a ship that was broken up.",
        "2024-07-08",
        "Where does the cheese market move?",
        "old station hall",
    ),
    "stdin": Story(
        "Glacier tongue loses forty metres",
        "The tongue of the Isfall glacier has drawn back by forty metres in a year. Surveyors measured it with "
        "poles set by their predecessors in 1922. The hut below it may lose its spring.",
        "2024-08-30",
        "By how much has the Isfall glacier drawn back?",
        "forty metres",
    ),
}


def write_newsroom(folder: Path) -> None:
    """Writes each story but that of standard input as a file of its format; names give no format away
    where content can tell it."""
    folder.mkdir(parents=True)
    _write(folder / "saved-page", page(STORIES["html"]).encode())
    _write(folder / "saved-page.gz", gzip.compress(page(STORIES["html.gz"]).encode("utf-16")))
    _write(folder / "report", pdf(_pdf_lines(STORIES["pdf"])))
    _write(folder / "feed-1", _rss(STORIES["rss"]))
    _write(folder / "feed-2", _atom(STORIES["atom"]))
    _sitemap(folder / "site", STORIES["sitemap"])
    _write(
        folder / "crawl", gzip.compress(warc_record("https://ferry.example/winter", page(STORIES["warc"])))
    )
    _write(folder / "records", (json.dumps(record(STORIES["jsonl"])) + "\n").encode())
    with (folder / "table").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, ["headline", "body", "date", "outlet"])
        table.writeheader()
        story = STORIES["csv"]
        table.writerow(
            {"headline": story.title, "body": story.text, "date": story.day, "outlet": "River Post"}
        )
    _parquet(folder / "columns", STORIES["parquet"])
    story = STORIES["md"]
    front = f"---\ntitle: {story.title}\ndate: {story.day}\n---\n"
    _write(folder / "notes", f"{front}\n{story.text.replace('Saturday', '**Saturday**')}\n".encode())
    story = STORIES["txt"]
    _write(
        folder / "copied",
        f"{story.title}\n19 April 2024\n{story.text}\nRead more\n© 2024 Wexcombe Gazette\n".encode(),
    )
    _mail(folder / "newsletter", STORIES["eml"])


def record(story: Story) -> dict[str, str]:
    return {"title": story.title, "text": story.text, "published_at": story.day, "source": "County Wire"}


def page(story: Story) -> str:
    """A page as a site sends it, with its navigation, teasers and foot."""
    paragraphs = "".join(f"<p>{paragraph}</p>\n" for paragraph in story.text.split("\n\n"))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{story.title} | The Coast Ledger</title>
<meta property="og:title" content="{story.title}"><meta property="og:site_name" content="The Coast Ledger">
<meta property="article:published_time" content="{story.day}T07:15:00+01:00"></head>
<body><nav><ul><li><a href="/">Home</a></li><li><a href="/world">World</a></li><li><a href="/sport">Sport</a></li></ul></nav>
<header><a href="/subscribe">Subscribe now for unlimited access</a></header>
<main><article><h1>{story.title}</h1><p class="byline">By <a rel="author" href="/staff/1">Wilhelmina Dray</a></p>
{paragraphs}</article>
<aside><h2>Most read</h2><ul><li><a href="/a">Ten walks for a rainy day</a></li><li><a href="/b">Crossword</a></li></ul></aside>
</main><footer>© 2024 The Coast Ledger. All rights reserved. <a href="/privacy">Privacy policy</a></footer></body></html>
"""


def warc_record(url: str, content: str | bytes, *, lie: int = 0, status: str = "200 OK") -> bytes:
    """A crawled page; the record claims `lie` bytes more than it has."""
    body = content.encode() if isinstance(content, str) else content
    http = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\n"
        f"WARC-Target-URI: {url}\r\nWARC-Date: 2024-01-02T03:04:05Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{zlib.crc32(url.encode()):08x}-0000-0000-0000-000000000000>\r\n"
        "Content-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http) + lie}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def pdf(lines: Sequence[str], *, encrypted: bool = False) -> bytes:
    """A PDF of one page with these lines; without any, a page with nothing but a picture of grey."""
    drawn = "0.5 g 50 50 400 600 re f"
    if lines:
        shown = " ".join(f"({line.translate(_ESCAPED)}) Tj T*" for line in lines)
        drawn = f"BT /F1 11 Tf 14 TL 60 740 Td {shown} ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R"
    if encrypted:
        objects.append(f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{'0a' * 32}> /U <{'0b' * 32}> >>")
        trailer = f"/Size {len(objects) + 1} /Root 1 0 R /Encrypt 6 0 R /ID [<00> <00>]"
    content = "%PDF-1.4\n"
    places = []
    for number, one in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n{one}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        f"{content}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << {trailer} >>\nstartxref\n{len(content)}\n%%EOF\n"
    ).encode("latin-1")


_ESCAPED = str.maketrans({"(": r"\(", ")": r"\)", "\\": r"\\"})


def _pdf_lines(story: Story) -> list[str]:
    """Title, date and text, broken into lines as on paper."""
    lines, line = [story.title, "", "2 April 2024", ""], ""
    for word in story.text.split():
        if len(line) + len(word) > 70:
            lines.append(line.strip())
            line = ""
        line += f" {word}"
    return [*lines, line.strip()]


def _rss(story: Story) -> bytes:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Alderbrook Echo</title><link>https://echo.example/</link><language>en-gb</language>
<item><title>{story.title}</title><link>https://echo.example/sport/chess?utm_source=rss</link>
<pubDate>Sun, 18 Feb 2024 09:00:00 GMT</pubDate><description>The chess club has won.</description>
<content:encoded><![CDATA[<p>{story.text}</p><img src="x.jpg">]]></content:encoded></item>
</channel></rss>
""".encode()


def _atom(story: Story) -> bytes:
    return f"""<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Museum Mirror</title><id>urn:x</id><updated>2024-01-23T10:00:00Z</updated>
<entry><title>{story.title}</title><id>urn:x:map</id><link href="https://mirror.example/map"/>
<published>2024-01-23T10:00:00+01:00</published><updated>2024-01-24T10:00:00Z</updated>
<author><name>Jo Tarn</name></author><content type="html">&lt;p&gt;{story.text}&lt;/p&gt;</content></entry>
</feed>
""".encode()


def _sitemap(folder: Path, story: Story) -> None:
    """A folder with a page that states nothing of itself, and the sitemap that does."""
    folder.mkdir()
    bare = page(story).split("<body>")[1]
    _write(folder / "bakery-fire.html", f"<html><body>{bare}".encode())
    _write(
        folder / "sitemap.xml",
        f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">
<url><loc>https://post.example/news/bakery-fire</loc><news:news>
<news:publication><news:name>Harbour Post</news:name><news:language>en</news:language></news:publication>
<news:publication_date>{story.day}</news:publication_date><news:title>{story.title}</news:title></news:news></url>
</urlset>
""".encode(),
    )


def _parquet(file: Path, story: Story) -> None:
    import pyarrow as pa  # noqa: PLC0415  loads long
    from pyarrow import parquet  # noqa: PLC0415

    columns = {name: [value] for name, value in record(story).items()}
    parquet.write_table(pa.table({**columns, "embedding": [[0.1, 0.2]]}), file)


def _mail(file: Path, story: Story) -> None:
    message = EmailMessage()
    message["From"] = "Dairy News <news@dairy.example>"
    message["To"] = "readers@dairy.example"
    message["Subject"] = story.title
    message["Date"] = "Mon, 08 Jul 2024 06:30:00 +0200"
    message["Message-ID"] = "<cheese-market@dairy.example>"
    message.set_content(story.text)
    message.add_alternative(f"<html><body><p>{story.text}</p></body></html>", subtype="html")
    file.write_bytes(message.as_bytes())


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)
