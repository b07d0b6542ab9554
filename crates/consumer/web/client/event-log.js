/** The events a tab has had lately, for tabs that missed some of them. */
import { isRetention } from './changes.js';
import { isReached } from './position.js';

/** @import * as Api from '../client.js' */

/**
 * Larger, and each tab holds that much memory; smaller, and tabs that were away read their list
 * again more often.
 */
const MAX_EVENTS = 500;
const MAX_CHARACTERS = 1024 * 1024;

/** The leader has no longer what a tab missed: as `gap` from the server, but made here. */
const BEHIND = 'behind';

export class EventLog {
  /** @type {{event: Api.StreamEvent & {id: string}, size: number}[]} */
  #events = [];
  #size = 0;
  /** Each event behind it is known. */
  #floor;
  /** @type {Api.StreamEvent | null} */
  #counts = null;

  /** @param {Api.Position} position Where it begins. */
  constructor(position) {
    this.position = position;
    this.#floor = position;
  }

  /**
   * @param {Api.StreamEvent} event
   * @returns {boolean} False: it was there already.
   */
  add(event) {
    if (event.type === 'counts') this.#counts = event;
    if (!event.id) return true;
    // After a reset positions of the log before compare with nothing: what comes is newer.
    const isForced = event.type === 'gap' && event.data.reason !== BEHIND;
    const isOld = isReached(event.id, this.position);
    if (isOld && !isForced && !isRetention(event)) return false;
    if (!isOld || isForced) this.position = event.id;
    if (event.type === 'gap') this.#forget(event.id);
    else if (event.type !== 'position') this.#keep(event);
    return true;
  }

  /**
   * @param {Api.Position} position
   * @returns {Api.StreamEvent[]} What came behind it; or a gap, if that is no longer known.
   */
  since(position) {
    /** @type {Api.StreamEvent[]} */
    const counts = this.#counts ? [this.#counts] : [];
    if (!isReached(this.#floor, position) && !isReached(this.position, position)) {
      return [{ type: 'gap', id: this.position, data: { reason: BEHIND } }, ...counts];
    }
    const isMissed = (/** @type {Api.StreamEvent & {id: string}} */ event) =>
      !isReached(event.id, position) || isRetention(event);
    const missed = this.#events.map(({ event }) => event).filter(isMissed);
    return missed.length > 0 ? [...missed, ...counts] : [];
  }

  /** @param {Api.Position} position */
  #forget(position) {
    this.#floor = position;
    this.#events = [];
    this.#size = 0;
  }

  /** @param {Api.StreamEvent & {id: string}} event */
  #keep(event) {
    const size = JSON.stringify(event.data).length;
    this.#events.push({ event, size });
    this.#size += size;
    while (this.#events.length > MAX_EVENTS || this.#size > MAX_CHARACTERS) {
      const dropped = this.#events.shift();
      if (!dropped) return;
      this.#size -= dropped.size;
      this.#floor = dropped.event.id;
    }
  }
}
