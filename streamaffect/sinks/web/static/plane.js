// The circumplex: valence to the right, arousal upwards, a disc for each face with a trail of the last seconds.
import { colour, faceColour } from "./dom.js";

const CORNERS = [["calm, pleasant", 1, -1], ["excited, pleasant", 1, 1], ["excited, unpleasant", -1, 1], ["calm, unpleasant", -1, -1]];

export class Plane {
  constructor(canvas) {
    this.canvas = canvas;
  }

  // faces: {name, slot, valence, arousal, intervals: {valence, arousal}, certain, trail: [[v, a], …] oldest first}
  draw(faces) {
    const side = this.canvas.clientWidth;
    if (!side) return;
    const ratio = window.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(side * ratio)) {
      this.canvas.width = this.canvas.height = Math.round(side * ratio);
    }
    const paint = this.canvas.getContext("2d");
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.clearRect(0, 0, side, side);
    const radius = side / 2 - 14;
    const place = (value, up) => [side / 2 + value * radius, side / 2 - up * radius];
    this.#scale(paint, side, radius);
    for (const face of faces) this.#face(paint, face, place, radius);
  }

  #scale(paint, side, radius) {
    paint.strokeStyle = colour("line");
    paint.fillStyle = colour("faint");
    paint.lineWidth = 1;
    for (const share of [0.5, 1]) {
      paint.beginPath();
      paint.arc(side / 2, side / 2, radius * share, 0, 2 * Math.PI);
      paint.stroke();
    }
    paint.beginPath();
    paint.moveTo(side / 2 - radius, side / 2);
    paint.lineTo(side / 2 + radius, side / 2);
    paint.moveTo(side / 2, side / 2 - radius);
    paint.lineTo(side / 2, side / 2 + radius);
    paint.stroke();
    paint.font = `${side < 260 ? 10 : 12}px system-ui, sans-serif`;
    for (const [words, right, up] of CORNERS) {
      paint.textAlign = right > 0 ? "right" : "left";
      const [first, second] = words.split(", ");
      const y = up > 0 ? 12 : side - 18;
      paint.fillText(first, right > 0 ? side - 2 : 2, y);
      paint.fillText(second, right > 0 ? side - 2 : 2, y + 14);
    }
  }

  #face(paint, face, place, radius) {
    const shade = faceColour(face.slot);
    paint.strokeStyle = paint.fillStyle = shade;
    paint.lineCap = "round";
    for (let i = 1; i < face.trail.length; i += 1) {
      const age = i / face.trail.length;
      paint.globalAlpha = 0.75 * age;
      paint.lineWidth = 1 + 2 * age;
      paint.beginPath();
      paint.moveTo(...place(...face.trail[i - 1]));
      paint.lineTo(...place(...face.trail[i]));
      paint.stroke();
    }
    if (face.valence === null || face.arousal === null) {
      paint.globalAlpha = 1;
      return;
    }
    const [x, y] = place(face.valence, face.arousal);
    if (face.intervals.valence && face.intervals.arousal) {
      const [left, right] = face.intervals.valence;
      const [low, high] = face.intervals.arousal;
      paint.globalAlpha = 0.13;
      paint.beginPath();
      const middle = place((left + right) / 2, (low + high) / 2);
      paint.ellipse(...middle, ((right - left) / 2) * radius, ((high - low) / 2) * radius, 0, 0, 2 * Math.PI);
      paint.fill();
    }
    paint.globalAlpha = 1;
    paint.beginPath();
    paint.arc(x, y, 7, 0, 2 * Math.PI);
    if (face.certain) paint.fill();
    paint.lineWidth = 2;
    paint.stroke();
    paint.textAlign = "center";
    paint.fillStyle = colour("text");
    paint.font = "bold 12px system-ui, sans-serif";
    paint.fillText(face.name, x, y - 11);
  }
}
