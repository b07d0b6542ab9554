// A channel that can be kept from a tab, as a browser does in the background.

export class FreezableChannel extends BroadcastChannel {
  static last;
  isFrozen = false;
  #waiting = [];

  constructor(name) {
    super(name);
    FreezableChannel.last = this;
    super.onmessage = (event) => (this.isFrozen ? this.#waiting.push(event) : this.listener?.(event));
  }

  set onmessage(listener) {
    this.listener = listener;
  }

  postMessage(message) {
    if (!this.isFrozen) super.postMessage(message);
  }

  thaw() {
    this.isFrozen = false;
    for (const event of this.#waiting.splice(0)) this.listener(event);
  }
}
