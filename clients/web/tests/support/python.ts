/** The Python client, to be compared with: from the project's environment, or `CONSENT_PYTHON`. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { PROJECT } from "./vectors";

export const PYTHON = process.env.CONSENT_PYTHON ?? `${PROJECT}.venv/bin/python`;

export const hasPython = existsSync(PYTHON);

/** Runs a script of the project and gives what it prints. */
export function runPython(script: string, args: readonly string[], input = ""): string {
  return execFileSync(PYTHON, [PROJECT + script, ...args], {
    cwd: PROJECT,
    encoding: "utf-8",
    input,
    maxBuffer: 2 ** 26,
  });
}
