// Asking: a question, its answer with its proof, and what is asked on.
import { Fragment, html, useEffect, useRef, useSignal } from "./vendor/preact.js";
import { CodePoints, get } from "./api.js";
import { Chip, readQuote } from "./chip.js";
import { asking, conversation, forget, proceed, start, stop, TRIES } from "./conversation.js";
import { read } from "./pane.js";
import { AlsoIn, certainty, day, Facts, Failure, Field, Loading, Notice } from "./parts.js";
import { address, go, place } from "./place.js";

const UNPROVEN = " [not in the articles]";
const COPIED_MS = 2000;

const counted = (number, one) => `${number.toLocaleString("en-GB")} ${one}${number === 1 ? "" : "s"}`;

// The statements of an answer, each a list of texts, some of them strong, and of the citations that share a
// marker.
function statements({ answer, answer_spans, citations }) {
  const points = new CodePoints(answer);
  const found = [[]];
  const say = (text) => {
    const [first, ...more] = text.split("\n\n");
    if (first) found.at(-1).push(first);
    for (const one of more) found.push(one ? [one] : []);
  };
  let at = 0;
  const sayUntil = (place) => {
    for (const { start, end } of answer_spans.filter((one) => one.start >= at && one.end <= place)) {
      say(points.slice(at, start));
      found.at(-1).push(html`<strong>${points.slice(start, end)}</strong>`);
      at = end;
    }
    say(points.slice(at, place));
  };
  for (const [start, shared] of Map.groupBy(citations, (one) => one.start)) {
    sayUntil(start);
    found.at(-1).push(shared);
    at = shared[0].end;
  }
  sayUntil(points.length);
  return found.filter((pieces) => pieces.length);
}

function Statement({ pieces, sources, collection }) {
  const last = pieces.at(-1);
  const unproven = typeof last === "string" && last.endsWith(UNPROVEN);
  const shown = unproven ? [...pieces.slice(0, -1), last.slice(0, -UNPROVEN.length)] : pieces;
  return html`<div class=${`statement ${unproven ? "unproven" : ""}`} dir="auto">
    ${shown.map((piece, index) =>
      Array.isArray(piece)
        ? html`<${Chip}
            key=${index}
            citations=${piece}
            source=${sources.find((one) => one.number === piece[0].number)}
            collection=${collection}
          />`
        : piece,
    )}
    ${unproven && html` <span class="label" dir="ltr">not in the articles</span>`}
  </div>`;
}

// How the question was read, and the way to have it read otherwise.
function Understanding({ turn, interpreted, onAgain }) {
  const days = (meaning) => meaning.replace(/\d{4}-\d\d-\d\d/g, (one) => day(one, { short: true }));
  const { findings, rewritten, query } = interpreted;
  if (!rewritten && !findings.length && turn.interpret) return null;
  return html`<div class="understanding">
    ${rewritten && html`<p>Understood as: <q dir="auto">${query}</q></p>`}
    ${findings.length > 0 &&
    html`<ul>
      ${findings.map(
        ({ start, text, meaning, applied }) =>
          html`<li key=${start} class=${applied ? "" : "aside"}><bdi>“${text}”</bdi>: ${days(meaning)}</li>`,
      )}
    </ul>`}
    ${findings.length > 0 && html`<button type="button" class="link" onClick=${onAgain}>Ask it as written</button>`}
    ${!turn.interpret &&
    html`<p>
      Asked as written: its days and speakers do not count.${" "}
      <button type="button" class="link" onClick=${onAgain}>Let them count</button>
    </p>`}
  </div>`;
}

function Sources({ answer, collection, id }) {
  return html`<div class="sources" role="group" aria-labelledby=${id}>
    <h3 id=${id}>Sources</h3>
    <ol>
      ${answer.sources.map(
        (source) => html`<li key=${source.number}>
          <span class="number">${source.number}</span>
          <div>
            <button
              type="button"
              class="title"
              dir="auto"
              onClick=${() => readQuote(answer.citations.find((one) => one.number === source.number), collection)}
            >${source.title}</button>
            <${Facts} of=${source} />
            <${AlsoIn} copies=${source.also_in} />
            ${source.url && html`<p class="printed">${source.url}</p>`}
          </div>
        </li>`,
      )}
    </ol>
  </div>`;
}

function Silence({ answer, collection }) {
  return html`<div class="silence">
    <h3>The articles do not tell.</h3>
    <p>
      Nothing in them answers this well enough to be quoted.
      ${answer.nearest.length > 0 && " What comes nearest, for you to judge:"}
    </p>
    <ul class="stack">
      ${answer.nearest.map(
        (passage) => html`<li key=${passage.passage_id} class="card">
          <h4 dir="auto">${passage.title}</h4>
          <${Facts} of=${passage} />
          <p class="passage" dir="auto" lang=${passage.language}>${passage.text.replace(/\n+/g, "\n")}</p>
          <button type="button" class="button" onClick=${() => read({ ...passage, collection })}>
            Read the article<span class="unseen">: ${passage.title}</span>
          </button>
        </li>`,
      )}
    </ul>
  </div>`;
}

// What stands behind an answer, in words.
function Standing({ answer }) {
  const { confidence, degraded, model } = answer;
  const worded = model !== "extractive";
  const besides = answer.answer.includes(UNPROVEN) ? ", except where marked" : "";
  return html`<div class="standing">
    <p>${certainty(confidence)}.</p>
    ${worded && html`<p>Worded by <bdi>${model}</bdi>; every sentence is bound to a quote${besides}.</p>`}
    ${degraded && html`<p>The language model did not finish; ${worded ? "the rest" : "this answer"} is made of quotes.</p>`}
  </div>`;
}

// An answer as plain text, with its sources.
function plainly({ answer, sources }) {
  const listed = sources.map(({ number, title, source, published_at, url }) => {
    const where = [source, day(published_at)].filter(Boolean).join(", ");
    return `[${number}] ${title.replace(/[.…]$/, (end) => (end === "." ? "" : end))}. ${where}.${url ? ` ${url}` : ""}`;
  });
  return `${answer}\n\nSources\n${listed.join("\n")}\n`;
}

async function copied(text) {
  // Without https a browser gives no clipboard; the old way works there still.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("the browser copies nothing");
}

function Copy({ text, children, done, say }) {
  const state = useSignal("");
  const copy = async ({ currentTarget }) => {
    state.value = await copied(text()).then(() => done, () => "Could not be copied");
    currentTarget.focus();
    say(`${state.value}.`);
    setTimeout(() => {
      state.value = "";
      say("");
    }, COPIED_MS);
  };
  return html`<button type="button" class="button quiet" onClick=${copy}>${state.value || children}</button>`;
}

function Turn({ turn, say, onAgain }) {
  const { state, answer, error, tries } = turn.now.value;
  const id = `turn-${turn.number}`;
  const settled = state !== "asking" && state !== "waiting";
  const silent = answer?.status === "no_answer";
  const again = () => start(turn);
  return html`<article class="turn" aria-labelledby=${id}>
    <h2 id=${id} tabindex="-1" dir="auto">${turn.query}</h2>
    ${answer && html`<${Understanding} turn=${turn} interpreted=${answer.interpreted} onAgain=${onAgain} />`}
    ${silent && html`<${Silence} answer=${answer} collection=${turn.collection} />`}
    ${answer?.answer &&
    !silent &&
    html`<div class="answer">
      ${statements(answer).map(
        (pieces, index) =>
          html`<${Statement} key=${index} pieces=${pieces} sources=${answer.sources} collection=${turn.collection} />`,
      )}
    </div>`}
    ${!settled && !tries && html`<${Loading} what="Reading the articles" />`}
    ${state === "asking" &&
    tries > 0 &&
    html`<${Notice} kind="busy" title="The service is not ready yet">
      <p>It is asked again by itself, ${tries} of ${TRIES} times.</p>
    <//>`}
    ${state === "stopped" &&
    html`<p class="stopped">
      <strong>Stopped.</strong> ${answer?.answer ? "What had come until then stands above." : "Nothing had come until then."}
      ${" "}<button type="button" class="link" onClick=${again}>Ask again</button>
    </p>`}
    ${state === "failed" && html`<${Failure} error=${error} onRetry=${again} />`}
    ${settled &&
    answer?.answer &&
    !silent &&
    html`<${Fragment}>
      ${state === "done" && html`<${Standing} answer=${answer} />`}
      <${Sources} answer=${answer} collection=${turn.collection} id=${`${id}-sources`} />
    <//>`}
    ${settled &&
    answer &&
    html`<div class="actions">
      ${!silent &&
      html`<${Copy} text=${() => plainly(answer)} done="Copied with its sources" say=${say}>Copy with sources<//>`}
      <${Copy} text=${() => location.origin + turn.key} done="Address copied" say=${say}>Share<//>
    </div>`}
  </article>`;
}

// What can be asked; where there is more than one collection, the choice.
function Served({ collection }) {
  const collections = useSignal(null);
  const error = useSignal(null);
  const load = async () => {
    error.value = null;
    try {
      collections.value = (await get("/v1/collections")).collections;
    } catch (failure) {
      error.value = failure;
    }
  };
  useEffect(() => {
    load();
  }, []);
  if (error.value) return html`<${Failure} error=${error.value} onRetry=${load} />`;
  if (!collections.value) return html`<p class="served"> </p>`;
  const named = collections.value;
  const { index } = named.find(({ name }) => name === (collection ?? named[0].name)) ?? {};
  const choose = ({ currentTarget }) =>
    go("ask", { collection: currentTarget.selectedIndex ? currentTarget.value : undefined }, { replace: true });
  return html`<p class="served">
    ${named.length > 1 &&
    html`<label>
      <span>Ask</span>
      <select onChange=${choose} value=${collection ?? named[0].name}>
        ${named.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select>
    </label>`}
    ${index
      ? html`<span>${counted(index.articles, "article")}</span>
          <span>as of <time datetime=${index.built_at}>${day(index.built_at)}</time></span>`
      : html`<span>No index is served yet; a question waits for it.</span>`}
  </p>`;
}

const OUTCOMES = {
  done: ({ status, sources }) =>
    status === "no_answer" ? "The articles do not tell." : `Answered from ${counted(sources.length, "article")}.`,
  stopped: () => "Stopped.",
};

export function Ask() {
  const wanted = asking(place.value.params);
  const { queries, plain, collection } = wanted;
  const turns = conversation(wanted);
  const asked = useRef(false);
  const said = useSignal("");
  const say = (text) => (said.value = text);
  const working = turns.find((turn) => turn.now.value.state === "asking");
  const last = turns.at(-1);
  const state = last?.now.value.state;
  useEffect(() => proceed(turns));
  useEffect(() => say(OUTCOMES[state]?.(last.now.peek().answer) ?? ""), [last, state]);
  useEffect(() => {
    if (!asked.current) return;
    asked.current = false;
    const element = document.getElementById(last ? `turn-${last.number}` : "field");
    element.focus({ preventScroll: true });
    if (last) element.scrollIntoView({ block: "start" });
  }, [last]);
  // Asks what an address names, even where it was asked before, and leads to it.
  const lead = (to) => {
    stop(working);
    forget(address("ask", to));
    asked.current = true;
    go("ask", to);
  };
  const again = ({ number, interpret }) => {
    const others = plain.filter((one) => one < number);
    lead({ q: queries.slice(0, number), plain: interpret ? [...others, number] : others, collection });
  };
  const field = html`<${Field}
    key=${queries.length}
    label=${last ? "A further question" : "Your question"}
    placeholder=${last ? "Ask on" : "Ask a question"}
    button="Ask"
    onAsk=${(query) => lead({ q: [...queries, query], plain, collection })}
    busy=${working}
    onStop=${() => {
      stop(working);
      document.getElementById(`turn-${working.number}`).focus({ preventScroll: true });
    }}
  />`;
  return html`<div class=${`ask column ${last ? "conversing" : "opening"}`}>
    <h1 class=${last ? "unseen" : ""}>Ask the articles</h1>
    ${!last &&
    html`<${Fragment}>
      <p class="promise">Every answer rests on their own words, and shows where they stand.</p>
      ${field}
      <${Served} collection=${collection} />
    <//>`}
    ${turns.map((turn) => html`<${Turn} key=${turn.key} turn=${turn} say=${say} onAgain=${() => again(turn)} />`)}
    ${last &&
    html`<div class="on">
      ${field}
      <p>
        <button type="button" class="button quiet" onClick=${() => lead({ collection })}>New conversation</button>
        ${collection && html`<span>in <bdi>${collection}</bdi></span>`}
      </p>
    </div>`}
    <p class="unseen" role="status">${said.value}</p>
  </div>`;
}
