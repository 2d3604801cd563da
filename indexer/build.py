"""The walk from articles to a generation: read, clean, tell stories apart, cut, encode, commit."""

import hashlib
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol, TextIO

import numpy as np

from indexer import sources, storage, stories
from indexer.boilerplate import without_repeated
from indexer.cleaning import clean
from indexer.dates import parse_published
from indexer.encoder import Encoder, can_export, export_apart, fingerprint, locate
from indexer.errors import EncoderError, NoIndexError, SourceError, UsageError
from indexer.folder import IndexFolder, Manifest
from indexer.generation import Mentioned
from indexer.lateinteraction import Codes, coded
from indexer.local.columns import Columns
from indexer.local.corpus import Corpus, CorpusWriter
from indexer.local.fulltext import FullTextWriter
from indexer.local.generation import (
    COLUMNS,
    CORPUS,
    ENCODER,
    FULLTEXT,
    GROWING,
    REPORT,
    TOKENS,
    VECTORS,
    LocalGeneration,
    LocalIndex,
)
from indexer.local.tokenvectors import TokenVectorWriter
from indexer.local.vectors import VectorIndex, VectorWriter
from indexer.mentions import Mention, mentions
from indexer.models import Article, Origin, RawArticle, Span, Vectors
from indexer.passages import cut, encoded_text
from indexer.quotes import quotations
from indexer.sources import Intake, Offer
from indexer.sources.document import place_of

_WINDOW = 1024  # passages whose texts and token vectors are in memory at a time
_MOST_GONE = 1 / 3  # of the passages, before a change writes the rest anew
_LOOKED_AT = 2000  # stories of a source, the last, for lines that it repeats when a few are added
_CONTEXT_TOKENS = 56  # left free in the encoder's window for title, date and special tokens


class Progress(Protocol):
    """Where a build says how far it is."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins; `total` is its number of steps where that is known."""

    def advance(self, steps: int = 1, share: float | None = None) -> None:
        """Steps are done; `share` in [0, 1] says how much of the stage that makes, where no total does."""

    def warn(self, message: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides how articles become a generation."""

    model: str
    passage_tokens: int
    token_bits: int
    trusted_sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a build does to the collection: start from nothing or from what is indexed, then
    take out, then put in."""

    from_current: bool
    remove: frozenset[str] = frozenset()
    offer: Offer = field(default_factory=Offer)


def build(
    index: IndexFolder,
    change: Change,
    recipe: Recipe,
    intake: Intake,
    progress: Progress,
    *,
    keep: int,
    command: str,
    report: Path | None = None,
) -> Manifest:
    """Writes a new generation beside the others, switches to it, and removes all but `keep` before it.

    A change costs what it changes: it is put behind what the current generation holds, whose files the new
    one shares. Whatever else is built, vectors of passages whose text and encoder did not change are taken
    over. What became no article of its own is written to `report`, by default a file of the generation.
    Whatever ends this early, an error or Ctrl-C, leaves the index as it was. Raises LockedError where another
    process writes, SourceError where the result would hold no article, StorageError where it cannot be
    written.
    """
    sources.check(change.offer.paths)
    if change.from_current:
        index.candidates()  # says that there is no index before a folder for one is made
    with index.writing(command):
        with ExitStack() as opened:
            base = _base(index, change, progress)
            if base:
                opened.enter_context(base)
            staging = opened.enter_context(index.staging())
            grows = base is not None and change.from_current and not _worn(base)
            if base and grows:
                for name in GROWING:
                    if (base.path / name).exists():
                        index.link(base.id, name, staging)
                encoder = Encoder(staging / ENCODER)
            else:
                encoder = _encoder(recipe.model, base, staging / ENCODER, change, progress)
            max_tokens = _max_tokens(recipe, base, encoder, change, progress)
            token_bits = _token_bits(recipe, base, encoder, change)
            with _report(report, staging) as stream:
                intake.report = stream
                known = _write_texts(
                    change, base, encoder, max_tokens, recipe, staging, intake, progress, grows=grows
                )
            corpus = Corpus(staging / CORPUS)
            opened.callback(corpus.close)
            Columns.write(staging / COLUMNS, corpus.filed(), corpus.passage_rows)
            if not grows:
                known = _known(base, encoder, token_bits)
            rows = corpus.digests(base.corpus.passage_rows if base and grows else 0)
            encoded = _write_vectors(corpus, list(rows), known, encoder, token_bits, base, staging, progress)
            progress.stage("commit")
            manifest = index.commit(
                staging,
                base=base.id if base and grows else None,
                built_by=f"dateline {version('dateline')}",
                encoder=asdict(encoder.facts),
                settings={
                    "passage_tokens": max_tokens,
                    "token_bits": token_bits,
                    "trusted_sources": list(recipe.trusted_sources),
                },
                vectors=[asdict(one) for one in VectorIndex.open(staging / VECTORS).segments],
                counts={
                    "articles": corpus.article_count,
                    "passages": corpus.passage_count,
                    "encoded": encoded,
                    "undated": corpus.count("undated"),
                    "stories_with_copies": corpus.count("in several copies"),
                    "read": intake.offered,
                    "repeated": sum(intake.outcomes[kept] for kept in ("updated", "older", "repeated")),
                    "skipped": intake.skipped,
                },
                corpus=corpus.digest(),
            )
        index.collect(keep)
    return manifest


def _report(wanted: Path | None, staging: Path) -> TextIO:
    """A file that the user named is no part of the index, and may be there."""
    if wanted:
        return wanted.open("w", encoding="utf-8")
    return TextIOWrapper(storage.create(staging / REPORT), encoding="utf-8")


def _base(index: IndexFolder, change: Change, progress: Progress) -> LocalGeneration | None:
    """What there is to start from. A change is made to the current generation or not at all: made to
    an earlier one, it would lose what was added since."""
    if change.from_current:
        base = LocalGeneration(index, index.candidates()[0])
        if unknown := sorted(name for name in change.remove if base.corpus.article(name) is None):
            base.close()
            raise UsageError(f"{', '.join(unknown)}: no such article in {index.path}; nothing was changed")
        return base
    try:
        return LocalIndex(index).open_best(progress.warn)
    except NoIndexError:
        return None


def _encoder(
    model: str, base: LocalGeneration | None, target: Path, change: Change, progress: Progress
) -> Encoder:
    """The model's encoder in `target`: a copy of the base's where that is changed, or is of this model."""
    progress.stage("encoder")
    stored = base.encoder.facts if base else None
    # Where nothing else can be had, the encoder that the index carries is the one to build with.
    carried = stored is not None and stored.model == model
    same = change.from_current or (carried and not can_export())
    if not same:
        try:
            source = locate(model)
            same = stored is not None and stored.fingerprint == fingerprint(source)
        except EncoderError:
            if not carried:
                raise
            same = True
    if base and same:
        # Copied, not linked: damage to one generation must not reach another.
        storage.carry_over(base.path / ENCODER, target, storage.copy)
    else:
        storage.make_folder(target)
        with storage.written_by("encoder's export", target):
            export_apart(model, source, target, progress.warn)
    return Encoder(target)


def _max_tokens(
    recipe: Recipe, base: LocalGeneration | None, encoder: Encoder, change: Change, progress: Progress
) -> int:
    """The passages' budget: as they are where a generation is changed, else as the recipe says and
    the encoder allows."""
    if change.from_current and base:
        return int(base.manifest.settings["passage_tokens"])
    most = max(8, encoder.facts.max_tokens - _CONTEXT_TOKENS)
    if recipe.passage_tokens > most:
        progress.warn(
            f"passages get {most} tokens, not {recipe.passage_tokens}: {recipe.model} reads no more"
        )
    return min(recipe.passage_tokens, most)


def _token_bits(recipe: Recipe, base: LocalGeneration | None, encoder: Encoder, change: Change) -> int:
    """The precision of the token vectors: as it is where a generation is changed, else as the recipe says;
    0 where the model tells nothing of single tokens."""
    if change.from_current and base:
        return int(base.manifest.settings["token_bits"])
    return recipe.token_bits if encoder.facts.token_dimension else 0


def _worn(base: LocalGeneration) -> bool:
    """Whether so many passages are gone that what is left is better written anew."""
    rows = base.corpus.passage_rows
    return bool(rows - base.corpus.passage_count > _MOST_GONE * rows)


def _write_texts(
    change: Change,
    base: LocalGeneration | None,
    encoder: Encoder,
    max_tokens: int,
    recipe: Recipe,
    staging: Path,
    intake: Intake,
    progress: Progress,
    *,
    grows: bool,
) -> dict[bytes, int]:
    """Fills the corpus and the full-text index, or changes those of the base; returns, by what was encoded,
    the rows of passages that are there no more."""
    gone: list[tuple[int, bytes]] = []
    trusted = base.manifest.settings["trusted_sources"] if base and grows else recipe.trusted_sources
    with CorpusWriter(staging / CORPUS, base=base.corpus if base and grows else None) as corpus:
        if grows:
            for name in change.remove:
                gone += corpus.remove(corpus.row_of(name))
        elif change.from_current and base:
            _carry_over(corpus, base.corpus, change.remove)
        _take_in(corpus, change.offer, intake, progress)
        if not corpus.articles:
            raise SourceError(f"no article to index ({intake.skipped} skipped); the index stays as it was")
        progress.stage("stories")
        stories.group(corpus, trusted, staging)
        for article, line in stories.drop_repeated_lines(corpus, most=_LOOKED_AT if grows else None):
            intake.note(Origin(article.id, unit="article"), "line removed", line)
        if base and not change.from_current:
            stories.inherit(corpus, base.corpus)
        pending = corpus.pending()
        progress.stage("passages", len(pending))
        with FullTextWriter(staging / FULLTEXT) as fulltext:
            for row in pending:
                gone += corpus.clear(row)
                _write_passages(row, corpus.article(row), corpus, fulltext, encoder, max_tokens)
                progress.advance()
            fulltext.remove(old for old, _ in gone)
    return {digest: old for old, digest in gone}


def _carry_over(corpus: CorpusWriter, base: Corpus, remove: frozenset[str]) -> None:
    """Begins a changed collection anew with what stays of it."""
    for source, lines in base.repeated_lines():
        corpus.add_repeated_lines(source, lines)
    for stored in base.articles():
        if stored.article.id not in remove:
            row = corpus.add(stored.article, stored.origin, stored.seen_at, stored.page)
            for before in base.versions(stored.article.id):
                corpus.add_version(row, before)


def _take_in(corpus: CorpusWriter, offer: Offer, intake: Intake, progress: Progress) -> None:
    """Reads, cleans and keeps every article that is offered; what is not kept as one goes to `intake`."""
    progress.stage("articles")
    known = corpus.rows
    repeated = corpus.repeated_lines()
    now = _moment(datetime.now(UTC))
    for raw in sources.read(offer, intake):
        progress.advance(share=intake.share)
        cleaned = clean(raw)
        article = cleaned.article
        if article is None:
            intake.refuse(raw.origin, "has no text")
            continue
        if cleaned.unread_date:
            instead = article.published_at or "it is kept undated"
            reason = f"its date {cleaned.unread_date!r} cannot be read; {instead}"
            intake.note(raw.origin, "date unread", reason)
            intake.warn(f"{raw.origin}: {reason}")
        text, _ = without_repeated(article.text, repeated.get(article.source or "", ()))
        outcome, other = stories.keep(
            corpus,
            replace(article, text=text),
            raw.origin,
            seen_at=_seen_at(raw) or now,
            page=place_of(raw.url),
            own_id=bool(raw.id),
            known=known,
        )
        if outcome == "taken":
            intake.refuse(raw.origin, f"its id {article.id!r} is taken by {other}; give each article its own")
        elif outcome != "added":
            intake.note(raw.origin, outcome, f"tells what {other} told")


def _seen_at(raw: RawArticle) -> str:
    stated = parse_published(raw.seen) if raw.seen else None
    if not stated:
        return ""
    moment = datetime.fromisoformat(stated)
    return _moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _write_passages(
    row: int,
    article: Article,
    corpus: CorpusWriter,
    fulltext: FullTextWriter,
    encoder: Encoder,
    max_tokens: int,
) -> None:
    spans = cut(article.text, encoder.token_spans, max_tokens=max_tokens, language=article.language)
    texts = [encoded_text(article, span) for span in spans]
    found = mentions(article.text, article.day)
    mentioned = [[mention for mention in found if _begins_in(mention, span)] for span in spans]
    first = corpus.add_passages(
        row,
        list(zip(spans, map(_digest, texts), strict=True)),
        [
            [Mentioned(one.span, one.first.isoformat(), one.last.isoformat()) for one in held]
            for held in mentioned
        ],
    )
    if article.language in {None, "en"}:  # the rules are those of English
        corpus.add_quotations(row, quotations(article.text))
    for offset, (text, held) in enumerate(zip(texts, mentioned, strict=True)):
        fulltext.add(first + offset, text, article, [(one.first, one.last) for one in held])


def _begins_in(mention: Mention, span: Span) -> bool:
    return span.start <= mention.span.start < span.end


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _write_vectors(
    corpus: Corpus,
    rows: list[tuple[int, bytes]],
    known: dict[bytes, int],
    encoder: Encoder,
    token_bits: int,
    base: LocalGeneration | None,
    staging: Path,
    progress: Progress,
) -> int:
    """Fills the vector index and the token vectors, or adds to them; returns how many passages had to be
    encoded. `known` are passages of the base whose vectors can be taken over."""
    to_encode = sum(digest not in known for _, digest in rows)
    progress.stage("vectors", to_encode)
    if not rows:
        return 0
    with ExitStack() as opened:
        index = opened.enter_context(VectorWriter(staging / VECTORS, encoder.facts.dimension))
        tokens = None
        if token_bits:
            tokens = opened.enter_context(TokenVectorWriter(staging / TOKENS))
        for start in range(0, len(rows), _WINDOW):
            window = [(row, known.get(digest)) for row, digest in rows[start : start + _WINDOW]]
            vectors: Vectors = np.empty((len(window), encoder.facts.dimension), dtype=np.float32)
            codes: dict[int, Codes] = {}
            kept = {place: old for place, (_, old) in enumerate(window) if old is not None}
            if base and kept:
                vectors[list(kept)] = base.vectors.vectors(np.array([*kept.values()], dtype=np.int64))
                codes = {place: base.tokens.codes(old) for place, old in kept.items()} if base.tokens else {}
            new = [place for place, (_, old) in enumerate(window) if old is None]
            read = corpus.read([window[place][0] for place in new])
            texts = [encoded_text(article, passage.span) for passage, article in read]
            for at, encoded in encoder.stream_passages(texts):
                vectors[new[at]] = encoded.vector
                if tokens:
                    codes[new[at]] = coded(encoded.tokens, bits=token_bits)
                progress.advance()
            index.add(vectors)
            if tokens:
                for place in range(len(window)):
                    tokens.add(codes[place])
    return to_encode


def _known(base: LocalGeneration | None, encoder: Encoder, token_bits: int) -> dict[bytes, int]:
    """The passages whose vectors can be taken over, by what was encoded: rows of the base."""
    if not base or base.encoder.facts.fingerprint != encoder.facts.fingerprint:
        return {}
    if token_bits and base.manifest.settings["token_bits"] != token_bits:
        return {}
    return {digest: row for row, digest in base.corpus.digests()}
