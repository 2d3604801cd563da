// What several views are made of.
import { html, useLayoutEffect, useRef } from "./vendor/preact.js";
import { CodePoints } from "./api.js";

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const SHORT_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

// "2023-10-16" or a moment in ISO 8601, as a reader writes it.
export function day(published, { short = false } = {}) {
  if (!published) return "undated";
  return (short ? SHORT_DAY : DAY).format(new Date(`${published.slice(0, 10)}T00:00:00Z`));
}

export function isoDay(published) {
  return published ? published.slice(0, 10) : undefined;
}

// Outlet, author and day of an article, quote or passage.
export function Facts({ of, author = true }) {
  return html`<p class="facts" dir="auto">
    ${of.source && html`<span class="source">${of.source}</span>`}
    ${author && of.author && html`<span>${of.author}</span>`}
    <time datetime=${isoDay(of.published_at)}>${day(of.published_at)}</time>
  </p>`;
}

// How sure, in words.
export function certainty(confidence) {
  if (confidence >= 0.95) return "The articles tell this plainly";
  if (confidence >= 0.9) return "The articles most likely tell this";
  return "The articles seem to tell this";
}

// A text in which stretches, given in code points and in order, are marked.
export function Marked({ text, spans, kind = "" }) {
  const points = new CodePoints(text);
  const pieces = [];
  let at = 0;
  for (const { start, end } of spans) {
    if (start < at) continue;
    pieces.push(points.slice(at, start), html`<mark class=${kind}>${points.slice(start, end)}</mark>`);
    at = end;
  }
  pieces.push(points.slice(at));
  return pieces;
}

// "Also in": the other copies of a story; with `onRead` each can be opened.
export function AlsoIn({ copies, onRead }) {
  if (!copies?.length) return null;
  const named = copies.slice(0, 4).map((one, index) => {
    const name = one.source ?? one.title;
    const shown = onRead ? html`<button type="button" class="as-link" onClick=${() => onRead(one)}>${name}</button>` : name;
    return [index > 0 && ", ", html`<bdi>${shown}</bdi>`];
  });
  const more = copies.length - named.length;
  return html`<p class="also">Also in ${named}${more > 0 ? ` and ${more} more` : ""}</p>`;
}

// One field with its button; "/" leads to it from anywhere on the page.
export function Field({ label, value, placeholder, onAsk, button, busy, onStop }) {
  const input = useRef();
  // Before anybody can type: what is typed must not be taken away again.
  useLayoutEffect(() => {
    input.current.value = value ?? "";
  }, [value]);
  const ask = (event) => {
    event.preventDefault();
    const text = input.current.value.trim();
    if (text) onAsk(text);
  };
  return html`<form class="field" role="search" onSubmit=${ask}>
    <label class="unseen" for="field">${label}</label>
    <input
      id="field"
      ref=${input}
      type="search"
      dir="auto"
      maxlength="2000"
      autocomplete="off"
      enterkeyhint="search"
      placeholder=${placeholder}
    />
    <kbd class="hint" aria-hidden="true">/</kbd>
    ${busy && onStop
      ? html`<button type="button" class="button stop" onClick=${onStop}>Stop</button>`
      : html`<button type="submit" class="button primary">${button}</button>`}
  </form>`;
}

// What is said instead of a result: while it is loading, when there is none, when something went wrong.
export function Notice({ kind = "empty", title, children, onRetry }) {
  const role = kind === "error" || kind === "offline" ? "alert" : "status";
  return html`<div class="notice ${kind}" role=${role}>
    <p class="notice-title">${title}</p>
    ${children && html`<div>${children}</div>`}
    ${onRetry && html`<button type="button" class="button" onClick=${onRetry}>Try again</button>`}
  </div>`;
}

export function Failure({ error, onRetry }) {
  const titles = {
    offline: "The service cannot be reached",
    busy: "The service cannot answer now",
    key: "This takes a key",
    refused: "This cannot be asked",
    failed: "Something went wrong in the service",
  };
  const kind = error.kind === "offline" ? "offline" : "error";
  return html`<${Notice} kind=${kind} title=${titles[error.kind] ?? titles.failed} onRetry=${onRetry}>
    <p>${error.message}</p>
  <//>`;
}

export function Loading({ what }) {
  return html`<div class="loading" role="status"><span class="unseen">${what}</span><span class="bar"></span></div>`;
}
