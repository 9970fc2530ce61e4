// Four traffic lights for each stream's picture, and the sentence of advice that the terminal shows too.
import { make, say } from "./dom.js";

const LAMPS = ["light", "distance", "blur", "pose"];
const WORDS = { good: "good", fair: "fair", poor: "poor", none: "–" };

export class Lights {
  constructor(root) {
    this.root = root;
    this.rows = new Map();
  }

  // healths: the last health message of each stream
  show(healths) {
    const names = new Set(healths.map((health) => health.stream));
    for (const [name, row] of this.rows) {
      if (!names.has(name)) {
        row.root.remove();
        this.rows.delete(name);
      }
    }
    for (const health of healths) {
      if (!this.rows.has(health.stream)) this.rows.set(health.stream, this.#row());
      const row = this.rows.get(health.stream);
      say(row.title, healths.length > 1 ? health.stream : "");
      for (const lamp of LAMPS) {
        const state = health.picture?.[lamp] ?? "none";
        row.lamps[lamp].root.className = `lamp ${state}`;
        say(row.lamps[lamp].word, WORDS[state]);
      }
      say(row.advice, health.advice ?? (health.picture ? "the picture is good" : health.faces ? "" : "no face in view"));
    }
  }

  #row() {
    const lamps = Object.fromEntries(LAMPS.map((name) => [name, lamp(name)]));
    const row = { title: make("span", { className: "faint" }), lamps, advice: make("p", { className: "advice", role: "status" }) };
    const line = make("div", { className: "lights" }, ...LAMPS.map((name) => lamps[name].root));
    row.root = make("div", {}, row.title, line, row.advice);
    this.root.append(row.root);
    return row;
  }
}

function lamp(name) {
  const word = make("strong");
  return { word, root: make("div", { className: "lamp none" }, make("i"), make("span", {}, name), word) };
}
