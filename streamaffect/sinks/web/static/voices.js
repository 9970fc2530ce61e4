// The voices of a recording: a course in the colour of the face whose voice it was taken for, a faint one where it was
// nobody's or that of a face that is not chosen, and none where nobody was heard.
import { signed } from "./dom.js";

const LASTS_S = 0.5; // a reading stands until the next one
const GAP_S = 1;
const PARTS = ["arousal", "arousal_low", "arousal_high"];

export class Voices {
  constructor(about) {
    this.names = about.voice_columns;
    this.severalStreams = about.streams.length > 1;
    this.voices = about.voices.map((voice, number) => ({ ...voice, number }));
    this.loading = null;
  }

  get some() {
    return this.voices.length > 0;
  }

  // Seconds in which there are readings; none without a voice.
  get span() {
    return this.voices.flatMap(({ from_s, to_s }) => [from_s, to_s + LASTS_S]);
  }

  load() {
    this.loading ??= Promise.all(this.voices.map((voice) => this.#load(voice)));
    return this.loading;
  }

  async #load(voice) {
    const bytes = await (await fetch(`/v1/recording/voice/${voice.number}`)).arrayBuffer();
    const column = (i) => new Float32Array(bytes, 8 * voice.count + 4 * voice.count * i, voice.count);
    voice.seconds = new Float64Array(bytes, 0, voice.count);
    Object.assign(voice, Object.fromEntries(this.names.map((name, i) => [name, column(i)])));
  }

  // Lines and their columns for a chart: of each voice those of the chosen faces, and the rest.
  drawn(shown) {
    const lines = this.voices.flatMap((voice) => {
      const owners = shown.filter((face) => face.stream === voice.stream && voice.track.includes(face.track));
      const tracks = new Set(owners.map(({ track }) => track));
      const its = owners.map((face) => ({ slot: face.slot, table: course(voice, (track) => track === face.track) }));
      return [...its, { tone: "faint", table: course(voice, (track) => !tracks.has(track)) }];
    });
    const joined = uPlot.join(lines.map(({ table }) => table), lines.map(({ table }) => table.map(() => 2)));
    return { lines, seconds: joined[0], columns: joined.slice(1) };
  }

  // What is heard at this second of the recording.
  words(second) {
    const heard = this.voices.map((voice) => this.#said(voice, second)).filter(Boolean);
    return heard.length ? heard.join(", ") : "nobody is heard";
  }

  #said(voice, second) {
    const i = voice.seconds.findLastIndex((at) => at <= second + 1e-6);
    if (i < 0 || second - voice.seconds[i] > LASTS_S || Number.isNaN(voice.arousal[i])) return null;
    const whose = Number.isNaN(voice.track[i]) ? "nobody’s" : `face ${voice.track[i]}`;
    const where = this.severalStreams ? `${voice.stream}: ` : "";
    return `${where}${whose}, ${signed(voice.arousal[i])} (${signed(voice.arousal_low[i])} to ${signed(voice.arousal_high[i])})`;
  }
}

// The readings of those that count, as uPlot wants them: a row of nulls where a stretch of them ends.
function course(voice, counts) {
  const table = [[], ...PARTS.map(() => [])];
  const add = (second, values) => [second, ...values].forEach((value, i) => table[i].push(value));
  const isDrawn = (i) => i < voice.count && !Number.isNaN(voice.arousal[i]) && counts(voice.track[i]);
  for (let i = 0; i < voice.count; i += 1) {
    if (!isDrawn(i)) continue;
    const values = PARTS.map((name) => voice[name][i]);
    add(voice.seconds[i], values);
    if (isDrawn(i + 1) && voice.seconds[i + 1] - voice.seconds[i] <= GAP_S) continue;
    add(voice.seconds[i] + LASTS_S - 0.002, values);
    add(voice.seconds[i] + LASTS_S - 0.001, [null, null, null]);
  }
  return table;
}
