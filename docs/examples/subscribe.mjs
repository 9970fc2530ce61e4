// A subscriber to the streamaffect feed for Node.js 18 or later, with the package zeromq 6 (npm install zeromq).
//
//   node subscribe.mjs [tcp://127.0.0.1:5556] [stream]
//
// One line per estimate. docs/wire-protocol.md explains topics, fields and the three rules that are numbered below.
import { Subscriber } from "zeromq";

const [address = "tcp://127.0.0.1:5556", stream] = process.argv.slice(2);
const socket = new Subscriber();
socket.connect(address);
for (const kind of ["meta", "event", "health", "affect"]) {
  socket.subscribe(stream === undefined ? `${kind}/` : `${kind}/${stream}/`);
}

const seenTopics = new Set();
const lastSeq = new Map(); // stream → seq
let lost = 0;

function countLost({ stream, seq }) {
  const last = lastSeq.get(stream) ?? seq - 1;
  if (seq > last) lost += seq - last - 1; // rule 2: seq has no gaps; when it goes back, the publisher has started anew
  lastSeq.set(stream, seq);
}

for await (const [topicBytes, payload] of socket) {
  const topic = topicBytes.toString();
  const message = JSON.parse(payload.toString());
  if (message.v !== 1) throw new Error(`schema v${message.v}: this subscriber reads v1`);
  if (message.repeat && seenTopics.has(topic)) continue; // rule 1: meant for somebody who has just subscribed
  seenTopics.add(topic);

  if (message.kind === "meta") {
    lastSeq.delete(message.stream);
    console.log(`${message.stream}: ${message.model} on ${message.engine}. ${message.notice}`);
  } else if (message.kind === "affect") {
    if (!message.repeat) countLost(message);
    const { track, seq, status, valence, arousal } = message; // rule 3: valence and arousal are null while abstaining
    console.log(JSON.stringify({ stream: message.stream, track, seq, status, valence, arousal, lost }));
  } // further kinds may come within v1: ignore them
}
