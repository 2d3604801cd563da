// Days of publication as bars; a bar, or a stretch of them, can be chosen.
import { html, useRef, useSignal } from "./vendor/preact.js";
import { day } from "./parts.js";

const MOST_BARS = 36;
const MOST_COUNTED = 100; // articles, by the service
const MONTH = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });
const utc = (year, month = 0, date = 1) => new Date(Date.UTC(year, month, date));
const date = (iso) => new Date(`${iso}T00:00:00Z`);
const iso = (moment) => moment.toISOString().slice(0, 10);
const SHORT = { short: true };
const later = (moment, days) => utc(moment.getUTCFullYear(), moment.getUTCMonth(), moment.getUTCDate() + days);

// From fine to coarse: where a unit begins that holds a day, where the next one does, and what it is called.
const UNITS = [
  { name: "day", start: (at) => at, next: (at) => later(at, 1), label: (at) => day(iso(at)) },
  {
    name: "week",
    start: (at) => later(at, -((at.getUTCDay() + 6) % 7)),
    next: (at) => later(at, 7),
    label: (at) => `Week of ${day(iso(at))}`,
  },
  {
    name: "month",
    start: (at) => utc(at.getUTCFullYear(), at.getUTCMonth()),
    next: (at) => utc(at.getUTCFullYear(), at.getUTCMonth() + 1),
    label: (at) => MONTH.format(at),
  },
  {
    name: "year",
    start: (at) => utc(at.getUTCFullYear()),
    next: (at) => utc(at.getUTCFullYear() + 1),
    label: (at) => String(at.getUTCFullYear()),
  },
  {
    name: "decade",
    start: (at) => utc(Math.floor(at.getUTCFullYear() / 10) * 10),
    next: (at) => utc(at.getUTCFullYear() + 10),
    label: (at) => `${at.getUTCFullYear()}s`,
  },
];

// The counts of days, in order, between two days (ISO 8601, inclusive) as bars of the finest unit that fits.
export function bars(values, first, last) {
  for (const unit of UNITS) {
    const found = [];
    const open = () => found.length <= MOST_BARS || unit === UNITS.at(-1);
    for (let at = unit.start(date(first)); iso(at) <= last && open(); at = unit.next(at)) {
      found.push({ first: iso(at), last: iso(later(unit.next(at), -1)), count: 0, label: unit.label(at) });
    }
    if (!open()) continue;
    let here = 0;
    for (const { value, count } of values) {
      if (value < first || value > last) continue;
      while (found[here].last < value) here += 1;
      found[here].count += count;
    }
    return { unit: unit.name, found };
  }
}

// What a facet counted, where that may not be all.
export function best(facet) {
  return facet.of >= MOST_COUNTED ? `of the best ${facet.of}` : "";
}

// Two ends in words; either may be open.
export function stretch(after, before) {
  if (after && before) return after === before ? day(after) : `${day(after, SHORT)} – ${day(before, SHORT)}`;
  return after ? `since ${day(after)}` : `until ${day(before)}`;
}

export function Days({ facet, after, before, onChoose }) {
  const plot = useRef();
  const held = useSignal(null); // {from, to}: the bars between which a stretch is being drawn
  const over = useSignal(null); // the bar that is pointed at or focused
  const focused = useSignal(0);
  const near = useSignal(false);
  const { values } = facet;
  const chosen = Boolean(after || before);
  const pick = (event, name) => {
    const { value, validity } = event.target;
    if (!validity.valid && !value) return;
    if (value && value < "1000") return; // a year that is still being typed
    const ends = { after, before, [name]: value || undefined };
    if (ends.after && ends.before && ends.after > ends.before) [ends.after, ends.before] = [ends.before, ends.after];
    if (ends.after !== after || ends.before !== before) onChoose(ends.after, ends.before);
  };
  const ends = html`<div class="ends">
    <label>From <input type="date" value=${after ?? ""} max="9999-12-31" onChange=${(event) => pick(event, "after")} /></label>
    <label>To <input type="date" value=${before ?? ""} max="9999-12-31" onChange=${(event) => pick(event, "before")} /></label>
  </div>`;
  const undated = facet.missing > 0 && html`<p class="remark">${facet.missing} without a date</p>`;
  if (!values.length) return html`<fieldset class="days"><legend>Published</legend>${ends}${undated}</fieldset>`;

  const whole = bars(values, values[0].value, values.at(-1).value);
  const from = [after, values[0].value].reduce((a, b) => (a && a > b ? a : b));
  const to = [before, values.at(-1).value].reduce((a, b) => (a && a < b ? a : b));
  const close = chosen && from <= to ? bars(values, from, to) : whole;
  const { unit, found } = near.value ? close : whole;
  const most = Math.max(1, ...found.map((bar) => bar.count));
  const tabbed = Math.min(focused.value, found.length - 1);
  const drawn = held.value && [Math.min(held.value.from, held.value.to), Math.max(held.value.from, held.value.to)];
  const within = (bar, index) =>
    drawn
      ? index >= drawn[0] && index <= drawn[1]
      : chosen && !(after && bar.last < after) && !(before && bar.first > before);

  const choose = (one, other = one) => {
    held.value = null;
    const [first, last] = [found[Math.min(one, other)].first, found[Math.max(one, other)].last];
    if (first === after && last === before) onChoose();
    else onChoose(first, last);
  };
  const barAt = (event) => {
    const { left, width } = plot.current.getBoundingClientRect();
    const index = Math.floor(((event.clientX - left) / width) * found.length);
    return Math.max(0, Math.min(found.length - 1, index));
  };
  const down = (event) => {
    if (event.button) return;
    const index = barAt(event);
    held.value = { from: index, to: index };
    plot.current.setPointerCapture(event.pointerId);
  };
  const move = (event) => {
    over.value = barAt(event);
    if (held.value && held.value.to !== over.value) held.value = { ...held.value, to: over.value };
  };
  const up = () => held.value && choose(held.value.from, held.value.to);
  const key = (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -found.length, End: found.length };
    if (event.key === "Escape") held.value = null;
    if (!(event.key in steps)) return;
    event.preventDefault();
    const index = Math.max(0, Math.min(found.length - 1, tabbed + steps[event.key]));
    held.value = event.shiftKey ? { from: held.value?.from ?? tabbed, to: index } : null;
    focused.value = index;
    plot.current.children[index].focus();
  };
  const press = (event, index) => {
    if (event.detail) return; // the pointer has been heard already
    if (held.value) choose(held.value.from, held.value.to);
    else choose(index);
  };
  const counted = (first, last) => found.slice(first, last + 1).reduce((sum, bar) => sum + bar.count, 0);
  const told = drawn ?? (over.value !== null && over.value < found.length ? [over.value, over.value] : null);
  const title = (first, last) =>
    first === last ? found[first].label : stretch(found[first].first, found[last].last);

  return html`<fieldset class="days">
    <legend>Published <span>by ${unit} ${best(facet)}</span></legend>
    <div
      class=${`plot ${chosen || drawn ? "partly" : ""}`}
      ref=${plot}
      role="group"
      aria-label=${`Articles by ${unit}: arrow keys move, with Shift they choose a stretch`}
      onPointerDown=${down}
      onPointerMove=${move}
      onPointerUp=${up}
      onPointerCancel=${() => (held.value = null)}
      onPointerLeave=${() => (over.value = null)}
      onKeyDown=${key}
    >
      ${found.map(
        (bar, index) =>
          html`<button
            type="button"
            key=${bar.first}
            class=${within(bar, index) ? "within" : ""}
            tabindex=${index === tabbed ? 0 : -1}
            aria-label=${`${bar.label}: ${bar.count}`}
            aria-pressed=${within(bar, index)}
            onClick=${(event) => press(event, index)}
            onFocus=${() => (over.value = focused.value = index)}
            onBlur=${() => (over.value = null)}
          >
            <span style=${{ blockSize: bar.count ? `${Math.max(6, (bar.count / most) * 100)}%` : 0 }}></span>
          </button>`,
      )}
    </div>
    <p class="scale" aria-hidden="true">
      ${told
        ? html`<span>${title(...told)}</span><b>${counted(...told)}</b>`
        : html`<span>${day(near.value ? from : values[0].value, SHORT)}</span>
            <span>${day(near.value ? to : values.at(-1).value, SHORT)}</span>`}
    </p>
    ${(near.value ? whole.unit !== unit : close.unit !== unit) &&
    html`<button type="button" class="button quiet small" onClick=${() => (near.value = !near.value)}>
      ${near.value ? "All days" : `By ${close.unit}`}
    </button>`}
    ${ends}${undated}
  </fieldset>`;
}
