// @vladmandic/human in Node.js: FFmpeg decodes, human finds the face in every frame and reads its emotion.
//
// Only what is compared is switched on, and nothing is carried over from frame to frame, which human does by default.
// The backend is WebAssembly: the one for Node.js with TensorFlow's own library is not to be had from npm alone. Started
// in the folder that has node_modules:  node human.mjs VIDEO WIDTH HEIGHT FPS

import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

const NOTED_EVERY = 10;
const WARM_UP_FRAMES = 5;
const [video, width, height, fps] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const modules = join(process.cwd(), 'node_modules');
const load = createRequire(join(modules, 'any.js'));
const tf = load('@tensorflow/tfjs');
load('@tensorflow/tfjs-backend-wasm');
// Its package.json names this file in a form that Node.js does not follow.
const { Human } = load(join(modules, '@vladmandic', 'human', 'dist', 'human.node-wasm.js'));
const ffmpeg = load('@ffmpeg-installer/ffmpeg').path;

/** The models over HTTP, from which alone this backend loads them. */
async function serveModels() {
  const folder = join(modules, '@vladmandic', 'human', 'models');
  const server = createServer((request, response) => {
    readFile(join(folder, basename(request.url))).then(
      (data) => response.end(data),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return server;
}

/** RGB pictures of the video, one after another. */
async function* pictures() {
  const size = width * height * 3;
  const words = ['-loglevel', 'error', '-i', video, '-f', 'rawvideo', '-pix_fmt', 'rgb24', 'pipe:1'];
  const decoder = spawn(ffmpeg, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let [picture, filled] = [new Uint8Array(size), 0];
  try {
    for await (const chunk of decoder.stdout) {
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + size - filled);
        picture.set(part, filled);
        at += part.length;
        filled += part.length;
        if (filled === size) {
          yield picture;
          [picture, filled] = [new Uint8Array(size), 0];
        }
      }
    }
  } finally {
    decoder.kill('SIGKILL');
  }
}

const server = await serveModels();
const off = { enabled: false };
const human = new Human({
  backend: 'wasm',
  wasmPath: `${join(modules, '@tensorflow', 'tfjs-backend-wasm', 'wasm-out')}/`,
  modelBasePath: `http://127.0.0.1:${server.address().port}/`,
  debug: false,
  cacheSensitivity: 0,
  filter: off,
  face: {
    enabled: true,
    detector: { rotation: false, maxDetected: 1, skipFrames: 0, skipTime: 0 },
    emotion: { enabled: true, skipFrames: 0, skipTime: 0 },
    mesh: off, iris: off, description: off, antispoof: off, liveness: off,
  },
  body: off, hand: off, object: off, gesture: off, segmentation: off,
});
await human.load();
await human.warmup();

async function look(picture) {
  const tensor = human.tf.tensor(picture, [height, width, 3], 'int32');
  const { face } = await human.detect(tensor);
  human.tf.dispose(tensor);
  return face.filter((one) => one.emotion?.length);
}

let warm = 0;
for await (const picture of pictures()) {
  await look(picture);
  warm += 1;
  if (warm === WARM_UP_FRAMES) break;
}
let [frames, faces] = [0, 0];
const noted = [];
const startedMs = performance.now();
for await (const picture of pictures()) {
  const found = await look(picture);
  if (found.length) {
    faces += 1;
    if (frames % NOTED_EVERY === 0) noted.push([frames / fps, found[0].boxRaw]);
  }
  frames += 1;
}
const seconds = (performance.now() - startedMs) / 1e3;
server.close();
const versions = { human: human.version, tfjs: tf.version.tfjs, backend: tf.getBackend(), node: process.versions.node };
console.log(JSON.stringify({ frames, faces, seconds, noted, versions }));
process.exit(0);
