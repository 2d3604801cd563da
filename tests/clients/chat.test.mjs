// Chat front ends for Node against a running service, whose address is in DATELINE_URL.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createOpenAI } from "@ai-sdk/openai";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const url = process.env.DATELINE_URL;
const QUESTION = "What does Gabuev expect from military cooperation?";
const WORDS = "closer military cooperation";
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none is asked for", maxRetries: 0 });
const provider = createOpenAI({ baseURL: `${url}/v1`, apiKey: "none is asked for" });
const messages = [{ role: "user", content: QUESTION }];

// What follows the last code point of a text, as JavaScript counts.
const codePoints = (text, start, end) => [...text].slice(start, end).join("");

test("openai: a chat carries annotations", async () => {
  const completion = await openai.chat.completions.create({ model: "dateline", messages });
  const { content, annotations } = completion.choices[0].message;
  assert.ok(content.includes(WORDS));
  const place = annotations[0].url_citation;
  assert.equal(codePoints(content, place.start_index, place.end_index), "[1]");
  assert.deepEqual(completion.citations, [place.url]);
  assert.ok(completion.search_results[0].snippet.includes(WORDS));
});

test("openai: a streamed chat says the same", async () => {
  const stream = await openai.chat.completions.create({ model: "dateline", messages, stream: true });
  let content = "";
  const annotations = [];
  let first;
  for await (const chunk of stream) {
    first ??= chunk;
    content += chunk.choices[0]?.delta.content ?? "";
    annotations.push(...(chunk.choices[0]?.delta.annotations ?? []));
  }
  assert.ok(content.includes(WORDS));
  assert.equal(annotations.length, 1);
  assert.deepEqual(first.citations, [annotations[0].url_citation.url]);
});

test("openai: responses, whole and streamed", async () => {
  const whole = await openai.responses.create({ model: "dateline", input: QUESTION });
  assert.ok(whole.output_text.includes(WORDS));
  assert.equal(whole.output[0].content[0].annotations[0].type, "url_citation");
  const stream = openai.responses.stream({ model: "dateline", input: QUESTION });
  let told = "";
  stream.on("response.output_text.delta", (event) => (told += event.delta));
  const final = await stream.finalResponse();
  assert.equal(told, whole.output_text);
  assert.deepEqual(final.output[0].content[0].annotations, whole.output[0].content[0].annotations);
});

test("openai: errors are read", async () => {
  await assert.rejects(
    openai.chat.completions.create({ model: "gpt-9", messages }),
    (error) => error.status === 404 && error.param === "model" && error.code === "not_found",
  );
});

for (const [name, model] of [
  ["chat", provider.chat("dateline")],
  ["responses", provider.responses("dateline")],
]) {
  test(`AI SDK over ${name}: annotations become sources`, async () => {
    const { text, sources, finishReason } = await generateText({ model, prompt: QUESTION });
    assert.ok(text.includes(WORDS));
    assert.equal(finishReason, "stop");
    assert.equal(sources.length, 1);
    assert.equal(sources[0].sourceType, "url");
    assert.match(sources[0].url, /\/v1\/articles\/000_/);
    assert.match(sources[0].title, /^Russian President/);
  });

  test(`AI SDK over ${name}: a stream has sources too`, async () => {
    const result = streamText({ model, prompt: QUESTION });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    assert.ok(text.includes(WORDS));
    assert.equal((await result.sources).length, 1);
    assert.ok((await result.usage).totalTokens > 0);
  });
}

test("MCP: the tools answer", async () => {
  const client = new Client({ name: "try", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name).sort(), ["ask", "fetch", "quotes", "search"]);
  const answer = await client.callTool({ name: "ask", arguments: { question: QUESTION } });
  assert.ok(answer.structuredContent.answer.includes(WORDS));
  await client.close();
});
