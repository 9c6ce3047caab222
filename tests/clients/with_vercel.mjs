// The Vercel AI SDK: objects by its two providers that speak OpenAI's API, whole and as they come.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, Output, streamObject, streamText, tool } from "ai";
import { z } from "zod";

const baseURL = process.env.LF_URL ?? "http://127.0.0.1:8000/v1";
const compatible = createOpenAICompatible({ name: "llamafarm", baseURL, supportsStructuredOutputs: true });
const anyObject = createOpenAICompatible({ name: "llamafarm", baseURL }); // asks the API for `json_object`
const openai = createOpenAI({ baseURL, apiKey: "none" });

const Weather = z.object({ city: z.enum(["Rome", "Paris"]), celsius: z.int().min(-40).max(60) });
const question = { prompt: "What is the weather in Rome?", maxRetries: 0 };
const tools = { get_weather: tool({ inputSchema: Weather, execute: ({ celsius }) => celsius }) };
globalThis.AI_SDK_LOG_WARNINGS = false;

/** The last of what a stream gives; an error of the stream is thrown. */
async function last(start, partial, whole) {
  let failure;
  const stream = start((options) => ({ ...question, ...options, onError: ({ error }) => (failure = error) }));
  for await (const _ of stream[partial]);
  if (failure) throw failure;
  return stream[whole];
}

const objects = {
  generateObject: async (model) =>
    Weather.parse((await generateObject({ model, schema: Weather, ...question })).object),
  streamObject: async (model) =>
    Weather.parse(await last((ask) => streamObject(ask({ model, schema: Weather })), "partialObjectStream", "object")),
  "generateText Output.object": async (model) =>
    Weather.parse((await generateText({ model, output: Output.object({ schema: Weather }), ...question })).output),
  "streamText Output.object": async (model) => {
    const output = Output.object({ schema: Weather });
    return Weather.parse(await last((ask) => streamText(ask({ model, output })), "partialOutputStream", "output"));
  },
};

const others = {
  "generateObject array": async (model) =>
    z.array(Weather).parse((await generateObject({ model, output: "array", schema: Weather, ...question })).object),
  "generateObject enum": async (model) =>
    z.enum(["hot", "cold"]).parse(
      (await generateObject({ model, output: "enum", enum: ["hot", "cold"], ...question })).object),
  "generateText Output.choice": async (model) =>
    z.enum(["hot", "cold"]).parse(
      (await generateText({ model, output: Output.choice({ options: ["hot", "cold"] }), ...question })).output),
  "generateText tools": async (model) =>
    z.array(z.object({ output: z.int() })).min(1).parse(
      (await generateText({ model, tools, toolChoice: "required", ...question })).toolResults),
  "streamText tools": async (model) =>
    z.array(z.object({ output: z.int() })).min(1).parse(
      await last((ask) => streamText(ask({ model, tools, toolChoice: "required" })), "fullStream", "toolResults")),
};

async function report(provider, make, calls, models) {
  for (const [name, run] of Object.entries(calls))
    for (const model of models) {
      const error = await run(make(model)).then(() => null, (raised) => `${raised.name}: ${raised.message}`);
      console.log(JSON.stringify({ call: `${provider} ${name}`, model, error }));
    }
}

await report("openai-compatible", compatible, { ...objects, ...others }, ["plain", "structured"]);
await report("openai", openai.chat, { ...objects, ...others }, ["plain", "structured"]);
await report("openai-compatible json_object", anyObject, objects, ["weather"]);
