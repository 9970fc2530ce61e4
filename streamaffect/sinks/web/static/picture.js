// What the camera sees, where the run shows it: one picture after the other, with a box around each face.
import { faceColour, find, make } from "./dom.js";
import { drawHeat } from "./heat.js";

const PAUSE_MS = 80;
const AWAY_MS = 1000;

export class Picture {
  constructor(kind) {
    this.wanted = kind !== "off";
    this.faces = [];
    this.image = find("#picture-image");
    this.choice = find("#picture-stream");
    find("#picture").hidden = !this.wanted;
    if (!this.wanted) return;
    this.number = 0;
    this.image.addEventListener("load", () => {
      this.#boxes();
      setTimeout(() => this.#next(), PAUSE_MS);
    });
    this.image.addEventListener("error", () => setTimeout(() => this.#next(), AWAY_MS));
    this.#next();
  }

  setStreams(names) {
    if (!this.wanted || [...this.choice.options].map((one) => one.value).join("/") === names.join("/")) return;
    const chosen = this.choice.value;
    this.choice.replaceChildren(...names.map((name) => make("option", { value: name, selected: name === chosen }, name)));
    this.choice.hidden = names.length < 2;
  }

  setFaces(faces) {
    this.faces = faces;
  }

  #next() {
    if (document.hidden || !this.choice.value) {
      setTimeout(() => this.#next(), AWAY_MS / 4);
      return;
    }
    this.number += 1;
    this.image.src = `/v1/picture?stream=${encodeURIComponent(this.choice.value)}&n=${this.number}`;
  }

  #boxes() {
    const canvas = find("#picture-faces");
    canvas.width = this.image.naturalWidth;
    canvas.height = this.image.naturalHeight;
    const paint = canvas.getContext("2d");
    paint.lineWidth = Math.max(2, canvas.width / 250);
    paint.font = `bold ${Math.max(14, canvas.width / 35)}px system-ui, sans-serif`;
    for (const face of this.faces.filter((one) => one.stream === this.choice.value)) {
      const [x, y, w, h] = face.box;
      if (face.maps.length && face.square) drawHeat(paint, face.maps[0].cells, face.square);
      paint.strokeStyle = paint.fillStyle = faceColour(face.slot);
      paint.strokeRect(x * canvas.width, y * canvas.height, w * canvas.width, h * canvas.height);
      paint.fillText(face.name, x * canvas.width, y * canvas.height - 4);
    }
  }
}
