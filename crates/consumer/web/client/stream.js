/**
 * One stream that reconnects for ever. Not EventSource: that gives up on 429 and 503, and cannot
 * begin at a position.
 */
import { NotifyError } from './error.js';
import { backoffMs } from './retry.js';
import { SseParser } from './sse.js';

/** @import * as Api from '../client.js' */

/** @typedef {(headers: Record<string, string>, signal: AbortSignal) => Promise<Response>} Open */

/**
 * The server sends a comment every 25 s at least. Shorter, and one that is late is taken for dead;
 * longer, and a dead connection passes for a quiet one.
 */
const SILENCE_MS = 60_000;

/** A connection that held this long was a good one: the next failure is a first one again. */
const STEADY_MS = 5_000;

/**
 * @param {Open} open
 * @param {Api.StreamOptions} options
 * @returns {Promise<void>}
 */
export async function stream(open, { lastEventId = null, onEvent, onState = () => {}, signal }) {
  const place = { lastEventId };
  for (let failures = 0; !signal.aborted; ) {
    onState({ state: 'connecting', reason: null, nextTryAt: null });
    const connection = new Connection(open, place, onEvent, onState);
    const beganAt = Date.now();
    const error = await connection.run(signal);
    if (signal.aborted) break;
    failures = Date.now() - beganAt >= STEADY_MS ? 0 : failures;
    const waitMs = connection.retryMs ?? backoffMs(failures, retryAfterOf(error));
    failures += 1;
    if (!connection.isCutByNetworkChange) await pause(waitMs, reasonOf(error), onState, signal);
  }
  onState({ state: 'stopped', reason: null, nextTryAt: null });
}

class Connection {
  isCutByNetworkChange = false;
  /** @type {string | null} What the server said before it closed. */
  #closing = null;
  #abort = new AbortController();
  #parser = new SseParser((event) => this.#take(event));
  #open;
  #place;
  #onEvent;
  #onState;

  /**
   * @param {Open} open
   * @param {{lastEventId: string | null}} place Moves on with each event.
   * @param {Api.StreamOptions['onEvent']} onEvent
   * @param {NonNullable<Api.StreamOptions['onState']>} onState
   */
  constructor(open, place, onEvent, onState) {
    this.#open = open;
    this.#place = place;
    this.#onEvent = onEvent;
    this.#onState = onState;
  }

  get retryMs() {
    return this.#parser.retryMs;
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<unknown>} Why it ended.
   */
  async run(signal) {
    const stop = () => this.#abort.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    // What was connected before the network changed may hang for as long as TCP has patience.
    const unlisten = onNetwork('online', () => {
      this.isCutByNetworkChange = true;
      this.#abort.abort();
    });
    try {
      await this.#read();
      return closed(this.#closing ?? 'closed');
    } catch (error) {
      return this.#closing ? closed(this.#closing) : error;
    } finally {
      signal.removeEventListener('abort', stop);
      unlisten();
      // The body is dropped also when an event could not be read.
      this.#abort.abort();
    }
  }

  async #read() {
    let watchdog = this.#watch();
    try {
      const response = await this.#open(this.#headers(), this.#abort.signal);
      const type = response.headers.get('Content-Type') ?? '';
      if (!response.body || !/^text\/event-stream\b/i.test(type)) throw closed('bad_answer');
      this.#onState({ state: 'live', reason: null, nextTryAt: null });
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = this.#watch();
        this.#parser.push(value);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  #watch() {
    return setTimeout(() => this.#abort.abort(closed('silent')), SILENCE_MS);
  }

  /** @returns {Record<string, string>} */
  #headers() {
    const { lastEventId } = this.#place;
    const accept = { Accept: 'text/event-stream' };
    return lastEventId ? { ...accept, 'Last-Event-ID': lastEventId } : accept;
  }

  /** @param {import('./sse.js').SseEvent} event */
  #take({ type, data, id }) {
    const event = data === null ? { type: 'position', id, data } : { type, id, data: JSON.parse(data) };
    if (id) this.#place.lastEventId = id;
    if (event.type === 'position' && !id) return;
    if (type === 'closing') this.#closing = String(event.data.reason);
    try {
      this.#onEvent(/** @type {Api.StreamEvent} */ (event));
    } catch (error) {
      // A fault of whoever listens, which another connection would only repeat.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/**
 * Waits for the next try; a network that is back ends the wait.
 *
 * @param {number} waitMs
 * @param {string} reason
 * @param {NonNullable<Api.StreamOptions['onState']>} onState
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(waitMs, reason, onState, signal) {
  // What the browser calls offline may still reach a server on this machine: the tries go on.
  const state = globalThis.navigator?.onLine === false ? 'offline' : 'waiting';
  onState({ state, reason, nextTryAt: Date.now() + waitMs });
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', go);
      unlisten();
      resolve();
    };
    const timer = setTimeout(go, waitMs);
    const unlisten = onNetwork('online', go);
    signal.addEventListener('abort', go, { once: true });
  });
}

/**
 * @param {string} type
 * @param {() => void} listener
 * @returns {() => void} Stops listening. Outside of a browser nothing is ever heard.
 */
function onNetwork(type, listener) {
  globalThis.addEventListener?.(type, listener);
  return () => globalThis.removeEventListener?.(type, listener);
}

/** @param {string} code */
function closed(code) {
  return new NotifyError({ status: 0, code, detail: `The stream ended: ${code}.` });
}

/** @param {unknown} error */
function retryAfterOf(error) {
  return error instanceof NotifyError ? error.retryAfterMs : null;
}

/** @param {unknown} error */
function reasonOf(error) {
  if (error instanceof NotifyError) return error.code;
  return error instanceof SyntaxError || error instanceof RangeError ? 'bad_answer' : 'network';
}
