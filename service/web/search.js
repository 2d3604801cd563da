import { html } from "./vendor/preact.js";
export function Search() { return html`<p>…</p>`; }
