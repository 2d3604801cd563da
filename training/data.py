"""What the reader learns from: questions with their paragraphs, and pairs made unanswerable.

Training data has answerable questions only (SQuADshifts, Miller et al., ICML 2020). Whoever reads nothing
else learns to answer always, so as many pairs without an answer are made: a question with another
paragraph (of its article, or BM25's best), with its paragraph less the sentences that answer it, or
changed by one word into another question, as the authors of SQuAD 2.0's unanswerable questions did by
hand (Rajpurkar et al., ACL 2018, table 2). Words are changed in the paragraph instead, too, and in both,
which keeps the pair answerable: that something was changed shall tell nothing.
"""

import heapq
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from pathlib import Path
from random import Random
from zlib import crc32

import numpy as np
import numpy.typing as npt
from kinds import OTHERS, STOPWORDS
from safetensors import safe_open

from indexer.passages import sentences

SOURCES = ("new_wiki", "reddit", "amazon")
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
_SHINGLE = 8  # words that hardly stand twice by chance
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
    text: str
    answers: tuple[Span, ...]


@dataclass(frozen=True)
class Paragraph:
    source: str
    article: str
    title: str
    text: str
    sentences: tuple[Span, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Example:
    """`answers` are code points of `passage`; without any the passage does not answer."""

    question: str
    passage: str
    answers: tuple[Span, ...]
    origin: str


def load(folder: Path) -> list[Paragraph]:
    """All paragraphs to learn from, less those that an evaluation set also holds."""
    held_out = _evaluation_shingles(folder)
    found = []
    for path in sorted((folder / "squadshifts").glob("*.json")):
        source = next(name for name in SOURCES if path.name.startswith(name))
        for number, article in enumerate(json.loads(path.read_text(encoding="utf-8"))["data"]):
            title = article.get("title", "").replace("_", " ") if source == "new_wiki" else ""
            for record in article["paragraphs"]:
                text = record["context"]
                shingles = _shingles(text)
                if sum(shingle in held_out for shingle in shingles) > len(shingles) / 10:
                    continue
                questions = tuple(
                    Question(
                        qa["question"].strip(),
                        tuple(
                            Span(one["answer_start"], one["answer_start"] + len(one["text"]))
                            for one in qa["answers"]
                        ),
                    )
                    for qa in record["qas"]
                )
                cut = tuple(Span(one.start, one.end) for one in sentences(text))
                found.append(Paragraph(source, f"{source}/{number}", title, text, cut, questions))
    return found


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
    """Makes an epoch's examples: every question once as it is, and once in a pair without answer."""

    def __init__(self, paragraphs: list[Paragraph], neighbours: Neighbours) -> None:
        self._paragraphs = paragraphs
        self._neighbours = neighbours
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
                yield self._window(question.text, paragraph, question.answers, random, "as it is")
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
        for way, share in _SHARES[paragraph.source == "new_wiki", number == 0]:
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
            self._rivals[key] = (same[:4] + rivals[:6]) if paragraph.source == "new_wiki" else rivals[:8]
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
            if draw < 0.06:
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
        if random.random() < 0.4 or paragraph.source != "new_wiki" or not names:
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
        """Neighbouring sentences around the answers, or around a random place without any.

        Windows are of random size: short ones cost little, and long ones will be met.
        """
        cut = paragraph.sentences
        limit = random.choice([40, 60, 80, 100, 120])  # words; 120 are about 160 tokens
        if answers:
            first = next((at for at, one in enumerate(cut) if one.end > min(s.start for s in answers)), 0)
            last = next(
                (at for at, one in enumerate(cut) if one.end >= max(s.end for s in answers)), len(cut) - 1
            )
            last = max(first, last)
        else:
            first = last = random.randrange(len(cut))
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
