// A WebSocket that comes back: while the run is away it is tried again, at most each two seconds.

export class Socket {
  constructor({ onMessage, onState }) {
    this.onMessage = onMessage;
    this.onState = onState;
    this.pause = 250;
    this.#open();
  }

  send(value) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(value));
    return true;
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}/v1/live`);
    this.socket.onopen = () => {
      this.pause = 250;
      this.onState(true);
    };
    this.socket.onmessage = (event) => this.onMessage(JSON.parse(event.data));
    this.socket.onclose = () => {
      this.onState(false);
      setTimeout(() => this.#open(), this.pause);
      this.pause = Math.min(2000, 2 * this.pause);
    };
  }
}
