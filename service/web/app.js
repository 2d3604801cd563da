// The page: its frame, and the view that the address names.
import { html, render, signal, useEffect } from "./vendor/preact.js";
import { Ask } from "./ask.js";
import { Pane } from "./pane.js";
import { Notice } from "./parts.js";
import { Link, place } from "./place.js";

const NAMES = { ask: "Ask", search: "Search", quotes: "Who said what", timeline: "Timeline", admin: "Operate" };
// Loaded when they are first looked at; asking is what most come for.
const LATER = {
  search: () => import("./search.js").then((module) => module.Search),
  quotes: () => import("./quotes.js").then((module) => module.Quotes),
  timeline: () => import("./timeline.js").then((module) => module.Timeline),
  admin: () => import("./admin.js").then((module) => module.Admin),
};
const loaded = signal({ ask: Ask });
// The view whose code could not be had, by name.
const missing = signal(null);

function load(view) {
  missing.value = null;
  LATER[view]().then(
    (found) => (loaded.value = { ...loaded.value, [view]: found }),
    () => (missing.value = view),
  );
}

function Theme() {
  const turn = () => {
    const { dataset } = document.documentElement;
    const dark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", dataset.theme);
  };
  return html`<button type="button" class="button quiet theme" onClick=${turn} aria-label="Light or dark" title="Light or dark">
    <span aria-hidden="true">◐</span>
  </button>`;
}

function App() {
  const { view } = place.value;
  const View = loaded.value[view];
  useEffect(() => {
    document.title = view === "ask" ? "Dateline" : `${NAMES[view]} · Dateline`;
    if (!View) load(view);
  }, [view]);
  return html`
    <a class="skip" href="#main">To the content</a>
    <header class="top">
      <${Link} view="ask" class="name"><span aria-hidden="true">”</span>Dateline<//>
      <nav aria-label="Views">
        ${Object.entries(NAMES).map(
          ([name, title]) =>
            html`<${Link} key=${name} view=${name} aria-current=${name === view ? "page" : undefined}>${title}<//>`,
        )}
      </nav>
      <${Theme} />
    </header>
    <main id="main" tabindex="-1">${View && html`<${View} key=${view} />`}
      ${!View && missing.value === view &&
      html`<h1 class="unseen">${NAMES[view]}</h1>
        <${Notice} kind="offline" title="The service cannot be reached" onRetry=${() => load(view)} />`}
    </main>
    <${Pane} />
  `;
}

// "/" leads to the field, wherever one is.
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
  if (event.key !== "/" || typing || event.metaKey || event.ctrlKey || event.altKey) return;
  event.preventDefault();
  document.getElementById("field")?.focus();
});

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
render(html`<${App} />`, document.getElementById("app"));
