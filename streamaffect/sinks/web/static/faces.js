// The list of faces: values with their intervals, status, bars of the model's classes, and further outputs.
import { faceColour, make, say, signed } from "./dom.js";
import { HeatPicture } from "./heat.js";
import { Outputs } from "./outputs.js";

export class Faces {
  constructor(root, nothing) {
    this.root = root;
    this.nothing = make("p", { className: "faint" }, nothing);
    this.cards = new Map();
  }

  // faces: [{key, name, slot, valence, arousal, intervals, relative, status, quality, classes: {name: share}, outputs,
  //          description, maps: [{name, summary, cells}] and hasPicture, of a run}]
  show(faces) {
    const keys = new Set(faces.map((face) => face.key));
    for (const [key, card] of this.cards) {
      if (!keys.has(key)) {
        card.root.remove();
        this.cards.delete(key);
      }
    }
    if (!faces.length) this.root.append(this.nothing);
    else this.nothing.remove();
    for (const face of faces) {
      if (!this.cards.has(face.key)) this.cards.set(face.key, new Card(this.root));
      this.cards.get(face.key).show(face);
    }
  }
}

class Card {
  constructor(root) {
    this.name = make("span");
    this.status = make("span", { className: "faint" });
    this.rows = ["valence", "arousal"].map((what) => ({ what, value: make("dd"), more: make("dd", { className: "faint" }) }));
    this.bars = make("div");
    this.meters = new Map();
    const list = make("dl", {}, ...this.rows.flatMap((row) => [make("dt", {}, row.what), row.value, row.more]));
    this.words = make("p", { className: "words", hidden: true });
    this.more = make("div");
    this.outputs = new Outputs(this.more);
    this.heat = make("div");
    this.maps = new Map();
    const parts = [make("div", { className: "output" }, list, this.bars), this.heat, this.more];
    const body = make("div", { className: "body" }, ...parts);
    this.root = make("div", { className: "face" }, make("h3", {}, this.name, this.status), this.words, body);
    root.append(this.root);
  }

  show(face) {
    this.root.style.borderLeftColor = faceColour(face.slot);
    say(this.name, `face ${face.name}`);
    say(this.status, face.status);
    say(this.words, face.description ?? "");
    this.words.hidden = !face.description;
    for (const row of this.rows) {
      say(row.value, signed(face[row.what]));
      const interval = face.intervals[row.what];
      const relative = face.relative?.[row.what];
      const own = typeof relative === "number" ? `, ${signed(relative)} to baseline` : "";
      say(row.more, interval ? `${signed(interval[0])} … ${signed(interval[1])}${own}` : own.slice(2));
    }
    for (const [name, share] of Object.entries(face.classes)) this.#bar(name, share);
    this.outputs.show(face.outputs);
    this.#heat(face);
    this.root.classList.toggle("wide", face.outputs.length + (face.maps ?? []).length > 0);
  }

  // Of several maps the first lies over the picture, where there is one.
  #heat({ maps = [], hasPicture }) {
    for (const [name, shown] of this.maps) if (!maps.some((map) => map.name === name)) shown.show(undefined);
    maps.forEach((map, i) => {
      if (!this.maps.has(map.name)) this.maps.set(map.name, new HeatPicture(this.heat));
      this.maps.get(map.name).show(map, i > 0 || !hasPicture);
    });
  }

  #bar(name, share) {
    let bar = this.meters.get(name);
    if (!bar) {
      const fill = make("i");
      const meter = make("div", { className: "meter", role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 1 }, fill);
      bar = { meter, fill, number: make("span") };
      this.meters.set(name, bar);
      this.bars.append(make("div", { className: "emotion" }, make("span", {}, name), bar.meter, bar.number));
    }
    const width = Number.isNaN(share) ? 0 : share;
    bar.meter.setAttribute("aria-valuenow", width);
    bar.fill.style.width = `${100 * width}%`;
    say(bar.number, Number.isNaN(share) ? "–" : `${Math.round(100 * share)} %`);
  }
}
