/** Requests are sent again while that can help, to where they should go, and no longer. */

import { describe, expect, test } from "vitest";
import { InsecureRegistry, RegistryProblem, TransportError, Unreachable } from "../../src/errors";
import { registryAddress } from "../../src/registrant/addresses";
import { MAX_MESSAGE_CHARACTERS } from "../../src/registrant/answers";
import { Connection, MAX_ANSWER_BYTES } from "../../src/registrant/connection";
import { entries } from "../../src/registrant/operations";

const PAGE = { start: 0, logSize: 0, data: "" };
const answered = (value: unknown): Response => Response.json({ data: { entries: value } });
const problem = (code: string, retryAfterSeconds?: number): Response =>
  answered({ code, message: "no", ...(retryAfterSeconds && { retryAfterSeconds }) });

interface Sent {
  readonly requests: RequestInit[];
  readonly waits: number[];
  readonly addresses: string[];
  run(): Promise<unknown>;
}

/** A connection whose requests get these answers, one after the other, and then the last again. */
function answering(...answers: (() => Response)[]): Sent {
  const sent: Omit<Sent, "run"> = { requests: [], waits: [], addresses: [] };
  const connection = new Connection("https://registry.example/path/", {
    fetch: async (address, request) => {
      sent.addresses.push(String(address));
      sent.requests.push(request ?? {});
      const answer = answers[Math.min(sent.requests.length, answers.length) - 1];
      return answer?.() ?? Response.error();
    },
    sleep: async (seconds) => {
      sent.waits.push(seconds);
    },
  });
  return { ...sent, run: () => connection.run(entries(0, 10)) };
}

const unreachable = (): Response => {
  throw new TypeError("network");
};

test("an answer, asked for without credentials, referrer or cache", async () => {
  const sent = answering(() => answered(PAGE));
  expect(await sent.run()).toEqual({ start: 0, logSize: 0, data: new Uint8Array(0) });
  expect(sent.addresses).toEqual(["https://registry.example/path/graphql"]);
  const [request] = sent.requests;
  expect(request?.credentials).toBe("omit");
  expect(request?.referrerPolicy).toBe("no-referrer");
  expect(request?.redirect).toBe("error");
  expect(request?.cache).toBe("no-store");
});

describe("what may pass is tried again", () => {
  test.each<[string, () => Response]>([
    ["no connection", unreachable],
    ["a server in trouble", () => new Response("", { status: 503 })],
    ["too many requests", () => new Response("", { status: 429 })],
    ["a problem that names a time", () => problem("NOT_PUBLISHED", 2)],
  ])("%s", async (_, fault) => {
    const sent = answering(fault, fault, () => answered(PAGE));
    await sent.run();
    expect(sent.requests.length).toBe(3);
    const bodies = sent.requests.map(({ body }) => body);
    expect(new Set(bodies).size).toBe(1);
    expect(sent.waits.length).toBe(2);
  });

  test("five times in all, with growing waits", async () => {
    const sent = answering(unreachable);
    await expect(sent.run()).rejects.toThrow(Unreachable);
    expect(sent.requests.length).toBe(5);
    sent.waits.forEach((seconds, at) => {
      expect(seconds).toBeGreaterThanOrEqual(0.5 * 2 ** at);
      expect(seconds).toBeLessThan(0.5 * 2 ** at + 1);
    });
  });

  test("as long as it says, where the registry limits the rate", async () => {
    const held = Array.from({ length: 20 }, () => () => problem("RATE_LIMITED", 60));
    const sent = answering(...held, () => answered(PAGE));
    await sent.run();
    expect(sent.waits.length).toBe(20);
    expect(Math.min(...sent.waits)).toBeGreaterThanOrEqual(60);
    const endless = answering(() => problem("RATE_LIMITED", 3_600));
    await expect(endless.run()).rejects.toThrow(RegistryProblem);
    expect(endless.waits.length).toBe(4);
  });

  test("no fault makes it wait longer than half a minute", async () => {
    const slow = (): Response =>
      new Response("", { status: 503, headers: { "Retry-After": "86400" } });
    const sent = answering(slow, () => answered(PAGE));
    await sent.run();
    expect(sent.waits[0]).toBeLessThan(31);
  });
});

describe("what does not pass is thrown at once", () => {
  test.each<[string, () => Response]>([
    ["a problem", () => problem("CONFLICT")],
    ["a refusal of GraphQL", () => Response.json({ errors: [{ message: "no" }] })],
    ["a page of something else", () => new Response("<html>", { status: 404 })],
    ["no JSON", () => new Response("{")],
    ["an answer to something else", () => Response.json({ data: { other: PAGE } })],
    ["a field of another type", () => answered({ ...PAGE, start: "0" })],
    ["a number that is none", () => answered({ ...PAGE, start: -1 })],
    ["base64 that is not canonical", () => answered({ ...PAGE, data: "AB==" })],
    ["a list", () => Response.json([])],
  ])("%s", async (_, answer) => {
    const sent = answering(answer);
    const caught = await sent.run().catch((error: unknown) => error);
    expect(caught instanceof TransportError || caught instanceof RegistryProblem).toBe(true);
    expect(sent.requests.length).toBe(1);
  });

  test("an answer without end", async () => {
    let given = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        given += 2 ** 20;
        controller.enqueue(new Uint8Array(2 ** 20).fill(32));
      },
    });
    const sent = answering(() => new Response(endless));
    await expect(sent.run()).rejects.toThrow(TransportError);
    expect(sent.requests.length).toBe(1);
    expect(given).toBeLessThan(MAX_ANSWER_BYTES + 2 ** 23);
  });
});

test("messages of a registry are fit to be shown", async () => {
  const message = `a\u0000\u001b[31m\u202e${"x".repeat(1_000)}`;
  const sent = answering(() => answered({ code: "CONFLICT", message, spaces: ["sscd-1"] }));
  const caught = (await sent.run().catch((error: unknown) => error)) as RegistryProblem;
  expect(caught.message).toMatch(/^a {2}\[31m x+$/);
  expect(caught.message.length).toBe(MAX_MESSAGE_CHARACTERS);
  expect(caught.problemCode).toBe("CONFLICT");
  expect(caught.retryAfter).toBeNull();
  expect(caught.spaces).toEqual(["sscd-1"]);
});

test.each([
  ["registry.example", "https://registry.example"],
  ["https://Registry.example:443/", "https://registry.example"],
  ["https://registry.example:8443/a/b/", "https://registry.example:8443/a/b"],
  ["http://127.0.0.1:8000", "http://127.0.0.1:8000"],
  ["http://localhost", "http://localhost"],
  ["http://[::1]:1", "http://[::1]:1"],
])("%s is an address", (text, address) => {
  expect(registryAddress(text)).toBe(address);
});

test.each([
  "",
  "https://",
  "ftp://registry.example",
  "https://me@registry.example",
  "https://registry.example/?a",
  "https://registry.example/#a",
  "javascript://x",
])("%j is none", (text) => {
  expect(() => registryAddress(text)).toThrow(TransportError);
});

test.each(["http://registry.example", "http://127.0.0.1.example", "http://localhost.example"])(
  "%s would be read on the way",
  (text) => {
    expect(() => registryAddress(text)).toThrow(InsecureRegistry);
  },
);
