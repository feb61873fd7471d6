/** What every part of the flow works with. */

import type { Solver } from "../proof-of-work";
import type { Connection } from "./connection";
import type { Meeting } from "./meeting";
import type { State } from "./state";

export interface Context {
  readonly connection: Connection;
  readonly state: State;
  /** The registry, asked who it is once; `again`: once more. */
  meet(again?: boolean): Promise<Meeting>;
  /** Solves the work that a registration brings. */
  readonly solve: Solver;
  /** Told the attempts made so far at a proof of work. */
  readonly onWork?: (attempts: number) => void;
  /** Seconds since 1970. */
  now(): number;
}

/** The registry's name. */
export async function originOf(context: Context): Promise<string> {
  return (await context.meet()).info.origin;
}
