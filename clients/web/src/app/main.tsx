import { render } from "preact";
import "../styles/page.css";
import { languageOf, textsIn } from "../i18n";
import { App } from "./app";
import { Session } from "./session";

const page = document.getElementById("page");
if (page === null) throw new Error("the page has no place for its content");
const texts = await textsIn(languageOf(navigator.languages), navigator.languages);
render(<App session={new Session(location.origin)} texts={texts} />, page);

// Where it is not allowed (a private window, plain http) the page works all the same.
if (import.meta.env.PROD && "serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").catch(() => undefined);
}
