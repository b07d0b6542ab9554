/** Waiting and trying again. */
import { NotifyError } from './error.js';

/** Longer, and people wait for nothing; shorter, and a server in trouble gets more of it. */
const BASE_MS = 250;
const MAX_MS = 15_000;

/** What a gateway or the service answers when trying again may help. */
const TRANSIENT = [429, 502, 503, 504];

/**
 * How long to wait before another try. Full jitter: clients that failed together do not return
 * together.
 *
 * @param {number} attempt 0 before the second try.
 * @param {number | null} [retryAfterMs] The server's wish: never sooner.
 */
export function backoffMs(attempt, retryAfterMs = null) {
  const span = Math.min(MAX_MS, BASE_MS * 2 ** attempt);
  return (retryAfterMs ?? 0) + Math.random() * span;
}

/**
 * @param {unknown} error
 */
export function isTransient(error) {
  if (!(error instanceof NotifyError)) return false;
  if (error.code === 'position_not_reached') return true;
  return error.status === 0 || TRANSIENT.includes(error.status);
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>} Rejects with the signal's reason.
 */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/**
 * Tries until it works, until the error is one that no retry heals, or until the next try would
 * come too late.
 *
 * @template T
 * @param {(remainingMs: number) => Promise<T>} attempt
 * @param {{deadlineMs: number, mayRetry: (error: unknown) => boolean, signal?: AbortSignal}} options
 * @returns {Promise<T>}
 */
export async function withRetries(attempt, { deadlineMs, mayRetry, signal }) {
  const deadline = Date.now() + deadlineMs;
  for (let tries = 0; ; tries++) {
    try {
      return await attempt(deadline - Date.now());
    } catch (error) {
      signal?.throwIfAborted();
      if (!mayRetry(error)) throw error;
      const retryAfter = error instanceof NotifyError ? error.retryAfterMs : null;
      const waitMs = backoffMs(tries, retryAfter);
      if (Date.now() + waitMs >= deadline) throw error;
      await sleep(waitMs, signal);
    }
  }
}
