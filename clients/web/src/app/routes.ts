/** Which page is shown: the part of the address after `#`, which browsers never send. */

import { useEffect, useState } from "preact/hooks";

export const ROUTES = ["protect", "records", "verify", "log"] as const;
export type Route = (typeof ROUTES)[number];

export const addressOf = (route: Route): string => `#/${route}`;

/** The route of a fragment; the first page for anything unknown. */
export const routeOf = (fragment: string): Route =>
  ROUTES.find((route) => addressOf(route) === fragment) ?? "protect";

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const changed = (): void => setRoute(routeOf(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
