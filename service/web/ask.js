import { html } from "./vendor/preact.js";
export function Ask() { return html`<p>…</p>`; }
