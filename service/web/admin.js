// Operate: what is served and how well, rebuilding, and going back to another generation.
import { html, useEffect, useRef, useSignal } from "./vendor/preact.js";
import { get, post } from "./api.js";
import { Failure, Loading, Notice } from "./parts.js";

const STAGES = [
  "preparing the encoder",
  "reading articles",
  "telling stories apart",
  "cutting passages",
  "encoding passages",
  "writing the generation",
];
const SOON = 1_000; // milliseconds between two looks while something is under way
const LATER = 10_000;

const NUMBER = new Intl.NumberFormat("en-GB");
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

function counted(number, one, many = `${one}s`) {
  return `${NUMBER.format(number)} ${number === 1 ? one : many}`;
}

// A stretch of time as one says it: "3 hours".
function span(seconds) {
  for (const [name, size] of UNITS) if (seconds >= size) return counted(Math.floor(seconds / size), name);
  return counted(Math.max(0, Math.round(seconds)), "second");
}

function secondsSince(moment, until) {
  return ((until ? new Date(until) : new Date()) - new Date(moment)) / 1000;
}

function ago(moment) {
  const seconds = secondsSince(moment);
  return seconds < 5 ? "just now" : `${span(seconds)} ago`;
}

function When({ at }) {
  return html`<time datetime=${at} title=${MOMENT.format(new Date(at))}>${ago(at)}</time>`;
}

function bytes(number) {
  if (number >= 1e9) return `${(number / 1e9).toFixed(1)} GB`;
  return number >= 1e6 ? `${(number / 1e6).toFixed(number >= 1e8 ? 0 : 1)} MB` : `${Math.ceil(number / 1e3)} kB`;
}

function milliseconds(number) {
  if (number === null) return "–";
  if (number >= 10_000) return `${(number / 1000).toFixed(0)} s`;
  if (number >= 1_000) return `${(number / 1000).toFixed(1)} s`;
  return number >= 10 ? `${number.toFixed(0)} ms` : `${number.toFixed(1)} ms`;
}

// Whether the service is yet to go over to what the index names.
function exchanging(collection) {
  return collection.named !== null && collection.named !== collection.served?.generation && !collection.refused;
}

function underWay(seen) {
  return seen?.collections.some((one) => one.rebuild?.state === "running" || one.writer || exchanging(one));
}

// What an operator has to know, in words, the worst first.
function findings({ service, collections }) {
  const found = [];
  for (const one of collections) {
    const of = collections.length > 1 ? ` of ${one.name}` : "";
    if (!one.served) found.push(["bad", `Nothing is served${of}: ${one.refused ?? "there is no index yet."}`]);
    else if (one.refused) found.push(["warn", `Generation ${one.named}${of} is not served: ${one.refused}`]);
    const superseded = one.rebuild?.ended_at && one.served && one.served.built_at > one.rebuild.ended_at;
    if (one.rebuild?.state === "failed" && !superseded) found.push(["warn", `The last rebuild${of} failed: ${one.rebuild.error}`]);
    if (one.rebuild?.state === "interrupted" && !superseded) found.push(["warn", `The last rebuild${of} was interrupted.`]);
    const damaged = one.generations.filter((generation) => generation.damage && generation.id !== one.named);
    if (damaged.length) {
      found.push(["warn", `${counted(damaged.length, "generation")}${of} on disk cannot be served any more.`]);
    }
  }
  if (service.server_errors) {
    const last = ago(service.last_server_error_at);
    found.push(["warn", `${counted(service.server_errors, "request")} failed inside the service, the last ${last}.`]);
  }
  const { answered, no_answer, degraded } = service.answers;
  if (degraded) {
    const all = NUMBER.format(answered + no_answer);
    found.push(["warn", `The language model failed on ${NUMBER.format(degraded)} of ${all} answers.`]);
  }
  return found.sort(([a], [b]) => a.localeCompare(b));
}

function Health({ seen, error, at }) {
  const found = findings(seen);
  const { service, collections } = seen;
  if (error) found.unshift(["bad", `The service cannot be reached. This is what it told ${ago(at)}.`]);
  const worst = found[0]?.[0] ?? "well";
  const titles = { well: "All is well", warn: "Something needs a look", bad: "Something is wrong" };
  const articles = collections.reduce((sum, one) => sum + (one.served?.articles ?? 0), 0);
  return html`<section class="card health ${worst}" aria-label="Health">
    <p class="health-title"><span class="sign" aria-hidden="true"></span>${titles[worst]}</p>
    ${found.length > 0 && html`<ul>${found.map(([, words]) => html`<li key=${words}>${words}</li>`)}</ul>`}
    <p class="health-facts">
      ${counted(articles, "article")} served. Up for ${span(secondsSince(service.started_at))},${" "}
      ${counted(service.requests, "request")}, ${counted(service.server_errors, "failure")}.${collections.some((one) => one.rebuild?.state === "running") &&
      " A rebuild is running."}
    </p>
  </section>`;
}

function Fact({ name, children }) {
  return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

function Served({ index, size }) {
  return html`<dl class="figures">
    <${Fact} name="Articles">
      ${NUMBER.format(index.articles)}
      ${index.undated > 0 && html`<small>${NUMBER.format(index.undated)} undated</small>`}
    <//>
    <${Fact} name="Passages">${NUMBER.format(index.passages)}<//>
    <${Fact} name="Built"><${When} at=${index.built_at} /><//>
    ${size !== undefined && html`<${Fact} name="On disk">${bytes(size)}<//>`}
  </dl>`;
}

function Details({ index, folder }) {
  const { encoder, settings } = index;
  const shown = (value) => (Array.isArray(value) ? value.join(", ") || "none" : String(value));
  return html`<details class="more">
    <summary>Encoder and settings</summary>
    <dl class="facts-list">
      <${Fact} name="Folder"><code>${folder}</code><//>
      <${Fact} name="Encoder">${encoder.model}<//>
      <${Fact} name="Runs on">${encoder.runtime}, ${NUMBER.format(encoder.dimension)} dimensions, reads
        ${" "}${counted(encoder.max_tokens, "token")}<//>
      <${Fact} name="Agrees with its model">cosine of at least ${encoder.least_cosine}<//>
      <${Fact} name="Fingerprint"><code>${encoder.fingerprint.slice(0, 16)}…</code><//>
      <${Fact} name="Corpus"><code>${index.corpus.slice(0, 16)}…</code><//>
      ${Object.entries(settings).map(([name, value]) => html`<${Fact} key=${name} name=${name}>${shown(value)}<//>`)}
    </dl>
  </details>`;
}

// What a build has said, by stage: {label, state, detail, share}.
function stages(lines, running) {
  const said = STAGES.map((label) => lines.findLast((line) => line.startsWith(label)));
  let open = running;
  return STAGES.map((label, at) => {
    const line = said[at];
    if (line === undefined) {
      const state = open ? "now" : "waiting";
      open = false;
      return { label, state };
    }
    const detail = line.slice(label.length).replace(/^: /, "").trim().replace(/^\((.*)\)$/, "$1");
    const [, share] = line.match(/, (\d+)%/) ?? [];
    const going = running && share !== undefined && said.slice(at + 1).every((one) => one === undefined);
    if (going) open = false;
    return { label, state: going ? "now" : "done", detail, share: going ? Number(share) : undefined };
  });
}

function Progress({ rebuild }) {
  const running = rebuild.state === "running";
  const steps = stages(rebuild.lines, running);
  const now = steps.find((one) => one.state === "now");
  return html`<div class="progress">
    ${running &&
    html`<p>
      ${now ? `${now.label[0].toUpperCase()}${now.label.slice(1)}` : "Ending"}
      <span class="soft">, begun ${ago(rebuild.started_at)}</span>
    </p>
    <progress max="100" value=${now?.share} aria-label=${now?.label ?? "Ending"}></progress>`}
    <ol class="steps">
      ${steps.map(
        ({ label, state, detail }) =>
          html`<li key=${label} class=${state} aria-current=${state === "now" ? "step" : undefined}>
            <span class="unseen">${{ done: "done: ", now: "now: ", waiting: "to come: " }[state]}</span>
            ${label}${detail && html`<span class="soft">${detail}</span>`}
          </li>`,
      )}
    </ol>
  </div>`;
}

function Outcome({ rebuild }) {
  const took = span(secondsSince(rebuild.started_at, rebuild.ended_at));
  if (rebuild.state === "done") {
    return html`<p>Rebuilt <${When} at=${rebuild.ended_at} />, in ${took}.</p>`;
  }
  const what = rebuild.state === "failed" ? "The rebuild failed" : "The rebuild was interrupted";
  return html`<div class="trouble">
    <p><strong>${what}</strong> <${When} at=${rebuild.ended_at} />, after ${took}. What is served is as it was.</p>
    <p class="said">${rebuild.error}</p>
  </div>`;
}

function Rebuilding({ collection, error, onRebuild }) {
  const { rebuild, articles, writer, name, folder } = collection;
  const running = rebuild?.state === "running";
  const others = writer && !running;
  const blocked = running || others;
  return html`<div class="rebuilding stack">
    <h3>Rebuild</h3>
    ${articles.length
      ? html`<p>
          Reads ${articles.map((path, at) => html`${at > 0 && ", "}<code>${path}</code>`)} anew. What is served stays until
          the new generation is whole; passages that have not changed are not encoded again.
        </p>`
      : html`<p>
            ${name === "default"
              ? html`To rebuild from here, say in <code>dateline.toml</code> what to read, and start the service anew:`
              : "This collection is rebuilt from the command line:"}
          </p>
          <pre tabindex="0" role="region" aria-label="How to"><code>${name === "default"
            ? 'articles = ["/srv/articles"]'
            : `dateline index build PATH… --index ${folder}`}</code></pre>`}
    ${others && html`<p class="trouble">The index is being written by ${writer}.</p>`}
    ${articles.length > 0 &&
    html`<p>
      <button
        type="button"
        class="button primary"
        aria-disabled=${blocked ? "true" : undefined}
        onClick=${() => !blocked && onRebuild()}
      >
        ${running ? "Rebuilding…" : "Rebuild"}
      </button>
    </p>`}
    ${error && html`<p class="trouble" role="alert">${error.message}</p>`}
    ${running && html`<${Progress} rebuild=${rebuild} />`}
    ${rebuild && !running && html`<${Outcome} rebuild=${rebuild} />`}
    ${rebuild?.lines.length > 0 &&
    html`<details class="more">
      <summary>What the build ${running ? "says" : "said"}</summary>
      <pre tabindex="0" role="region" aria-label="Lines of the build">${rebuild.lines.join("\n")}</pre>
    </details>`}
  </div>`;
}

function Generations({ collection, onServe }) {
  const heading = useRef();
  const { generations, writer } = collection;
  return html`<div class="generations stack">
    <h3 ref=${heading} tabindex="-1">Generations</h3>
    <table>
      <thead>
        <tr>
          <th scope="col">Generation</th>
          <th scope="col" class="number wide">Articles</th>
          <th scope="col" class="number wide">Passages</th>
          <th scope="col" class="number wide">On disk</th>
          <th scope="col"><span class="unseen">State</span></th>
        </tr>
      </thead>
      <tbody>
        ${generations.map(
          (one) =>
            html`<tr key=${one.id} class=${one.served ? "served" : ""}>
              <th scope="row">
                <code>${one.id}</code>
                <span class="soft">
                  ${one.created_at ? html`<${When} at=${one.created_at} />` : "time unknown"}
                  ${one.articles !== null && html`<span class="narrow">${counted(one.articles, "article")}</span>`}
                </span>
              </th>
              ${one.damage
                ? html`<td colspan="4" class="damage"><strong>Damaged.</strong> ${one.damage}</td>`
                : html`<td class="number wide">${NUMBER.format(one.articles)}</td>
                    <td class="number wide">${NUMBER.format(one.passages)}</td>
                    <td class="number wide">${bytes(one.bytes)}</td>
                    <td class="action">
                      ${one.served
                        ? html`<span class="badge">Served</span>`
                        : html`<button
                            type="button"
                            class="button"
                            disabled=${Boolean(writer)}
                            aria-label=${`Serve this one, ${one.id}`}
                            onClick=${() => onServe(one, heading)}
                          >
                            Serve this one
                          </button>`}
                    </td>`}
            </tr>`,
        )}
      </tbody>
    </table>
    ${generations.length === 0 && html`<p class="soft">There is none yet.</p>`}
  </div>`;
}

// Asks before another generation is served. Its files are compared first, which may take a while.
function Confirm({ chosen, onServed, onClose }) {
  const dialog = useRef();
  const error = useSignal(null);
  const busy = useSignal(false);
  const { generation, collection } = chosen;
  useEffect(() => dialog.current.showModal(), []);
  const serve = async () => {
    if (busy.value) return;
    error.value = null;
    busy.value = true;
    try {
      onServed(await post("/v1/admin/rollback", { collection: collection.name, generation: generation.id }));
      dialog.current.close();
    } catch (failure) {
      error.value = failure;
    }
    busy.value = false;
  };
  return html`<dialog class="confirm" ref=${dialog} aria-labelledby="confirm-title" onClose=${onClose}>
    <h2 id="confirm-title">Serve another generation?</h2>
    <p>
      <code>${generation.id}</code>, built ${ago(generation.created_at)} with ${counted(generation.articles, "article")},
      takes the place of <code>${collection.served?.generation ?? "nothing"}</code>. Its files are compared with their
      checksums first; no request is interrupted, and you can go back in the same way.
    </p>
    ${error.value && html`<p class="trouble" role="alert">${error.value.message}</p>`}
    <p class="buttons">
      <button type="button" class="button" onClick=${() => dialog.current.close()}>Cancel</button>
      <button type="button" class="button primary" aria-disabled=${busy.value ? "true" : undefined} onClick=${serve}>
        ${busy.value ? "Comparing its files…" : "Serve it"}
      </button>
    </p>
  </dialog>`;
}

function Collection({ collection, alone, error, onRebuild, onServe }) {
  const { served, generations } = collection;
  const size = generations.find((one) => one.id === served?.generation)?.bytes;
  return html`<section class="card collection" aria-label=${alone ? "Index" : collection.name}>
    <div class="about stack">
      <header>
        <h2>${alone ? "Index" : collection.name}</h2>
        ${served
          ? html`<p class="soft">
              Serving <code>${served.generation}</code>${exchanging(collection) &&
              html`, going over to <code>${collection.named}</code>`}
            </p>`
          : html`<p class="trouble">Nothing is served.</p>`}
      </header>
      ${served && html`<${Served} index=${served} size=${size} />`}
      ${served && html`<${Details} index=${served} folder=${collection.folder} />`}
    </div>
    <${Rebuilding} collection=${collection} error=${error} onRebuild=${onRebuild} />
    <${Generations} collection=${collection} onServe=${onServe} />
  </section>`;
}

function Errors({ of }) {
  const said = [];
  if (of.client_errors) said.push(html`<span key="4">${NUMBER.format(of.client_errors)} × 4xx</span>`);
  if (of.server_errors) said.push(html`<span key="5" class="failed">${NUMBER.format(of.server_errors)} × 5xx</span>`);
  return said.length ? said : html`<span class="soft">–</span>`;
}

const NAMES = { elsewhere: "addresses that are not there", "/static": "the page's files" };

function Routes({ routes }) {
  // What clients ask for comes first, then the page and probes.
  const asked = (one) => /\/v[12]\/|\/mcp$/.test(one.route);
  const ordered = [...routes.filter(asked), ...routes.filter((one) => !asked(one))];
  const most = Math.max(1, ...routes.map((one) => one.p95_ms ?? 0));
  // The roles are said outright: on a phone the rows are laid out as no table, which some browsers take for none.
  return html`<table class="routes" role="table">
    <thead role="rowgroup">
      <tr role="row">
        <th scope="col" role="columnheader">Route</th>
        <th scope="col" role="columnheader" class="number">Requests</th>
        <th scope="col" role="columnheader" class="number">Errors</th>
        <th scope="col" role="columnheader" class="number">Median</th>
        <th scope="col" role="columnheader" class="number">95 %</th>
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${ordered.map(
        (one) =>
          html`<tr key=${one.route} role="row">
            <th scope="row" role="rowheader">
              ${NAMES[one.route] ?? html`<code>${one.route}</code>`}
              <svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
                <rect class="rail" width="100" height="4" />
                <rect class="p95" width=${(100 * (one.p95_ms ?? 0)) / most} height="4" />
                <rect class="p50" width=${(100 * (one.p50_ms ?? 0)) / most} height="4" />
              </svg>
            </th>
            <td role="cell" class="number">${NUMBER.format(one.requests)}</td>
            <td role="cell" class="number errors"><${Errors} of=${one} /></td>
            <td role="cell" class="number">${milliseconds(one.p50_ms)}</td>
            <td role="cell" class="number">${milliseconds(one.p95_ms)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function Service({ service }) {
  const { answered, no_answer, degraded } = service.answers;
  return html`<section class="card service stack" aria-label="Service">
    <header>
      <h2>Service</h2>
      <p class="soft">
        Version ${service.version}, started <${When} at=${service.started_at} />${service.workers > 1 &&
        `; the figures are those of all ${service.workers} workers`}
      </p>
    </header>
    <dl class="figures">
      <${Fact} name="Requests">${NUMBER.format(service.requests)}<//>
      <${Fact} name="Errors"><${Errors} of=${service} /><//>
      <${Fact} name="Answers">
        ${NUMBER.format(answered)}
        <small>
          ${NUMBER.format(no_answer)} without an answer${degraded > 0 && `, ${NUMBER.format(degraded)} degraded`}
        </small>
      <//>
      ${service.resident_bytes !== null &&
      html`<${Fact} name="Memory">${bytes(service.resident_bytes)}<small>resident</small><//>`}
    </dl>
    <h3>Requests by route</h3>
    ${service.routes.length
      ? html`<${Routes} routes=${service.routes} />
          <p class="soft note">
            Time until a response is complete, over the last 500 of a route: the strong bar is the median, the faint one
            what 95 % stay below. Looking at this page is not counted.
          </p>`
      : html`<p class="soft">Nothing has been asked yet.</p>`}
  </section>`;
}

function Forbidden({ error, onRetry }) {
  return html`<${Notice} kind="error" title="You may not operate the service from here" onRetry=${onRetry}>
    <div class="forbidden stack">
      <p>${error.message[0].toUpperCase()}${error.message.slice(1)}.</p>
      <p>From elsewhere it takes a key, made on the service's machine: <code>dateline keys add NAME --scope admin</code></p>
      <p>A tunnel does it too: <code>ssh -L 8000:127.0.0.1:8000 HOST</code></p>
    </div>
  <//>`;
}

// What assistive technology is told as it happens.
function words(collection) {
  if (!collection?.rebuild) return "";
  const { rebuild, served } = collection;
  if (rebuild.state === "running") return rebuild.lines.at(-1) ?? "The rebuild has begun";
  if (rebuild.state === "done") return `The rebuild is done. Generation ${served?.generation} is served`;
  return `The rebuild ended: ${rebuild.error}`;
}

export function Admin() {
  const seen = useSignal(null);
  const at = useSignal(null);
  const error = useSignal(null);
  const refusals = useSignal({}); // what was said to the last rebuild asked for, by collection
  const chosen = useSignal(null);
  const active = useSignal(null); // the collection whose rebuild is told aloud
  const spoken = useSignal("");
  const look = useRef();

  useEffect(() => {
    let timer;
    let asking;
    let over = false;
    const again = () => {
      clearTimeout(timer);
      const settled = [401, 403].includes(error.value?.status);
      if (!over && !document.hidden && !settled) timer = setTimeout(look.current, underWay(seen.value) ? SOON : LATER);
    };
    look.current = async () => {
      clearTimeout(timer);
      asking?.abort();
      const mine = (asking = new AbortController());
      try {
        const found = await get("/v1/admin", {}, { signal: mine.signal });
        if (over) return;
        seen.value = found;
        at.value = new Date();
        error.value = null;
        const followed = found.collections.find((one) => one.name === active.value);
        if (followed && !exchanging(followed)) spoken.value = words(followed);
      } catch (failure) {
        if (failure.name === "AbortError" || over) return;
        error.value = failure;
      }
      again();
    };
    const shown = () => (document.hidden ? clearTimeout(timer) : look.current());
    document.addEventListener("visibilitychange", shown);
    look.current();
    return () => {
      over = true;
      clearTimeout(timer);
      asking?.abort();
      document.removeEventListener("visibilitychange", shown);
    };
  }, []);

  const rebuild = async (name) => {
    refusals.value = { ...refusals.value, [name]: null };
    active.value = name;
    try {
      await post("/v1/admin/rebuild", { collection: name });
    } catch (failure) {
      refusals.value = { ...refusals.value, [name]: failure };
    }
    look.current();
  };
  const served = (collection) => {
    const { heading } = chosen.value;
    active.value = null;
    spoken.value = `Generation ${collection.served?.generation} is served`;
    look.current();
    requestAnimationFrame(() => heading.current?.focus());
  };

  const collections = seen.value?.collections ?? [];
  const keyless = error.value?.kind === "key";
  const forbidden = error.value?.status === 403 && !keyless;
  return html`<div class="admin stack">
    <h1>Operate</h1>
    <p class="unseen" role="status">${spoken.value}</p>
    ${forbidden && html`<${Forbidden} error=${error.value} onRetry=${() => look.current()} />`}
    ${!forbidden && (!seen.value || keyless) && error.value && html`<${Failure} error=${error.value} onRetry=${() => look.current()} />`}
    ${!seen.value && !error.value && html`<${Loading} what="Looking at the service" />`}
    ${!forbidden &&
    !keyless &&
    seen.value &&
    html`<${Health} seen=${seen.value} error=${error.value} at=${at.value} />
      ${collections.map(
        (one) =>
          html`<${Collection}
            key=${one.name}
            collection=${one}
            alone=${collections.length === 1}
            error=${refusals.value[one.name]}
            onRebuild=${() => rebuild(one.name)}
            onServe=${(generation, heading) => (chosen.value = { generation, collection: one, heading })}
          />`,
      )}
      <${Service} service=${seen.value.service} />`}
    ${chosen.value &&
    html`<${Confirm}
      key=${chosen.value.generation.id}
      chosen=${chosen.value}
      onServed=${served}
      onClose=${() => (chosen.value = null)}
    />`}
  </div>`;
}
