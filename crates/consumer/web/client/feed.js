/**
 * One stream for all tabs of a browser. The tab that holds the lock streams and passes events on;
 * the others follow. Whoever follows asks the leader what it missed, from its own position on:
 * when it joins, when another leads, when it becomes visible, and now and then, which also tells it
 * that the leader is still there. A leader that is frozen in the background does not answer; then
 * the lock is taken away from it.
 */
import { EventLog } from './event-log.js';

/** @import * as Api from '../client.js' */

/**
 * @typedef {{type: 'leader', from: string}
 *   | {type: 'sync', from: string, position: string, isUrgent: boolean}
 *   | {type: 'replay', from: string, to: string, events: Api.StreamEvent[], connection: Api.Connection}
 *   | {type: 'event', from: string, event: Api.StreamEvent}
 *   | {type: 'state', from: string, connection: Api.Connection}} Message
 */

/** Shorter, and a busy leader is taken for a frozen one; longer, and people look at an old list. */
const ANSWER_MS = 3_000;

/** How often a visible follower asks. */
const ASK_MS = 30_000;

/** @type {Api.Connection} */
const CONNECTING = { state: 'connecting', reason: null, nextTryAt: null };

export class Feed {
  #client;
  #onEvent;
  #onState;
  #name;
  #id = Math.random().toString(36).slice(2);
  /** @type {BroadcastChannel | null} */
  #channel = null;
  /** @type {EventLog | null} Null until it is known where to begin. */
  #log = null;
  /** While this tab takes part. @type {AbortController | null} */
  #presence = null;
  /** @type {AbortController | null} While it streams. */
  #leading = null;
  /** @type {AbortController | null} While it waits for the lock. */
  #candidacy = null;
  /** @type {string | null} Whose events are known to be without a hole; null: nobody's. */
  #leader = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #answerTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #askTimer;
  #connection = CONNECTING;

  /**
   * @param {Api.NotifyClient} client
   * @param {(event: Api.StreamEvent) => void} onEvent Each once, in the order of the log.
   * @param {(connection: Api.Connection) => void} onState
   */
  constructor(client, onEvent, onState) {
    this.#client = client;
    this.#onEvent = onEvent;
    this.#onState = onState;
    this.#name = `kafka-notify:${client.baseUrl}:${client.userId}`;
  }

  /** Listens already, before anybody knows from where on it matters. */
  join() {
    if (this.#presence && !this.#presence.signal.aborted) return;
    this.#presence = new AbortController();
    if (canShare()) {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }) => this.#receive(data);
    }
    const { signal } = this.#presence;
    globalThis.document?.addEventListener('visibilitychange', () => isVisible() && this.poke(), { signal });
    if (this.#log) this.#begin();
  }

  /** @param {Api.Position} position Each event behind it is wanted. */
  follow(position) {
    if (this.#log) return;
    this.#log = new EventLog(position);
    this.#begin();
  }

  /** It may join again, and goes on where it was. */
  leave() {
    this.#presence?.abort();
    this.#stopLeading();
    this.#candidacy?.abort();
    this.#channel?.close();
    this.#channel = null;
    this.#leader = null;
    clearTimeout(this.#answerTimer);
    clearInterval(this.#askTimer);
  }

  /** Somebody looks: what is waited for is tried now. */
  poke() {
    if (!this.#log) return;
    if (!this.#leading) return this.#ask(true);
    if (this.#connection.state === 'waiting' || this.#connection.state === 'offline') this.#stream();
  }

  #begin() {
    if (!this.#channel) return this.#lead();
    this.#ask(false);
    this.#askTimer = setInterval(() => isVisible() && !this.#leading && this.#ask(false), ASK_MS);
    void this.#campaign(false);
  }

  /**
   * Waits for the lock, and leads while it has it.
   *
   * @param {boolean} steal
   */
  async #campaign(steal) {
    const signal = this.#presence?.signal;
    while (signal && !signal.aborted) {
      const candidacy = new AbortController();
      this.#candidacy = candidacy;
      const options = steal ? { steal } : { signal: candidacy.signal };
      const lead = () => (candidacy.signal.aborted ? undefined : this.#lead());
      // Rejected where it is given up, and where another tab took the lock away.
      await navigator.locks.request(this.#name, options, lead).catch(() => {});
      if (this.#candidacy !== candidacy) return;
      this.#stopLeading();
      steal = false;
      // Whoever took it over said so while this tab did not listen yet.
      if (!signal.aborted) this.#ask(false);
    }
  }

  /** @returns {Promise<void>} Pending while it leads. */
  #lead() {
    clearTimeout(this.#answerTimer);
    this.#leader = null;
    this.#post({ type: 'leader', from: this.#id });
    const done = new Promise((/** @type {(_: void) => void} */ resolve) => {
      this.#presence?.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#stream();
    return done;
  }

  #stream() {
    this.#leading?.abort();
    const leading = new AbortController();
    this.#leading = leading;
    void this.#client.stream({
      lastEventId: this.#log?.position,
      onEvent: (event) => this.#leading === leading && this.#streamed(event),
      onState: (connection) => this.#leading === leading && this.#setConnection(connection),
      signal: leading.signal,
    });
  }

  #stopLeading() {
    this.#leading?.abort();
    this.#leading = null;
  }

  /** @param {Api.StreamEvent} event */
  #streamed(event) {
    this.#post({ type: 'event', from: this.#id, event });
    this.#accept(event);
  }

  /** @param {Api.Connection} connection */
  #setConnection(connection) {
    this.#connection = connection;
    if (this.#leading) this.#post({ type: 'state', from: this.#id, connection });
    this.#onState(connection);
  }

  /** @param {Api.StreamEvent} event The next one that this tab does not have. */
  #accept(event) {
    if (this.#log?.add(event)) this.#onEvent(event);
  }

  /** @param {boolean} isUrgent */
  #ask(isUrgent) {
    if (!this.#log) return;
    this.#post({ type: 'sync', from: this.#id, position: this.#log.position, isUrgent });
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#takeOver(), ANSWER_MS);
  }

  /** Nobody answers. */
  #takeOver() {
    if (this.#leading || !isVisible()) return;
    const waiting = this.#candidacy;
    void this.#campaign(true);
    waiting?.abort();
  }

  /** @param {Message} message */
  #receive(message) {
    if (!this.#log) {
      // Counts hold for whatever list comes.
      if (message.type === 'event' && message.event.type === 'counts') this.#onEvent(message.event);
    } else if (this.#leading) {
      if (message.type === 'sync') this.#answer(message, this.#log);
    } else {
      this.#hear(message);
    }
  }

  /**
   * @param {Extract<Message, {type: 'sync'}>} message
   * @param {EventLog} log
   */
  #answer({ from, position, isUrgent }, log) {
    if (isUrgent) this.poke();
    const events = log.since(position);
    this.#post({ type: 'replay', from: this.#id, to: from, events, connection: this.#connection });
  }

  /** @param {Message} message */
  #hear(message) {
    if (message.type === 'leader') {
      this.#leader = null;
      this.#ask(false);
    } else if (message.type === 'replay' && message.to === this.#id) {
      clearTimeout(this.#answerTimer);
      this.#leader = message.from;
      for (const event of message.events) this.#accept(event);
      this.#setConnection(message.connection);
    } else if (message.type === 'event' && (message.from === this.#leader || !message.event.id)) {
      this.#accept(message.event);
    } else if (message.type === 'state' && message.from === this.#leader) {
      this.#setConnection(message.connection);
    }
  }

  /** @param {Message} message */
  #post(message) {
    this.#channel?.postMessage(message);
  }
}

/** Both are needed: without the lock all tabs would stream, without the channel only one. */
function canShare() {
  return !!globalThis.navigator?.locks && typeof BroadcastChannel === 'function';
}

function isVisible() {
  return globalThis.document?.visibilityState !== 'hidden';
}
