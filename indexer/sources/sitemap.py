"""Sitemaps: which pages a site has, and what a news sitemap says of them."""

import re
from dataclasses import dataclass

from lxml import etree

from indexer.sources.document import place_of

_SITEMAP = re.compile(rb"<(?:\w+:)?(?:urlset|sitemapindex)[\s>]")
_XML = re.compile(rb"\s*<(?:\?xml|!--|(?:\w+:)?(?:urlset|sitemapindex))")
_NEWS = {"publication_date": "published", "title": "title", "name": "source", "language": "language"}


@dataclass(frozen=True, slots=True)
class Sitemap:
    """`pages`: what is known of each, as fields of RawArticle; `nested`: the sitemaps of an index. `damage`
    says what kept the rest from being read, empty for nothing."""

    pages: tuple[dict[str, str], ...]
    nested: tuple[str, ...]
    damage: str = ""


def recognises(start: bytes, suffix: str) -> bool:  # noqa: ARG001  every format is asked alike
    start = start.removeprefix(b"\xef\xbb\xbf")
    return bool(_XML.match(start) and _SITEMAP.search(start[:4096]))


def read(content: bytes) -> Sitemap:
    """The pages that a sitemap names. When a page was last changed is not when its story appeared."""
    # Entities are neither expanded nor fetched: a sitemap has no use for them.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        return Sitemap((), (), str(error))
    if root is None:
        return Sitemap((), (), "is no XML")
    pages = []
    nested = []
    for entry in root:
        kind = _name(entry)
        fields = {_name(one): " ".join((one.text or "").split()) for one in entry.iter() if _name(one)}
        url = fields.get("loc", "")
        if not place_of(url):
            continue
        if kind == "sitemap":
            nested.append(url)
        elif kind == "url":
            known = {field: fields[name] for name, field in _NEWS.items() if fields.get(name)}
            pages.append({"url": url, **known})
    damage = str(parser.error_log[0].message) if len(parser.error_log) else ""
    return Sitemap(tuple(pages), tuple(nested), damage)


def _name(element: etree._Element) -> str:
    """Without its namespace, which in a damaged file need not be one."""
    return re.split("[}:]", element.tag)[-1] if isinstance(element.tag, str) else ""
