/** A list that follows the service: pages, the stream from exactly there, and commands. */
import { NotifyError } from './error.js';
import { Feed } from './feed.js';
import { FoldedList } from './folded-list.js';
import { firstPages, nextPages } from './pages.js';
import { PendingCommands } from './pending-commands.js';
import { comparePositions } from './position.js';
import { backoffMs, isTransient, sleep } from './retry.js';

/** @import * as Api from '../client.js' */

/** Events that wait while a page is read. More, and the page is read again. */
const MAX_QUEUE = 2_000;

/** An event is followed by the counts that go with it: shown apart, the badge would jump. */
const SETTLE_MS = 50;

/** Failures of reading the list that are not worth a word yet. */
const QUIET_FAILURES = 2;

export class Inbox {
  #list;
  #feed;
  #pageSize;
  #commands = new PendingCommands(() => this.#emit());
  /** @type {Set<(snapshot: Api.Snapshot) => void>} */
  #listeners = new Set();
  /** @type {Api.StreamEvent[]} */
  #queue = [];
  #isPumping = false;
  /** @type {AbortController | null} While the list is read. */
  #loading = null;
  /** @type {Promise<void> | null} */
  #loadingMore = null;
  /** What the next reading must have applied. @type {Api.Position | null} */
  #wanted = null;
  /** The event that the list is read for. @type {Api.StreamEvent | null} */
  #cause = null;
  #isLoaded = false;
  #isStarted = false;
  /** The stream says how the connection is; before, the first page does. */
  #isFollowing = false;
  /** @type {Error | null} */
  #error = null;
  /** @type {Api.Connection} */
  #connection = { state: 'connecting', reason: null, nextTryAt: null };
  /** Ends with the inbox. */
  #life = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #emitTimer;
  #emitAt = 0;
  /** @type {Api.Snapshot} */
  snapshot;

  /**
   * @param {Api.NotifyClient} client
   * @param {Api.InboxOptions} [options]
   */
  constructor(client, { filter = {}, pageSize = 30 } = {}) {
    this.client = client;
    this.#pageSize = pageSize;
    this.#list = new FoldedList(filter);
    this.#feed = new Feed(client, (event) => this.#receive(event), (connection) => {
      this.#connection = connection;
      this.#emitIn(0);
    });
    this.snapshot = this.#takeSnapshot();
  }

  get filter() {
    return this.#list.filter;
  }

  get position() {
    return this.#list.position;
  }

  start() {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#life = new AbortController();
    // Registers before it looks: nothing that happens while the page is read is missed.
    this.#feed.join();
    this.#followPage();
    void this.#load();
  }

  stop() {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    this.#commands.flush();
    this.#life.abort();
    this.#loading?.abort();
    this.#loading = null;
    this.#feed.leave();
    clearTimeout(this.#emitTimer);
  }

  /**
   * @param {(snapshot: Api.Snapshot) => void} listener
   * @returns {() => void}
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.snapshot);
    return () => void this.#listeners.delete(listener);
  }

  /** @param {Api.Filter} filter */
  setFilter(filter) {
    this.#wanted = newest(this.#wanted, this.#list.position);
    this.#list = new FoldedList(filter, this.#list.counts);
    this.#isLoaded = false;
    if (this.#isStarted) void this.#load();
  }

  async refresh() {
    this.#feed.poke();
    await this.#load();
  }

  async loadMore() {
    if (this.#loading || !this.#list.nextCursor) return;
    this.#loadingMore ??= this.#readMore().finally(() => {
      this.#loadingMore = null;
      this.#emit();
    });
    this.#emit();
    await this.#loadingMore;
  }

  /** @param {Api.Selection} selection */
  read(selection) {
    return this.#commands.run(selection, { read_at: now() }, () => this.client.read(selection));
  }

  /** @param {Api.Selection} selection */
  unread(selection) {
    return this.#commands.run(selection, { read_at: null }, () => this.client.unread(selection));
  }

  /** @param {Api.Selection} selection */
  archive(selection) {
    return this.#commands.run(selection, { archived_at: now() }, () => this.client.archive(selection));
  }

  /** @param {Api.Selection} selection */
  unarchive(selection) {
    return this.#commands.run(selection, { archived_at: null }, () => this.client.unarchive(selection));
  }

  /**
   * @param {Api.Selection} selection
   * @param {{undoMs?: number}} [options]
   * @returns {Api.PendingDelete}
   */
  delete(selection, { undoMs = 5_000 } = {}) {
    /** @param {boolean} keepalive */
    const call = (keepalive) => this.client.delete(selection, { keepalive });
    return this.#commands.runLater(selection, { deleted: true }, call, undoMs);
  }

  async seen() {
    const { position } = this.#list;
    if (position) await this.client.seen(position);
  }

  /** @param {Api.StreamEvent} event */
  #receive(event) {
    if (this.#queue.length >= MAX_QUEUE) {
      this.#queue = [];
      this.#wanted = event.id ?? this.#wanted;
      return void this.#load();
    }
    this.#queue.push(event);
    void this.#pump();
  }

  /** Applies what waits, one event after another: some must read something first. */
  async #pump() {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#isStarted && this.#isLoaded && !this.#loading && this.#queue.length > 0) {
      const [event] = this.#queue;
      const isDone = await this.#apply(event);
      if (isDone && this.#queue[0] === event) this.#queue.shift();
    }
    this.#isPumping = false;
  }

  /**
   * @param {Api.StreamEvent} event
   * @returns {Promise<boolean>} False: the list was or is being read again, and it is its turn then.
   */
  async #apply(event) {
    const list = this.#list;
    if (!list.isNew(event)) return true;
    const missing = list.missing(event);
    if (missing && !('ids' in missing && (await this.#fill(missing.ids, event)))) {
      if (list === this.#list && !this.#loading && this.#isStarted) this.#loadFor(event);
      return false;
    }
    if (list !== this.#list) return false;
    list.apply(event);
    this.#settle(event);
    return true;
  }

  /**
   * @param {string[]} ids
   * @param {Api.StreamEvent} event
   * @returns {Promise<boolean>} Whether all that there are were read.
   */
  async #fill(ids, { id }) {
    const list = this.#list;
    const position = /** @type {Api.Position} */ (id);
    const options = { minPosition: position, signal: this.#life.signal };
    const one = (/** @type {string} */ id) => this.client.one(id, options).catch(nullIfGone);
    const found = await Promise.all(ids.map(one)).catch(() => null);
    for (const notification of found ?? []) if (notification) list.put(notification, position);
    return found !== null;
  }

  /** @param {Api.StreamEvent} event */
  #loadFor(event) {
    this.#cause = event;
    this.#wanted = event.id;
    void this.#load();
  }

  /** @param {Api.StreamEvent} event One that is applied. */
  #settle(event) {
    if (event.type === 'changed') this.#commands.hear(event.data);
    const hasPending = this.#commands.patches.length > 0;
    this.#commands.reached(this.#list.position);
    if (event.type !== 'position' || hasPending) this.#emitIn(event.id ? SETTLE_MS : 0);
  }

  /** Reads the list from its beginning, as much of it as is shown, until that works. */
  async #load() {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#emit();
    for (let failures = 0; ; failures++) {
      try {
        const pages = await this.#firstPages(loading.signal);
        if (this.#loading === loading) this.#loaded(pages);
        return;
      } catch (error) {
        if (this.#loading !== loading) return;
        if (!isTransient(error)) return this.#giveUp(error);
        const waitMs = backoffMs(failures, /** @type {NotifyError} */ (error).retryAfterMs);
        this.#loadFailed(/** @type {NotifyError} */ (error), failures, waitMs);
        await sleep(waitMs, loading.signal).catch(() => {});
        if (this.#loading !== loading) return;
      }
    }
  }

  /** @param {AbortSignal} signal */
  #firstPages(signal) {
    const count = Math.max(this.#pageSize, this.snapshot.notifications.length);
    // After a gap the log may end before what was known of it.
    const minPosition = this.#cause?.type === 'gap' ? this.#wanted
      : newest(this.#wanted, this.#list.position, ...this.#commands.doneAt);
    return firstPages(this.client, this.filter, count, { minPosition: minPosition ?? undefined, signal });
  }

  /** @param {[Api.Page, ...Api.Page[]]} pages */
  #loaded(pages) {
    this.#list = new FoldedList(this.filter);
    this.#list.fill(pages);
    this.#loading = null;
    this.#isLoaded = true;
    this.#error = null;
    this.#wanted = null;
    if (this.#cause && this.#queue[0] === this.#cause) this.#queue.shift();
    this.#cause = null;
    this.#commands.reached(this.#list.position);
    this.#emit();
    this.#isFollowing = true;
    this.#feed.follow(pages[0].position);
    void this.#pump();
  }

  /**
   * @param {NotifyError} error
   * @param {number} failures
   * @param {number} waitMs
   */
  #loadFailed(error, failures, waitMs) {
    if (failures >= QUIET_FAILURES) this.#error = error;
    if (!this.#isFollowing) {
      const state = globalThis.navigator?.onLine === false ? 'offline' : 'waiting';
      this.#connection = { state, reason: error.code, nextTryAt: Date.now() + waitMs };
    }
    this.#emit();
  }

  /** @param {unknown} error One that trying again does not heal. */
  #giveUp(error) {
    this.#error = error instanceof Error ? error : new Error(String(error));
    this.#loading = null;
    this.#emit();
  }

  async #readMore() {
    const list = this.#list;
    const { nextCursor, position } = list;
    if (!position) return;
    this.#error = null;
    try {
      const options = { ...this.filter, limit: this.#pageSize, signal: this.#life.signal };
      const pages = await nextPages(this.client, options, 1, { next_cursor: nextCursor, position });
      if (list === this.#list) for (const page of pages) list.append(page);
    } catch (error) {
      if (list !== this.#list || this.#life.signal.aborted) return;
      if (error instanceof NotifyError && error.code === 'invalid_cursor') return this.#load();
      this.#error = /** @type {Error} */ (error);
    }
  }

  /** A page that is left, or frozen, must not keep the others from the stream. */
  #followPage() {
    const { signal } = this.#life;
    const on = (/** @type {EventTarget | undefined} */ target, /** @type {string} */ type,
      /** @type {(event: any) => void} */ listener) => target?.addEventListener?.(type, listener, { signal });
    on(globalThis, 'pagehide', () => {
      this.#commands.flush();
      this.#feed.leave();
    });
    on(globalThis, 'pageshow', ({ persisted }) => persisted && this.#feed.join());
    on(globalThis.document, 'freeze', () => this.#feed.leave());
    on(globalThis.document, 'resume', () => this.#feed.join());
    on(globalThis, 'online', () => this.#error && this.refresh());
  }

  /** @param {number} ms At the latest. */
  #emitIn(ms) {
    const at = Date.now() + ms;
    if (this.#emitTimer !== undefined && this.#emitAt <= at) return;
    clearTimeout(this.#emitTimer);
    this.#emitAt = at;
    this.#emitTimer = setTimeout(() => this.#emit(), ms);
  }

  #emit() {
    clearTimeout(this.#emitTimer);
    this.#emitTimer = undefined;
    this.snapshot = this.#takeSnapshot();
    for (const listener of this.#listeners) listener(this.snapshot);
  }

  /** @returns {Api.Snapshot} */
  #takeSnapshot() {
    const { notifications, unreadCount } = this.#list.view(this.#commands.patches);
    return Object.freeze({
      notifications: Object.freeze(notifications),
      unreadCount,
      unseenCount: this.#list.counts.unseen_count,
      hasMore: this.#list.nextCursor !== null,
      isLoading: !this.#isLoaded || !!this.#loading || !!this.#loadingMore,
      error: this.#error,
      connection: this.#connection,
    });
  }
}

function now() {
  return new Date().toISOString();
}

/** @param {unknown} error */
function nullIfGone(error) {
  if (error instanceof NotifyError && error.status === 404) return null;
  throw error;
}

/**
 * Where some cannot be compared, the first of them.
 *
 * @param {(Api.Position | null)[]} positions
 */
function newest(...positions) {
  return positions.reduce((best, position) => {
    if (!best || !position) return best ?? position;
    return comparePositions(best, position) === -1 ? position : best;
  }, null);
}
