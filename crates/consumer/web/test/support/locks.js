// Web Locks, which this version of node does not have: exclusive ones, with `signal` and `steal`.

// Not the mocked one.
const later = globalThis.setTimeout;

class Locks {
  #held = new Map();
  #waiting = [];

  request(name, { signal, steal }, callback) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const request = { name, callback, resolve, reject };
      if (steal) {
        const robbed = this.#held.get(name);
        // Another process hears of it later than of what is said in the channel.
        later(() => robbed?.reject(new DOMException('stolen', 'AbortError')), 20);
        return this.#grant(request);
      }
      this.#waiting.push(request);
      signal?.addEventListener('abort', () => {
        if (!this.#waiting.includes(request)) return;
        this.#waiting.splice(this.#waiting.indexOf(request), 1);
        reject(signal.reason);
      });
      this.#next(name);
    });
  }

  #next(name) {
    const index = this.#waiting.findIndex((request) => request.name === name);
    if (this.#held.has(name) || index < 0) return;
    this.#grant(this.#waiting.splice(index, 1)[0]);
  }

  #grant(request) {
    const { name, callback, resolve, reject } = request;
    this.#held.set(name, request);
    const release = () => {
      if (this.#held.get(name) !== request) return;
      this.#held.delete(name);
      this.#next(name);
    };
    Promise.resolve().then(callback).then(resolve, reject).finally(release);
  }
}

/** As a browser has them. Answers how to take them away again. */
export function installLocks() {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { locks: new Locks() }, configurable: true });
  return () => (before ? Object.defineProperty(globalThis, 'navigator', before) : delete globalThis.navigator);
}
