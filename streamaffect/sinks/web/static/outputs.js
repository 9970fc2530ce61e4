// Further outputs of a face, whatever they are called: a heading each, and below it names, scales with intervals, numbers.
import { make, say, signed } from "./dom.js";

const ALL_SHOWN = 12; // values of an output that stand in their own order; of more the largest come first

const HEAD = ["yaw", "pitch", "roll", "left_eye_open", "right_eye_open"];

// Of a kind that has too many numbers of too many sorts: which come first.
const CHOICES = {
  mesh: (values) => {
    const movements = Object.keys(values).filter((name) => !name.includes("_") && !HEAD.includes(name));
    return [...HEAD.filter((name) => name in values), ...movements.sort((one, other) => values[other] - values[one])];
  },
};

export class Outputs {
  constructor(root) {
    this.root = root;
    this.blocks = new Map();
  }

  // outputs: [{name, kind, values: {name: number}, intervals: {name: [low, high]}, declared: {name: {label, range}}}]
  show(outputs) {
    const names = new Set(outputs.map(({ name }) => name));
    for (const [name, block] of this.blocks) {
      if (names.has(name)) continue;
      block.root.remove();
      this.blocks.delete(name);
    }
    for (const output of outputs) {
      const Form = FORMS[output.kind] ?? Block;
      if (!(this.blocks.get(output.name) instanceof Form)) {
        this.blocks.get(output.name)?.root.remove();
        this.blocks.set(output.name, new Form(this.root, output.name));
      }
      this.blocks.get(output.name).show(output);
    }
  }
}

class Block {
  constructor(root, name) {
    this.more = make("span", { className: "faint" });
    this.list = make("div");
    this.note = make("p", { className: "faint" });
    this.root = make("div", { className: "output" }, make("h4", {}, name.replaceAll("_", " "), " ", this.more), this.list, this.note);
    this.rows = [];
    root.append(this.root);
  }

  show({ kind, values, intervals, declared }) {
    let shown = CHOICES[kind]?.(values) ?? Object.keys(values);
    const all = shown.length;
    if (all > ALL_SHOWN) {
      if (!CHOICES[kind]) shown.sort((one, other) => values[other] - values[one]);
      shown = shown.slice(0, ALL_SHOWN);
    }
    say(this.more, all > ALL_SHOWN ? `${CHOICES[kind] ? "" : "the largest "}${ALL_SHOWN} of ${all}` : "");
    while (this.rows.length > shown.length) this.rows.pop().root.remove();
    while (this.rows.length < shown.length) this.rows.push(new Row(this.list));
    const unclear = Object.keys(declared ?? {}).filter((name) => declared[name].understood === false);
    this.note.hidden = !unclear.length;
    say(this.note, unclear.length ? `not understood: ${unclear.join(", ")}` : "");
    shown.forEach((name, i) => this.rows[i].show(name, values[name], intervals?.[name], declared?.[name]));
  }
}

// Shares of the last clips as columns, the oldest at the left as in the courses, and which of them counts most.
class Moments {
  constructor(root, name) {
    this.most = make("div", { className: "faint most" });
    this.columns = make("div", { className: "columns-of-time", role: "img" });
    this.root = make("div", { className: "output" }, make("h4", {}, name), this.columns, this.most);
    root.append(this.root);
  }

  show({ values, declared }) {
    const names = Object.keys(values).reverse();
    if (!names.length) return;
    const label = (name) => declared?.[name]?.label || name;
    while (this.columns.children.length > names.length) this.columns.lastChild.remove();
    while (this.columns.children.length < names.length) this.columns.append(make("i"));
    names.forEach((name, i) => {
      const column = this.columns.children[i];
      column.style.height = `${100 * Math.min(1, Math.max(0.03, values[name]))}%`;
      column.title = `${label(name)}: ${values[name].toFixed(2)}`;
    });
    const best = names.reduce((one, other) => (values[other] > values[one] ? other : one));
    const words = `most: ${label(best)}, ${Math.round(100 * values[best])} %`;
    say(this.most, words);
    this.columns.setAttribute("aria-label", words);
  }
}

const FORMS = { moments: Moments };

class Row {
  constructor(root) {
    this.name = make("span", { className: "name" });
    this.stroke = make("i");
    this.point = make("b");
    this.zero = make("u");
    this.scale = make("div", { className: "scale", role: "meter" }, this.zero, this.stroke, this.point);
    this.number = make("span");
    this.root = make("div", { className: "value" }, this.name, this.scale, this.number);
    root.append(this.root);
  }

  show(name, value, interval, declared) {
    const span = spanOf(name, value, interval, declared?.range);
    const label = declared?.label || name;
    const known = typeof value === "number" && !Number.isNaN(value);
    say(this.name, label);
    this.root.title = declared?.label ? `${label} (${name})` : name;
    say(this.number, !known ? "–" : span && span[0] >= 0 ? value.toFixed(2) : signed(value));
    this.scale.hidden = !span;
    if (!span) return;
    const place = (one) => `${(100 * Math.min(1, Math.max(0, (one - span[0]) / (span[1] - span[0]))))}%`;
    const nought = Math.min(span[1], Math.max(span[0], 0));
    const [low, high] = interval ?? [Math.min(nought, value), Math.max(nought, value)];
    this.zero.hidden = span[0] >= 0;
    this.zero.style.left = place(0);
    this.stroke.hidden = this.point.hidden = !known;
    this.stroke.style.left = place(low);
    this.stroke.style.right = `calc(100% - ${place(high)})`;
    this.point.style.left = place(value);
    this.scale.setAttribute("aria-label", label);
    this.scale.setAttribute("aria-valuemin", span[0]);
    this.scale.setAttribute("aria-valuemax", span[1]);
    if (known) this.scale.setAttribute("aria-valuenow", value);
    this.scale.title = interval ? `${signed(interval[0])} … ${signed(interval[1])}` : "";
  }
}

// The scale of a value: as declared, else the usual one that it lies in, null where none is usual.
function spanOf(name, value, interval, declared) {
  if (declared?.length === 2 && declared[0] < declared[1]) return declared;
  const low = Math.min(value ?? 0, interval?.[0] ?? value ?? 0);
  const high = Math.max(value ?? 0, interval?.[1] ?? value ?? 0);
  if (name !== "valence" && name !== "arousal" && low >= 0 && high <= 1) return [0, 1];
  return low >= -1 && high <= 1 ? [-1, 1] : null;
}
