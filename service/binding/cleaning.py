"""A model's sentence without what is not its words: citations, links, bullets, emphasis."""

import re
import unicodedata

# What is put around the number of a passage, and what it is called there.
_CALLED = (
    r"(?:passages?|sources?|articles?|documents?|docs?|refs?|references?|citations?|cit|quotes?"
    r"|see|cf|id|p|no|\#)"
)
_NUMBERS = r"\d{1,4}(?:\s*(?:[,;&–-]|and)\s*(?:" + _CALLED + r"\.?\s*)?\#?\d{1,4})*"
_MARKERS = re.compile(
    rf"""
      【[^】]*】? | 〔[^〕]*〕? | ⟦[^⟧]*⟧?
    | \[\s*\^[^\]]*\]                                       # a footnote
    | \[\s*(?:{_CALLED}[.:]?\s*)*\#?{_NUMBERS}\s*(?:[†:|][^\]]*)?\]
    | \[\s*(?:{_CALLED}|citation\ needed)\s*\]
    | \(\s*(?:{_CALLED}[.:]?\s*)+\#?\[?{_NUMBERS}\]?\s*\)
    | \(\s*\d{{1,2}}\s*\)                                   # a number alone
    | [⁰¹²³⁴-⁹]+ | [①-⓿❶-➓]
    | [†‡§]\s?\d*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BY_NUMBER = re.compile(
    rf"\b(?:according\ to|as\ (?:stated|reported|noted)\ (?:in|by)|in|from|per)\s+(?:the\s+)?"
    rf"(?:passages?|sources?|articles?|documents?)\s+(?:numbers?\s+|no\.?\s+)?\[?\#?{_NUMBERS}\]?,?\s*",
    re.IGNORECASE | re.VERBOSE,
)
_IMAGE_OR_LINK = re.compile(
    r"!?\[([^\[\]]*)\]\s?\((?:[^()\s]|\([^()]*\))*(?:\s[^()]*)?\)|!?\[([^\[\]]+)\]\[[^\[\]]*\]"
)
_ADDRESS = re.compile(
    r"<?\b(?:https?|ftp|javascript|data|mailto):[^\s>\"”]*>?(?<![.,;:!?])|\bwww\.[^\s>\"”]+(?<![.,;:!?])",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]{0,200}>")
_BULLETS = re.compile(r"^(?:\s*(?:[-*•‣◦–—·>]|#{1,6}|\(?\d{1,2}[.)]|\(?[a-z]\))(?:\s+|$))+")
_EMPHASIS = re.compile(r"\*+|`+|~~|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)|__+")
_BEFORE_MARK = re.compile(r"\s+([,.;:!?])(?=\s|$)")
_DIGITS = re.compile(r"\d+")


def cleaned(sentence: str) -> tuple[str, frozenset[int]]:
    """A sentence in its own words, white space normalised, and the numbers that its citations gave.

    What looks like a citation in a form not known here keeps its brackets; the gate lets none of these pass.
    """
    text = "".join(
        letter for letter in sentence if unicodedata.category(letter) not in {"Cf", "Cc"} or letter.isspace()
    )
    # Brackets and digits in full width are what they look like.
    text = re.sub("[！-～]", lambda wide: unicodedata.normalize("NFKC", wide[0]), text)
    cited: set[int] = set()

    def without(match: "re.Match[str]") -> str:
        cited.update(map(int, _DIGITS.findall(unicodedata.normalize("NFKC", match[0]))))
        return " "

    text = _IMAGE_OR_LINK.sub(lambda link: _linked(link[1] or link[2] or ""), text)
    for pattern in (_ADDRESS, _TAG, _BULLETS, _EMPHASIS):
        text = pattern.sub("", text)
    text = _MARKERS.sub(without, _BY_NUMBER.sub(without, text))
    text = _BEFORE_MARK.sub(r"\1", " ".join(text.split())).strip()
    # An empty pair of brackets is what is left of a citation around a link.
    text = " ".join(re.sub(r"\(\s*\)|\[\s*\]", "", text).split())
    return text if any(map(str.isalnum, text)) else "", frozenset(cited)


def _linked(text: str) -> str:
    """The words of a link; what would be a citation without its link is one with it."""
    marker = f"[{text}]"
    return marker if _MARKERS.fullmatch(marker) else text
