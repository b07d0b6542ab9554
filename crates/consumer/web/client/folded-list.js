/** A list as it follows from pages and the events after them. No network, no clock. */
import { isRetention, isUnread, matches, mayAdd, patchOf, patched } from './changes.js';
import { comparePlaces, decodePosition, isReached, isUpTo } from './position.js';

/** @import * as Api from '../client.js' */
/** @import { Place } from './position.js' */
/** @import { Patch } from './changes.js' */

/**
 * @typedef {object} Entry
 * @property {Api.Notification} notification
 * @property {Place} place
 * @property {Place} asOf Events up to here are in it already.
 */

/**
 * What is to be read before the next event may be applied: the list itself, or notifications that
 * it left out and that may belong into it now.
 *
 * @typedef {{reload: true} | {ids: string[]}} Missing
 */

/** More are not read one by one: the list is read again. */
const MAX_MISSING = 20;

export class FoldedList {
  /** Every event up to here is applied. @type {Api.Position | null} */
  position = null;
  /** Null: all of the list is loaded. @type {string | null} */
  nextCursor = null;

  /** @type {Map<string, Entry>} Also those that the filter does not show any more. */
  #entries = new Map();
  /** @type {Entry[]} Newest first. */
  #order = [];
  /** @type {Place | null} What lies below comes with a later page; null: nothing does. */
  #floor = null;

  /**
   * @param {Api.Filter} filter
   * @param {{unread_count: number, unseen_count: number}} [counts] Of the whole inbox, if known.
   */
  constructor(filter, counts = { unread_count: 0, unseen_count: 0 }) {
    this.filter = filter;
    this.counts = counts;
  }

  /**
   * Fills the list as it was just read.
   *
   * @param {[Api.Page, ...Api.Page[]]} pages From the first on.
   */
  fill([first, ...rest]) {
    this.position = first.position;
    const { unread_count, unseen_count } = first;
    this.counts = { unread_count, unseen_count };
    for (const page of [first, ...rest]) this.append(page);
  }

  /** @param {Api.Page} page The one after those that are loaded. */
  append({ notifications, next_cursor, position }) {
    for (const notification of notifications) this.put(notification, position);
    this.nextCursor = next_cursor;
    const oldest = notifications.at(-1);
    if (next_cursor === null) this.#floor = null;
    else if (oldest) this.#floor = decodePosition(oldest.position);
  }

  /**
   * A notification as it was at a position, or some time later: events since then that are in it
   * already may be applied once more.
   *
   * @param {Api.Notification} notification
   * @param {Api.Position} position
   */
  put(notification, position) {
    const [place, asOf] = [decodePosition(notification.position), decodePosition(position)];
    if (!place || !asOf) return;
    const known = this.#entries.get(notification.id);
    if (known && isUpTo(asOf, known.asOf)) return;
    if (known) {
      known.notification = notification;
      known.asOf = asOf;
      return;
    }
    const entry = { notification, place, asOf };
    this.#entries.set(notification.id, entry);
    this.#order.splice(this.#indexOf(place), 0, entry);
  }

  /**
   * Whether an event is behind what is applied.
   *
   * @param {Api.StreamEvent} event
   */
  isNew(event) {
    if (!event.id || event.type === 'gap' || isRetention(event)) return true;
    return !isReached(event.id, this.position ?? '');
  }

  /**
   * What is to be read before this event can be applied.
   *
   * @param {Api.StreamEvent} event One that is new.
   * @returns {Missing | null}
   */
  missing({ type, id, data }) {
    if (!id) return null;
    if (type === 'gap' || decodePosition(id)?.log !== decodePosition(this.position ?? '')?.log) {
      return { reload: true };
    }
    if (type !== 'changed' || !mayAdd(data, this.filter.status)) return null;
    const ids = data.ids?.filter((id) => !this.#entries.has(id));
    if (ids && ids.length <= MAX_MISSING) return ids.length > 0 ? { ids } : null;
    return { reload: true };
  }

  /** @param {Api.StreamEvent} event One that is new, and nothing is missing. */
  apply(event) {
    const { type, id, data } = event;
    if (type === 'counts') this.counts = data;
    if (type === 'notification') this.put(data, id);
    // What retention cut is gone from pages of any time.
    if (type === 'changed') this.#change(patchOf(data), isRetention(event) ? null : decodePosition(id));
    if (id && !isReached(id, this.position ?? '')) this.position = id;
  }

  /**
   * The list as it is once these commands have taken effect, too.
   *
   * @param {Patch[]} pending
   * @returns {{notifications: Api.Notification[], unreadCount: number}}
   */
  view(pending) {
    const notifications = [];
    let unreadCount = this.counts.unread_count;
    let newerUnread = 0;
    const toAll = pending.findLast((patch) => patch.before && leavesNoUnread(patch.change));
    for (const { notification, place } of this.#order) {
      const after = pending.reduce(
        (/** @type {Api.Notification | null} */ so, patch) => so && patched(so, place, patch),
        notification,
      );
      unreadCount += Number(isUnread(after)) - Number(isUnread(notification));
      if (toAll && !isUpTo(place, toAll.before)) newerUnread += Number(isUnread(after));
      if (after && this.#isLoaded(place) && matches(after, this.filter)) notifications.push(after);
    }
    return { notifications, unreadCount: toAll ? newerUnread : Math.max(0, unreadCount) };
  }

  /**
   * @param {Patch} patch
   * @param {Place | null} at Null: it holds for all, as of whenever they are.
   */
  #change(patch, at) {
    let hasGone = false;
    for (const entry of this.#order) {
      if (isUpTo(at, entry.asOf)) continue;
      const after = patched(entry.notification, entry.place, patch);
      if (after) {
        entry.notification = after;
      } else {
        hasGone = this.#entries.delete(entry.notification.id);
      }
    }
    if (hasGone) this.#order = this.#order.filter((entry) => this.#entries.has(entry.notification.id));
  }

  /** @param {Place} place */
  #isLoaded(place) {
    return !this.#floor || comparePlaces(place, this.#floor) >= 0;
  }

  /**
   * Where an entry belongs. Most are newer than all others, or older.
   *
   * @param {Place} place
   */
  #indexOf(place) {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comparePlaces(this.#order[middle].place, place) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** @param {Api.Change} change */
function leavesNoUnread({ read_at, archived_at, deleted }) {
  return !!(read_at || archived_at || deleted);
}
