/** The service's HTTP interface for one user. */
import { NotifyError, errorOf } from './error.js';
import { isTransient, withRetries } from './retry.js';
import { stream } from './stream.js';

/** @import * as Api from '../client.js' */

/**
 * @typedef {object} Call
 * @property {string} method
 * @property {string} path Below the base URL.
 * @property {Record<string, unknown>} [query] What is undefined is left out.
 * @property {unknown} [body]
 * @property {Record<string, string>} [headers]
 * @property {boolean} isRepeatable Done twice is as good as done once.
 */

const DEADLINE_MS = 30_000;

/** How long one try may take, beyond what the server was asked to wait: a hung one is tried again. */
const ATTEMPT_MS = 10_000;

export class NotifyClient {
  #headers;
  #fetch;

  /** @param {Api.NotifyClientOptions} options */
  constructor({ baseUrl, userId, headers, fetch = globalThis.fetch }) {
    this.baseUrl = String(baseUrl).replace(/\/+$/, '');
    this.userId = String(userId);
    // `.` and `..` are ids, but no URL can have them as a segment.
    if (!/^(?!\.{1,2}$)[\w.:@-]{1,128}$/.test(this.userId)) {
      throw new TypeError(`not a user id: ${JSON.stringify(this.userId)}`);
    }
    this.#headers = headers;
    // Called as a method of anything but the global object, the browser's fetch throws.
    this.#fetch = /** @type {typeof fetch} */ ((...args) => fetch(...args));
  }

  /**
   * @param {Api.PageOptions} [options]
   * @returns {Promise<Api.Page>}
   */
  page({ limit, cursor, status, since, until, tag, from, ...options } = {}) {
    const query = { limit, cursor, status, since: time(since), until: time(until), tag, from };
    return this.#get('/notifications', query, options);
  }

  /**
   * @param {string} id
   * @param {Api.FreshOptions} [options]
   * @returns {Promise<Api.Notification>}
   */
  one(id, options = {}) {
    return this.#get(`/notifications/${encodeURIComponent(id)}`, {}, options);
  }

  /**
   * @param {Api.FreshOptions} [options]
   * @returns {Promise<Api.Counts>}
   */
  counts(options = {}) {
    return this.#get('/counts', {}, options);
  }

  /**
   * @param {Api.Selection} selection
   * @param {Api.RequestOptions} [options]
   */
  read(selection, options) {
    return this.#act('read', selection, options);
  }

  /**
   * @param {Api.Selection} selection
   * @param {Api.RequestOptions} [options]
   */
  unread(selection, options) {
    return this.#act('unread', selection, options);
  }

  /**
   * @param {Api.Selection} selection
   * @param {Api.RequestOptions} [options]
   */
  archive(selection, options) {
    return this.#act('archive', selection, options);
  }

  /**
   * @param {Api.Selection} selection
   * @param {Api.RequestOptions} [options]
   */
  unarchive(selection, options) {
    return this.#act('unarchive', selection, options);
  }

  /**
   * @param {Api.Selection} selection
   * @param {Api.RequestOptions} [options]
   */
  delete(selection, options) {
    return this.#act('delete', selection, options);
  }

  /**
   * @param {string} [before]
   * @param {Api.RequestOptions} [options]
   */
  seen(before, options) {
    return this.#act('seen', before === undefined ? null : { before }, options);
  }

  /**
   * @param {Api.SendBody} body
   * @param {Api.SendOptions} [options]
   * @returns {Promise<Api.SendAnswer>}
   */
  send(body, { idempotencyKey = newKey(), ...options } = {}) {
    const headers = { 'Idempotency-Key': idempotencyKey };
    const call = { method: 'POST', path: '/v1/notifications', body, headers, isRepeatable: true };
    return this.#json(call, options);
  }

  /** @param {Api.StreamOptions} options */
  stream(options) {
    /** @type {import('./stream.js').Open} */
    const open = (headers, signal) =>
      this.#request({ method: 'GET', path: this.#user('/stream'), headers, isRepeatable: true }, {
        signal,
        cache: 'no-store',
      });
    return stream(open, options);
  }

  /**
   * @param {string} path
   * @param {Record<string, unknown>} query
   * @param {Api.FreshOptions} options
   */
  #get(path, query, { minPosition, waitMs, ...options }) {
    const fresh = { ...query, min_position: minPosition, wait_ms: waitMs };
    const call = { method: 'GET', path: this.#user(path), query: fresh, isRepeatable: true };
    return this.#json(call, options, ATTEMPT_MS + (waitMs ?? 0));
  }

  /**
   * @param {string} action
   * @param {Api.Selection | null} selection Null: all that there is when the request comes.
   * @param {Api.RequestOptions} [options]
   * @returns {Promise<Api.Counts>}
   */
  #act(action, selection, options = {}) {
    const selected = typeof selection === 'string' ? { ids: [selection] }
      : selection && 'before' in selection ? { before: selection.before }
      : selection ? { ids: selection } : {};
    const path = this.#user('/notifications/actions');
    // Without a selection, a repetition would also reach what came in between.
    const isRepeatable = selection !== null;
    return this.#json({ method: 'POST', path, body: { action, ...selected }, isRepeatable }, options);
  }

  /**
   * @param {Call} call
   * @param {Api.RequestOptions} options
   * @param {number} attemptMs
   * @returns {Promise<any>}
   */
  #json(call, options, attemptMs = ATTEMPT_MS) {
    const { signal, deadlineMs = DEADLINE_MS, keepalive = false, retry = !keepalive } = options;
    /** @param {number} remainingMs */
    const attempt = async (remainingMs) => {
      const timeout = new AbortController();
      const timeoutMs = Math.min(remainingMs, attemptMs);
      const timer = setTimeout(() => timeout.abort(timedOut(timeoutMs)), timeoutMs);
      const either = signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal;
      try {
        const response = await this.#request(call, { signal: either, keepalive });
        return await response.json().catch((cause) => Promise.reject(unreachable(cause, either)));
      } finally {
        clearTimeout(timer);
      }
    };
    /** @param {unknown} error */
    const mayRetry = (error) => retry && isTransient(error) &&
      // 429: nothing was done.
      (call.isRepeatable || (error instanceof NotifyError && error.status === 429));
    return withRetries(attempt, { deadlineMs, mayRetry, signal });
  }

  /**
   * @param {Call} call
   * @param {RequestInit & {signal: AbortSignal}} init
   */
  async #request({ method, path, query = {}, body, headers = {} }, init) {
    const url = new URL(this.baseUrl + path, globalThis.document?.baseURI);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const all = new Headers(typeof this.#headers === 'function' ? await this.#headers() : this.#headers);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    if (body !== undefined) {
      all.set('Content-Type', 'application/json');
      init = { ...init, body: JSON.stringify(body) };
    }
    const signal = /** @type {AbortSignal} */ (init.signal);
    const response = await this.#fetch(url, { method, headers: all, ...init }).catch((cause) => {
      throw unreachable(cause, signal);
    });
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  /** @param {string} path */
  #user(path) {
    return `/v1/users/${encodeURIComponent(this.userId)}${path}`;
  }
}

/** @param {string | Date} [value] */
function time(value) {
  return value instanceof Date ? value.toISOString() : value;
}

/** `crypto.randomUUID` is missing on plain http, where random numbers are not. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('-');
}

/** @param {number} ms */
function timedOut(ms) {
  return new NotifyError({ status: 0, code: 'timeout', detail: `No answer within ${ms} ms.` });
}

/**
 * Of a request that was aborted the error is the reason.
 *
 * @param {unknown} cause
 * @param {AbortSignal} signal
 */
function unreachable(cause, signal) {
  if (signal.aborted) return signal.reason;
  const detail = 'The service cannot be reached.';
  return new NotifyError({ status: 0, code: 'network', detail, cause });
}
