"""The walk from articles to a generation: read, clean, tell stories apart, cut, encode, commit."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TextIO

import numpy as np

from indexer import reader, sources, storage, stories
from indexer.apart import apart
from indexer.boilerplate import without_repeated
from indexer.cleaning import clean
from indexer.dates import parse_published
from indexer.encoder import Encoder, Facts, can_export, export, fingerprint, locate
from indexer.errors import EncoderError, NoIndexError, SourceError, UsageError
from indexer.folder import ENCODER, READER, IndexFolder, Manifest
from indexer.generation import Mentioned
from indexer.lateinteraction import Codes, coded
from indexer.local.columns import Columns
from indexer.local.corpus import Corpus, CorpusWriter
from indexer.local.fulltext import FullTextWriter
from indexer.local.generation import (
    COLUMNS,
    CORPUS,
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
from indexer.models import Article, Origin, RawArticle, Span, Vector, Vectors
from indexer.parts import Made, Parts
from indexer.passages import cut, digest_of, encoded_text
from indexer.quotes import quotations
from indexer.settings import IndexSettings
from indexer.sources import Intake, Offer
from indexer.sources.document import place_of

_WINDOW = 1024  # passages whose texts and token vectors are in memory at a time
_MOST_GONE = 1 / 3  # of the passages, before a change writes the rest anew
_LOOKED_AT = 2000  # stories of a source, the last, for lines that it repeats when a few are added
_NO_CODES: Codes = np.empty((0, 0), np.uint8)
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
    reader: str = reader.NONE

    @classmethod
    def by(cls, settings: IndexSettings) -> "Recipe":
        return cls(
            settings.model,
            settings.passage_tokens,
            settings.token_bits,
            settings.trusted_sources,
            settings.reader,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What a build does to the collection: start from nothing or from what is indexed, then take out, then
    put in: what `offer` names or, where that is read and encoded already, what `parts` hold."""

    from_current: bool
    remove: frozenset[str] = frozenset()
    offer: Offer = field(default_factory=Offer)
    parts: Parts | None = None


class Known(Protocol):
    """Passages that are encoded already, by the digest of what was encoded."""

    def __contains__(self, digest: bytes, /) -> bool: ...

    def find(self, digests: Sequence[bytes], /) -> Mapping[bytes, tuple[Vector, Codes]]:
        """The vectors of those that it holds, and their codes, empty where it keeps none."""


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
    if change.parts:
        check_parts(change.parts, recipe)
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
                # First what is quick to find amiss: the encoder may have to be exported.
                _carry_reader(recipe.reader, base, staging / READER, change, progress)
                encoder = _encoder(recipe.model, base, staging / ENCODER, change, progress)
            max_tokens, token_bits = _budget(recipe, base if change.from_current else None, encoder, progress)
            with _report(report, staging) as stream:
                intake.report = stream
                gone = _write_texts(
                    change, base, encoder, max_tokens, recipe, staging, intake, progress, grows=grows
                )
            corpus = Corpus(staging / CORPUS)
            opened.callback(corpus.close)
            Columns.write(staging / COLUMNS, corpus.filed(), corpus.passage_rows)
            first = base.corpus.passage_rows if base and grows else 0
            with _known(change.parts, base, gone if grows else None, encoder, token_bits, staging) as known:
                encoded = _write_vectors(corpus, first, known, encoder, token_bits, staging, progress)
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
                    "reader": _reader_in(staging),
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
    """The model's encoder in `target`: that of the parts, or a copy of the base's where that is changed, or
    is of this model."""
    progress.stage("encoder")
    if change.parts:
        change.parts.carry_encoder(target)
        return Encoder(target)
    same, source = (
        (True, None) if change.from_current else _is_of(model, base.encoder.facts if base else None)
    )
    if base and same:
        # Copied, not linked: damage to one generation must not reach another.
        storage.carry_over(base.path / ENCODER, target, storage.copy)
    else:
        storage.make_folder(target)
        with storage.written_by("encoder's export", target):
            apart(export, model, source or locate(model), target, progress.warn)
    return Encoder(target)


def _carry_reader(
    name: str, base: LocalGeneration | None, target: Path, change: Change, progress: Progress
) -> None:
    """Puts a reader into `target`, where there is to be one: that of the base where that is changed."""
    carried = base.path / READER if base and base.reader else None
    if change.from_current:
        if carried:
            storage.carry_over(carried, target, storage.copy)
    elif name != reader.NONE:
        progress.stage("reader")
        reader.carry(name, carried, target, progress.warn)


def _reader_in(staging: Path) -> str:
    return reader.Facts.read(staging / READER).model if (staging / READER).is_dir() else reader.NONE


def _is_of(model: str, stored: Facts | None) -> tuple[bool, Path | None]:
    """Whether a stored encoder is this model's, and where the model lies if that was looked for."""
    # Where nothing else can be had, the encoder that the index carries is the one to build with.
    carried = stored is not None and stored.model == model
    if carried and not can_export():
        return True, None
    try:
        source = locate(model)
    except EncoderError:
        if not carried:
            raise
        return True, None
    return stored is not None and stored.fingerprint == fingerprint(source), source


def _budget(
    recipe: Recipe, changed: LocalGeneration | None, encoder: Encoder, progress: Progress
) -> tuple[int, int]:
    """The passages' budget and the precision of token vectors: as they are where a generation is changed,
    else as the recipe says and the encoder allows."""
    if changed:
        settings = changed.manifest.settings
        return int(settings["passage_tokens"]), int(settings["token_bits"])
    max_tokens, token_bits = _allowed(recipe, encoder.facts)
    if max_tokens < recipe.passage_tokens:
        progress.warn(
            f"passages get {max_tokens} tokens, not {recipe.passage_tokens}: {recipe.model} reads no more"
        )
    return max_tokens, token_bits


def _allowed(recipe: Recipe, facts: Facts) -> tuple[int, int]:
    """The passages' budget and the precision of token vectors, as the recipe says and the encoder allows: 0
    bits where the model tells nothing of single tokens."""
    most = max(8, facts.max_tokens - _CONTEXT_TOKENS)
    return min(recipe.passage_tokens, most), recipe.token_bits if facts.token_dimension else 0


def begin_parts(
    index: IndexFolder, recipe: Recipe, columns: Mapping[str, str], parts: Parts, progress: Progress
) -> None:
    """Makes a folder ready for parts of a build by this recipe, or sees that it is; the encoder is that which
    the build itself would have. Raises UsageError where the folder has other parts."""
    if parts.is_begun():
        check_parts(parts, recipe, columns)
        return
    change = Change(from_current=False)
    with TemporaryDirectory() as folder, ExitStack() as opened:
        if base := _base(index, change, progress):
            opened.enter_context(base)
        encoder = Path(folder, ENCODER)
        facts = _encoder(recipe.model, base, encoder, change, progress).facts
        parts.begin(Made(facts, *_allowed(recipe, facts), dict(columns)), encoder)


def check_parts(parts: Parts, recipe: Recipe, columns: Mapping[str, str] | None = None) -> None:
    """Raises UsageError where a build by this recipe would have encoded otherwise, or read by other columns
    where these matter."""
    made = parts.made
    same, _ = _is_of(recipe.model, made.encoder)
    wanted = _allowed(recipe, made.encoder)
    if (
        same
        and wanted == (made.passage_tokens, made.token_bits)
        and (columns is None or columns == made.columns)
    ):
        return
    told = f"{recipe.model}, passages of {wanted[0]} tokens, {wanted[1]} bits a token's dimension"
    if columns is not None and columns != made.columns:
        told += f", columns {dict(columns)}"
    raise UsageError(
        f"{parts}: was made with {made}; this build is to be with {told}: give the same --model, "
        "--passage-tokens, --column and token_bits as then, or encode into another folder with --parts",
        param="parts",
    )


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
        raws = change.parts.articles(intake) if change.parts else sources.read(change.offer, intake)
        _take_in(corpus, raws, intake, progress)
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


def _take_in(corpus: CorpusWriter, raws: Iterable[RawArticle], intake: Intake, progress: Progress) -> None:
    """Reads, cleans and keeps every article that is offered; what is not kept as one goes to `intake`."""
    progress.stage("articles")
    known = corpus.rows
    repeated = corpus.repeated_lines()
    now = _moment(datetime.now(UTC))
    for raw in raws:
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
        list(zip(spans, map(digest_of, texts), strict=True)),
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


class _OfBase:
    """Passages of the base, by row."""

    def __init__(self, base: LocalGeneration, rows: Mapping[bytes, int]) -> None:
        self._base, self._rows = base, rows

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._rows

    def find(self, digests: Sequence[bytes]) -> dict[bytes, tuple[Vector, Codes]]:
        rows = {digest: self._rows[digest] for digest in digests if digest in self._rows}
        if not rows:
            return {}
        vectors = self._base.vectors.vectors(np.array([*rows.values()], dtype=np.int64))
        tokens = self._base.tokens
        return {
            digest: (vector, tokens.codes(row) if tokens else _NO_CODES)
            for (digest, row), vector in zip(rows.items(), vectors, strict=True)
        }


def _write_vectors(
    corpus: Corpus,
    first: int,
    known: Sequence[Known],
    encoder: Encoder,
    token_bits: int,
    staging: Path,
    progress: Progress,
) -> int:
    """Fills the vector index and the token vectors with the passages from row `first` on, or adds these to
    them; returns how many had to be encoded because they are not `known`."""
    to_encode = sum(not any(digest in one for one in known) for _, digest in corpus.digests(first))
    progress.stage("vectors", to_encode)
    if corpus.passage_rows == first:
        return 0
    with ExitStack() as opened:
        index = opened.enter_context(VectorWriter(staging / VECTORS, encoder.facts.dimension))
        tokens = opened.enter_context(TokenVectorWriter(staging / TOKENS)) if token_bits else None
        rows = corpus.digests(first)
        while window := list(islice(rows, _WINDOW)):
            found: dict[bytes, tuple[Vector, Codes]] = {}
            for one in known:
                found.update(one.find([digest for _, digest in window if digest not in found]))
            vectors: Vectors = np.empty((len(window), encoder.facts.dimension), dtype=np.float32)
            codes = [_NO_CODES] * len(window)
            for place, (_, digest) in enumerate(window):
                if digest in found:
                    vectors[place], codes[place] = found[digest]
            new = [place for place, (_, digest) in enumerate(window) if digest not in found]
            read = corpus.read([window[place][0] for place in new])
            texts = [encoded_text(article, passage.span) for passage, article in read]
            for at, encoded in encoder.stream_passages(texts):
                vectors[new[at]] = encoded.vector
                if tokens:
                    codes[new[at]] = coded(encoded.tokens, bits=token_bits)
                progress.advance()
            index.add(vectors)
            if tokens:
                for one_passage in codes:
                    tokens.add(one_passage)
    return to_encode


@contextmanager
def _known(
    parts: Parts | None,
    base: LocalGeneration | None,
    gone: dict[bytes, int] | None,
    encoder: Encoder,
    token_bits: int,
    workspace: Path,
) -> Iterator[list[Known]]:
    """The passages of the parts, then those of the base whose vectors can be taken over: where it is added
    to, those that are `gone`."""
    known: list[Known] = []
    if base and gone is not None:
        known = [_OfBase(base, gone)]
    elif base and _encoded_alike(base, encoder, token_bits):
        known = [_OfBase(base, {digest: row for row, digest in base.corpus.digests()})]
    with parts.vectors(workspace) if parts else nullcontext() as of_parts:
        yield [of_parts, *known] if of_parts else known


def _encoded_alike(base: LocalGeneration, encoder: Encoder, token_bits: int) -> bool:
    if base.encoder.facts.fingerprint != encoder.facts.fingerprint:
        return False
    return not token_bits or base.manifest.settings["token_bits"] == token_bits
