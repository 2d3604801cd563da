import { html } from "./vendor/preact.js";
export function Quotes() { return html`<p>…</p>`; }
