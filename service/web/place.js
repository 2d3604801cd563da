// Where the reader is: a view and its parameters, kept in the address so that every state can be shared.
import { html, signal } from "./vendor/preact.js";

export const VIEWS = ["ask", "search", "quotes", "timeline", "admin"];

function read() {
  const name = location.pathname.replace(/^\/+|\/+$/g, "") || "ask";
  return { view: VIEWS.includes(name) ? name : "ask", params: new URLSearchParams(location.search) };
}

export const place = signal(read());

addEventListener("popstate", () => (place.value = read()));

// The address of a view; a parameter is a text, a list of texts, or nothing.
export function address(view, params = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== "") search.append(name, one);
  }
  const query = search.toString();
  return `/${view === "ask" ? "" : view}${query ? `?${query}` : ""}`;
}

export function go(view, params, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address(view, params));
  place.value = read();
}

// A link to a view that needs no reload; opened in another tab it leads to the same.
export function Link({ view, params, children, ...rest }) {
  const follow = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(view, params);
    scrollTo({ top: 0, behavior: "instant" });
  };
  return html`<a href=${address(view, params)} onClick=${follow} ...${rest}>${children}</a>`;
}
