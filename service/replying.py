"""The answer to a question as it grows: the articles' own words, or a language model's around them."""

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

from indexer.errors import UsageError
from indexer.generation import Generation
from service.admission import step_aside
from service.answering import Answer, answer
from service.asking import Asked, Understood, understand
from service.evidence import NOTHING_YET, Proof, Statement, prove
from service.llm import LanguageModel, LanguageModelError, statements
from service.reranking import rescoring_by
from service.served import Lease
from service.settings import Settings
from service.watching.tracing import count, stage

log = logging.getLogger(__name__)

_MOST_TOKENS = 800  # written by a language model; some 500 words


@dataclass(frozen=True, slots=True)
class Reply:
    """A question as it was understood, and its answer so far; the whole answer once it has `ended`."""

    understood: Understood
    answer: Answer
    ended: bool = True


class Answerer:
    """Answers as the settings say. Requests may share it."""

    def __init__(self, settings: Settings) -> None:
        """Loads the models that the settings name. Raises UsageError where one is not to be had."""
        self.rescoring = rescoring_by(settings)
        self._min_confidence = settings.min_confidence
        self._model = _language_model(settings)
        self._marks = settings.llm_unproven == "marked"

    async def aclose(self) -> None:
        """Lets go of the language model's server."""
        if self._model:
            await self._model.aclose()

    def hurry(self) -> None:
        """Waits no longer for the language model."""
        if self._model:
            self._model.hurry()

    async def reply(self, lease: Lease, asked: Asked) -> Reply:
        """The whole answer."""
        return [reply async for reply in self.replies(lease, asked)][-1]

    async def replies(self, lease: Lease, asked: Asked) -> AsyncGenerator[Reply]:
        """The answer as it grows: each reply adds to the text of the one before, and the last has ended.

        Without a language model there is one, of quotes. With one there is a first without a word, when
        its passages are known, and another with each statement that passes the gate. Where the model
        fails, the quotes take the place of what is missing.
        """
        quoted = await lease.run(partial(self._quoted, asked=asked))
        if self._model is None or not quoted.answer.read:
            _counted(quoted.answer)
            yield quoted
            return
        step_aside()
        started = time.perf_counter()
        written = replace(quoted.answer, status="answered", proof=NOTHING_YET, model=self._model.name)
        yield replace(quoted, answer=written, ended=False)
        query = quoted.understood.query
        try:
            proposing = statements(self._model, query.text, written.read, asked.turns, mark=self._marks)
            with stage("llm"):
                async with aclosing(proposing) as proposed:
                    async for statement in proposed:
                        proof = await lease.run(partial(_proven, [statement], written.proof))
                        if proof != written.proof:
                            written = replace(written, proof=proof)
                            yield replace(quoted, answer=written, ended=False)
        except LanguageModelError as error:
            log.warning("the answer is made of quotes: %s", error)
            written = replace(written, degraded=True)
        if written.degraded or not written.proof.citations:
            missing = _missing(quoted.answer.proof, written.proof)
            proof = await lease.run(partial(_proven, missing, written.proof))
            written = replace(
                quoted.answer,
                status="answered" if proof.citations else "no_answer",
                proof=proof,
                model=written.model if written.proof.text else quoted.answer.model,
                degraded=written.degraded,
            )
        _counted(written)
        took_ms = (time.perf_counter() - started) * 1000
        yield replace(quoted, answer=replace(written, answer_ms=quoted.answer.answer_ms + took_ms))

    def _quoted(self, generation: Generation, asked: Asked) -> Reply:
        understood = understand(generation, asked)
        found = answer(
            generation,
            understood.query,
            min_confidence=self._min_confidence,
            reader=generation.reader,
        )
        return Reply(understood, found)


def _counted(answer: Answer) -> None:
    count(answer.status)
    if answer.degraded:
        count("degraded")


def _language_model(settings: Settings) -> LanguageModel | None:
    """The one that the settings name. Raises UsageError where they name half of it."""
    if not settings.llm_base_url:
        return None
    if not settings.llm_model:
        raise UsageError("llm_model: llm_base_url needs it; name a model that the server has")
    return LanguageModel(
        settings.llm_base_url,
        settings.llm_model,
        settings.llm_api_key.get_secret_value(),
        deadline_s=settings.llm_deadline_s,
        most_tokens=_MOST_TOKENS,
        at_once=settings.llm_at_once,
    )


def _proven(statements: list[Statement], onto: Proof, generation: Generation) -> Proof:
    return prove(generation.corpus, statements, onto)


def _missing(quoted: Proof, written: Proof) -> list[Statement]:
    """The quotes of one answer that another does not have the words of."""
    held = [citation.quote for citation in written.citations]
    return [
        Statement.of(citation.quote)
        for citation in quoted.citations
        if not any(
            other.article_id == citation.quote.article_id
            and other.place.start < citation.quote.place.end
            and citation.quote.place.start < other.place.end
            for other in held
        )
    ]
