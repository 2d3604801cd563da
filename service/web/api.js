// The service, as the page speaks with it.

export class ApiError extends Error {
  // `kind`: "offline" (nothing answered), "busy" (try again), "key" (it takes another, or one at all),
  // "refused" (what was asked makes no sense), "failed".
  constructor(kind, message, status) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

// The key, where the service asks for one, is kept by this tab and ends with it: on a machine that many use,
// what a browser keeps for good would be the next reader's.
const KEY = "key";
let asking = null; // one dialog, for all that wait for a key
let declined = 0; // how often none was given: what was under way then does not ask again

async function answered(path, init) {
  const before = declined;
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = key ? { ...init.headers, Authorization: `Bearer ${key}` } : init.headers;
    let response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError("offline", "Nothing answered; perhaps the network is away.");
    }
    if (response.ok) return response;
    const { status } = response;
    const body = await response.json().catch(() => ({}));
    const message = body.error?.message ?? `The service answered ${status}.`;
    if (status === 401 || body.error?.code === "insufficient_scope") {
      if (sessionStorage.getItem(KEY) !== key) continue;
      if (declined === before && (await (asking ??= askForKey(key && message)))) continue;
      throw new ApiError("key", message, status);
    }
    if (status === 503) throw new ApiError("busy", message);
    throw new ApiError(status < 500 ? "refused" : "failed", message, status);
  }
}

// Resolves with whether one was given.
async function askForKey(trouble) {
  try {
    const { askForKey: ask } = await import("./key.js");
    const key = await ask(trouble);
    if (key) sessionStorage.setItem(KEY, key);
    else declined++;
    return Boolean(key);
  } finally {
    asking = null;
  }
}

export async function get(path, params = {}, { signal } = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== "") query.append(name, one);
  }
  return (await answered(`${path}?${query}`, { signal })).json();
}

function sent(path, body, signal) {
  return answered(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
}

export async function post(path, body, { signal } = {}) {
  return (await sent(path, body, signal)).json();
}

// Server-sent events of a POST: calls `heard(name, data)` for each, and ends with the stream.
export async function stream(path, body, heard, { signal } = {}) {
  const response = await sent(path, body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError("offline", "The connection broke off.");
    }
    if (piece.done) return;
    held += piece.value;
    const events = held.split("\n\n");
    held = events.pop();
    for (const event of events) {
      let name = "message";
      const data = [];
      for (const line of event.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data.push(line.slice(6));
      }
      if (data.length) heard(name, JSON.parse(data.join("\n")));
    }
  }
}

// A stretch of a text by code points, which is how the service counts; JavaScript counts UTF-16.
export class CodePoints {
  constructor(text) {
    this.text = text;
    // Most texts have no pair of surrogates, and are sliced as they are.
    this.points = /[\ud800-\udfff]/.test(text) ? Array.from(text) : null;
  }

  slice(start, end) {
    return this.points ? this.points.slice(start, end).join("") : this.text.slice(start, end);
  }

  get length() {
    return (this.points ?? this.text).length;
  }
}
