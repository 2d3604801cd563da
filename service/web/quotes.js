// Who said what: the most quoted people, and what one of them said, when, and where it stands.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useSignal } from "./vendor/preact.js";
import { get } from "./api.js";
import { Axis, lead, lights } from "./axis.js";
import { read } from "./pane.js";
import { day, Facts, Failure, isoDay, Loading, Marked, Notice } from "./parts.js";
import { go, Link, place } from "./place.js";

const PEOPLE = 30;
const PAGE = 50;
const OF_TOPIC = 100; // all that the service weighs for a topic
const NAME = /^\p{Lu}/u; // "the mayor" is somebody else in each article
const RELATED = 0.35; // of the best score: what is below speaks of something else

const wanted = () => {
  const { params } = place.value;
  const of = (name) => params.get(name)?.trim() || undefined;
  return {
    speaker: of("speaker"),
    q: of("q"),
    after: of("after"),
    before: of("before"),
    sort: of("sort"),
    collection: of("collection"),
  };
};
const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

// Runs `ask(signal)` whenever `key` changes: [what it gave, what went wrong, again].
function useAnswer(key, ask) {
  const given = useSignal(null);
  const error = useSignal(null);
  const again = useSignal(0);
  useEffect(() => {
    const stop = new AbortController();
    given.value = error.value = null;
    ask(stop.signal).then(
      (answer) => (given.value = answer),
      (failure) => failure.name === "AbortError" || (error.value = failure),
    );
    return () => stop.abort();
  }, [key, again.value]);
  return [given, error.value, () => again.value++];
}

// Who, on what, from when to when.
function Asking({ of }) {
  const form = useRef();
  const names = useSignal([]);
  const waiting = useRef({});
  useLayoutEffect(() => {
    for (const name of ["speaker", "q", "after", "before"]) form.current.elements[name].value = of[name] ?? "";
  }, [of.speaker, of.q, of.after, of.before]);
  useEffect(() => () => (clearTimeout(waiting.current.timer), waiting.current.stop?.abort()), []);
  const suggest = ({ target: { value } }) => {
    clearTimeout(waiting.current.timer);
    waiting.current.stop?.abort();
    const stop = (waiting.current.stop = new AbortController());
    const q = value.trim() || undefined;
    waiting.current.timer = setTimeout(
      () =>
        get("/v1/speakers", { q, limit: 8, collection: of.collection }, { signal: stop.signal }).then(
          ({ results }) => (names.value = results),
          () => (names.value = []), // the field works without
        ),
      150,
    );
  };
  const ask = (event) => {
    event.preventDefault();
    const fields = new FormData(form.current);
    const given = (name) => fields.get(name).trim() || undefined;
    go("quotes", {
      speaker: given("speaker"),
      q: given("q"),
      after: given("after"),
      before: given("before"),
      collection: of.collection,
    });
  };
  return html`<form class="who" role="search" ref=${form} onSubmit=${ask}>
    <div class="who-fields">
      <label>
        <span>Who</span>
        <input
          id="field"
          name="speaker"
          type="search"
          dir="auto"
          maxlength="300"
          autocomplete="off"
          enterkeyhint="search"
          placeholder="a name"
          list="names"
          onInput=${suggest}
        />
      </label>
      <label>
        <span>On what</span>
        <input name="q" type="search" dir="auto" maxlength="2000" autocomplete="off" enterkeyhint="search" placeholder="any topic" />
      </label>
      <button type="submit" class="button primary">Find</button>
    </div>
    <div class="who-days">
      <label><span>Published from</span> <input name="after" type="date" /></label>
      <label><span>to</span> <input name="before" type="date" /></label>
    </div>
    <datalist id="names">
      ${names.value.map(({ name, quotes }) => html`<option key=${name} value=${name} label=${count(quotes, "quote")} />`)}
    </datalist>
  </form>`;
}

function years({ first_published_at: first, last_published_at: last }) {
  if (!first) return "undated";
  const [from, to] = [first, last].map((one) => day(one, { short: true }));
  return from === to ? from : `${from} – ${to}`;
}

// The most quoted, each with a bar: what stands in quotation marks, and what is reported.
function People({ people, of }) {
  const most = Math.max(...people.map(({ quotes }) => quotes));
  const share = (number) => ({ width: `${(100 * number) / most}%` });
  return html`<ol class="people">
    ${people.map(
      (one) =>
        html`<li key=${one.name}>
          <${Link}
            view="quotes"
            params=${{ speaker: one.speaker, q: of.q, after: of.after, before: of.before, collection: of.collection }}
          >
            <span class="person" dir="auto">${one.name}</span>
            <span class="bars" aria-hidden="true">
              ${one.direct > 0 && html`<span class="bar-direct" style=${share(one.direct)}></span>`}
              ${one.direct < one.quotes && html`<span class="bar-reported" style=${share(one.quotes - one.direct)}></span>`}
            </span>
            <span class="number">${one.quotes}<span class="unseen"> ${one.quotes === 1 ? "quote" : "quotes"}, ${one.direct} direct</span></span>
            <span class="years">${years(one)}</span>
          <//>
        </li>`,
    )}
  </ol>`;
}

function Key() {
  return html`<p class="key" aria-hidden="true">
    <span><svg width="14" height="14" class="axis-key"><circle class="full" cx="7" cy="7" r="5.5" /></svg> direct, in quotation marks</span>
    <span><svg width="14" height="14" class="axis-key"><circle class="hollow" cx="7" cy="7" r="5.5" /></svg> reported</span>
  </p>`;
}

function MostQuoted({ of }) {
  const [given, error, again] = useAnswer(of.collection, (signal) =>
    get("/v1/speakers", { limit: PEOPLE, collection: of.collection }, { signal }),
  );
  const people = given.value?.results;
  return html`
    <h1 class=${people?.length ? "" : "unseen"}>Who is quoted most</h1>
    ${error && html`<${Failure} error=${error} onRetry=${again} />`}
    ${!people && !error && html`<${Loading} what="Loading who is quoted" />`}
    ${people?.length === 0 &&
    html`<${Notice} title="Nobody is quoted by name"><p>Quotes are found in English articles.</p><//>`}
    ${people?.length > 0 &&
    html`
      <p class="summary">
        ${given.value.total > people.length
          ? `The ${people.length} most quoted of ${given.value.total.toLocaleString("en-GB")} people and bodies.`
          : `All ${people.length} people and bodies that are quoted by name.`}
      </p>
      <p class="key" aria-hidden="true">
        <span><span class="bar-direct"></span> direct, in quotation marks</span>
        <span><span class="bar-reported"></span> reported</span>
      </p>
      <${People} people=${people} of=${of} />
    `}
  `;
}

const keyOf = (quote) => `${quote.article_id}:${quote.quote_start}`;
const whose = (quote) => quote.speaker ?? "Somebody";

function Card({ quote, of, named, lit }) {
  const key = keyOf(quote);
  const open = () =>
    read({ article_id: quote.article_id, start: quote.quote_start, end: quote.quote_end, collection: of.collection });
  const spans = [{ start: quote.quote_start - quote.context_start, end: quote.quote_end - quote.context_start }];
  return html`<li class="card quote ${lit.value === key ? "lit" : ""}" data-entry=${key} ...${lights(lit, key)}>
    <p class="by">
      ${quote.speaker && !named
        ? html`<${Link}
            class="speaker"
            dir="auto"
            view="quotes"
            params=${{ speaker: quote.speaker, after: of.after, before: of.before, collection: of.collection }}
            >${quote.speaker}<//
          >`
        : html`<span class="speaker" dir="auto">${whose(quote)}</span>`}
      <span class="how ${quote.direct ? "direct" : "reported"}">${quote.direct ? "direct" : "reported"}</span>
    </p>
    <blockquote class="words" dir="auto">
      <${Marked} text=${quote.context} spans=${spans} kind=${quote.direct ? "direct" : "reported"} />
    </blockquote>
    <div class="from">
      <div>
        <p class="title" dir="auto">${quote.title}</p>
        <${Facts} of=${quote} />
      </div>
      <button type="button" class="button" onClick=${open}>
        Read it there<span class="unseen">: ${whose(quote)}, ${quote.title}</span>
      </button>
    </div>
  </li>`;
}

function Bubble({ quote }) {
  return html`<p class="bubble-words" dir="auto">${quote.direct ? `“${quote.quote}”` : quote.quote}</p>
    <p class="bubble-who" dir="auto">${whose(quote)}${quote.direct ? "" : ", reported"}</p>
    <p class="facts">
      ${quote.source && html`<span class="source">${quote.source}</span>`}
      <time datetime=${isoDay(quote.published_at)}>${day(quote.published_at, { short: true })}</time>
    </p>`;
}

function OverTime({ quotes, lit, box }) {
  const dated = useMemo(
    () =>
      quotes
        .filter((quote) => quote.published_at)
        .map((quote) => ({
          id: keyOf(quote),
          lit: keyOf(quote),
          day: quote.published_at,
          kind: quote.direct ? "full" : "hollow",
          label: `${day(quote.published_at)}, ${whose(quote)}, ${quote.direct ? "direct" : "reported"}: ${quote.quote}`,
          quote,
        })),
    [quotes],
  );
  if (!dated.length) return null;
  const undated = quotes.length - dated.length;
  const pick = (mark) => lead(box.current.querySelector(`[data-entry="${CSS.escape(mark.id)}"]`));
  return html`<section class="over-time" aria-labelledby="over-time">
    <h2 id="over-time" class="unseen">Over time</h2>
    <${Axis}
      marks=${dated}
      label="Quotes over time; the arrow keys lead from one to the next"
      lit=${lit}
      onPick=${pick}
      bubble=${(mark) => html`<${Bubble} quote=${mark.quote} />`}
    />
    <div class="under">
      <${Key} />
      ${undated > 0 && html`<p class="summary">${count(undated, "quote")} without a date below.</p>`}
    </div>
  </section>`;
}

// Who speaks in what was found, the oftenest first.
function Voices({ quotes, of }) {
  const said = new Map();
  for (const { speaker } of quotes) if (speaker && NAME.test(speaker)) said.set(speaker, (said.get(speaker) ?? 0) + 1);
  if (said.size < 2) return null;
  const voices = [...said].sort((a, b) => b[1] - a[1]).slice(0, 6);
  return html`<ul class="voices" aria-label="Who speaks of it">
    ${voices.map(
      ([speaker, number]) =>
        html`<li key=${speaker}>
          <${Link}
            class="button"
            view="quotes"
            params=${{ speaker, q: of.q, after: of.after, before: of.before, collection: of.collection }}
            ><span dir="auto">${speaker}</span> <span class="number">${number}</span><//
          >
        </li>`,
    )}
  </ul>`;
}

// Whom was asked for in vain: who has that in the name.
function Meant({ of }) {
  const [given] = useAnswer(`${of.speaker}\n${of.collection}`, (signal) =>
    get("/v1/speakers", { q: of.speaker, limit: 8, collection: of.collection }, { signal }),
  );
  const people = given.value?.results.filter(({ speaker }) => speaker !== of.speaker);
  if (!people?.length) return null;
  return html`<h2 class="meant">Who has this in the name</h2>
    <${People} people=${people} of=${{ ...of, q: undefined, after: undefined, before: undefined }} />`;
}

function asked(of) {
  return {
    speaker: of.speaker,
    q: of.q,
    published_after: of.after,
    published_before: of.before,
    collection: of.collection,
  };
}

// Calls `more` when what it returns a reference to comes near the window.
function useEnd(more, active) {
  const end = useRef();
  useEffect(() => {
    if (!active || !end.current) return undefined;
    const watch = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && more(), { rootMargin: "400px" });
    watch.observe(end.current);
    return () => watch.disconnect();
  });
  return end;
}

function Found({ of }) {
  const key = JSON.stringify(asked(of));
  const limit = of.q ? OF_TOPIC : PAGE;
  const [given, error, again] = useAnswer(key, (signal) => get("/v1/quotes", { ...asked(of), limit }, { signal }));
  const lit = useSignal(null);
  const every = useSignal(false); // also what hardly speaks of the topic
  const next = useSignal({ busy: false, error: null });
  const box = useRef();
  const results = given.value?.results;
  const shown = useMemo(() => {
    if (!results || !of.q) return results ?? [];
    const kept = every.value ? results : results.filter(({ score }) => score >= RELATED * results[0].score);
    if (of.sort !== "time") return kept;
    return [...kept].sort((a, b) => (b.published_at ?? "").slice(0, 10).localeCompare((a.published_at ?? "").slice(0, 10)));
  }, [results, every.value, of.q, of.sort]);

  const more = async () => {
    const before = given.value;
    if (next.value.busy || before?.next_offset == null) return;
    next.value = { busy: true, error: null };
    try {
      const page = await get("/v1/quotes", { ...asked(of), limit, offset: before.next_offset });
      if (given.value === before) given.value = { ...page, results: [...before.results, ...page.results] };
      next.value = { busy: false, error: null };
    } catch (failure) {
      next.value = { busy: false, error: failure };
    }
  };
  const unfinished = !of.q && given.value?.next_offset != null;
  const end = useEnd(more, unfinished && !next.value.error);

  const people = new Set(shown.map(({ speaker }) => speaker));
  const named = of.speaker && people.size === 1 ? [...people][0] : null;
  const heading = of.speaker ? (named ?? of.speaker) : "Who said what";
  const outlets = [...new Set(shown.map(({ source }) => source).filter(Boolean))];
  const days = shown.map(({ published_at }) => isoDay(published_at)).filter(Boolean).sort();
  const direct = shown.filter((quote) => quote.direct).length;
  const facts = [
    `${unfinished ? "The newest " : ""}${count(shown.length, "quote")}, ${direct} direct`,
    days.length && (days[0] === days.at(-1) ? day(days[0]) : `${day(days[0])} to ${day(days.at(-1))}`),
    outlets.length && (outlets.length > 3 ? `${outlets.length} outlets` : outlets.join(", ")),
  ];
  const sorted = (sort) => ({ ...of, sort });
  const dropped = (results?.length ?? 0) - shown.length;
  return html`<div class="sayings" ref=${box}>
    <p class="back"><${Link} view="quotes" params=${{ collection: of.collection }}>Who is quoted most<//></p>
    <h1 class=${shown.length ? "" : "unseen"}>
      <span dir="auto">${heading}</span>${of.q && html`<span class="topic"> on <span dir="auto">${of.q}</span></span>`}
    </h1>
    ${error && html`<${Failure} error=${error} onRetry=${again} />`}
    ${!results && !error && html`<${Loading} what="Looking for quotes" />`}
    ${results?.length === 0 &&
    html`<${Notice} title="No such quote">
        <p dir="auto">
          ${of.speaker && of.q
            ? `Nothing is quoted of “${of.speaker}” on “${of.q}”.`
            : of.speaker
              ? `The articles quote nobody who is called “${of.speaker}”.`
              : `Nothing is quoted on “${of.q}”.`}
          ${of.after || of.before ? " Other days may have some." : ""}
        </p>
        ${of.speaker &&
        of.q &&
        html`<p><${Link} view="quotes" params=${{ ...of, q: undefined }}>All that is quoted of them<//></p>`}
      <//>
      ${of.speaker && html`<${Meant} of=${of} />`}`}
    ${shown.length > 0 &&
    html`
      <p class="facts">${facts.filter(Boolean).map((one) => html`<span key=${one}>${one}</span>`)}</p>
      ${!of.speaker && html`<${Voices} quotes=${shown} of=${of} />`}
      <${OverTime} quotes=${shown} lit=${lit} box=${box} />
      <div class="in-order">
        <h2>Quotes</h2>
        ${of.q &&
        html`<div class="switch" role="group" aria-label="Order">
          <${Link} view="quotes" params=${sorted(undefined)} aria-current=${of.sort === "time" ? undefined : "true"}>Closest first<//>
          <${Link} view="quotes" params=${sorted("time")} aria-current=${of.sort === "time" ? "true" : undefined}>Newest first<//>
        </div>`}
      </div>
      <ol class="quotes">
        ${shown.map(
          (quote) => html`<${Card} key=${keyOf(quote)} quote=${quote} of=${of} named=${quote.speaker === named} lit=${lit} />`,
        )}
      </ol>
      ${of.q &&
      dropped > 0 &&
      html`<p class="rest">
        <button type="button" class="button" onClick=${() => (every.value = true)}>
          Show ${count(dropped, "more quote")} that hardly ${dropped === 1 ? "speaks" : "speak"} of it
        </button>
      </p>`}
      ${unfinished &&
      html`<div class="rest" ref=${end}>
        ${next.value.error
          ? html`<${Failure} error=${next.value.error} onRetry=${more} />`
          : html`<button type="button" class="button" disabled=${next.value.busy} onClick=${more}>
              ${next.value.busy ? "Loading more" : "More"}
            </button>`}
      </div>`}
    `}
  </div>`;
}

export function Quotes() {
  const of = wanted();
  return html`<div class="who-said">
    <${Asking} of=${of} />
    ${of.speaker || of.q
      ? html`<${Found} key=${JSON.stringify(asked(of))} of=${of} />`
      : html`<${MostQuoted} of=${of} />`}
  </div>`;
}
