// A citation in an answer: a chip that names the outlet, and a card with the quote as it stands in its article.
import { html, useEffect, useId, useRef, useSignal } from "./vendor/preact.js";
import { read } from "./pane.js";
import { AlsoIn, Facts, Marked } from "./parts.js";

const GAP = 8; // pixels, from the chip and from the window's edges
const TALLEST = 420;
const TO_SHOW_MS = 80; // so that a pointer in passing opens nothing
const TO_HIDE_MS = 220; // so that it can cross the gap

// Hides the card that is open; there is one at most.
let hideOpen = null;

// Opens an article at a quote of it.
export function readQuote({ article_id, quote_start, quote_end }, collection) {
  read({ article_id, start: quote_start, end: quote_end, collection });
}

// Puts a card below its chip, or above where there is more room, inside the window.
function settle(card, chip) {
  const at = chip.getBoundingClientRect();
  const below = innerHeight - at.bottom;
  const wide = document.body.clientWidth; // without the scrollbar's place
  card.style.maxWidth = `${wide - 2 * GAP}px`;
  const room = (up) => Math.min(TALLEST, (up ? at.top : below) - 2 * GAP);
  card.style.maxHeight = "none";
  const up = card.offsetHeight > room(false) && at.top > below;
  card.style.maxHeight = `${room(up)}px`;
  const start = getComputedStyle(chip.parentElement).direction === "rtl" ? at.right - card.offsetWidth : at.left;
  const last = wide - card.offsetWidth - GAP;
  card.style.left = `${Math.max(GAP, Math.min(start, last))}px`;
  card.style.top = `${up ? at.top - GAP - card.offsetHeight : at.bottom + GAP}px`;
}

// The quotes of one article at one place of an answer.
export function Chip({ citations, source, collection }) {
  const chip = useRef();
  const card = useRef();
  const timer = useRef();
  const pressed = useRef(null);
  const open = useSignal(false);
  const id = useId();
  const hide = () => {
    clearTimeout(timer.current);
    if (hideOpen === hide) hideOpen = null;
    open.value = false;
  };
  const show = () => {
    clearTimeout(timer.current);
    if (open.peek()) return;
    hideOpen?.();
    hideOpen = hide;
    open.value = true;
  };
  const soon = (act, after) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(act, after);
  };
  const inside = (element) => chip.current.contains(element) || card.current.contains(element);
  const readAt = (citation) => {
    // The chip is what the pane gives the focus back to; the card is gone by then.
    chip.current.focus({ preventScroll: true });
    readQuote(citation, collection);
    hide();
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (!open.value) return;
    const element = card.current;
    element.showPopover();
    const follow = () => settle(element, chip.current);
    follow();
    const escape = (event) => event.key === "Escape" && hide();
    const outside = (event) => !inside(event.target) && hide();
    const kept = [
      [window, "resize", follow],
      [document, "scroll", follow],
      [document, "keydown", escape],
      [document, "pointerdown", outside],
    ];
    for (const [target, name, heard] of kept) target.addEventListener(name, heard, { passive: true });
    return () => {
      for (const [target, name, heard] of kept) target.removeEventListener(name, heard);
      if (element.isConnected) element.hidePopover();
    };
  }, [open.value]);
  const enter = (event) => event.pointerType === "mouse" && soon(show, TO_SHOW_MS);
  const leave = (event) => {
    const focused = chip.current.matches(":focus-visible") || card.current.contains(document.activeElement);
    if (event.pointerType === "mouse") soon(focused ? () => {} : hide, TO_HIDE_MS);
  };
  const stay = () => clearTimeout(timer.current);
  const press = (event) => {
    pressed.current = event.pointerType === "mouse" || open.peek() ? null : "to show";
  };
  const click = () => {
    const first = pressed.current;
    pressed.current = null;
    if (first) show();
    else readAt(citations[0]);
  };
  const name = source.source ?? source.title;
  return html`<span
    class="cited"
    onFocusIn=${() => chip.current.matches(":focus-visible") && show()}
    onFocusOut=${(event) => inside(event.relatedTarget) || hide()}
  >
    <button
      type="button"
      class="chip"
      ref=${chip}
      aria-expanded=${open.value}
      aria-describedby=${id}
      onPointerEnter=${enter}
      onPointerLeave=${leave}
      onPointerDown=${press}
      onClick=${click}
    ><bdi>${name}</bdi>${" "}<span class="number">${citations[0].number}</span></button>
    <span
      class="proof"
      ref=${card}
      popover="manual"
      role="group"
      dir="ltr"
      aria-label=${`Quoted from ${name}`}
      onPointerEnter=${stay}
      onPointerLeave=${leave}
    >
      <strong class="title" dir="auto">${source.title}</strong>
      <${Facts} of=${source} />
      <span class="quotes" id=${id}>
        ${citations.map(
          (one) => html`<span class="context" dir="auto" key=${one.quote_start}>
            <${Marked}
              text=${one.context}
              spans=${[{ start: one.quote_start - one.context_start, end: one.quote_end - one.context_start }]}
            />
          </span>`,
        )}
      </span>
      <${AlsoIn} copies=${source.also_in} />
      <button type="button" class="button" onClick=${() => readAt(citations[0])}>Read the article</button>
    </span>
  </span>`;
}
