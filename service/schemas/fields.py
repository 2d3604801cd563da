"""What requests are made of: questions, days, limits; whatever is invisible or no text is refused here."""

import re
import unicodedata
from datetime import date
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from indexer.errors import UsageError

MAX_QUERY = 2000  # characters
MAX_LIMIT = 100
MAX_OFFSET = 10_000
MAX_VALUES = 100  # of one filter
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\ufeff\ud800-\udfff]")


def _question(text: str) -> str:
    """A question without what cannot be seen; refuses one in which nothing can."""
    visible = " ".join(_INVISIBLE.sub(" ", unicodedata.normalize("NFC", text)).split())
    if not any(unicodedata.category(character)[0] in "LNPS" for character in visible):
        raise ValueError("is empty: ask something")
    return visible


def without_surrogates(value: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("holds a lone surrogate, which is no character")
    return value


def _iso_day(value: object) -> object:
    """Only a day: pydantic alone would take 0 for the first of 1970."""
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)):
        return value
    raise ValueError("give a day as YYYY-MM-DD")


def _written_whole(value: object) -> object:
    """Only digits: pydantic alone would take "1_0" for ten and "5.0" for five."""
    if isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,300}", value)):
        return value
    raise ValueError("give a whole number")


Whole = Annotated[int, BeforeValidator(_written_whole)]  # of an address
Day = Annotated[date, BeforeValidator(_iso_day)]
Question = Annotated[str, Field(max_length=MAX_QUERY), AfterValidator(_question)]
CollectionName = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(without_surrogates)]
Speaker = Annotated[str, Field(max_length=300), AfterValidator(_question)]
Value = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(without_surrogates)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, strict=True)]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET, strict=True)]


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


_Request = TypeVar("_Request", bound=Request)


def validated(kind: type[_Request], **fields: object) -> _Request:
    """A request made of fields that did not come over HTTP. Raises UsageError as HTTP answers 422."""
    try:
        return kind(**fields)
    except ValidationError as error:
        raise refused(error) from error


def refused(error: ValidationError) -> UsageError:
    """What is wrong with the first field that is."""
    first = error.errors()[0]
    param = ".".join(map(str, first["loc"]))
    return UsageError(f"{param}: {first['msg'].removeprefix('Value error, ')}", param=param)
