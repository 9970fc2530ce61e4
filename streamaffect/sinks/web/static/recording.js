// The page of a recording: courses of its faces, to be looked at, cut and exported.
import { Chart } from "./chart.js";
import { clockTime, find, isTyping, make, say } from "./dom.js";
import { Faces } from "./faces.js";
import { drawHeat } from "./heat.js";
import { Plane } from "./plane.js";
import { Voices } from "./voices.js";

const AT_FIRST = 8;
const GAP_S = 1;
const SHORTEST_S = 0.2;
const TRAIL_S = 5;
const STEP_S = 0.2;
const SENTENCE_S = 3; // it is said of the second before it, and stands until the next one

export class RecordingView {
  static async open() {
    const about = await (await fetch("/v1/recording")).json();
    return new RecordingView(about);
  }

  constructor(about) {
    this.about = about;
    this.faces = about.faces.map((face, number) => ({ ...face, number, key: `${face.stream}/${face.track}`, data: null }));
    this.emotions = about.heads.find((head) => head.kind === "classification")?.name ?? "emotions";
    this.shown = []; // those of the chosen faces that are loaded
    this.plays = false; // whether the browser can play the video
    this.excluded = [];
    this.stretch = null;
    this.voices = new Voices(about);
    const span = [...this.faces.flatMap((face) => [face.from_s, face.to_s]), ...this.voices.span];
    this.whole = span.length ? [Math.min(...span), Math.max(...span)] : [0, 1];
    this.cursor = this.faces.length ? Math.min(...this.faces.map((face) => face.from_s)) : this.whole[0];
    if (this.whole[1] - this.whole[0] < SHORTEST_S) this.whole[1] = this.whole[0] + SHORTEST_S;
    this.range = [...this.whole];
    const options = {
      onSeek: (seconds) => this.seek(seconds),
      onSelect: (from, to) => this.#select(from, to),
      label: (seconds) => clockTime(seconds, this.range[1] - this.range[0] < 20 ? 1 : 0),
    };
    this.charts = {
      valence: new Chart(find("#recorded-valence"), options),
      arousal: new Chart(find("#recorded-arousal"), options),
    };
    find("#recorded-voices").hidden = !this.voices.some;
    if (this.voices.some) this.charts.voice = new Chart(find("#recorded-voice"), options);
    this.plane = new Plane(find("#recording .plane"));
    this.list = new Faces(find("#values"), "no face at the cursor");
    const longest = [...this.faces].sort((one, other) => other.count - one.count).slice(0, AT_FIRST);
    this.chosen = new Set(longest.map((face) => face.number));
    this.#words();
    this.#choices();
    this.#moments();
    this.#video();
    this.#buttons();
    document.addEventListener("themechange", () => this.#decorate());
    this.#choose();
  }

  #words() {
    const { name, streams, estimates, complaint, model, engine, software, created } = this.about;
    const state = find("#state");
    state.className = complaint ? "pill poor" : "pill good";
    say(state, complaint ?? "complete");
    say(find("#summary"), `${name} · ${streams.map((one) => one.source).join(", ")} · ${estimates} estimates`);
    const when = created ? `, recorded ${new Date(created).toLocaleString()}` : "";
    say(find("#keys"), `${software}, model ${model}, engine ${engine}${when}. Keys: ← → move, + − 0 zoom, [ ] stretch, z zoom to it, x leave it out, t dark or light`);
    document.title = `${name} – streamaffect`;
  }

  #choices() {
    const several = this.about.streams.length > 1;
    find("#choices").append(
      ...this.faces.map((face) => {
        const box = make("input", { type: "checkbox", checked: this.chosen.has(face.number) });
        box.addEventListener("change", () => {
          if (box.checked) this.chosen.add(face.number);
          else this.chosen.delete(face.number);
          this.#choose();
        });
        const words = `${several ? face.key : `face ${face.track}`}, ${clockTime(face.from_s)} to ${clockTime(face.to_s)}`;
        return make("label", {}, box, words);
      }),
    );
    if (!this.faces.length) find("#choices").append("the recording has no faces");
  }

  // Load what was chosen, and draw it.
  async #choose() {
    const shown = this.faces.filter((face) => this.chosen.has(face.number));
    await Promise.all([this.voices.load(), ...shown.filter((face) => !face.data).map((face) => this.#load(face))]);
    this.shown = this.faces.filter((face) => this.chosen.has(face.number) && face.data);
    this.shown.forEach((face, slot) => (face.slot = slot));
    for (const what of ["valence", "arousal"]) {
      const chart = this.charts[what];
      const tables = this.shown.map(({ data }) => [data.seconds, data.drawn[what], data.drawn[`${what}_low`], data.drawn[`${what}_high`]]);
      const joined = tables.length ? uPlot.join(tables, tables.map((table) => table.map(() => 2))) : [[0], [null]];
      chart.setFaces(this.shown);
      const [seconds, ...columns] = joined;
      chart.show(seconds, [columns], this.range);
    }
    if (this.voices.some) {
      const { lines, seconds, columns } = this.voices.drawn(this.shown);
      this.charts.voice.setFaces(lines);
      this.charts.voice.show(seconds, [columns], this.range);
    }
    this.#decorate();
    this.#export();
    this.#read();
  }

  async #load(face) {
    const bytes = await (await fetch(`/v1/recording/course/${face.number}`)).arrayBuffer();
    const seconds = new Float64Array(bytes, 0, face.count);
    const columns = this.about.columns.map((_, i) => new Float32Array(bytes, 8 * face.count + 4 * face.count * i, face.count));
    const named = Object.fromEntries(this.about.columns.map((name, i) => [name, columns[i]]));
    face.data = { ...withGaps(seconds, named), named, columns, times: seconds };
    face.stretches = this.#stretches(seconds, named.status);
  }

  // Where a face was held or abstained, from one picture to the next.
  #stretches(seconds, status) {
    const found = [];
    for (let i = 0; i < seconds.length; i += 1) {
      const kind = this.about.statuses[status[i]];
      if (kind !== "held" && kind !== "abstain") continue;
      const to = i + 1 < seconds.length && seconds[i + 1] - seconds[i] < GAP_S ? seconds[i + 1] : seconds[i] + 0.04;
      const last = found.at(-1);
      if (last && last.kind === kind && last.to >= seconds[i]) last.to = to;
      else found.push({ from: seconds[i], to, kind });
    }
    return found;
  }

  #decorate() {
    const ofFaces = this.shown.flatMap((face) => face.stretches);
    const marks = this.about.moments.filter(({ event }) => event === "marker").map(({ t_s, label }) => ({ at: t_s, label }));
    const shades = this.excluded.map(({ from, to }) => ({ from, to, kind: "out" }));
    if (this.stretch) shades.push({ ...this.stretch, kind: "held" });
    for (const [what, chart] of Object.entries(this.charts)) {
      chart.decorate({ marks, shades: what === "voice" ? shades : [...ofFaces, ...shades], cursor: this.cursor });
    }
  }

  seek(seconds, { movesVideo = true } = {}) {
    this.cursor = Math.min(this.whole[1], Math.max(this.whole[0], seconds));
    if (movesVideo && this.video) {
      this.leads = true; // the video may end before the recording does, and must not pull the cursor back
      this.video.currentTime = Math.max(0, this.cursor - this.about.video.offset_s);
    }
    if (this.cursor < this.range[0] || this.cursor > this.range[1]) {
      const half = (this.range[1] - this.range[0]) / 2;
      this.zoom(this.cursor - half, this.cursor + half);
    }
    for (const chart of Object.values(this.charts)) chart.decorate({ cursor: this.cursor });
    this.#read();
  }

  // What the faces show at the cursor.
  #read() {
    const found = this.shown.map((face) => this.#at(face)).filter(Boolean);
    this.plane.draw(found);
    this.list.show(found);
    this.#heat(found);
    say(find("#at"), `at ${clockTime(this.cursor, 2)}`);
    if (this.voices.some) say(find("#voice-at"), this.voices.words(this.cursor));
  }

  #at(face) {
    const { times, named } = face.data;
    const i = lastBefore(times, this.cursor + 1e-6);
    if (i < 0 || this.cursor - times[i] > GAP_S) return null;
    const value = (name) => (Number.isNaN(named[name][i]) ? null : named[name][i]);
    const interval = (what) => (value(`${what}_low`) === null ? null : [value(`${what}_low`), value(`${what}_high`)]);
    const trail = [];
    for (let j = i; j >= 0 && times[j] > this.cursor - TRAIL_S; j -= 1) {
      if (!Number.isNaN(named.valence[j])) trail.unshift([named.valence[j], named.arousal[j]]);
    }
    const said = this.#said(face.data, i);
    const maps = [...said.values()].filter(({ kind }) => kind === "map");
    for (const { name } of maps) said.delete(name);
    const square = squareAt(named, i);
    const classes = said.get(this.emotions)?.values ?? {};
    said.delete(this.emotions);
    const status = this.about.statuses[named.status[i]];
    return {
      key: face.key,
      slot: face.slot,
      name: this.about.streams.length > 1 ? face.key : String(face.track),
      valence: value("valence"),
      arousal: value("arousal"),
      intervals: { valence: interval("valence"), arousal: interval("arousal") },
      certain: status === "ok",
      status,
      classes,
      outputs: [...said.values()],
      description: this.#sentence(face),
      maps: maps.map(({ name, summary, values }) => ({ name, summary, cells: values })),
      square,
      hasPicture: this.plays && square !== null,
      trail,
    };
  }

  // The maps of the faces at the cursor, over the video. A canvas is laid out as the video is, bars beside it included.
  #heat(faces) {
    const canvas = find("#video-faces");
    canvas.width = this.video?.videoWidth ?? 0;
    canvas.height = this.video?.videoHeight ?? 0;
    const paint = canvas.getContext("2d");
    for (const { maps, square } of faces) if (maps.length && square) drawHeat(paint, maps[0].cells, square);
  }

  // What was last said about a face at the cursor, within some seconds.
  #sentence({ descriptions }) {
    const i = lastBefore(descriptions.map(([at]) => at), this.cursor + 1e-6);
    return i >= 0 && this.cursor - descriptions[i][0] < SENTENCE_S ? descriptions[i][1] : "";
  }

  // What there is beside the main values at one estimate, by the name of its head.
  #said({ columns }, i) {
    const found = new Map();
    this.about.outputs.forEach(([head, name, part], at) => {
      const value = columns[columns.length - this.about.outputs.length + at][i];
      if (Number.isNaN(value)) return;
      if (!found.has(head)) {
        const meta = this.about.heads.find((one) => one.name === head);
        const declared = meta?.outputs ?? [];
        found.set(head, { name: head, kind: meta?.kind, summary: meta?.summary, values: {}, intervals: {}, declared: Object.fromEntries(declared.map((one) => [one.name, one])) });
      }
      const { values, intervals } = found.get(head);
      if (part === "value") values[name] = value;
      else (intervals[name] ??= [value, value])[part === "high" ? 1 : 0] = value;
    });
    return found;
  }

  zoom(from, to) {
    const length = Math.min(this.whole[1] - this.whole[0], Math.max(SHORTEST_S, to - from));
    const middle = (from + to) / 2;
    const first = Math.min(this.whole[1] - length, Math.max(this.whole[0], middle - length / 2));
    this.range = [first, first + length];
    for (const chart of Object.values(this.charts)) chart.zoom(this.range);
    this.#export();
  }

  #zoomBy(factor) {
    const length = (this.range[1] - this.range[0]) * factor;
    const inside = this.cursor >= this.range[0] && this.cursor <= this.range[1];
    const middle = inside ? this.cursor : (this.range[0] + this.range[1]) / 2;
    this.zoom(middle - length / 2, middle + length / 2);
  }

  #move(share) {
    const by = share * (this.range[1] - this.range[0]);
    this.zoom(this.range[0] + by, this.range[1] + by);
  }

  #select(from, to) {
    this.stretch = from === null ? null : { from: Math.min(from, to), to: Math.max(from, to) };
    for (const chart of Object.values(this.charts)) chart.clearSelection();
    const isEmpty = !this.stretch || this.stretch.to <= this.stretch.from;
    find("#exclude").disabled = find("#stretch-zoom").disabled = isEmpty;
    this.#decorate();
    this.#export();
  }

  #exclude() {
    if (find("#exclude").disabled) return;
    this.excluded.push(this.stretch);
    this.excluded.sort((one, other) => one.from - other.from);
    this.#select(null);
    this.#listExcluded();
  }

  #listExcluded() {
    find("#excluded-card").hidden = !this.excluded.length;
    find("#excluded").replaceChildren(
      ...this.excluded.map((stretch) => {
        const back = make("button", { type: "button" }, "take back");
        back.addEventListener("click", () => {
          this.excluded = this.excluded.filter((one) => one !== stretch);
          this.#listExcluded();
          this.#decorate();
          this.#export();
        });
        return make("li", {}, make("span", {}, `${clockTime(stretch.from, 2)} to ${clockTime(stretch.to, 2)}`), back);
      }),
    );
  }

  #export() {
    const query = new URLSearchParams({ faces: [...this.chosen].join(","), from: this.range[0], to: this.range[1], decimal: find("#decimal").value });
    if (this.excluded.length) query.set("without", this.excluded.map(({ from, to }) => `${from}:${to}`).join(","));
    find("#export").href = `/v1/recording/export.csv?${query}`;
    const words = [`shown: ${clockTime(this.range[0], 1)} to ${clockTime(this.range[1], 1)}, ${this.chosen.size} of ${this.faces.length} faces`];
    if (this.excluded.length) words.push(`${this.excluded.length} left out`);
    if (this.stretch) words.push(`stretch ${clockTime(this.stretch.from, 2)} to ${clockTime(this.stretch.to, 2)}`);
    say(find("#shown"), words.join(", "));
  }

  #moments() {
    find("#moments").append(
      ...this.about.moments.map(({ t_s, event, label, stream }) => {
        const go = make("button", { type: "button" }, clockTime(t_s, 1));
        go.addEventListener("click", () => this.seek(t_s));
        const words = event === "marker" ? label : [event.replaceAll("_", " "), label].filter(Boolean).join(": ");
        const where = this.about.streams.length > 1 ? `${stream}: ` : "";
        return make("li", {}, make("time", {}, go), make("span", { className: event === "marker" ? "marker" : "" }, where + words));
      }),
    );
    if (!this.about.moments.length) find("#moments").append(make("li", { className: "faint" }, "none"));
  }

  #video() {
    if (!this.about.video) return;
    find("#video-card").hidden = false;
    this.video = find("#video");
    this.video.addEventListener("error", () => {
      find("#video-error").hidden = false;
      this.plays = false;
      this.#read();
    });
    this.video.addEventListener("loadedmetadata", () => {
      this.plays = true;
      this.#read();
    });
    this.video.src = "/v1/recording/video";
    const follow = () => this.seek(this.video.currentTime + this.about.video.offset_s, { movesVideo: false });
    const watch = () => {
      if (!this.video.paused) {
        follow();
        requestAnimationFrame(watch);
      }
    };
    this.video.addEventListener("play", watch);
    this.video.addEventListener("seeked", () => {
      if (!this.leads) follow();
      this.leads = false;
    });
  }

  #buttons() {
    const edge = (which) => {
      const other = this.stretch?.[which === "from" ? "to" : "from"] ?? this.cursor;
      if (which === "from") this.#select(this.cursor, Math.max(other, this.cursor));
      else this.#select(Math.min(other, this.cursor), this.cursor);
    };
    const does = {
      "+": ["#zoom-in", () => this.#zoomBy(0.5)],
      "-": ["#zoom-out", () => this.#zoomBy(2)],
      0: ["#zoom-all", () => this.zoom(...this.whole)],
      "[": ["#from", () => edge("from")],
      "]": ["#to", () => edge("to")],
      z: ["#stretch-zoom", () => this.stretch && this.zoom(this.stretch.from, this.stretch.to)],
      x: ["#exclude", () => this.#exclude()],
      Home: ["#back", () => this.#move(-0.5)],
      End: ["#forth", () => this.#move(0.5)],
    };
    for (const [button, action] of Object.values(does)) find(button).addEventListener("click", action);
    find("#decimal").addEventListener("change", () => this.#export());
    document.addEventListener("keydown", (event) => {
      if (isTyping(event)) return;
      const step = { ArrowLeft: -STEP_S, ArrowRight: STEP_S }[event.key];
      if (step) this.seek(this.cursor + step);
      else if (does[event.key]) does[event.key][1]();
      else return;
      event.preventDefault();
    });
  }
}

// The columns as uPlot wants them: null for no value, and a row of nulls where nothing came for a while.
function withGaps(seconds, named) {
  const names = ["valence", "valence_low", "valence_high", "arousal", "arousal_low", "arousal_high"];
  const times = [];
  const drawn = Object.fromEntries(names.map((name) => [name, []]));
  for (let i = 0; i < seconds.length; i += 1) {
    if (i && seconds[i] - seconds[i - 1] > GAP_S) {
      times.push(seconds[i - 1] + 0.001);
      for (const name of names) drawn[name].push(null);
    }
    times.push(seconds[i]);
    for (const name of names) drawn[name].push(Number.isNaN(named[name][i]) ? null : named[name][i]);
  }
  return { seconds: times, drawn };
}

// Where maps lie in the frame: the corners top left, top right and bottom left of a square; null where that is not known.
function squareAt(named, i) {
  const at = (corner, axis) => named[`square_${corner}_${axis}`]?.[i] ?? NaN;
  const square = ["top_left", "top_right", "bottom_left"].map((corner) => [at(corner, "x"), at(corner, "y")]);
  return square.flat().some(Number.isNaN) ? null : square;
}

function lastBefore(times, at) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
