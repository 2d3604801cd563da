"""The walk from articles to a generation: read, clean, cut, encode, commit."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np

from indexer import sources
from indexer.cleaning import clean
from indexer.corpus import Corpus, CorpusWriter
from indexer.encoder import Encoder, can_export, export, fingerprint, locate
from indexer.errors import EncoderError, NoIndexError, SourceError, UsageError
from indexer.folder import IndexFolder, Manifest
from indexer.fulltext import FullTextWriter
from indexer.generation import CORPUS, ENCODER, FULLTEXT, VECTORS, Generation, open_best
from indexer.models import Article, Vectors
from indexer.passages import cut, encoded_text
from indexer.sources import Intake
from indexer.vectors import VectorIndex

_WINDOW = 4096  # passages whose texts are in memory at a time
_CONTEXT_TOKENS = 56  # left free in the encoder's window for title, date and special tokens


class Progress(Protocol):
    """Where a build says how far it is."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins; `total` is its number of steps where that is known."""

    def advance(self, steps: int = 1) -> None: ...

    def warn(self, message: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides how articles become a generation."""

    model: str
    passage_tokens: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a build does to the collection: start from nothing or from what is indexed, then
    take out, then put in."""

    from_current: bool
    remove: frozenset[str] = frozenset()
    paths: tuple[Path, ...] = ()


def build(
    index: IndexFolder,
    change: Change,
    recipe: Recipe,
    intake: Intake,
    progress: Progress,
    *,
    keep: int,
    command: str,
) -> Manifest:
    """Writes a new generation beside the others, switches to it, and removes all but `keep` before it.

    Vectors of passages whose text and encoder did not change are taken over. Whatever ends this
    early, an error or Ctrl-C, leaves the index as it was. Raises LockedError where another
    process writes, SourceError where the result would hold no article.
    """
    sources.check(change.paths)
    if change.from_current:
        index.candidates()  # says that there is no index before a folder for one is made
    with index.writing(command):
        with ExitStack() as opened:
            base = _base(index, change, progress)
            if base:
                opened.enter_context(base)
            staging = opened.enter_context(index.staging())
            encoder = _encoder(recipe.model, base, staging / ENCODER, change, progress)
            max_tokens = _max_tokens(recipe, base, encoder, change, progress)
            articles = _articles(change, base, intake, progress)
            undated = _write_texts(articles, encoder, max_tokens, staging, intake, progress)
            corpus = Corpus(staging / CORPUS)
            opened.callback(corpus.close)
            encoded = _write_vectors(corpus, encoder, base, staging, progress)
            progress.stage("commit")
            manifest = index.commit(
                staging,
                built_by=f"dateline {version('dateline')}",
                encoder=asdict(encoder.facts),
                settings={"passage_tokens": max_tokens},
                counts={
                    "articles": corpus.article_count,
                    "passages": corpus.passage_count,
                    "encoded": encoded,
                    "undated": undated,
                    "skipped": len(intake.skipped),
                },
                corpus=corpus.digest(),
            )
        index.collect(keep)
    return manifest


def _base(index: IndexFolder, change: Change, progress: Progress) -> Generation | None:
    """What there is to start from. A change is made to the current generation or not at all: made to
    an earlier one, it would lose what was added since."""
    if change.from_current:
        base = Generation(index, index.candidates()[0])
        if unknown := sorted(name for name in change.remove if base.corpus.article(name) is None):
            base.close()
            raise UsageError(f"{', '.join(unknown)}: no such article in {index.path}; nothing was changed")
        return base
    try:
        return open_best(index, progress.warn)
    except NoIndexError:
        return None


def _encoder(
    model: str, base: Generation | None, target: Path, change: Change, progress: Progress
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
        shutil.copytree(base.path / ENCODER, target)
    else:
        target.mkdir()
        export(model, source, target, progress.warn)
    return Encoder(target)


def _max_tokens(
    recipe: Recipe, base: Generation | None, encoder: Encoder, change: Change, progress: Progress
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


def _articles(
    change: Change, base: Generation | None, intake: Intake, progress: Progress
) -> Iterator[tuple[Article, str]]:
    """The articles of the new collection, each with its origin; new ones before the kept."""
    added = set()
    for raw in sources.read(change.paths, intake):
        cleaned = clean(raw)
        if cleaned.article is None:
            intake.skip(raw.origin, "has no text")
            continue
        if cleaned.unread_date:
            instead = cleaned.article.published_at or "it is kept undated"
            progress.warn(f"{raw.origin}: its date {cleaned.unread_date!r} cannot be read; {instead}")
        added.add(cleaned.article.id)
        yield cleaned.article, raw.origin
    if change.from_current and base:
        for article, origin in base.corpus.articles():
            if article.id not in added and article.id not in change.remove:
                yield article, origin


def _write_texts(
    articles: Iterable[tuple[Article, str]],
    encoder: Encoder,
    max_tokens: int,
    staging: Path,
    intake: Intake,
    progress: Progress,
) -> int:
    """Fills the corpus and the full-text index; returns how many articles are undated."""
    progress.stage("articles")
    undated = 0
    with CorpusWriter(staging / CORPUS) as corpus, FullTextWriter(staging / FULLTEXT) as fulltext:
        for article, origin in articles:
            spans = cut(article.text, encoder.token_spans, max_tokens=max_tokens)
            texts = [encoded_text(article, span) for span in spans]
            row = corpus.passages
            taken_by = corpus.add(article, origin, list(zip(spans, map(_digest, texts), strict=True)))
            if taken_by:
                intake.skip(
                    origin, f"its id {article.id!r} is taken by {taken_by}; give each article its own"
                )
                continue
            for offset, text in enumerate(texts):
                fulltext.add(row + offset, text, article)
            undated += article.day is None
            progress.advance()
        if not corpus.articles:
            raise SourceError(
                f"no article to index ({len(intake.skipped)} skipped); the index stays as it was"
            )
    return undated


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _write_vectors(
    corpus: Corpus, encoder: Encoder, base: Generation | None, staging: Path, progress: Progress
) -> int:
    """Fills the vector index; returns how many passages had to be encoded."""
    vectors: Vectors = np.empty((corpus.passage_count, encoder.facts.dimension), dtype=np.float32)
    known: dict[bytes, int] = {}
    if base and base.encoder.facts.fingerprint == encoder.facts.fingerprint:
        known = {digest: row for row, digest in base.corpus.digests()}
    old_rows, kept_rows, new_rows = [], [], []
    for row, digest in corpus.digests():
        if (old := known.get(digest)) is None:
            new_rows.append(row)
        else:
            kept_rows.append(row)
            old_rows.append(old)
    if base and old_rows:
        vectors[kept_rows] = base.vectors.vectors(np.array(old_rows, dtype=np.int64))
    progress.stage("passages", len(new_rows))
    for start in range(0, len(new_rows), _WINDOW):
        window = new_rows[start : start + _WINDOW]
        texts = [encoded_text(article, passage.span) for passage, article in corpus.read(window)]
        vectors[window] = encoder.encode_passages(texts, progress.advance)
    VectorIndex.write(vectors, staging / VECTORS)
    return len(new_rows)
