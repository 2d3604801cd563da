import { html } from "./vendor/preact.js";
export function Admin() { return html`<p>…</p>`; }
