"""Mail: a newsletter or a sent article, as .eml files hold it."""

import email
import re
from email.message import EmailMessage, MIMEPart
from email.policy import default
from email.utils import parseaddr

from indexer.models import RawArticle
from indexer.sources.document import Document, NoArticleError
from indexer.sources.html import fragment_text

_HEADERS = re.compile(
    rb"(?:^|\n)(?:from|to|subject|date|mime-version|received|message-id|return-path|delivered-to):",
    re.IGNORECASE,
)
_FIRST_HEADER = re.compile(rb"(?:from .*\n)?[!-9;-~]+:[ \t]", re.IGNORECASE)
_SIGNATURE = re.compile(r"\n-- \n.*\Z", re.DOTALL)
_STUB = 200  # characters of a plain part that only points to the other


def recognises(start: bytes, suffix: str) -> bool:  # noqa: ARG001  every format is asked alike
    start = start.lstrip().replace(b"\r\n", b"\n")
    head = start.split(b"\n\n", 1)[0]
    return bool(_FIRST_HEADER.match(start)) and len(set(_HEADERS.findall(head))) > 2  # noqa: PLR2004


def read(document: Document) -> RawArticle:
    """Subject, date, sender and body of a mail. Raises NoArticleError where it has no text."""
    try:
        message = email.message_from_bytes(document.content, policy=default)
        text = _body(message)
        name, address = parseaddr(_header(message, "From"))
        listed = _header(message, "List-Id").split("<")[0].strip(' "')
        fields = {
            "id": _header(message, "Message-ID").strip("<> "),
            "title": _header(message, "Subject"),
            "published": _header(message, "Date"),
            "author": name,
            "source": listed or address.rpartition("@")[2],
        }
    except Exception as error:  # the library trips over damaged headers in many ways
        raise NoArticleError(f"is a mail that cannot be read ({error})"[:300]) from error
    if not text.strip():
        raise NoArticleError("is a mail without a text")
    return document.article(text, fields, "mail header")


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _body(message: EmailMessage) -> str:
    """The plain part, unless that only says that there is a better one."""
    plain, markup = (_content(message.get_body((kind,))) for kind in ("plain", "html"))
    text = fragment_text(markup) if markup else ""
    if plain.strip() and (len(plain) > _STUB or len(plain) * 2 > len(text)):
        return _SIGNATURE.sub("\n", plain.replace("\r\n", "\n"))
    return text or plain


def _content(part: MIMEPart | None) -> str:
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except LookupError:  # an encoding that nobody knows
        content = part.get_payload(decode=True)
        return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
