// The page of a run: messages of the wire in, drawn at most once a frame of the screen.
import { Chart } from "./chart.js";
import { clockTime, find, isTyping, make, say } from "./dom.js";
import { Faces } from "./faces.js";
import { Lights } from "./lights.js";
import { Picture } from "./picture.js";
import { Plane } from "./plane.js";
import { Socket } from "./socket.js";

const WINDOW_S = 60;
const HELD_S = 1;
const TRAIL_S = 5;
const STALE_MS = 3000;
const EVENTS = 50;
const BASELINE_S = 5;
const QUIET = new Set(["track_born", "track_lost"]);

// How loud it is, how aroused a voice sounds and whose it is; or why nothing is heard.
function soundWords(sound, voice) {
  if (sound && (sound.state === "lost" || sound.state === "absent")) return `${sound.state}: ${sound.detail}`;
  const words = typeof sound?.level_db === "number" ? [`${sound.level_db.toFixed(0)} dB`] : ["waiting for sound"];
  if (voice && typeof voice.arousal === "number" && performance.now() - voice.seen < STALE_MS) {
    const [low, high] = voice.arousal_interval.map((end) => end.toFixed(2));
    const whose = voice.track === null ? "a voice that is nobody's" : `voice of face ${voice.track}`;
    words.push(`${whose}: arousal ${voice.arousal.toFixed(2)} (${low} to ${high})`);
  }
  return words.join("; ");
}

export class Live {
  constructor(about) {
    this.streams = new Map();
    this.faces = new Map();
    this.rows = [];
    this.marks = [];
    this.origin = null;
    this.number = 0;
    this.dirty = true;
    this.plane = new Plane(find("#live .plane"));
    const label = (seconds) => clockTime(Math.min(0, seconds));
    this.charts = { valence: new Chart(find("#valence"), { label }), arousal: new Chart(find("#arousal"), { label }) };
    this.list = new Faces(find("#faces"), "looking for a face…");
    this.lights = new Lights(find("#lights"));
    this.picture = new Picture(about.video);
    this.socket = new Socket({ onMessage: (message) => this.#take(message), onState: (open) => this.#connected(open) });
    this.#buttons();
    this.#abilities(about);
    say(find("#keys"), "keys: m marker, 0 to 9 numbered marker, b baseline, r record, t dark or light");
    document.addEventListener("themechange", () => (this.dirty = true));
    this.#draw();
  }

  #connected(open) {
    const state = find("#state");
    state.className = `pill ${open ? "good" : "poor"}`;
    say(state, open ? "connected" : "not connected, trying again…");
    if (!open) for (const button of document.querySelectorAll("#actions button")) button.disabled = true;
  }

  #take(message) {
    if (message.kind === "reply") {
      const answer = find("#answer");
      answer.className = message.ok ? "good" : "poor";
      say(answer, message.ok ? message.text : message.error);
      return;
    }
    this.#abilities(message);
    let newest = -Infinity;
    const seen = [];
    for (const one of message.messages) {
      if (one.kind === "affect") {
        seen.push(this.#estimate(one));
        newest = Math.max(newest, one.t_capture_ns / 1e9);
      } else if (one.kind === "voice") this.#stream(one.stream).voice = { ...one, seen: performance.now() };
      else if (one.kind === "health") this.#stream(one.stream).health = one;
      else if (one.kind === "meta") this.#meta(one);
      else if (one.kind === "event") this.#event(one);
    }
    if (seen.length) this.#row(newest, seen);
    this.dirty = true;
  }

  #abilities({ commands, recording }) {
    const actions = find("#actions");
    actions.hidden = !commands;
    for (const button of actions.querySelectorAll("button")) button.disabled = false;
    const record = find("#record");
    record.classList.toggle("on", Boolean(recording));
    record.setAttribute("aria-pressed", String(Boolean(recording)));
    say(record, recording ? "Stop recording" : "Record");
    record.title = recording ? `recording to ${recording} (r)` : "r";
    this.recording = recording;
  }

  #stream(name) {
    if (!this.streams.has(name)) this.streams.set(name, { name, meta: null, health: null, voice: null });
    return this.streams.get(name);
  }

  #meta(meta) {
    const stream = this.#stream(meta.stream);
    if (stream.meta && stream.meta.t_ns !== meta.t_ns) this.#begin();
    stream.meta = meta;
    this.picture.setStreams([...this.streams.keys()]);
  }

  // Another run has begun at this address.
  #begin() {
    this.streams.clear();
    this.faces.clear();
    this.rows = [];
    this.marks = [];
    this.origin = null;
    for (const chart of Object.values(this.charts)) chart.setFaces([]);
  }

  #estimate(estimate) {
    const key = `${estimate.stream}/${estimate.track}`;
    let face = this.faces.get(key);
    if (!face) {
      face = { key, slot: this.#freeSlot(), trail: [], held: [] };
      this.faces.set(key, face);
    }
    face.estimate = estimate;
    this.#hold(face, estimate);
    face.seen = performance.now();
    face.description = estimate.description ?? face.description;
    if (estimate.valence !== null && estimate.arousal !== null) {
      face.trail.push({ at: estimate.t_capture_ns / 1e9, place: [estimate.valence, estimate.arousal] });
    }
    while (face.trail.length && face.trail[0].at < estimate.t_capture_ns / 1e9 - TRAIL_S) face.trail.shift();
    return face;
  }

  // What a lens with a pace of its own has said (it says how old that is) stays until it says more, or for a moment.
  #hold(face, estimate) {
    const at = estimate.t_capture_ns / 1e9;
    face.held = face.held.filter((one) => at - one.at < HELD_S && !(one.name in estimate.outputs));
    for (const [name, values] of Object.entries(estimate.outputs)) {
      if ("age_s" in values) face.held.push({ at, name, values });
    }
  }

  #freeSlot() {
    const taken = new Set([...this.faces.values()].map((face) => face.slot));
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    return slot;
  }

  // One row of the charts: what came with one update.
  #row(newest, seen) {
    this.origin ??= newest;
    const last = this.rows.at(-1);
    if (last && newest <= last.at) return;
    const values = new Map(seen.map(({ key, estimate }) => [key, estimate]));
    if (last && newest - last.at > 1) this.rows.push({ at: last.at + 0.001, values: new Map() });
    this.rows.push({ at: newest, values });
    while (this.rows.length && this.rows[0].at < newest - WINDOW_S) this.rows.shift();
    this.marks = this.marks.filter((mark) => mark.at > newest - WINDOW_S - 1);
  }

  #event(event) {
    if (event.event === "track_lost") this.faces.delete(`${event.stream}/${event.track}`);
    if (event.event === "stream_removed") {
      this.streams.delete(event.stream);
      for (const key of [...this.faces.keys()]) if (key.startsWith(`${event.stream}/`)) this.faces.delete(key);
      this.picture.setStreams([...this.streams.keys()]);
    }
    if (QUIET.has(event.event)) return;
    const at = event.t_ns / 1e9;
    const isMarker = event.event === "marker";
    if (isMarker && !this.marks.some((mark) => mark.at === at && mark.label === event.label)) {
      this.marks.push({ at, label: event.label });
    }
    const words = [isMarker ? `marker: ${event.label}` : event.event.replaceAll("_", " ")];
    if (event.detail) words.push(`(${event.detail})`);
    if (event.origin) words.push(`by ${event.origin}`);
    if (this.streams.size > 1) words.unshift(`${event.stream}:`);
    const live = this.streams.get(event.stream)?.meta?.live ?? true;
    const time = live ? new Date(event.t_ns / 1e6).toLocaleTimeString() : clockTime(at, 1);
    const list = find("#events");
    list.prepend(make("li", { className: isMarker ? "marker" : "" }, make("time", {}, time), make("span", {}, words.join(" "))));
    while (list.children.length > EVENTS) list.lastChild.remove();
  }

  #draw() {
    requestAnimationFrame(() => this.#draw());
    const now = performance.now();
    for (const [key, face] of this.faces) {
      if (now - face.seen > STALE_MS) {
        this.faces.delete(key);
        this.dirty = true;
      }
    }
    if (!this.dirty || document.hidden) return;
    this.dirty = false;
    const faces = [...this.faces.values()].map((face) => this.#shown(face));
    this.plane.draw(faces);
    this.list.show(faces);
    this.picture.setFaces(faces);
    this.#drawCharts();
    this.lights.show([...this.streams.values()].filter(({ health }) => health).map(({ health }) => health));
    this.#drawStreams();
  }

  #shown({ key, slot, estimate, trail, held, description }) {
    const warming = estimate.status === "warming" ? ` ${Math.min(99, Math.round(100 * estimate.context_fill))} %` : "";
    const quality = typeof estimate.quality === "number" ? `, quality ${estimate.quality.toFixed(2)}` : "";
    return {
      key,
      slot,
      stream: estimate.stream,
      box: estimate.box,
      name: this.streams.size > 1 ? key : String(estimate.track),
      valence: estimate.valence,
      arousal: estimate.arousal,
      intervals: { valence: estimate.valence_interval, arousal: estimate.arousal_interval },
      relative: { valence: estimate.valence_relative, arousal: estimate.arousal_relative },
      certain: estimate.status === "ok",
      status: `${estimate.status}${warming}${quality}`,
      classes: estimate.outputs[this.#emotions(estimate.stream)] ?? {},
      outputs: this.#outputs(estimate, held),
      description,
      maps: this.#maps(estimate),
      square: estimate.square,
      hasPicture: this.picture.wanted,
      trail: trail.map(({ place }) => place),
    };
  }

  #emotions(stream) {
    const heads = this.streams.get(stream)?.meta?.heads ?? [];
    return heads.find((head) => head.kind === "classification")?.name ?? "emotions";
  }

  // What there is beside the emotions, in the order in which the stream declares it.
  #outputs(estimate, held) {
    const heads = this.streams.get(estimate.stream)?.meta?.heads ?? [];
    const declared = new Map(heads.map((head) => [head.name, head]));
    const said = { ...Object.fromEntries(held.map(({ name, values }) => [name, values])), ...estimate.outputs };
    const names = new Set([...declared.keys(), ...Object.keys(said)]);
    names.delete(this.#emotions(estimate.stream));
    for (const { name } of this.#maps(estimate)) names.delete(name);
    return [...names]
      .filter((name) => said[name])
      .map((name) => ({
        name,
        kind: declared.get(name)?.kind,
        values: said[name],
        intervals: estimate.output_intervals?.[name],
        declared: Object.fromEntries((declared.get(name)?.outputs ?? []).map((one) => [one.name, one])),
      }));
  }

  // What lenses that are maps have said of this face.
  #maps({ stream, outputs }) {
    const heads = this.streams.get(stream)?.meta?.heads ?? [];
    return heads
      .filter(({ kind, name }) => kind === "map" && outputs[name])
      .map(({ name, summary }) => ({ name, summary, cells: outputs[name] }));
  }

  #drawCharts() {
    const shown = [...this.faces.values()].slice(0, 8);
    const newest = this.rows.at(-1)?.at ?? 0;
    const seconds = this.rows.length ? this.rows.map(({ at }) => at - newest) : [0];
    const names = shown.map(({ key, slot }) => `${key}:${slot}`).join(" ");
    for (const [what, chart] of Object.entries(this.charts)) {
      if (chart.names !== names) {
        chart.names = names;
        chart.setFaces(shown);
      }
      const columns = shown.map(({ key }) => this.#columns(what, key));
      const marks = this.marks.map(({ at, label }) => ({ at: at - newest, label }));
      chart.marks = marks;
      chart.show(seconds, columns.length ? columns : [[seconds.map(() => null)]], [-WINDOW_S, 0]);
    }
  }

  #columns(what, key) {
    const found = this.rows.map(({ values }) => values.get(key));
    const interval = `${what}_interval`;
    return [
      found.map((one) => one?.[what] ?? null),
      found.map((one) => one?.[interval]?.[0] ?? null),
      found.map((one) => one?.[interval]?.[1] ?? null),
    ];
  }

  #drawStreams() {
    const streams = [...this.streams.values()];
    const head = ["stream", "source", "state", "fps in / out", "skipped", "faces", "latency p50 / p95", "away"];
    const isHeard = streams.some(({ health, voice }) => health?.sound || voice);
    if (isHeard) head.push("sound");
    const rows = streams.map(({ name, meta, health, voice }) => [
      name,
      meta?.source ?? "",
      health ? health.state + (health.fault ? `: ${health.fault}` : "") : "starting",
      health ? `${health.fps_in.toFixed(1)} / ${health.fps_out.toFixed(1)}` : "",
      health?.frames ? `${((100 * health.skipped) / health.frames).toFixed(1)} %` : "",
      health ? health.faces + (health.faces_left_out ? ` (+${health.faces_left_out})` : "") : "",
      health?.latency_ms ? `${health.latency_ms.p50.toFixed(0)} / ${health.latency_ms.p95.toFixed(0)} ms` : "–",
      health?.reconnects ? `${health.downtime_s.toFixed(0)} s, ${health.reconnects}×` : "–",
      ...(isHeard ? [soundWords(health?.sound, voice)] : []),
    ]);
    const text = JSON.stringify(rows);
    if (text !== this.table) {
      this.table = text;
      find("#streams").replaceChildren(
        make("tr", {}, ...head.map((word) => make("th", { scope: "col" }, word))),
        ...rows.map((row) => make("tr", {}, ...row.map((word, i) => make("td", { className: [1, 2, 8].includes(i) ? "wide" : "" }, String(word))))),
      );
    }
    const meta = streams.find((stream) => stream.meta)?.meta;
    if (meta) {
      const why = meta.engine_reason ? `: ${meta.engine_reason}` : "";
      say(find("#engine"), `${meta.software}, model ${meta.model}, engine ${meta.engine}${why}`);
      say(find("#notice"), meta.notice);
    }
    const faces = this.faces.size;
    const recording = this.recording ? ` · recording to ${this.recording}` : "";
    say(find("#summary"), `${streams.map(({ name }) => name).join(", ")} · ${faces} face${faces === 1 ? "" : "s"}${recording}`);
  }

  #buttons() {
    const mark = (label) => this.socket.send({ command: "mark", label });
    const next = () => mark(find("#mark-label").value.trim() || `marker ${(this.number += 1)}`);
    const does = {
      b: () => this.socket.send({ command: "baseline start", seconds: BASELINE_S }),
      m: next,
      r: () => this.socket.send({ command: "record" }),
    };
    find("#mark-form").addEventListener("submit", (event) => {
      event.preventDefault();
      next();
      find("#mark-label").select();
    });
    find("#baseline").addEventListener("click", does.b);
    find("#baseline-clear").addEventListener("click", () => this.socket.send({ command: "baseline clear" }));
    find("#record").addEventListener("click", does.r);
    document.addEventListener("keydown", (event) => {
      if (isTyping(event) || event.repeat || find("#actions").hidden) return;
      if (/^[0-9]$/.test(event.key)) mark(event.key);
      else does[event.key]?.();
    });
  }
}
