// A time axis: a mark for each thing that has a day, stacked where days collide.
import { html, useEffect, useMemo, useRef, useSignal } from "./vendor/preact.js";

const DAY_MS = 86_400_000;
const MARGIN = 18; // px at both ends, so that no mark is cut
const NARROWEST = 68; // px between two labels
const TALLEST = 190; // px of stacked marks
const BUBBLE = 340; // px
const SILENCE = 0.14; // of the axis: from here on a gap says how long it is,
const NOTED = 7 * DAY_MS; // if it is no shorter than this
const STEPS = [
  ...[1, 2, 7, 14].map((days) => ({ days })),
  ...[1, 2, 3, 6, 12, 24, 60, 120, 240].map((months) => ({ months })),
];

const named = (options) => new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" });
const OF_DAY = named({ day: "numeric", month: "short" });
const OF_MONTH = named({ month: "short" });
const OF_YEAR = named({ year: "numeric" });

const moment = (iso) => Date.parse(`${iso.slice(0, 10)}T00:00:00Z`);

// How long from one day to another, in words: "7 months".
export function span(from, to) {
  const days = Math.round((moment(to) - moment(from)) / DAY_MS);
  const [count, unit] =
    days < 14 ? [days, "day"]
    : days < 61 ? [Math.round(days / 7), "week"]
    : days < 700 ? [Math.round(days / 30.44), "month"]
    : [Math.round(days / 365.25), "year"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

// The moments that are labelled between two others, as close as there is room for.
function ticks(from, to, width) {
  const perMs = width / (to - from);
  const length = ({ days, months }) => (days ?? months * 30.44) * DAY_MS;
  const step = STEPS.find((one) => length(one) * perMs >= NARROWEST) ?? STEPS.at(-1);
  const found = [];
  if (step.days) {
    const every = step.days * DAY_MS;
    for (let at = Math.ceil(from / every) * every; at <= to; at += every) found.push(at);
  } else {
    const first = new Date(from);
    let month = first.getUTCFullYear() * 12 + first.getUTCMonth();
    month -= month % step.months;
    const begins = () => Date.UTC(Math.floor(month / 12), month % 12);
    for (; begins() <= to; month += step.months) if (begins() >= from) found.push(begins());
  }
  let year;
  return found.map((at) => {
    const short = step.months >= 12 ? OF_YEAR.format(at) : step.months ? OF_MONTH.format(at) : OF_DAY.format(at);
    const its = OF_YEAR.format(at);
    const turned = step.months >= 12 || its === year ? "" : its;
    year = its;
    return { at, short, turned };
  });
}

// Where each mark stands: its place in time, and how high, so that none covers another.
function placed(marks, x, radius) {
  const last = [];
  return marks.map((mark) => {
    const across = x(moment(mark.day));
    let level = 0;
    while (level < last.length && across - last[level] < 2 * radius + 2) level++;
    last[level] = across;
    return { ...mark, across, level };
  });
}

function drawn(marks, width, largest) {
  const days = marks.map((mark) => moment(mark.day));
  const [first, last] = [Math.min(...days), Math.max(...days)];
  const around = Math.max((last - first) * 0.02, last === first ? 3 * DAY_MS : DAY_MS / 2);
  const [from, to] = [first - around, last + around];
  const inside = width - 2 * MARGIN;
  const x = (at) => MARGIN + ((at - from) / (to - from)) * inside;
  let radius = largest;
  let dots = placed(marks, x, radius);
  const height = () => (Math.max(...dots.map((dot) => dot.level)) + 1) * (2 * radius + 2);
  while (height() > TALLEST && radius > 2.5) dots = placed(marks, x, (radius -= 0.5));
  const order = [...new Set(marks.map((mark) => mark.day.slice(0, 10)))];
  const gaps = order.slice(1).flatMap((to, at) => {
    const [start, end] = [x(moment(order[at])) + radius, x(moment(to)) - radius];
    const noted = end - start > Math.max(SILENCE * inside, 84) && moment(to) - moment(order[at]) >= NOTED;
    return noted ? [{ start, end, words: span(order[at], to) }] : [];
  });
  return { dots, radius, gaps, x, ticks: ticks(from, to, inside), base: Math.max(height() + 10, 56) };
}

// The width that there is, and again when it changes.
function useWidth() {
  const box = useRef();
  const width = useSignal(0);
  useEffect(() => {
    const element = box.current; // gone from the reference before the last measure
    const measure = () => (width.value = element.clientWidth);
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return [box, width.value];
}

// `marks`: {id, day, label, kind, lit, text}, of which `lit` is what they have in common with an entry elsewhere;
// `kind` "full", "hollow" or "small"; `text` stands in the mark. `lit`, a signal, is what is pointed at;
// `onPick(mark)` is told which was chosen; `bubble(mark)` is what is shown beside the one that is pointed at.
export function Axis({ marks, label, lit, onPick, bubble, radius = 7 }) {
  const [box, width] = useWidth();
  const shown = useSignal(null); // the mark whose bubble is open
  const reached = useSignal(null); // the one that Tab leads to
  const inOrder = useMemo(() => [...marks].sort((a, b) => moment(a.day) - moment(b.day)), [marks]);
  const plan = useMemo(() => width && inOrder.length && drawn(inOrder, width, radius), [inOrder, width, radius]);
  const stop = inOrder.some((mark) => mark.id === reached.value) ? reached.value : inOrder[0]?.id;

  const point = (mark) => {
    shown.value = mark?.id ?? null;
    lit.value = mark?.lit ?? null;
  };
  const walk = (event, at) => {
    const leads = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1, Home: 0, End: inOrder.length - 1 };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onPick(inOrder[at]);
    } else if (event.key === "Escape") {
      shown.value = null;
    } else if (event.key in leads) {
      event.preventDefault();
      const next = Math.min(Math.max(leads[event.key], 0), inOrder.length - 1);
      box.current.querySelectorAll(".mark")[next].focus();
    }
  };

  const open = plan && plan.dots.find((dot) => dot.id === shown.value);
  const wide = Math.min(BUBBLE, width);
  return html`<div class="axis" ref=${box}>
    ${plan &&
    html`<svg width=${width} height=${plan.base + 44} viewBox="0 0 ${width} ${plan.base + 44}" role="group" aria-label=${label}>
      ${plan.ticks.map(
        ({ at, short, turned }) =>
          html`<g key=${at} class="tick" aria-hidden="true">
            <line x1=${plan.x(at)} x2=${plan.x(at)} y1="0" y2=${plan.base + 6} />
            <text x=${plan.x(at)} y=${plan.base + 20}>${short}</text>
            <text class="year" x=${plan.x(at)} y=${plan.base + 36}>${turned}</text>
          </g>`,
      )}
      <line class="base" x1="0" x2=${width} y1=${plan.base} y2=${plan.base} />
      ${plan.gaps.map(
        ({ start, end, words }) =>
          html`<g key=${start} class="gap" aria-hidden="true">
            <line x1=${start + 4} x2=${end - 4} y1=${plan.base - 12} y2=${plan.base - 12} />
            <text x=${(start + end) / 2} y=${plan.base - 8}>${words}</text>
          </g>`,
      )}
      ${plan.dots.map(
        (dot, at) =>
          html`<g
            key=${dot.id}
            class="mark ${dot.kind} ${dot.lit === lit.value ? "lit" : ""}"
            role="button"
            tabindex=${dot.id === stop ? 0 : -1}
            aria-label=${dot.label}
            transform="translate(${dot.across} ${plan.base - 4 - plan.radius - dot.level * (2 * plan.radius + 2)})"
            onMouseEnter=${() => point(dot)}
            onMouseLeave=${() => point(null)}
            onFocus=${() => ((reached.value = dot.id), point(dot))}
            onBlur=${() => point(null)}
            onKeyDown=${(event) => walk(event, at)}
            onClick=${() => onPick(dot)}
          >
            <circle class="reach" r=${Math.max(plan.radius + 3, 10)} />
            <circle class="dot" r=${dot.kind.startsWith("small") ? plan.radius * 0.6 : plan.radius - 0.5} />
            ${dot.text && plan.radius >= 8 && html`<text>${dot.text}</text>`}
          </g>`,
      )}
    </svg>`}
    ${open &&
    html`<div
      class="bubble"
      aria-hidden="true"
      style=${{
        width: `${wide}px`,
        left: `${Math.min(Math.max(open.across - wide / 2, 0), width - wide)}px`,
        top: `${plan.base + 4}px`,
      }}
    >
      ${bubble(open)}
    </div>`}
  </div>`;
}

// What an entry elsewhere needs so that its marks light up while it is pointed at.
export function lights(lit, id) {
  return {
    onMouseEnter: () => (lit.value = id),
    onMouseLeave: () => (lit.value = null),
    onFocusIn: () => (lit.value = id),
    onFocusOut: () => (lit.value = null),
  };
}

// Leads the eye and the keyboard to an entry.
export function lead(entry) {
  if (!entry) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  entry.scrollIntoView({ block: "center", behavior: still ? "instant" : "smooth" });
  entry.querySelector("button")?.focus({ preventScroll: true });
}
