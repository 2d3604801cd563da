import { html } from "./vendor/preact.js";
export function Timeline() { return html`<p>…</p>`; }
