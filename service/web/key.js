// Asks for the key that the service wants; loaded where it does.
import { html, render, useEffect, useRef } from "./vendor/preact.js";

function KeyDialog({ trouble, onDone }) {
  const dialog = useRef();
  const input = useRef();
  const given = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  const keep = (event) => {
    event.preventDefault();
    given.current = input.current.value.trim() || null;
    dialog.current.close();
  };
  return html`<dialog class="confirm" ref=${dialog} aria-labelledby="key-title" onClose=${() => onDone(given.current)}>
    <h2 id="key-title">This service asks for a key</h2>
    <p id="key-about">
      Whoever runs it makes one with <code>dateline keys add NAME</code>. It is kept by this tab alone, until that is closed.
    </p>
    ${trouble && html`<p class="trouble" role="alert">${trouble[0].toUpperCase()}${trouble.slice(1)}.</p>`}
    <form class="stack" onSubmit=${keep}>
      <label for="key">Key</label>
      <input id="key" ref=${input} type="password" required autocomplete="off" spellcheck="false" aria-describedby="key-about" />
      <p class="buttons">
        <button type="button" class="button" onClick=${() => dialog.current.close()}>Cancel</button>
        <button type="submit" class="button primary">Use it</button>
      </p>
    </form>
  </dialog>`;
}

// Resolves with a key, or with null where none is given; `trouble` is what was wrong with the last one.
export function askForKey(trouble) {
  const place = document.body.appendChild(document.createElement("div"));
  return new Promise((resolve) => {
    const done = (key) => {
      render(null, place);
      place.remove();
      resolve(key);
    };
    render(html`<${KeyDialog} trouble=${trouble} onDone=${done} />`, place);
  });
}
