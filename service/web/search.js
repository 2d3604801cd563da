// Search: the passages that fit best, narrowed down by day, source and author.
import { effect, html, signal, useEffect, useId, useLayoutEffect, useRef, useSignal } from "./vendor/preact.js";
import { CodePoints, get } from "./api.js";
import { best, Days, stretch } from "./days.js";
import { read } from "./pane.js";
import { AlsoIn, Facts, Failure, Field, Loading, Marked, Notice } from "./parts.js";
import { go, place } from "./place.js";

const PAGE = 20;
const MOST_AT_ONCE = 100; // results that the service gives at a time
const SHOWN = 8; // values of a facet, before more are asked for
const EXCERPT = 420; // code points
const NOTHING = { results: [], facets: null, interpreted: null, next: null, busy: false, error: null, stuck: null };

// What the address asks for.
function asked(params) {
  return {
    q: params.get("q") ?? "",
    source: params.getAll("source"),
    author: params.getAll("author"),
    after: params.get("after") ?? undefined,
    before: params.get("before") ?? undefined,
    sort: params.get("sort") === "date" ? "date" : undefined,
    collection: params.get("collection") ?? undefined,
    interpret: params.get("interpret") === "false" ? "false" : undefined,
  };
}

function page(wanted, offset, limit, { signal }) {
  const { after, before, ...rest } = wanted;
  const days = { published_after: after, published_before: before };
  return get("/v1/search", { ...rest, ...days, offset, limit, facets: offset === 0 || undefined }, { signal });
}

// Each entry of the history remembers its list and how far down the reader was: while the page lives in `kept`,
// and beyond a reload by their figures alone.
const kept = new Map();
let entries = 0;

function entry() {
  const known = history.state?.entry;
  if (known) return known;
  const made = `${Date.now()}.${(entries += 1)}`;
  history.replaceState({ ...history.state, entry: made }, "");
  return made;
}

function keep(name, list, y) {
  if (!list.results.length || list.busy) return;
  kept.delete(name);
  kept.set(name, { list: { ...list, stuck: null, fetching: false }, y });
  if (kept.size > 20) kept.delete(kept.keys().next().value);
  sessionStorage.setItem(`search ${name}`, JSON.stringify({ shown: list.results.length, y }));
}

function revived(name) {
  return kept.get(name) ?? JSON.parse(sessionStorage.getItem(`search ${name}`));
}

// The list of the address: loads its first page, and more of it when asked.
function useList(top) {
  const list = useSignal(NOTHING);
  const going = useRef(null);
  const goal = useRef(null); // where to scroll once the list is there
  const y = useRef(0); // how far down the reader was when the place changed
  const here = place.value;
  const wanted = asked(here.params);

  const load = async (limit = PAGE) => {
    going.current?.abort();
    const { signal } = (going.current = new AbortController());
    list.value = { ...list.value, busy: true, error: null };
    try {
      const found = await page(wanted, 0, limit, { signal });
      const { results, facets, interpreted, next_offset: next } = found;
      list.value = { ...NOTHING, results, facets, interpreted, next };
    } catch (error) {
      if (signal.aborted) return;
      list.value = { ...NOTHING, facets: list.value.facets, error };
    }
  };
  const more = async () => {
    const { next, busy, fetching } = list.value;
    if (next === null || busy || fetching) return;
    const { signal } = going.current ?? (going.current = new AbortController());
    list.value = { ...list.value, fetching: true, stuck: null };
    try {
      const found = await page(wanted, next, PAGE, { signal });
      // A list may have changed under an index that was exchanged.
      const known = new Set(list.value.results.map((one) => one.article_id));
      const results = [...list.value.results, ...found.results.filter((one) => !known.has(one.article_id))];
      list.value = { ...list.value, results, next: found.next_offset, fetching: false };
    } catch (error) {
      if (!signal.aborted) list.value = { ...list.value, fetching: false, stuck: error };
    }
  };

  useLayoutEffect(() => {
    history.scrollRestoration = "manual";
    // Read before anything of the next place is drawn.
    const end = effect(() => (y.current = place.value && scrollY));
    return () => {
      history.scrollRestoration = "auto";
      end();
    };
  }, []);
  useLayoutEffect(() => {
    const name = entry();
    const before = revived(name);
    going.current?.abort();
    going.current = null;
    goal.current = before?.y ?? null;
    if (!wanted.q) list.value = NOTHING;
    else if (before?.list) list.value = before.list;
    else load(before ? Math.min(MOST_AT_ONCE, Math.max(PAGE, before.shown)) : PAGE);
    const leave = () => keep(name, list.value, scrollY);
    addEventListener("pagehide", leave);
    return () => {
      removeEventListener("pagehide", leave);
      keep(name, list.value, y.current);
      going.current?.abort();
    };
  }, [here]);
  const drawn = list.value;
  useLayoutEffect(() => {
    if (!drawn.results.length || drawn.busy) return;
    // Another list is read from its beginning.
    const begin = top.current.getBoundingClientRect().top + scrollY - 16;
    scrollTo({ top: goal.current ?? Math.min(scrollY, Math.max(0, begin)), behavior: "instant" });
    goal.current = null;
  }, [drawn.interpreted]);
  return { list: drawn, wanted, load, more };
}

// The stretch of a passage with most of the question's words, in whole sentences where they are not too long.
function excerpt(text, points, highlights) {
  if (points.length <= EXCERPT * 1.2) return { start: 0, end: points.length };
  const place = (index) => (points.points ? Array.from(text.slice(0, index)).length : index);
  const breaks = [...text.matchAll(/(?:[.!?…]["'”’»)]*\s+|\n+)/gu)].map((one) => place(one.index + one[0].length));
  const worth = (from) => {
    const inside = highlights.filter((one) => one.start >= from && one.end <= from + EXCERPT);
    return 3 * new Set(inside.map((one) => points.slice(one.start, one.end).toLowerCase())).size + inside.length;
  };
  let start = 0;
  for (const from of [...breaks, ...highlights.map((one) => one.start)]) if (worth(from) > worth(start)) start = from;
  // Near the end the passage is shown up to there.
  const rest = points.length - start;
  if (rest < EXCERPT) start = breaks.findLast((one) => one <= start && points.length - one >= EXCERPT * 0.8) ?? start;
  let end = breaks.findLast((one) => one > start + EXCERPT * 0.75 && one <= start + EXCERPT * 1.1);
  if (points.length - start <= EXCERPT * 1.1) end = points.length;
  if (!end) for (end = start + EXCERPT; end < points.length && !/\s/.test(points.slice(end, end + 1)); ) end += 1;
  return { start, end };
}

function Passage({ text, highlights, children }) {
  const points = new CodePoints(text);
  const { start, end } = excerpt(text, points, highlights);
  const inside = highlights.filter((one) => one.start >= start && one.end <= end);
  const spans = inside.map((one) => ({ start: one.start - start, end: one.end - start }));
  return html`<p class="words" dir="auto">
    ${start > 0 && "…\u00a0"}<${Marked} text=${points.slice(start, end).trimEnd()} spans=${spans} />${end < points.length && "\u00a0…"}${" "}${children}
  </p>`;
}

function Result({ of, collection }) {
  const open = () => read({ article_id: of.article_id, start: of.start, end: of.end, collection });
  return html`<li>
    <article class="result" lang=${of.language}>
      <h3 dir="auto"><button type="button" onClick=${open}>${of.title}</button></h3>
      <${Facts} of=${of} />
      <${Passage} text=${of.text} highlights=${of.highlights}>
        <button type="button" class="as-link" tabindex="-1" aria-label=${`Read on: ${of.title}`} onClick=${open}>Read on</button>
      <//>
      <${AlsoIn} copies=${of.also_in} onRead=${(copy) => read({ article_id: copy.article_id, collection })} />
    </article>
  </li>`;
}

// The end of the list: loads what follows as soon as it comes near.
function End({ list, more }) {
  const end = useRef();
  useEffect(() => {
    if (list.next === null || list.stuck || list.busy) return undefined;
    const observer = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), {
      rootMargin: "800px",
    });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [list.next, list.stuck, list.busy]);
  if (list.stuck) return html`<${Failure} error=${list.stuck} onRetry=${more} />`;
  return html`<div ref=${end} class="end">
    ${list.next !== null ? html`<${Loading} what="Loading more" />` : html`<p>That is all.</p>`}
  </div>`;
}

function Values({ legend, facet, chosen, onChange }) {
  const all = useSignal(false);
  const id = useId();
  const counted = facet.values;
  const gone = chosen.filter((value) => !counted.some((one) => one.value === value));
  const values = [...gone.map((value) => ({ value, count: 0 })), ...counted];
  if (!values.length) return null;
  const few = values.filter((one, index) => index < SHOWN || chosen.includes(one.value));
  const turn = (value) => onChange(chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value]);
  return html`<fieldset>
    <legend>${legend} <span>${best(facet)}</span></legend>
    <ul id=${id}>
      ${(all.value ? values : few).map(
        ({ value, count }) =>
          html`<li key=${value}>
            <label class=${count ? "" : "none"}>
              <input type="checkbox" checked=${chosen.includes(value)} onChange=${() => turn(value)} />
              <span dir="auto">${value}</span>
              <span class="count">${count}</span>
            </label>
          </li>`,
      )}
    </ul>
    ${values.length > few.length &&
    html`<button
      type="button"
      class="button quiet small"
      aria-expanded=${all.value}
      aria-controls=${id}
      onClick=${() => (all.value = !all.value)}
    >
      ${all.value ? "Fewer" : `${values.length - few.length} more`}
    </button>`}
  </fieldset>`;
}

const collections = signal([]);

function Collections({ chosen, ready, onChange }) {
  useEffect(() => {
    if (!ready || collections.value.length) return;
    get("/v1/collections").then(
      (found) => (collections.value = found.collections.map((one) => one.name)),
      () => {}, // the search itself tells what is wrong
    );
  }, [ready]);
  if (collections.value.length < 2) return null;
  return html`<label class="collection">
    Collection
    <select onChange=${(event) => onChange(event.target.value)}>
      ${collections.value.map((name) => html`<option selected=${name === (chosen ?? collections.value[0])}>${name}</option>`)}
    </select>
  </label>`;
}

// What stands between the reader and all articles; each can be taken away.
function Chosen({ wanted, change }) {
  const without = (name, value) => change({ [name]: wanted[name].filter((one) => one !== value) });
  const chips = [
    ...wanted.source.map((value) => ({ value, drop: () => without("source", value) })),
    ...wanted.author.map((value) => ({ value, drop: () => without("author", value) })),
  ];
  const { after, before } = wanted;
  if (after || before) {
    chips.push({ value: stretch(after, before), drop: () => change({ after: undefined, before: undefined }) });
  }
  if (wanted.interpret) chips.push({ value: "taken literally", drop: () => change({ interpret: undefined }) });
  if (!chips.length) return null;
  return html`<ul class="chosen-list" aria-label="Filters">
    ${chips.map(
      ({ value, drop }) =>
        html`<li key=${value}>
          <button type="button" class="chosen" aria-label=${`Remove: ${value}`} onClick=${drop}>
            <span dir="auto">${value}</span><span aria-hidden="true">×</span>
          </button>
        </li>`,
    )}
    ${chips.length > 1 && html`<li><button type="button" class="button quiet small" onClick=${() => change(FREE)}>Remove all</button></li>`}
  </ul>`;
}
const FREE = { source: [], author: [], after: undefined, before: undefined, interpret: undefined };

// What was read in the question's own words about days and speakers.
function Understood({ interpreted, change }) {
  if (!interpreted?.findings.length) return null;
  return html`<div class="understood">
    <ul aria-label="Understood">
      ${interpreted.findings.map(
        (one) =>
          html`<li key=${one.start} class=${one.applied ? "" : "unused"}>
            <q dir="auto">${one.text}</q> — ${one.meaning}
          </li>`,
      )}
    </ul>
    <button type="button" class="button quiet small" onClick=${() => change({ interpret: "false" })}>Take it literally</button>
  </div>`;
}

function Order({ sort, change }) {
  const order = (value, title) =>
    html`<button type="button" aria-pressed=${sort === value} onClick=${() => sort !== value && change({ sort: value })}>${title}</button>`;
  return html`<div class="order" role="group" aria-label="Order">${order(undefined, "Best first")}${order("date", "Newest first")}</div>`;
}

function amount({ articles, more }) {
  if (more) return `More than ${articles} results`;
  return articles === 1 ? "One result" : `${articles} results`;
}

function Filters({ list, wanted, change, open }) {
  const { facets, busy, error } = list;
  const ready = !busy && !["offline", "key"].includes(error?.kind);
  return html`<section class=${`filters ${open ? "open" : ""}`} id="filters" aria-labelledby="narrow" aria-busy=${busy}>
    <h2 class="unseen" id="narrow">Narrow down</h2>
    <${Collections} chosen=${wanted.collection} ready=${ready} onChange=${(collection) => change({ ...FREE, collection })} />
    ${facets &&
    html`<${Days}
        facet=${facets.days}
        after=${wanted.after}
        before=${wanted.before}
        onChoose=${(after, before) => change({ after, before })}
      />
      <${Values} legend="Source" facet=${facets.sources} chosen=${wanted.source} onChange=${(source) => change({ source })} />
      <${Values} legend="Author" facet=${facets.authors} chosen=${wanted.author} onChange=${(author) => change({ author })} />`}
  </section>`;
}

export function Search() {
  const top = useRef();
  const open = useSignal(false);
  const { list, wanted, load, more } = useList(top);
  const change = (what) => go("search", { ...wanted, ...what });
  const filters = wanted.source.length + wanted.author.length + (wanted.after || wanted.before ? 1 : 0);
  useEffect(() => {
    document.title = `${wanted.q ? `${wanted.q} · ` : ""}Search · Dateline`;
  }, [wanted.q, list]);
  const field = html`<${Field}
    label="Search the articles"
    placeholder="Words, a question, a name"
    value=${wanted.q}
    button="Search"
    onAsk=${(q) => change({ q, interpret: undefined })}
  />`;
  if (!wanted.q) {
    return html`<div class="column stack start">
      <h1>Search the articles</h1>
      ${field}
      <p class="remark">
        Words count, and so does what they mean. “Last week”, “since March” or “the latest” choose the days.
      </p>
    </div>`;
  }
  const { results, facets, busy, error } = list;
  const found = results.length > 0;
  return html`<div class="search">
    <h1 class="unseen" dir="auto">Search: ${wanted.q}</h1>
    <div class="asking">${field}</div>
    <button
      type="button"
      class="button fold"
      aria-expanded=${open.value}
      aria-controls="filters"
      onClick=${() => (open.value = !open.value)}
    >
      Filters${filters > 0 && html` <span class="count">${filters}</span>`}
    </button>
    <${Filters} list=${list} wanted=${wanted} change=${change} open=${open.value} />
    <section class="found" ref=${top} aria-labelledby="results">
      <h2 class="unseen" id="results">Results</h2>
      <div class="above">
        <p class="amount" role="status">${found && facets ? amount(facets) : busy ? "Searching" : ""}</p>
        <${Order} sort=${wanted.sort} change=${change} />
      </div>
      <${Chosen} wanted=${wanted} change=${change} />
      <${Understood} interpreted=${list.interpreted} change=${change} />
      ${busy && html`<${Loading} what="Searching" />`}
      ${error && html`<${Failure} error=${error} onRetry=${() => load()} />`}
      ${found &&
      html`<ol class="results" aria-busy=${busy || Boolean(list.fetching)}>
          ${results.map((one) => html`<${Result} key=${one.passage_id} of=${one} collection=${wanted.collection} />`)}
        </ol>
        <${End} list=${list} more=${more} />`}
      ${!found &&
      !busy &&
      !error &&
      html`<${Notice} title="No article fits">
        ${filters > 0
          ? html`<button type="button" class="button" onClick=${() => change(FREE)}>Search without filters</button>`
          : html`<p>Other words may find one.</p>`}
      <//>`}
    </section>
  </div>`;
}
