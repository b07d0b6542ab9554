/** Something that shows at once, is sent a while later, and can be taken back until then. */
export class Undo {
  #calls;
  #timer;
  #isOpen = true;
  /** @type {(value: boolean | Promise<boolean>) => void} */
  #settle = () => {};
  /** @type {Promise<boolean>} */
  done = new Promise((resolve) => (this.#settle = resolve));

  /**
   * @param {number} ms
   * @param {{send: (keepalive: boolean) => Promise<void>, revert: () => void, end: () => void}} calls
   */
  constructor(ms, calls) {
    this.#calls = calls;
    this.#timer = setTimeout(() => this.flush(false), ms);
    // Whoever does not ask how it ended sees it in the list.
    this.done.catch(() => {});
  }

  undo() {
    if (!this.#close()) return false;
    this.#calls.revert();
    this.#settle(false);
    return true;
  }

  /** @param {boolean} keepalive The page is about to be left. */
  flush(keepalive) {
    if (this.#close()) this.#settle(this.#calls.send(keepalive).then(() => true));
  }

  #close() {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#calls.end();
    return wasOpen;
  }
}
