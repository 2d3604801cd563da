"""Who is quoted where: what an English text puts in quotation marks, or reports, and whose words they are.

Precision first: a speaker is named where the sentence says so ("X said", "said X", "according to X", a quote
that goes on), and nobody where it does not. Quotes between single marks are left alone: an apostrophe looks
the same.
"""

from indexer.quotes.names import Called, asked_for, called, folded, is_body, is_description, one_person
from indexer.quotes.reading import Quotation, quotations

__all__ = [
    "Called",
    "Quotation",
    "asked_for",
    "called",
    "folded",
    "is_body",
    "is_description",
    "one_person",
    "quotations",
]
