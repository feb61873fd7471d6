/**
 * HTTP to a registry: one operation per request, sent again while that can help.
 *
 * What is tried again, and for how long, is said by `Patience`: faults (no connection, no answer in
 * time, a 5xx or 429, a Problem that names a time to wait) some times; what is throttled as long as
 * the registry says, up to a total. Anything else is thrown at once. Repeating is safe: the same
 * registration or withdrawal gets the same answer.
 */

import { ConsentError, RegistryProblem, TransportError, Unreachable } from "../errors";
import { registryAddress } from "./addresses";
import type { Operation } from "./operations";

/** A page of log entries takes a megabyte; what is longer is no answer of a registry. */
export const MAX_ANSWER_BYTES = 32 * 2 ** 20;

const TIMEOUT_SECONDS = 60;
const FIRST_WAIT_SECONDS = 0.5;
const LONGEST_WAIT_SECONDS = 30;
/** Clients that were turned away together do not come back together. */
const JITTER_SECONDS = 1;
const THROTTLED: ReadonlySet<string> = new Set(["RATE_LIMITED", "HELD"]);
const TOO_MANY_REQUESTS = 429;
const SERVER_ERRORS = 500;

/** How long a connection keeps trying. */
export interface Patience {
  /** Requests sent in all while there are faults. */
  readonly tries: number;
  /** How long to wait in all where the registry limits the rate. */
  readonly throttledSeconds: number;
}

export const DEFAULT_PATIENCE: Patience = { tries: 5, throttledSeconds: 4 * 3600 };

/** Told before each wait. */
export interface Waiting {
  readonly seconds: number;
  /** For people. */
  readonly reason: string;
}

export interface ConnectionOptions {
  readonly patience?: Patience;
  readonly onWait?: (waiting: Waiting) => void;
  /** What sends requests; the browser's `fetch` where nothing is said. */
  readonly fetch?: typeof fetch;
  readonly sleep?: (seconds: number) => Promise<void>;
}

/** A connection to one registry. Throws `TransportError` for an address that is none. */
export class Connection {
  /** The registry's base address. */
  readonly address: string;
  readonly #options: Required<Omit<ConnectionOptions, "onWait">> & ConnectionOptions;

  constructor(address: string, options: ConnectionOptions = {}) {
    this.address = registryAddress(address);
    this.#options = {
      patience: DEFAULT_PATIENCE,
      fetch: (...request) => fetch(...request),
      sleep: (seconds) => new Promise((done) => setTimeout(done, seconds * 1000)),
      ...options,
    };
  }

  /** Sends an operation until it is answered or patience ends. */
  async run<Result>(operation: Operation<Result>): Promise<Result> {
    const schedule = new Schedule(this.#options.patience);
    for (;;) {
      try {
        return operation.result(await this.#post(operation.body()));
      } catch (error) {
        const seconds = schedule.after(error);
        if (seconds === null) throw error;
        const reason = error instanceof ConsentError ? error.message : "";
        this.#options.onWait?.({ seconds, reason });
        await this.#options.sleep(seconds);
      }
    }
  }

  async #post(body: string): Promise<string> {
    let response: Response;
    let text: string;
    try {
      response = await this.#options.fetch(`${this.address}/graphql`, {
        method: "POST",
        body,
        headers: { Accept: "application/json", "Content-Type": "application/json" },
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000),
      });
      text = await limitedText(response);
    } catch (error) {
      if (error instanceof ConsentError) throw error;
      // What the browser threw may hold the request: it is not handed on.
      throw new Unreachable("the registry can not be reached, or the connection broke off");
    }
    checkStatus(response, text);
    return text;
  }
}

/** When one operation is tried again, and when no more. */
class Schedule {
  readonly #patience: Patience;
  #faults = 0;
  #throttled = 0;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** Seconds until the next try after this error; null: give up. */
  after(error: unknown): number | null {
    const asked = mayPass(error);
    if (asked === undefined) return null;
    const jitter = Math.random() * JITTER_SECONDS;
    if (error instanceof RegistryProblem && THROTTLED.has(error.problemCode)) {
      this.#throttled += Math.max(1, asked ?? 0);
      return this.#throttled > this.#patience.throttledSeconds ? null : (asked ?? 1) + jitter;
    }
    this.#faults += 1;
    if (this.#faults >= this.#patience.tries) return null;
    const least = asked ?? FIRST_WAIT_SECONDS * 2 ** (this.#faults - 1);
    return Math.min(least, LONGEST_WAIT_SECONDS) + jitter;
  }
}

/** Seconds the registry asked to wait, null where it did not say; undefined: it will not pass. */
function mayPass(error: unknown): number | null | undefined {
  if (error instanceof RegistryProblem) return error.retryAfter ?? undefined;
  return error instanceof Unreachable ? error.retryAfter : undefined;
}

async function limitedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    length += part.value.length;
    if (length > MAX_ANSWER_BYTES) {
      await reader?.cancel();
      throw new TransportError("the registry's answer is too long");
    }
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}

function checkStatus(response: Response, text: string): void {
  const { status } = response;
  if (status === 200) return;
  if (text.trimStart().startsWith("{") && text.includes('"errors"')) return; // GraphQL says it
  if (status === TOO_MANY_REQUESTS || status >= SERVER_ERRORS) {
    const asked = response.headers.get("Retry-After") ?? "";
    throw new Unreachable(
      `the registry answered with HTTP status ${status}`,
      /^[0-9]{1,5}$/.test(asked) ? Number(asked) : null,
    );
  }
  throw new TransportError(
    `the registry answered with HTTP status ${status}: is this its address?`,
  );
}
