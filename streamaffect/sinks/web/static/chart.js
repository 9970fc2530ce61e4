// A course over time in [-1, 1]: a line and a band for each face, markers, shaded stretches and a cursor. Drawn by uPlot.
import { clockTime, colour, faceColour } from "./dom.js";

const HEIGHT = 180;

export class Chart {
  // onSeek(seconds) and onSelect(from, to): what a click and a drag do; without them the chart is only looked at
  constructor(root, { onSeek = null, onSelect = null, label = (seconds) => clockTime(seconds) } = {}) {
    this.root = root;
    this.onSeek = onSeek;
    this.onSelect = onSelect;
    this.label = label;
    this.faces = [];
    this.data = [[0]];
    this.range = [0, 60];
    this.marks = [];
    this.shades = [];
    this.cursor = null;
    this.plot = null;
    new ResizeObserver(() => this.plot?.setSize(this.#size())).observe(root);
    document.addEventListener("themechange", () => this.#build());
  }

  // faces: [{slot}, …], or {tone} for a line that is no face's; data follows with `show`
  setFaces(faces) {
    this.faces = faces;
    this.data = [[0], ...faces.flatMap(() => [[null], [null], [null]])];
    this.#build();
  }

  // columns: for each face its values, lows and highs, as long as `seconds`
  show(seconds, columns, range) {
    this.data = [seconds, ...columns.flat()];
    this.range = range;
    this.plot?.setData(this.data, true);
  }

  zoom(range) {
    this.range = range;
    this.plot?.setScale("x", { min: range[0], max: range[1] });
  }

  // marks: [{at, label}], shades: [{from, to, kind}], cursor: seconds
  decorate({ marks = this.marks, shades = this.shades, cursor = this.cursor }) {
    Object.assign(this, { marks, shades, cursor });
    this.plot?.redraw(false);
  }

  clearSelection() {
    this.plot?.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  #size() {
    return { width: Math.max(200, this.root.clientWidth), height: HEIGHT };
  }

  #build() {
    this.plot?.destroy();
    if (!this.faces.length) {
      this.data = [[0], [null]];
    }
    const line = colour("line");
    const axis = { stroke: colour("faint"), grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const options = {
      ...this.#size(),
      padding: [8, 22, 0, 0],
      scales: { x: { time: false, range: () => this.range }, y: { range: [-1.02, 1.02] } },
      axes: [
        { ...axis, values: (_, splits) => splits.map(this.label) },
        { ...axis, size: 44, splits: () => [-1, -0.5, 0, 0.5, 1] },
      ],
      series: [{}, ...(this.faces.length ? this.faces.flatMap(series) : [{}])],
      bands: this.faces.map((face, i) => ({ series: [3 * i + 3, 3 * i + 2], fill: `${lineColour(face)}30` })),
      legend: { show: false },
      cursor: { show: this.onSeek !== null, y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
      hooks: {
        drawClear: [(plot) => this.#shade(plot)],
        draw: [(plot) => this.#mark(plot)],
        setSelect: [(plot) => this.#selected(plot)],
      },
    };
    this.plot = new uPlot(options, this.data, this.root);
    if (this.onSeek) {
      this.plot.over.addEventListener("click", (event) => {
        if (this.plot.select.width < 3) this.onSeek(this.plot.posToVal(event.offsetX, "x"));
      });
    }
  }

  #selected(plot) {
    const { left, width } = plot.select;
    if (width >= 3) this.onSelect?.(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  }

  #shade(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    clip(ctx, bbox);
    for (const { from, to, kind } of this.shades) {
      const left = plot.valToPos(from, "x", true);
      const width = Math.max(1, plot.valToPos(to, "x", true) - left);
      ctx.fillStyle = colour(kind);
      ctx.fillRect(left, bbox.top, width, bbox.height);
    }
    ctx.restore();
  }

  #mark(plot) {
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio || 1;
    ctx.save();
    clip(ctx, bbox);
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    let free = -Infinity;
    for (const { at, label } of this.marks) {
      const x = plot.valToPos(at, "x", true);
      if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
      ctx.fillStyle = colour("marker");
      ctx.fillRect(x - ratio, bbox.top, 2 * ratio, bbox.height);
      if (label && x > free) {
        ctx.fillText(label, x + 4 * ratio, bbox.top + 11 * ratio);
        free = x + ctx.measureText(label).width + 8 * ratio;
      }
    }
    if (this.cursor !== null) {
      ctx.fillStyle = colour("text");
      ctx.fillRect(plot.valToPos(this.cursor, "x", true) - ratio / 2, bbox.top, ratio, bbox.height);
    }
    ctx.restore();
  }
}

const lineColour = ({ slot, tone }) => (tone ? colour(tone) : faceColour(slot));

function series(face) {
  const stroke = lineColour(face);
  const edge = { stroke: "transparent", width: 0, points: { show: false } };
  return [{ stroke, width: 2, points: { show: false } }, edge, edge];
}

function clip(ctx, bbox) {
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
}
