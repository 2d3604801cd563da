"""What the reader learns from: questions with their paragraphs, and pairs made unanswerable.

SQuADshifts (Miller et al., ICML 2020) has answerable questions only, and other files hold few that people
made unanswerable. Whoever reads nothing else learns to answer always, so pairs without an answer are made:
a question with another paragraph (of its article, or BM25's best), with its paragraph less the sentences
that answer it, or changed by one word into another question, as the authors of SQuAD 2.0's unanswerable
questions did by hand (Rajpurkar et al., ACL 2018, table 2) and by the words that they chose. Words are
changed in the paragraph instead, too, and in both, which leaves the pair as answerable as it was: that
something was changed shall tell nothing.
"""

import heapq
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from math import log
from pathlib import Path
from random import Random
from urllib.parse import unquote
from zlib import crc32

import numpy as np
import numpy.typing as npt
from kinds import OTHERS, STOPWORDS
from safetensors import safe_open

from indexer.passages import sentences

# SQuADshifts' parts; those of reviews and comments.
SOURCES = ("new_wiki", "reddit", "amazon")
_OPINIONS = SOURCES[1:]
_WORD = re.compile(r"\w+(?:['’]\w+)?")
_YEAR = re.compile(r"\b(?:1\d{3}|20[0-2]\d)\b")
_NUMBER = re.compile(r"\b\d[\d,]*(?:\.\d+)?\b")
_NAME = re.compile(r"\b[A-Z][\w'’.-]*\w(?:\s+(?:(?:of|the|de|von|van|and)\s+)?[A-Z][\w'’.-]*\w)*")
_AUXILIARIES = {
    "was": "wasn't", "were": "weren't", "is": "isn't", "are": "aren't", "did": "didn't", "does": "doesn't",
    "do": "don't", "can": "can't", "could": "couldn't", "has": "hasn't", "have": "haven't", "had": "hadn't",
    "would": "wouldn't", "should": "shouldn't", "will": "won't",
}  # fmt: skip
_POSITIVE = {negative: positive for positive, negative in _AUXILIARIES.items()}
_LONGEST_PARAGRAPH = 4000  # characters
_SHINGLE = 8  # words that hardly stand twice by chance
# Of the questions on a paragraph of which people also asked what it does not answer, so many get a made pair.
_BESIDE_ASKED = 0.4
# Words of a window, by whether it is of reviews and comments; 180 are about 240 tokens.
_WORDS_OF_WINDOW = {True: (40, 60, 80, 100, 120), False: (50, 80, 120, 180)}
_TOKENISED = re.compile(r"\s+(n['’]t|['’](?:s|re|ve|ll|d|m)|[?,.;:!%)\]])(?!\w)")
# How the pairs without answer are made, by (is Wikipedia, is the first epoch); what is left is edited.
# Reviews and comments come without articles, and their questions ("What is the product?") fit others too.
_SHARES = {
    (True, True): (("rival", 0.35), ("removal", 0.15)),
    (True, False): (("rival", 0.2), ("removal", 0.1)),
    (False, True): (("rival", 0.2), ("removal", 0.25)),
    (False, False): (("rival", 0.1), ("removal", 0.15)),
}


@dataclass(frozen=True)
class Span:
    start: int
    end: int


@dataclass(frozen=True)
class Question:
    """Without `answers` it is one that people made so that the paragraph does not answer it."""

    text: str
    answers: tuple[Span, ...]


@dataclass(frozen=True)
class Paragraph:
    """`weight` is the share of its questions that an epoch has."""

    source: str
    article: str
    title: str
    text: str
    sentences: tuple[Span, ...]
    questions: tuple[Question, ...]
    weight: float = 1.0

    @property
    def is_asked_in_vain(self) -> bool:
        return any(not one.answers for one in self.questions)


@dataclass(frozen=True)
class More:
    """A further file of SQuAD's layout, and the share of its questions that an epoch has."""

    path: Path
    weight: float

    @classmethod
    def parsed(cls, text: str) -> "More":
        """FILE or FILE:WEIGHT."""
        path, colon, weight = text.rpartition(":")
        return cls(Path(path), float(weight)) if colon else cls(Path(text), 1.0)


@dataclass(frozen=True)
class Example:
    """`answers` are code points of `passage`; without any the passage does not answer."""

    question: str
    passage: str
    answers: tuple[Span, ...]
    origin: str


def load(folder: Path, more: list[More], opinions: float = 1.0) -> list[Paragraph]:
    """All paragraphs to learn from, less those that an evaluation set also holds.

    `opinions` is the weight of SQuADshifts' reviews and comments.
    """
    held_out = _evaluation_shingles(folder)
    found: list[Paragraph] = []
    for path in sorted((folder / "squadshifts").glob("*.json")):
        source = next(name for name in SOURCES if path.name.startswith(name))
        found += _read(path, source, opinions if source in _OPINIONS else 1.0)
    for one in more:
        found += _read(one.path, one.path.stem, one.weight)
    return [paragraph for paragraph in found if not _is_known(paragraph.text, held_out)]


def _read(path: Path, source: str, weight: float) -> Iterator[Paragraph]:
    for number, article in enumerate(json.loads(path.read_text(encoding="utf-8"))["data"]):
        title = unquote(article.get("title", "")).replace("_", " ") if source not in _OPINIONS else ""
        for record in article["paragraphs"]:
            text = record["context"]
            questions = tuple(
                Question(
                    plain(qa["question"]),
                    tuple(
                        Span(one["answer_start"], one["answer_start"] + len(one["text"]))
                        for one in qa["answers"]
                    ),
                )
                for qa in record["qas"]
            )
            cut = tuple(Span(one.start, one.end) for one in sentences(text))
            whole = Paragraph(source, f"{source}/{number}", title, text, cut, questions, weight)
            yield from [whole] if len(text) <= _LONGEST_PARAGRAPH else _pieces(whole)


def _pieces(whole: Paragraph) -> Iterator[Paragraph]:
    """A document as paragraphs of whole sentences, each with the questions that it answers."""
    first = 0
    for last, one in enumerate(whole.sentences, start=1):
        begin = whole.sentences[first].start
        if last < len(whole.sentences) and whole.sentences[last].end - begin <= _LONGEST_PARAGRAPH / 2:
            continue
        yield replace(
            whole,
            text=whole.text[begin : one.end],
            sentences=tuple(_moved(sentence, -begin) for sentence in whole.sentences[first:last]),
            questions=tuple(
                replace(question, answers=tuple(_moved(span, -begin) for span in question.answers))
                for question in whole.questions
                if question.answers
                and all(begin <= span.start and span.end <= one.end for span in question.answers)
            ),
        )
        first = last


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)


def plain(question: str) -> str:
    """A question as people type it: files that were cut into tokens must not be told by that, for
    many of their questions have no answer."""
    text = re.sub(r"``|''|[“”]", '"', question).replace("’", "'")
    text = re.sub(r"\bcan not\b", "cannot", _TOKENISED.sub(r"\1", text))
    return " ".join(text.split())


def _is_known(text: str, shingles: set[str]) -> bool:
    some = _shingles(text)
    return sum(shingle in shingles for shingle in some) > len(some) / 10


def is_held_out(paragraph: Paragraph) -> bool:
    """One paragraph in 25, always the same: never trained on, so that the threshold can be fitted to it."""
    return crc32(paragraph.text.encode()) % 25 == 0


def _evaluation_shingles(folder: Path) -> set[str]:
    texts: list[str] = []
    squad = folder / "squad" / "dev-v2.0.json"
    if squad.exists():
        data = json.loads(squad.read_text(encoding="utf-8"))["data"]
        texts += [paragraph["context"] for article in data for paragraph in article["paragraphs"]]
    newsquiz = folder / "newsquiz" / "corpus.jsonl"
    if newsquiz.exists():
        texts += [json.loads(line)["text"] for line in newsquiz.read_text(encoding="utf-8").splitlines()]
    return {shingle for text in texts for shingle in _shingles(text)}


def _shingles(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    return [" ".join(words[at : at + _SHINGLE]) for at in range(len(words) - _SHINGLE + 1)]


class Neighbours:
    """For a word, others used alike and not of its stem: near it among a model's word vectors."""

    def __init__(self, vocabulary: list[str], vectors: npt.NDArray[np.float32], counts: Counter[str]) -> None:
        places = {word: at for at, word in enumerate(vocabulary)}
        self._words = [
            word for word, count in counts.items()
            if count >= 3 and len(word) >= 4 and word.isalpha() and word in places and word not in STOPWORDS
        ]  # fmt: skip
        rows = vectors[[places[word] for word in self._words]]
        rows = rows - rows.mean(0)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        ranked = np.argsort(-(rows @ rows.T), axis=1)[:, 1:25]
        self._near = {
            word: [
                other
                for other in (self._words[at] for at in ranked[place])
                if other[:4] != word[:4] and other[-3:] != word[-4:-1] and _alike(other, word)
            ][:10]
            for place, word in enumerate(self._words)
        }

    @classmethod
    def from_model(cls, folder: Path, paragraphs: list[Paragraph]) -> "Neighbours":
        """Over the words of all questions, by the word vectors of a BERT model."""
        counts = Counter(
            word
            for paragraph in paragraphs
            for question in paragraph.questions
            for word in re.findall(r"\w+", question.text.lower())
        )
        with safe_open(folder / "model.safetensors", "numpy") as tensors:
            vectors = tensors.get_tensor("embeddings.word_embeddings.weight")
        vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        return cls(vocabulary[: len(vectors)], vectors, counts)

    def of(self, word: str) -> list[str]:
        return self._near.get(word, [])


class Replacements:
    """What people put for words of a question so that its paragraph no longer answered it."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """`pairs` are questions (with, without an answer)."""
        counts: Counter[tuple[str, str]] = Counter()
        for answered, unanswered in pairs:
            old, new = _WORD.findall(answered.lower()), _WORD.findall(unanswered.lower())
            changes = [
                change
                for change in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
                if change[0] != "equal"
            ]
            if len(changes) == 1 and changes[0][0] == "replace":
                _, start, end, other_start, other_end = changes[0]
                counts[" ".join(old[start:end]), " ".join(new[other_start:other_end])] += 1
        self._known: dict[str, list[str]] = {}
        for (old_words, new_words), count in counts.items():
            is_chosen = count > 1 or not set(old_words.split()) <= STOPWORDS
            if is_chosen and max(old_words.count(" "), new_words.count(" ")) < 2:
                self._known.setdefault(old_words, []).extend([new_words] * min(count, 5))

    @classmethod
    def read(cls, path: Path | None, paragraphs: list[Paragraph]) -> "Replacements":
        """From `path` (tab-separated: an id, the question without, an id, the question with an answer)
        and the paragraphs' own questions, of which likest are taken for pairs."""
        rows = [] if path is None else path.read_text(encoding="utf-8").splitlines()
        pairs = [(plain(cells[3]), plain(cells[1])) for cells in (row.split("\t") for row in rows)]
        for paragraph in paragraphs:
            answered = [one.text for one in paragraph.questions if one.answers]
            pairs += [
                (max(answered, key=partial(_likeness, one.text)), one.text)
                for one in paragraph.questions
                if answered and not one.answers
            ]
        return cls(pairs)

    def of(self, text: str) -> Iterator[tuple[str, list[str]]]:
        """Every one or two words of the text that were replaced, and by what."""
        words = list(_WORD.finditer(text))
        for first in range(len(words)):
            for last in range(first, min(first + 2, len(words))):
                part = text[words[first].start() : words[last].end()]
                if part.lower() in self._known:
                    yield part, self._known[part.lower()]


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower().split(), other.lower().split(), autojunk=False).ratio()


def _alike(one: str, other: str) -> bool:
    """Whether two words end as one form of verb or number does."""
    return all(one.endswith(ending) == other.endswith(ending) for ending in ("ed", "ing", "s", "ly", "est"))


class Bm25:
    """BM25 over paragraphs (Robertson & Zaragoza, 2009; k1 0.9, b 0.4)."""

    def __init__(self, texts: list[str]) -> None:
        counted = [Counter(_terms(text)) for text in texts]
        lengths = [sum(counts.values()) for counts in counted]
        mean = sum(lengths) / max(1, len(lengths))
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for at, counts in enumerate(counted):
            norm = 0.9 * (0.6 + 0.4 * lengths[at] / mean)
            for term, count in counts.items():
                self._postings.setdefault(term, []).append((at, count * 1.9 / (count + norm)))
        self.size = len(texts)

    def rarity(self, term: str) -> float:
        found = len(self._postings.get(term, ()))
        return log(1 + (self.size - found + 0.5) / (found + 0.5))

    def best(self, question: str, limit: int) -> list[int]:
        scores: dict[int, float] = defaultdict(float)
        for term in sorted(set(_terms(question))):
            rarity = self.rarity(term)
            for at, weight in self._postings.get(term, ()):
                scores[at] += rarity * weight
        return heapq.nlargest(limit, scores, key=lambda at: scores[at])


def _terms(text: str) -> list[str]:
    return [word[:6] for word in _WORD.findall(text.lower()) if word not in STOPWORDS]


class Maker:
    """Makes an epoch's examples: every question once as it is, and once in a pair without answer;
    those that people made unanswerable `repeats` times, each in another window."""

    def __init__(
        self, paragraphs: list[Paragraph], neighbours: Neighbours, replacements: Replacements, repeats: int
    ) -> None:
        self._paragraphs = paragraphs
        self._neighbours = neighbours
        self._replacements = replacements
        self._repeats = repeats
        self._by_source: dict[str, list[Paragraph]] = {}
        self._by_article: dict[str, list[Paragraph]] = {}
        self._names: dict[str, list[str]] = {}
        for paragraph in paragraphs:
            self._by_source.setdefault(paragraph.source, []).append(paragraph)
            self._by_article.setdefault(paragraph.article, []).append(paragraph)
            self._names.setdefault(paragraph.article, []).extend(_names(paragraph.text))
        self._bm25 = {name: Bm25([one.text for one in some]) for name, some in self._by_source.items()}
        self._rivals: dict[tuple[str, str], list[Paragraph]] = {}

    def epoch(self, number: int, random: Random, only: list[Paragraph] | None = None) -> Iterator[Example]:
        """The examples of all paragraphs, or of `only` some; rivals and names come from all.

        The first epoch (0) has its share of every way; from the second on most pairs are edited, for by
        then other paragraphs and those without their answer are told apart nine times in ten.
        """
        for paragraph in self._paragraphs if only is None else only:
            for question in paragraph.questions:
                if random.random() >= paragraph.weight:
                    continue
                if not question.answers:
                    for _ in range(self._repeats):
                        yield self._in_vain(paragraph, question, random)
                    continue
                yield self._window(question.text, paragraph, question.answers, random, "as it is")
                if paragraph.is_asked_in_vain and random.random() >= _BESIDE_ASKED:
                    continue
                made = self._negative(number, paragraph, question, random)
                if made is not None:
                    yield made
                if random.random() < (0.1 if number == 0 else 0.2):
                    both = self._edited(paragraph, question, random, "both")
                    if both is not None:
                        yield both

    def _negative(
        self, number: int, paragraph: Paragraph, question: Question, random: Random
    ) -> Example | None:
        first = "edit"
        draw = random.random()
        for way, share in _SHARES[paragraph.source not in _OPINIONS, number == 0]:
            if draw < share:
                first = way
                break
            draw -= share
        for way in sorted(("edit", "rival", "removal"), key=lambda way: way != first):
            if way == "edit":
                where = "question" if random.random() < 0.6 else "passage"
                made = self._edited(paragraph, question, random, where)
            elif way == "rival":
                made = self._rival(paragraph, question, random)
            else:
                made = self._without_answer(paragraph, question, random)
            if made is not None:
                return made
        return None

    def _in_vain(self, paragraph: Paragraph, question: Question, random: Random) -> Example:
        both = self._edited(paragraph, question, random, "both") if random.random() < 0.3 else None
        return both or self._window(question.text, paragraph, (), random, "asked in vain")

    def _rival(self, paragraph: Paragraph, question: Question, random: Random) -> Example | None:
        """The question with a paragraph that shares words with it, but neither its answer nor all of
        its rarer words."""
        key = (paragraph.text, question.text)
        if key not in self._rivals:
            some = self._by_source[paragraph.source]
            bm25 = self._bm25[paragraph.source]
            answers = {paragraph.text[span.start : span.end].lower() for span in question.answers}
            rare = {term for term in _terms(question.text) if bm25.rarity(term) > 4}
            rivals = []
            for at in bm25.best(question.text, 40):
                other = some[at]
                lower = other.text.lower()
                if (
                    other.text != paragraph.text
                    and rare - set(_terms(other.text))
                    and not any(answer in lower for answer in answers)
                ):
                    rivals.append(other)
            same = [other for other in rivals if other.article == paragraph.article]
            self._rivals[key] = rivals[:8] if paragraph.source in _OPINIONS else (same[:4] + rivals[:6])
        if not self._rivals[key]:
            return None
        return self._window(question.text, random.choice(self._rivals[key]), (), random, "rival")

    def _without_answer(self, paragraph: Paragraph, question: Question, random: Random) -> Example | None:
        answers = {paragraph.text[span.start : span.end].lower() for span in question.answers}
        kept = [
            paragraph.text[one.start : one.end]
            for one in paragraph.sentences
            if not any(one.start < span.end and span.start < one.end for span in question.answers)
            and not any(answer in paragraph.text[one.start : one.end].lower() for answer in answers)
        ]
        if len(kept) < 2 or len(kept) == len(paragraph.sentences):
            return None
        text = " ".join(kept)
        rest = _paragraph(paragraph, text)
        return self._window(question.text, rest, (), random, "removal")

    def _edited(self, paragraph: Paragraph, question: Question, random: Random, where: str) -> Example | None:
        """One word or name changed: in the question, in the passage, or alike in both."""
        if where == "question":
            draw = random.random()
            changed = None
            if draw < 0.08:
                changed = _negated(question.text, random)
            elif draw < 0.14:
                changed = self._conditioned(paragraph, question, random)
            if changed is not None:
                return self._window(
                    changed, paragraph, question.answers, random, "negation or condition", answered=False
                )
        choices = self._changes(paragraph, question, in_passage=where != "question")
        if not choices:
            return None
        # Names, figures and known opposites first: the others are guesses.
        best = max(1, min(rank for rank, _, _ in choices)) if random.random() < 0.7 else 3
        _, old, others = random.choice([choice for choice in choices if choice[0] <= best])
        new = random.choice(others)
        text = _replaced(question.text, old, new) if where != "passage" else question.text
        if where == "question":
            return self._window(text, paragraph, question.answers, random, "edited question", answered=False)
        passage, moved = _replaced_around(paragraph.text, question.answers, old, new)
        if passage == paragraph.text:
            return None
        other = _paragraph(paragraph, passage)
        if where == "both":
            return self._window(text, other, moved, random, "edited both")
        return self._window(text, other, moved, random, "edited passage", answered=False)

    def _changes(
        self, paragraph: Paragraph, question: Question, *, in_passage: bool
    ) -> list[tuple[int, str, list[str]]]:
        """(rank, what, what may stand for it) of each part of the question that can be changed."""
        answers = [paragraph.text[span.start : span.end] for span in question.answers]
        answer_words = _words(" ".join(answers))
        found = [
            *_other_figures(question.text, paragraph.text, answers),
            *self._other_names(question.text, paragraph),
            *self._other_words(question.text, paragraph.text),
            *self._replaced_by_people(question.text),
        ]
        if not in_passage:
            return found
        words = _words(paragraph.text)
        return [
            (rank, old, others)
            for rank, old, others in found
            if (old in paragraph.text if rank == 0 else old.lower() in words)
            and not _words(old) & answer_words
        ]

    def _other_names(self, text: str, paragraph: Paragraph) -> Iterator[tuple[int, str, list[str]]]:
        asked, words = _words(text), _words(paragraph.text)
        near = _names(paragraph.text)
        pool = near if len(near) > 3 else near + self._names[paragraph.article]
        for old in _names(text, sentence_start=True):
            if _words(old) & words:
                others = [
                    one
                    for one in pool
                    if not _words(one) & asked and abs(one.count(" ") - old.count(" ")) <= 1
                ]
                if others:
                    yield 0, old, others

    def _replaced_by_people(self, text: str) -> Iterator[tuple[int, str, list[str]]]:
        asked = _words(text)
        for old, others in self._replacements.of(text):
            fitting = [one for one in others if not _words(one) <= asked]
            if fitting:
                yield 0, old, fitting

    def _other_words(self, text: str, passage: str) -> Iterator[tuple[int, str, list[str]]]:
        asked, words = _words(text), _words(passage)
        for match in _WORD.finditer(text):
            old = match.group()
            word = old.lower()
            if word in STOPWORDS or (old != word and match.start() > 0):
                continue
            known = [other for other in OTHERS.get(word, []) if other not in asked]
            guesses = [one for one in self._neighbours.of(word) if one not in asked and one not in words]
            if known:
                yield 1, old, known
            elif guesses:
                yield (2 if word in words else 3), old, guesses

    def _conditioned(self, paragraph: Paragraph, question: Question, random: Random) -> str | None:
        """The question with a year or place that the paragraph does not speak of."""
        if not question.text.endswith("?") or len(question.text) > 90:
            return None
        names = [
            one for one in self._names[paragraph.article] if one not in paragraph.text and one.count(" ") < 2
        ]
        if random.random() < 0.4 or paragraph.source in _OPINIONS or not names:
            year = str(random.randint(1850, 2019))
            return None if year in paragraph.text else f"{question.text[:-1].rstrip()} in {year}?"
        preposition = random.choice(["in", "of", "for", "from"])
        return f"{question.text[:-1].rstrip()} {preposition} {random.choice(names)}?"

    def _window(
        self,
        question: str,
        paragraph: Paragraph,
        answers: tuple[Span, ...],
        random: Random,
        origin: str,
        *,
        answered: bool = True,
    ) -> Example:
        """Neighbouring sentences around the answers, or around the sentence likest to the question.

        Windows are of random size: short ones cost little, and long ones will be met.
        """
        cut = paragraph.sentences
        limit = random.choice(_WORDS_OF_WINDOW[paragraph.source in _OPINIONS])
        if answers:
            first = next((at for at, one in enumerate(cut) if one.end > min(s.start for s in answers)), 0)
            last = next(
                (at for at, one in enumerate(cut) if one.end >= max(s.end for s in answers)), len(cut) - 1
            )
            last = max(first, last)
        else:
            terms = set(_terms(question))
            shared = [len(terms & set(_terms(paragraph.text[one.start : one.end]))) for one in cut]
            first = last = max(range(len(cut)), key=lambda at: (shared[at], random.random()))
        sizes = [paragraph.text.count(" ", one.start, one.end) + 1 for one in cut]
        total = sum(sizes[first : last + 1])
        while True:
            ways = []
            if first > 0 and total + sizes[first - 1] <= limit:
                ways.append(-1)
            if last + 1 < len(cut) and total + sizes[last + 1] <= limit:
                ways.append(1)
            if not ways:
                break
            if random.choice(ways) < 0:
                first -= 1
                total += sizes[first]
            else:
                last += 1
                total += sizes[last]
        start, end = cut[first].start, cut[last].end
        head = f"{paragraph.title}\n" if paragraph.title and random.random() < 0.3 else ""
        moved = tuple(
            Span(len(head) + one.start - start, len(head) + one.end - start)
            for one in answers
            if answered and one.start >= start and one.end <= end
        )
        return Example(question, head + paragraph.text[start:end], moved, origin)


def _paragraph(like: Paragraph, text: str) -> Paragraph:
    cut = tuple(Span(one.start, one.end) for one in sentences(text))
    return Paragraph(like.source, like.article, like.title, text, cut, ())


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _other_figures(text: str, passage: str, answers: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    for old in _NUMBER.findall(text):
        is_year = bool(_YEAR.fullmatch(old))
        usable = [
            one
            for one in dict.fromkeys([*_NUMBER.findall(passage), *answers])
            if _NUMBER.fullmatch(one) and bool(_YEAR.fullmatch(one)) is is_year and one not in text
        ]
        if is_year and len(usable) < 2:
            usable += [str(int(old) + step) for step in (-21, -7, 4, 12)]
        if usable:
            yield 0, old, usable


def _names(text: str, *, sentence_start: bool = False) -> list[str]:
    """Capitalised words, but for those that only begin a sentence."""
    found = []
    for match in _NAME.finditer(text):
        name, start = match.group(), match.start()
        first, _, rest = name.partition(" ")
        opens = start == 0 or text[max(0, start - 2) : start].strip()[-1:] in '.!?"”“:'
        if opens and (sentence_start or first.lower() in STOPWORDS or not rest):
            name = rest if rest[:1].isupper() else ""
        if len(name) > 2 and name.lower() not in STOPWORDS and name not in found:
            found.append(name)
    return found


def _negated(question: str, random: Random) -> str | None:
    words = question.split(" ")
    for at, word in enumerate(words[:6]):
        if word.lower() in _POSITIVE:
            return " ".join([*words[:at], _POSITIVE[word.lower()], *words[at + 1 :]])
        if word.lower() in ("not", "never"):
            return " ".join([*words[:at], *words[at + 1 :]])
    for at, word in enumerate(words[:5]):
        if word.lower() in _AUXILIARIES:
            lower = word.lower()
            plain = at == 1 and words[0].lower() in ("who", "what", "which") and random.random() < 0.5
            if plain and lower not in ("did", "does", "do"):
                return " ".join([*words[: at + 1], random.choice(["not", "never"]), *words[at + 1 :]])
            return " ".join([*words[:at], _AUXILIARIES[lower], *words[at + 1 :]])
    return None


def _replaced(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: _cased(old, new), text)


def _cased(old: str, new: str) -> str:
    return new[:1].upper() + new[1:] if old[:1].isupper() and new[:1].islower() else new


def _replaced_around(
    text: str, answers: tuple[Span, ...], old: str, new: str
) -> tuple[str, tuple[Span, ...]]:
    """`old` replaced wherever it stands outside the answers, and where the answers then are."""
    shifts: list[tuple[int, int]] = []
    pieces = []
    done = 0
    for match in re.finditer(rf"(?<!\w){re.escape(old)}(?!\w)", text, re.IGNORECASE):
        if any(match.start() < one.end and one.start < match.end() for one in answers):
            continue
        put = _cased(match.group(), new)
        pieces += [text[done : match.start()], put]
        done = match.end()
        shifts.append((match.end(), len(put) - (match.end() - match.start())))
    pieces.append(text[done:])

    def moved(place: int) -> int:
        return place + sum(by for end, by in shifts if end <= place)

    return "".join(pieces), tuple(Span(moved(one.start), moved(one.end)) for one in answers)
