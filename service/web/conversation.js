// Questions that follow upon each other, and what became of each. The address names them, so a conversation can
// be shared; what has been answered is kept, so that the way back asks nothing again.
import { signal } from "./vendor/preact.js";
import { ApiError, stream } from "./api.js";
import { address } from "./place.js";

const MOST_KEPT = 200;
const MOST_TURNS = 50; // that the service takes
const LONGEST_ANSWER = 20_000;
const WAITS_MS = [1000, 2000, 4000, 8000]; // while no index is served

export const TRIES = WAITS_MS.length;

const kept = new Map();

// What an address asks: `q` for each question in turn; `plain` is the number of one to be asked as it is written.
export function asking(params) {
  const queries = params.getAll("q").filter((query) => query.trim());
  const plain = params.getAll("plain").map(Number).filter((number) => number <= queries.length);
  return { queries, plain, collection: params.get("collection") ?? undefined };
}

// The turns of a conversation. `now` of each: {state, answer, error, tries}, where the state is "waiting" for the
// turns before it, "asking", or settled: "done", "stopped", "failed".
export function conversation({ queries, plain, collection }) {
  const turns = [];
  for (const query of queries) {
    const number = turns.length + 1;
    const sofar = { q: queries.slice(0, number), plain: plain.filter((one) => one <= number), collection };
    const key = address("ask", sofar);
    if (!kept.has(key)) {
      const now = signal({ state: "waiting" });
      kept.set(key, { key, number, query, collection, interpret: !plain.includes(number), before: [...turns], now });
    }
    turns.push(kept.get(key));
  }
  return turns;
}

// Lets an address be asked anew.
export function forget(key) {
  stop(kept.get(key));
  kept.delete(key);
}

// Starts the next turn of a conversation, and stops what no one waits for any more.
export function proceed(turns) {
  for (const turn of kept.values()) {
    if (turn.now.peek().state === "asking" && !turns.includes(turn)) forget(turn.key);
    else if (kept.size > MOST_KEPT && !turns.includes(turn)) kept.delete(turn.key);
  }
  const next = turns.find((turn) => ["waiting", "asking"].includes(turn.now.peek().state));
  if (next?.now.peek().state === "waiting") start(next);
}

export function stop(turn) {
  if (turn?.now.peek().state !== "asking") return;
  const { controller } = turn;
  turn.controller = null;
  controller.abort();
  turn.now.value = { ...turn.now.value, state: "stopped" };
}

export async function start(turn) {
  const controller = (turn.controller = new AbortController());
  const tell = (news) => {
    if (turn.controller === controller) turn.now.value = { ...turn.now.value, ...news };
  };
  turn.now.value = { state: "asking" };
  for (let tries = 0; ; tries++) {
    try {
      await answered(turn, tell, controller.signal);
      return;
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.kind !== "busy" || tries === TRIES) {
        controller.abort();
        tell({ state: "failed", error });
        return;
      }
      tell({ tries: tries + 1 });
      await new Promise((resolve) => setTimeout(resolve, WAITS_MS[tries]));
      if (turn.controller !== controller) return;
    }
  }
}

async function answered({ query, collection, interpret, before }, tell, signal) {
  const turns = before.slice(-MOST_TURNS).map((turn) => ({
    query: turn.query,
    answer: Array.from(turn.now.peek().answer?.answer ?? "").slice(0, LONGEST_ANSWER).join(""),
  }));
  let ended = false;
  const heard = (name, data) => {
    if (data.error) throw new ApiError("failed", data.error.message);
    if (name !== "answer") return;
    ended = data.ended;
    tell({ state: ended ? "done" : "asking", answer: data, tries: 0 });
  };
  await stream("/v1/answer", { query, collection, interpret, turns, stream: true }, heard, { signal });
  if (!ended) throw new ApiError("offline", "The connection broke off.");
}
