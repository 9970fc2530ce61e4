// The 8 x 8 map of a face: over its picture, or as a picture of its own where there is none.
import { make, say } from "./dom.js";

const SIDE = 8;
const SCALE_LEAST = 0.1; // what counts as full heat at least: a map of hardly anything stays pale
const OPACITY = 0.75;

// From green over yellow to red, as [share, red, green, blue].
const COLOURS = [
  [0, 70, 190, 90],
  [0.4, 200, 220, 60],
  [0.7, 245, 150, 40],
  [1, 200, 20, 20],
];

const shades = make("canvas", { width: SIDE, height: SIDE });

// cells: {y0x0: value, …}. Leaves the map on `shades`, one pixel a cell.
function shade(cells) {
  const values = [];
  for (let row = 0; row < SIDE; row += 1) for (let column = 0; column < SIDE; column += 1) values.push(Math.max(0, cells[`y${row}x${column}`] ?? 0));
  const most = Math.max(SCALE_LEAST, ...values);
  const pixels = new ImageData(SIDE, SIDE);
  values.forEach((value, i) => pixels.data.set([...colourOf(value / most), 255 * OPACITY * (value / most)], 4 * i));
  shades.getContext("2d").putImageData(pixels, 0, 0);
}

function colourOf(share) {
  const above = Math.max(1, COLOURS.findIndex(([at]) => at >= share));
  const [low, high] = [COLOURS[above - 1], COLOURS[above]];
  const part = (share - low[0]) / (high[0] - low[0]);
  return [1, 2, 3].map((i) => low[i] + part * (high[i] - low[i]));
}

// square: [top left, top right, bottom left], each x and y as shares of the canvas that `paint` belongs to.
export function drawHeat(paint, cells, square) {
  const { width, height } = paint.canvas;
  const [origin, across, down] = square.map(([x, y]) => [x * width, y * height]);
  shade(cells);
  paint.save();
  const axes = [across, down].flatMap(([x, y]) => [(x - origin[0]) / SIDE, (y - origin[1]) / SIDE]);
  paint.setTransform(...axes, ...origin);
  paint.imageSmoothingEnabled = true;
  paint.drawImage(shades, 0, 0);
  paint.restore();
}

// The map as a picture of its own, with the face in strokes behind it, so that one sees where it lies; or, where it lies
// over the picture already, what it says alone.
export class HeatPicture {
  constructor(root) {
    this.canvas = make("canvas", { width: 128, height: 128, role: "img" });
    this.words = make("figcaption", { className: "faint" });
    this.root = make("figure", { className: "heat", hidden: true }, this.canvas, this.words);
    root.append(this.root);
  }

  // map: {name, summary, cells}, or undefined
  show(map, isDrawn) {
    this.root.hidden = !map;
    this.canvas.hidden = !isDrawn;
    if (!map) return;
    const words = [map.name, map.summary].filter(Boolean).join(": ");
    this.canvas.setAttribute("aria-label", words);
    say(this.words, words);
    if (isDrawn) this.#draw(map.cells);
  }

  #draw(cells) {
    const paint = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    paint.clearRect(0, 0, width, height);
    paint.strokeStyle = getComputedStyle(this.canvas).color;
    paint.lineWidth = 1.5;
    for (const [x, y, across, down, from, to] of STROKES) {
      paint.beginPath();
      paint.ellipse(x * width, y * height, across * width, down * height, 0, from * Math.PI, to * Math.PI);
      paint.stroke();
    }
    drawHeat(paint, cells, [[0, 0], [1, 0], [0, 1]]);
  }
}

// Arcs: middle, half axes, from and to in half turns. Outline, eyes, brows, nose, mouth, in the cells of upright faces.
const STROKES = [
  [0.5, 0.53, 0.36, 0.45, 0, 2],
  [0.34, 0.36, 0.07, 0.03, 0, 2],
  [0.66, 0.36, 0.07, 0.03, 0, 2],
  [0.34, 0.3, 0.09, 0.04, 1.15, 1.85],
  [0.66, 0.3, 0.09, 0.04, 1.15, 1.85],
  [0.5, 0.54, 0.05, 0.03, 0, 1],
  [0.5, 0.7, 0.13, 0.05, 0, 2],
];
