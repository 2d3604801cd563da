// Timeline: a story's articles in the order of time, each with what was said.
import { html, useEffect, useMemo, useRef, useSignal } from "./vendor/preact.js";
import { CodePoints, get } from "./api.js";
import { Axis, lead, lights, span } from "./axis.js";
import { read } from "./pane.js";
import { AlsoIn, day, Facts, Failure, Field, isoDay, Loading, Marked, Notice } from "./parts.js";
import { go, Link, place } from "./place.js";

const ARTICLES = 40;
const QUOTES = 100;
// What belongs to the story, by what was seen of real questions: near the best, and not by rank alone.
const RELATED = 0.55; // of the best score
const NEAR = 0.35; // cosine, for an article that has none of the words
const LESS_RELATED = 0.25; // what is shown on demand
const TELLING = 0.6; // of an article's best quote: so far one by somebody who is named is preferred
const WORDS = 12; // so many make a quote that says something
const NOTEWORTHY = 0.3; // of the best quote's score

// The stretch of a passage that has most of the question: {start, end} in code points of the passage.
function tellingSentence(passage) {
  const points = new CodePoints(passage.text);
  const inPoints = (at) => (points.points ? Array.from(passage.text.slice(0, at)).length : at);
  let best = null;
  for (const match of passage.text.matchAll(/[^\s].*?(?:[.!?]["'”’)]*(?=\s)|\n|$)/gsu)) {
    const start = inPoints(match.index);
    const end = inPoints(match.index + match[0].trimEnd().length);
    const marks = passage.highlights.filter((one) => one.start >= start && one.end <= end);
    if (!best || marks.length > best.marks.length) best = { start, end, marks };
  }
  return best ?? { start: 0, end: points.length, marks: [] };
}

// What somebody said of it: the closest quote, or a named person's own words that are nearly as close.
function keyQuote(quotes, best) {
  const close = quotes.filter(({ score }) => score >= NOTEWORTHY * best);
  if (!close.length) return null;
  const weight = ({ score, quote }) => score + 0.15 * Math.min(1, quote.split(/\s+/).length / WORDS);
  const telling = close
    .filter(({ score }) => score >= TELLING * close[0].score)
    .sort((a, b) => weight(b) - weight(a));
  const named = ({ speaker }) => speaker && /^\p{Lu}/u.test(speaker);
  return telling.find((one) => one.direct && named(one)) ?? telling.find(named) ?? telling[0];
}

// The articles of a story as entries, the oldest first, undated ones last.
function story({ results }, { results: quotes }, related) {
  const best = results[0]?.score ?? 0;
  const loudest = quotes[0]?.score ?? 0;
  const entries = results
    .filter(({ score, scores }) => score >= related * best && (scores.lexical !== null || scores.dense >= NEAR))
    .map((passage) => ({
      passage,
      quote: keyQuote(quotes.filter(({ article_id: id }) => id === passage.article_id), loudest),
      sentence: tellingSentence(passage),
    }));
  const moment = ({ passage }) => passage.published_at ?? "9999";
  entries.sort((a, b) => isoDay(moment(a)).localeCompare(isoDay(moment(b))) || moment(a).localeCompare(moment(b)));
  return entries.map((entry, at) => ({ ...entry, number: at + 1 }));
}

function useStory(q, collection) {
  const found = useSignal(null);
  const error = useSignal(null);
  const again = useSignal(0);
  useEffect(() => {
    found.value = error.value = null;
    if (!q) return undefined;
    const stop = new AbortController();
    Promise.all([
      get("/v1/search", { q, limit: ARTICLES, collection }, stop),
      get("/v1/quotes", { q, limit: QUOTES, collection }, stop),
    ]).then(
      (both) => (found.value = both),
      (failure) => failure.name === "AbortError" || (error.value = failure),
    );
    return () => stop.abort();
  }, [q, collection, again.value]);
  return [found.value, error.value, () => again.value++];
}

function opened({ passage, quote, sentence }, collection) {
  if (quote) return { article_id: quote.article_id, start: quote.quote_start, end: quote.quote_end, collection };
  const { start, end } = sentence;
  return { article_id: passage.article_id, start: passage.start + start, end: passage.start + end, collection };
}

// What is shown of an article: the quote in its sentences, or the sentence that tells most.
function Words({ passage, quote, sentence }) {
  if (quote) {
    const at = quote.quote_start - quote.context_start;
    const spans = [{ start: at, end: at + quote.quote_end - quote.quote_start }];
    return html`<blockquote class="words" dir="auto">
      <${Marked} text=${quote.context} spans=${spans} kind=${quote.direct ? "direct" : "reported"} />
    </blockquote>`;
  }
  const text = new CodePoints(passage.text).slice(sentence.start, sentence.end);
  const spans = sentence.marks.map(({ start, end }) => ({ start: start - sentence.start, end: end - sentence.start }));
  return html`<p class="words" dir="auto"><${Marked} text=${text} spans=${spans} /></p>`;
}

function Entry({ entry, collection, lit }) {
  const { passage, quote, number } = entry;
  const id = passage.article_id;
  return html`<li class="entry ${lit.value === id ? "lit" : ""}" data-entry=${id} ...${lights(lit, id)}>
    <span class="badge" aria-hidden="true">${number}</span>
    <article lang=${passage.language}>
      <h3 dir="auto">
        <button type="button" class="title" onClick=${() => read(opened(entry, collection))}>${passage.title}</button>
      </h3>
      <p class="facts" dir="auto">
        ${passage.source && html`<span class="source">${passage.source}</span>`}
        ${passage.author && html`<span>${passage.author}</span>`}
      </p>
      <${Words} ...${entry} />
      ${quote &&
      html`<p class="voice">
        ${quote.speaker
          ? html`<${Link} view="quotes" params=${{ speaker: quote.speaker, collection }}><span dir="auto">${quote.speaker}</span><//>`
          : "Somebody"}
        <span class="soft">${quote.direct ? "" : " (reported)"}</span>
      </p>`}
      <${AlsoIn} copies=${passage.also_in} />
    </article>
  </li>`;
}

// The entries by day, and how long nothing came before each.
function byDay(entries) {
  const days = [];
  for (const entry of entries) {
    const on = isoDay(entry.passage.published_at);
    const last = days.at(-1);
    if (last && last.on === on) last.entries.push(entry);
    else days.push({ on, entries: [entry], after: last?.on && on ? span(last.on, on) : null });
  }
  return days;
}

function marksOf(entries) {
  return entries.flatMap((entry) => {
    const { passage, quote, number } = entry;
    const of = { lit: passage.article_id, entry };
    const said = quote ? `. ${quote.speaker ?? "Somebody"}: ${quote.quote}` : "";
    const label = (one) => `${day(one.published_at)}, ${one.source ?? "unknown outlet"}: ${one.title}`;
    const own = { ...of, id: passage.article_id, day: passage.published_at, kind: "full", text: String(number), label: label(passage) + said };
    const copies = passage.also_in.map((copy) => ({
      ...of,
      id: copy.article_id,
      day: copy.published_at,
      kind: "small hollow",
      label: `Also in: ${label(copy)}`,
      copy,
    }));
    return [own, ...copies].filter((mark) => mark.day);
  });
}

function Bubble({ mark: { entry, copy } }) {
  const of = copy ?? entry.passage;
  return html`<p class="bubble-title" dir="auto">${of.title}</p>
    ${copy
      ? html`<p class="bubble-who">Another copy of ${entry.number}</p>`
      : entry.quote &&
        html`<p class="bubble-words" dir="auto">${entry.quote.direct ? `“${entry.quote.quote}”` : entry.quote.quote}</p>
          <p class="bubble-who" dir="auto">${entry.quote.speaker ?? "Somebody"}</p>`}
    <${Facts} of=${of} author=${false} />`;
}

function Story({ q, found, collection }) {
  const every = useSignal(false); // also what is less close
  const [close, all] = useMemo(() => [story(...found, RELATED), story(...found, LESS_RELATED)], [found]);
  const entries = every.value ? all : close;
  const lit = useSignal(null);
  const box = useRef();
  const marks = useMemo(() => marksOf(entries), [entries]);
  const dated = entries.map(({ passage }) => isoDay(passage.published_at)).filter(Boolean);
  const outlets = new Set(entries.flatMap(({ passage }) => [passage, ...passage.also_in]).map(({ source }) => source).filter(Boolean));
  const copies = marks.some(({ copy }) => copy);
  const pick = (mark) => lead(box.current.querySelector(`[data-entry="${CSS.escape(mark.lit)}"]`));
  const facts = [
    `${entries.length} article${entries.length === 1 ? "" : "s"}`,
    outlets.size > 0 && `${outlets.size} outlet${outlets.size === 1 ? "" : "s"}`,
    dated.length > 0 && (dated[0] === dated.at(-1) ? day(dated[0]) : `${day(dated[0])} to ${day(dated.at(-1))}`),
    dated.length > 1 && dated[0] !== dated.at(-1) && span(dated[0], dated.at(-1)),
  ];
  return html`<div class="story" ref=${box}>
    <h1 dir="auto">${q}</h1>
    <p class="facts">${facts.filter(Boolean).map((one) => html`<span key=${one}>${one}</span>`)}</p>
    ${marks.length > 0 &&
    html`<section class="over-time" aria-labelledby="axis">
      <h2 id="axis" class="unseen">On the axis of time</h2>
      <${Axis}
        marks=${marks}
        radius=${12}
        label="Articles over time; the arrow keys lead from one to the next"
        lit=${lit}
        onPick=${pick}
        bubble=${(mark) => html`<${Bubble} mark=${mark} />`}
      />
      ${copies &&
      html`<p class="key" aria-hidden="true">
        <span><svg width="14" height="14" class="axis-key"><circle class="full" cx="7" cy="7" r="6" /></svg> article, by its number below</span>
        <span><svg width="14" height="14" class="axis-key"><circle class="hollow" cx="7" cy="7" r="4" /></svg> another copy of it</span>
      </p>`}
    </section>`}
    <ol class="days">
      ${byDay(entries).map(
        ({ on, entries: those, after }) =>
          html`<li key=${on ?? "undated"}>
            ${after && html`<p class="after"><span>${after} later</span></p>`}
            <h2>${on ? html`<time datetime=${on}>${day(on)}</time>` : "Undated"}</h2>
            <ol>
              ${those.map((entry) => html`<${Entry} key=${entry.number} entry=${entry} collection=${collection} lit=${lit} />`)}
            </ol>
          </li>`,
      )}
    </ol>
    ${all.length > entries.length &&
    html`<p class="rest">
      <button type="button" class="button" onClick=${() => (every.value = true)}>
        Show ${all.length - entries.length} more that may belong to it
      </button>
    </p>`}
  </div>`;
}

export function Timeline() {
  const { params } = place.value;
  const q = params.get("q")?.trim() ?? "";
  const collection = params.get("collection") ?? undefined;
  const [found, error, again] = useStory(q, collection);
  const some = q && found && story(...found, RELATED).length > 0;
  return html`<div class="timeline">
    <${Field}
      label="Which story"
      placeholder="A story: a bridge, a storm, a strike"
      button="Show"
      value=${q}
      onAsk=${(text) => go("timeline", { q: text, collection })}
    />
    ${!some && html`<h1 class="unseen">Timeline</h1>`}
    ${!q &&
    html`<${Notice} title="A story from its first article to its last">
      <p>Name it, and its articles stand in the order of time, each with what was said.</p>
    <//>`}
    ${q && error && html`<${Failure} error=${error} onRetry=${again} />`}
    ${q && !found && !error && html`<${Loading} what="Looking for the story" />`}
    ${q && found && !some &&
    html`<${Notice} title="No such story"><p dir="auto">No article is close to “${q}”.</p><//>`}
    ${some && html`<${Story} key=${q} q=${q} found=${found} collection=${collection} />`}
  </div>`;
}
