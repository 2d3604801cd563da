"""Web pages: the story's own text, and what the page says of it."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import htmldate
import lxml.html
import trafilatura
from lxml import etree
from lxml.html import HtmlElement
from trafilatura.meta import reset_caches

from indexer.dates import parse_published
from indexer.models import DatedBy, RawArticle
from indexer.sources.decoding import decode
from indexer.sources.document import Document, NoArticleError, place_of, web_url

_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>\s*|<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|article|main|meta|title)\b",
    re.IGNORECASE | re.DOTALL,
)
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_CHARSET = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?\s*([\w:.-]+)", re.IGNORECASE)
_LARGEST = 20 << 20  # bytes; a larger page is no article
_FEWEST_LETTERS = 40
_BETWEEN_RESETS = 1000  # pages; trafilatura remembers what it has seen
_ARTICLE_TYPES = re.compile(r"Article|Posting|Report|Review|Liveblog", re.IGNORECASE)
_TITLE_PARTS = re.compile(r"\s+[|–—·»•:]\s+|\s+-\s+")
_LANGUAGE = re.compile(r"[A-Za-z]{2}(?![A-Za-z])")
_EARLIEST = date(1690, 1, 1)  # before there were newspapers

# By trust: what the page's metadata call the moment of publication.
_DATE_METAS = (
    "article:published_time", "og:published_time", "parsely-pub-date", "sailthru.date", "datepublished",
    "dc.date.issued", "dc.date", "dcterms.created", "date", "pubdate", "publish-date", "publishdate",
    "publication_date", "article.published", "cxenseparse:recs:publishtime", "bt:pubdate",
)  # fmt: skip
_BLOCKS = set(
    "address article aside blockquote br dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr "
    "li main nav ol p pre section table td th tr ul".split()
)
_UNSEEN = {"script", "style", "noscript", "template", "svg", "iframe"}
_pages_read = 0


def recognises(start: bytes, suffix: str) -> bool:
    for mark in _MARKS:
        start = start.removeprefix(mark)
    start = start.replace(b"\0", b"")
    if _PAGE.match(start):
        return True
    return suffix.lower() in {".html", ".htm", ".xhtml"} and b"<" in start


def read(document: Document) -> RawArticle:
    """The story of a page. Raises NoArticleError where it holds none."""
    if len(document.content) > _LARGEST:
        raise NoArticleError(f"is a page of more than {_LARGEST >> 20} MiB, which no article is")
    declared = _CHARSET.search(document.content[:4096])
    charset = document.charset or (declared[1].decode("ascii", "ignore") if declared else "")
    markup = decode(document.content, charset).replace("\0", "")
    _forget_now_and_then()
    tree = _tree(markup)
    page = _Page(tree, document)
    text = _story(markup, page)
    if sum(map(str.isalpha, text)) < _FEWEST_LETTERS:
        raise NoArticleError(
            "is a page without a text; was it filled in by scripts? save it from the browser"
        )
    published, published_by = page.published(markup)
    return RawArticle(
        text=text,
        origin=document.origin,
        place=document.place,
        title=page.title(),
        published=published,
        published_by=published_by,
        source=page.source(),
        author=page.author(),
        language=page.language(),
        url=page.url,
        seen=document.known.get("seen", ""),
        extracted=True,
        found=page.found,
    )


def fragment_text(markup: str) -> str:
    """The words of a stretch of HTML, a blank line between paragraphs."""
    try:
        tree = lxml.html.fragment_fromstring(markup.replace("\0", ""), create_parent="div")
    except (etree.LxmlError, ValueError, AssertionError):
        return unescape(re.sub(r"<[^>]*>", " ", markup))
    paragraphs = "".join(_seen(tree)).split("\n")
    return "\n\n".join(line for line in (" ".join(part.split()) for part in paragraphs) if line)


def _seen(root: HtmlElement) -> Iterator[str]:
    """The text of a tree, a line break around each block; without recursion, for depth has no bound."""
    hidden: HtmlElement | None = None
    for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event in {"comment", "pi"}:
            if hidden is None:
                yield element.tail or ""
            continue
        block = element.tag in _BLOCKS
        if event == "start" and hidden is None:
            if element.tag in _UNSEEN:
                hidden = element
            else:
                yield ("\n" if block else "") + (element.text or "")
        elif event == "end":
            if hidden is element:
                hidden = None
            elif hidden is None and block:
                yield "\n"
            if hidden is None and element is not root:
                yield element.tail or ""


def _tree(markup: str) -> HtmlElement:
    try:
        tree = trafilatura.load_html(markup)
    except (etree.LxmlError, ValueError, AssertionError, RecursionError) as error:
        raise NoArticleError(f"is no HTML that can be read ({error})") from error
    if tree is None:
        raise NoArticleError("is no HTML that can be read")
    return tree


def _story(markup: str, page: "_Page") -> str:
    """The main text by trafilatura; where that finds next to nothing, by its bolder reading or as the
    page's own metadata hold it."""
    found = ""
    for bold in (False, True):
        with suppress(Exception):  # whatever a hostile page does to the extractor is the page's fault
            found = (
                trafilatura.extract(
                    trafilatura.load_html(markup),
                    favor_precision=not bold,
                    favor_recall=bold,
                    include_comments=False,
                )
                or ""
            )
        if sum(map(str.isalpha, found)) >= 5 * _FEWEST_LETTERS:
            return found
    body = page.body()
    return body if len(body) > 2 * len(found) else found


def _forget_now_and_then() -> None:
    global _pages_read  # noqa: PLW0603  one counter a process, as the caches are
    _pages_read += 1
    if _pages_read % _BETWEEN_RESETS == 0:
        reset_caches()


class _Page:
    """What a page says of its article; `found` notes where each thing stood."""

    def __init__(self, tree: HtmlElement, document: Document) -> None:
        self.found: dict[str, str] = {}
        self._tree = tree
        self._known = document.known
        self._known_from = document.known_from
        self._metas: dict[str, str] = {}
        for meta in tree.iter("meta"):
            name = meta.get("property") or meta.get("name") or meta.get("itemprop") or meta.get("http-equiv")
            content = " ".join((meta.get("content") or "").split())
            if name and content:
                self._metas.setdefault(name.lower(), content)
        self._linked = _linked_data(tree)
        self.url = self._url()

    def _pick(self, field: str, *candidates: tuple[str, str]) -> str:
        """The first that holds something; what is known from outside comes last."""
        known = (self._known.get(field, ""), self._known_from)
        for value, where in (*candidates, known):
            if value := " ".join(unescape(value).split()):
                self.found[field] = where
                return value
        return ""

    def _meta(self, *names: str) -> tuple[str, str]:
        return next(
            ((self._metas[name], f"meta {name}") for name in names if self._metas.get(name)), ("", "")
        )

    def _ld(self, name: str) -> tuple[str, str]:
        return _said(self._linked.get(name)), f"JSON-LD {name}"

    def _url(self) -> str:
        """The page's own word for its address, unless that is another site's or only the front page."""
        known = self._known.get("url", "")
        canonical = next(
            (
                link.get("href")
                for link in self._tree.iter("link")
                if (link.get("rel") or "").lower() == "canonical"
            ),
            "",
        )
        for stated, where in (
            (canonical or "", "canonical link"),
            self._meta("og:url"),
            self._ld("url"),
            (_said(self._linked.get("mainEntityOfPage"), key="@id"), "JSON-LD mainEntityOfPage"),
        ):
            url = web_url(stated, known)
            host, _, path = place_of(url).partition("/")
            if path and not (known and _site(place_of(known)) != _site(host)):
                self.found["url"] = where
                return url
        return self._pick("url")

    def title(self) -> str:
        headings = [" ".join(one.text_content().split()) for one in self._tree.iter("h1")]
        headings = [heading for heading in headings if heading]
        document_title = " ".join((self._tree.findtext(".//title") or "").split())
        site = {name.casefold() for name in (self._metas.get("og:site_name"), self._outlet()) if name}
        candidates = [self._ld("headline"), self._meta("og:title", "twitter:title", "dc.title", "title")]
        if len(headings) == 1:
            candidates.append((headings[0], "<h1>"))
        candidates += [(document_title, "<title>"), *((heading, "<h1>") for heading in headings[:1])]
        good = []
        for value, where in candidates:
            title = _without_site(" ".join(unescape(value).split()), site, headings)
            if title and title.casefold() not in site:
                good.append((title, where))
        # A headline cut off by the length that search engines show is whole in the page's heading.
        if good and good[0][0].endswith(("...", "…")):
            start = good[0][0].rstrip(".… ")
            good = [one for one in good if one[0].startswith(start) and len(one[0]) > len(good[0][0])] or good
        return self._pick("title", *good)

    def published(self, markup: str) -> tuple[str, DatedBy]:
        """As the page states it; a day that only its text tells is less trusted."""
        stated = [
            self._ld("datePublished"),
            *((self._metas[name], f"meta {name}") for name in _DATE_METAS if name in self._metas),
            *self._elements(),
            self._ld("dateCreated"),
            self._ld("uploadDate"),
        ]
        for value, where in stated:
            moment = parse_published(value)
            if moment and _plausible(moment):
                self.found["published"] = where
                return moment, "metadata"
        if known := self._known.get("published"):
            self.found["published"] = self._known_from
            return known, "metadata"
        with suppress(Exception):  # as above
            day = htmldate.find_date(markup, original_date=True, extensive_search=True, min_date="1990-01-01")
            if day and not self.url_says(day):
                self.found["published"] = "the page's text"
                return day, "text"
        return "", "metadata"

    def url_says(self, day: str) -> bool:
        """Whether htmldate may have read the day off the address: that is for others to read."""
        return day.replace("-", "/") in self.url or day in self.url

    def _elements(self) -> Iterator[tuple[str, str]]:
        for element in self._tree.iter():
            if isinstance(element.tag, str) and "datepublished" in (element.get("itemprop") or "").lower():
                yield (
                    element.get("datetime") or element.get("content") or element.text_content(),
                    "itemprop datePublished",
                )
        times = [one for one in self._tree.iter("time") if one.get("datetime")]
        marked = [
            one
            for one in times
            if one.get("pubdate") is not None or "publish" in (one.get("class") or "").lower()
        ]
        for one in marked or times[:1]:
            if "updat" not in (one.get("class") or "").lower():
                yield one.get("datetime") or "", "<time>"

    def author(self) -> str:
        stated = _people(self._linked.get("author"))
        metas = self._meta(
            "author", "article:author_name", "parsely-author", "dc.creator", "sailthru.author", "byl"
        )
        names = []
        for value, where in ((stated, "JSON-LD author"), metas):
            name = re.sub(r"^by\s+", "", value.strip(), flags=re.IGNORECASE)
            if name and not name.startswith(("http", "@", "www.")) and len(name) <= 200:  # noqa: PLR2004
                names.append((name, where))
        if not names:
            with suppress(Exception):  # as above
                found = trafilatura.extract_metadata(self._tree)
                names = [((found.author or "").replace("; ", ", "), "byline")] if found else []
        return self._pick("author", *names)

    def _outlet(self) -> str:
        return _said(self._linked.get("publisher"))

    def source(self) -> str:
        host = place_of(self.url).partition("/")[0]
        name, where = self._meta("og:site_name", "application-name", "publisher", "dc.publisher")
        return self._pick(
            "source",
            (self._outlet(), "JSON-LD publisher"),
            (name, where),
            (self._known.get("source", ""), self._known_from),
            (host, "url"),
        )

    def language(self) -> str:
        root = self._tree.getroottree().getroot()
        for value, where in (
            (root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or "", "<html lang>"),
            self._ld("inLanguage"),
            self._meta("og:locale", "content-language"),
        ):
            if match := _LANGUAGE.match(value.strip()):
                self.found["language"] = where
                return match[0].lower()
        return self._pick("language")

    def body(self) -> str:
        """The article as the metadata hold it, else all paragraphs of its element."""
        stated = self._linked.get("articleBody")
        if isinstance(stated, str) and stated.strip():
            return fragment_text(stated) if "<" in stated else unescape(stated)
        articles = self._tree.findall(".//article") or [self._tree]
        best = max(articles, key=lambda one: sum(len(p.text_content()) for p in one.iter("p")))
        return "\n\n".join(filter(None, (" ".join(p.text_content().split()) for p in best.iter("p"))))


def _linked_data(tree: HtmlElement) -> dict[str, Any]:
    """The article's object among the page's JSON-LD; empty where there is none that can be read."""
    found: list[dict[str, Any]] = []
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or "").lower():
            content = re.sub(r"^\s*(?:<!--|//<!\[CDATA\[)|(?:-->|//\]\]>)\s*$", "", script.text or "")
            content = re.sub(r",\s*([}\]])", r"\1", content)
            with suppress(ValueError, RecursionError):
                found.extend(_objects(json.loads(content, strict=False)))
    articles = [one for one in found if _ARTICLE_TYPES.search(_said(one.get("@type")))]
    best = max(articles, key=lambda one: ("headline" in one) + ("datePublished" in one), default={})
    if not best:
        best = next((one for one in found if "datePublished" in one and "headline" in one), {})
    return best


def _objects(value: object) -> list[dict[str, Any]]:
    """Every object of a JSON-LD document, in order."""
    found: list[dict[str, Any]] = []
    waiting = [value]
    while waiting and len(found) < 200:  # noqa: PLR2004  objects; a page has a handful
        match waiting.pop(0):
            case dict() as one:
                found.append(one)
                waiting[:0] = [part for part in one.values() if isinstance(part, dict | list)]
            case list() as many:
                waiting[:0] = many[:200]
    return found


def _said(value: object, key: str = "name") -> str:
    """What a JSON-LD value says in one line."""
    match value:
        case str():
            return value
        case list():
            return next(
                filter(None, (_said(one, key) for one in value[:20] if not isinstance(one, list))), ""
            )
        case dict():
            named = value.get(key)
            return named if isinstance(named, str) else ""
    return ""


def _people(value: object) -> str:
    named = value if isinstance(value, list) else [value]
    names = [_said(one).strip() for one in named[:20]]
    return ", ".join(dict.fromkeys(name for name in names if name))


def _without_site(title: str, site: set[str], headings: list[str]) -> str:
    """ "Bridge closed | Harbour Courier" without the outlet's name, at whichever end."""
    if title in headings:
        return title
    parts = _TITLE_PARTS.split(title)
    if len(parts) > 1:
        for heading in headings:
            if title.startswith(heading) and len(heading) > len(title) // 3:
                return heading
        separators = list(_TITLE_PARTS.finditer(title))
        if _is_site(parts[-1], site) or "|" in separators[-1][0]:
            return _without_site(title[: separators[-1].start()], site, headings)
        if parts[0].casefold() in site:
            return title[separators[0].end() :]
    return title


def _is_site(part: str, site: set[str]) -> bool:
    part = part.casefold()
    return part in site or any(part.removeprefix("the ") == name.removeprefix("the ") for name in site)


def _site(place: str) -> str:
    """The host without its subdomains; good enough to tell one site from another."""
    labels = place.partition("/")[0].split(".")
    return ".".join(labels[-2:] if len(labels[-1]) > 2 or len(labels) < 3 else labels[-3:])  # noqa: PLR2004


def _plausible(moment: str) -> bool:
    day = date.fromisoformat(moment[:10])
    return _EARLIEST <= day <= (datetime.now(UTC) + timedelta(days=1)).date()
