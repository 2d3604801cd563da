"""A question as it is understood: made whole by the turns before it, its days as filters and preferences."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from indexer.errors import UsageError
from indexer.generation import Generation
from indexer.models import Filters
from service.asking.conversation import Turn, rewrite
from service.asking.events import event_days
from service.asking.interpretation import Finding, Interpretation, interpret
from service.retrieval import SearchQuery

_NOT_THEN = "no article was published then, so the question is asked of all"
_GIVEN = "other days were given, and count instead"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it comes: the turns before it, the oldest first; the day at whose end the collection is
    asked, this one if None; whether its own words about days and speakers count."""

    query: SearchQuery
    turns: tuple[Turn, ...] = ()
    as_of: date | None = None
    interpreted: bool = True


@dataclass(frozen=True, slots=True)
class Understood:
    """`query` is what is searched for. `findings` stand in `query.text`, the question made whole; those in
    `ignored` were seen and had no effect."""

    query: SearchQuery
    rewritten: bool
    findings: tuple[Finding, ...] = ()
    ignored: tuple[Finding, ...] = ()


def understand(generation: Generation, asked: Asked, *, today: date | None = None) -> Understood:
    """What a question asks for on the day `today`, else this one, or as the collection stood at the end of
    `as_of`.

    Filters that were given stand: days that the question names then only prefer. So do days on which
    nothing was published: an archive has no article of last week. Unless `interpreted`, the question is
    only made whole. Raises UsageError where `as_of` leaves no day between the filters'.
    """
    query, as_of = asked.query, asked.as_of
    whole = rewrite(query.text, asked.turns)
    query = replace(query, text=whole.question)
    given = query.filters
    if as_of:
        if given.published_after and given.published_after > as_of:
            raise UsageError(f"as_of ({as_of}) is earlier than the first day asked for", param="as_of")
        until = min(as_of, given.published_before or as_of)
        query = replace(query, filters=replace(given, published_before=until))
    if not asked.interpreted:
        return Understood(query, whole.changed)
    day = as_of or today or datetime.now().astimezone().date()
    found = interpret(query.text, day, partial(event_days, generation))
    bounded = _bounded(query.filters, *found.published)
    applies = False
    reason = _GIVEN
    if not (given.published_after or given.published_before):
        reason = _NOT_THEN
        if bounded and generation.columns.hold(bounded):
            applies = True
            query = replace(query, filters=bounded)
    ignored = () if applies else tuple(one for one in found.findings if one.kind == "published")
    query = replace(
        query,
        days=_days(found),
        newest=found.newest_first,
        speaker=_speaker(found),
        aside=tuple(
            one.span
            for one in found.findings
            if one.kind == "newest_first" or (one.kind == "published" and applies)
        ),
    )
    return Understood(
        query,
        whole.changed,
        tuple(one for one in found.findings if one not in ignored),
        tuple(replace(one, meaning=f"{one.meaning}: {reason}") for one in ignored),
    )


def _bounded(filters: Filters, after: date | None, before: date | None) -> Filters | None:
    """The filters with the question's days; None where these contradict them."""
    first = max(filter(None, (after, filters.published_after)), default=None)
    last = min(filter(None, (before, filters.published_before)), default=None)
    if first and last and first > last:
        return None
    return replace(filters, published_after=first, published_before=last)


def _days(found: Interpretation) -> tuple[tuple[date, date], ...]:
    """The days that the question speaks of, where it leaves no end open."""
    return tuple((one.first, one.last) for one in found.windows if one.first and one.last)


def _speaker(found: Interpretation) -> str | None:
    return found.speaker.name if found.speaker else None
