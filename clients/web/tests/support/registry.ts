/** A real registry in a process of its own, with the Python client beside it. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { PYTHON } from "./python";
import { PROJECT } from "./vectors";

export class Registry {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  url = "";

  private constructor(process: ChildProcessWithoutNullStreams, lines: Interface) {
    this.#process = process;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** Starts one on a folder of its own, with settings by their names in the environment. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<Registry> {
    const script = `${PROJECT}clients/web/tests/registrant/serve_registry.py`;
    const set = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    const process_ = spawn(PYTHON, [script, ...set], { cwd: PROJECT });
    process_.stderr.pipe(process.stderr);
    const registry = new Registry(process_, createInterface(process_.stdout));
    registry.url = (await registry.#next()) as string;
    return registry;
  }

  /** What `serve_registry.py` answers to a verb. */
  async ask(verb: string, given: object): Promise<unknown> {
    this.#process.stdin.write(`${JSON.stringify({ verb, ...given })}\n`);
    return this.#next();
  }

  async #next(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the registry's process has ended");
    return JSON.parse(value);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.stdin.end();
    await ended;
  }
}
