"""Documents to articles: the format is told by the bytes; what takes time runs on every core."""

import multiprocessing
import resource
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress

from pebble import ProcessExpired, ProcessPool

from indexer.cores import cores
from indexer.models import RawArticle
from indexer.sources import html, mail, markdown, pdf, text
from indexer.sources.decoding import decode
from indexer.sources.document import Document, NoArticleError, Skip
from indexer.sources.unpacking import LARGEST

SNIFFED = 1 << 16  # bytes looked at to tell a format
_SLOW = (pdf, html)
_SECONDS = 60.0  # for one document
_MEMORY = 4 << 30  # bytes of address space for a worker
_WAITING_BYTES = 64 << 20  # of documents under way
_WAITING = 256


def parse(document: Document) -> RawArticle:
    """The article that a document holds. Raises NoArticleError where it holds none."""
    start = document.content[:SNIFFED]
    for format_ in (*_SLOW, mail):
        if format_.recognises(start, document.suffix):
            found: RawArticle = format_.read(document)
            return found
    content = decode(document.content, document.charset)
    if markdown.recognises(content, document.suffix):
        return markdown.read(content, document)
    return text.read(content, document)


def parsed(
    offered: Iterable[RawArticle | Document], skip: Skip, *, processes: int = 0
) -> Iterator[RawArticle]:
    """Every article offered, in order. Pages and PDFs are parsed by worker processes, by default one a core:
    one that does not end, or takes its process down with it, is skipped by name like any other that holds no
    article."""
    waiting: deque[RawArticle | tuple[Document, Future[RawArticle]]] = deque()
    waiting_bytes = 0
    with ExitStack() as opened:
        pool: ProcessPool | None = None
        for one in offered:
            if isinstance(one, RawArticle):
                if len(one.text) <= LARGEST:
                    waiting.append(one)
                else:
                    skip(
                        one.origin,
                        f"holds more than {LARGEST >> 20} million characters, which no article does",
                    )
            elif any(format_.recognises(one.content[:SNIFFED], one.suffix) for format_ in _SLOW):
                pool = pool or opened.enter_context(_workers(processes or cores()))
                waiting.append((one, pool.schedule(parse, args=[one], timeout=_SECONDS)))
                waiting_bytes += len(one.content)
            else:
                try:
                    waiting.append(parse(one))
                except Exception as error:  # noqa: BLE001  as in _awaited
                    skip(one.origin, reason(error))
            while waiting and (
                isinstance(waiting[0], RawArticle)
                or waiting_bytes > _WAITING_BYTES
                or len(waiting) > _WAITING
            ):
                first = waiting.popleft()
                if not isinstance(first, RawArticle):
                    waiting_bytes -= len(first[0].content)
                yield from _awaited(first, skip)
        for rest in waiting:
            yield from _awaited(rest, skip)


def _awaited(one: RawArticle | tuple[Document, Future[RawArticle]], skip: Skip) -> Iterator[RawArticle]:
    if isinstance(one, RawArticle):
        yield one
        return
    document, future = one
    try:
        yield future.result()
    except TimeoutError:
        skip(document.origin, f"could not be parsed within {_SECONDS:.0f} s")
    except MemoryError:
        skip(document.origin, f"could not be parsed within {_MEMORY >> 30} GiB of memory")
    except ProcessExpired:
        skip(document.origin, "ended the process that parsed it")
    except Exception as error:  # noqa: BLE001  one page that a parser trips over must not end a build of many
        skip(document.origin, reason(error))


def reason(error: Exception) -> str:
    """Why something holds no article, whatever a parser made of it."""
    if isinstance(error, NoArticleError):
        return str(error)
    return f"could not be parsed ({type(error).__name__}: {error})"[:300]


@contextmanager
def _workers(count: int) -> Iterator[ProcessPool]:
    # A server that forks before it has any threads: the encoder's would not survive a fork.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPool(count, initializer=_begin_worker, context=context) as pool:
        try:
            yield pool
        except BaseException:
            pool.stop()  # type: ignore[no-untyped-call]
            raise


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to answer
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
