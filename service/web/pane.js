// The reading pane: an article, opened at a quote.
import { html, signal, useEffect, useRef, useSignal } from "./vendor/preact.js";
import { get } from "./api.js";
import { AlsoIn, Facts, Failure, Loading, Marked } from "./parts.js";

// What is open: {article_id, collection, start, end} in code points, or null.
const open = signal(null);

// Opens an article with the stretch from `start` to `end` marked and scrolled to.
export function read({ article_id, start, end, collection }) {
  open.value = { article_id, start, end, collection, opener: document.activeElement };
}

function close() {
  const opener = open.value?.opener;
  open.value = null;
  opener?.focus?.();
}

// The paragraphs of a text, with the part of the marked stretch that falls into each.
function paragraphs(text, start, end) {
  const found = [];
  let at = 0;
  for (const line of text.split("\n")) {
    const length = /[\ud800-\udfff]/.test(line) ? Array.from(line).length : line.length;
    if (line.trim()) {
      const from = Math.max(start ?? 0, at) - at;
      const to = Math.min(end ?? 0, at + length) - at;
      found.push({ line, spans: end !== undefined && to > from ? [{ start: from, end: to }] : [] });
    }
    at += length + 1;
  }
  return found;
}

export function Pane() {
  const article = useSignal(null);
  const error = useSignal(null);
  const dialog = useRef();
  const wanted = open.value;
  const load = async () => {
    article.value = error.value = null;
    try {
      const path = `/v1/articles/${wanted.article_id.split("/").map(encodeURIComponent).join("/")}`;
      const found = await get(path, { collection: wanted.collection });
      if (open.value === wanted) article.value = found;
    } catch (failure) {
      if (open.value === wanted) error.value = failure;
    }
  };
  useEffect(() => {
    if (!wanted) {
      dialog.current?.close();
      return;
    }
    if (!dialog.current.open) dialog.current.showModal();
    load();
  }, [wanted]);
  useEffect(() => {
    if (!article.value) return;
    const mark = dialog.current.querySelector("mark");
    (mark ?? dialog.current.querySelector("h2"))?.scrollIntoView({ block: "center" });
  }, [article.value]);
  const outside = (event) => event.target === dialog.current && close();
  return html`<dialog class="pane" ref=${dialog} aria-label="Article" onClose=${close} onClick=${outside}>
    ${wanted &&
    html`<div class="pane-inside">
      <header>
        <button type="button" class="button quiet" onClick=${close}>Close</button>
        ${article.value?.url?.match(/^https?:/) &&
        html`<a class="button quiet" href=${article.value.url} rel="noreferrer noopener" target="_blank">At its source</a>`}
      </header>
      ${error.value && html`<${Failure} error=${error.value} onRetry=${load} />`}
      ${!article.value && !error.value && html`<${Loading} what="Loading the article" />`}
      ${article.value &&
      html`<article class="reading" lang=${article.value.language}>
        <h2 dir="auto">${article.value.title}</h2>
        <${Facts} of=${article.value} />
        <${AlsoIn} copies=${article.value.also_in} />
        <div tabindex="0" role="region" aria-label="Text">
          ${paragraphs(article.value.text, wanted.start, wanted.end).map(
            ({ line, spans }) =>
              html`<p dir="auto"><${Marked} text=${line} spans=${spans} kind="quoted" /></p>`,
          )}
        </div>
      </article>`}
    </div>`}
  </dialog>`;
}
