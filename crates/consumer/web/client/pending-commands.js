/** Commands that show already, and that the events do not have yet. */
import { isSameChange, patchOf } from './changes.js';
import { isReached } from './position.js';
import { Undo } from './undo.js';

/** @import * as Api from '../client.js' */
/** @import { Patch } from './changes.js' */

/**
 * @typedef {object} Pending
 * @property {Patch} patch
 * @property {Api.Position | null} doneAt By there the service has applied it; null: not known yet.
 */

export class PendingCommands {
  #onChange;
  /** @type {Pending[]} */
  #pending = [];
  /** @type {Set<Undo>} */
  #undoable = new Set();
  /** They reach the service in the order they were given. @type {Promise<unknown>} */
  #last = Promise.resolve();

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  get patches() {
    return this.#pending.map(({ patch }) => patch);
  }

  /** What a list that is read now must have applied. */
  get doneAt() {
    return this.#pending.map(({ doneAt }) => doneAt);
  }

  /**
   * @param {Api.Selection} selection
   * @param {Api.Change} change
   * @param {() => Promise<Api.Counts>} call
   */
  run(selection, change, call) {
    return this.#send(this.#show(selection, change), call, false);
  }

  /**
   * @param {Api.Selection} selection
   * @param {Api.Change} change
   * @param {(keepalive: boolean) => Promise<Api.Counts>} call
   * @param {number} undoMs
   * @returns {Undo}
   */
  runLater(selection, change, call, undoMs) {
    const pending = this.#show(selection, change);
    const undo = new Undo(undoMs, {
      send: (keepalive) => this.#send(pending, () => call(keepalive), keepalive),
      revert: () => this.#drop(pending),
      end: () => void this.#undoable.delete(undo),
    });
    this.#undoable.add(undo);
    return undo;
  }

  /** The page is about to be left: what could still be taken back is sent. */
  flush() {
    for (const undo of this.#undoable) undo.flush(true);
  }

  /**
   * The list has this change now: it need not be shown on top of it.
   *
   * @param {Api.Change} change
   */
  hear(change) {
    const echo = this.#pending.find(({ patch }) => isSameChange(patch.change, change));
    this.#pending = this.#pending.filter((pending) => pending !== echo);
  }

  /** @param {Api.Position | null} position Everything up to here is in the list. */
  reached(position) {
    this.#pending = this.#pending.filter(({ doneAt }) => {
      return !doneAt || !position || !isReached(doneAt, position);
    });
  }

  /**
   * @param {Api.Selection} selection
   * @param {Api.Change} change
   */
  #show(selection, change) {
    const selected = typeof selection === 'string' ? { ids: [selection] }
      : 'before' in selection ? { before: selection.before } : { ids: [...selection] };
    /** @type {Pending} */
    const pending = { patch: patchOf({ ...selected, ...change }), doneAt: null };
    this.#pending.push(pending);
    this.#onChange();
    return pending;
  }

  /**
   * @param {Pending} pending
   * @param {() => Promise<Api.Counts>} call
   * @param {boolean} isUrgent It cannot wait for those before it.
   */
  async #send(pending, call, isUrgent) {
    const answer = isUrgent ? call() : this.#last.then(call);
    this.#last = answer.catch(() => {});
    try {
      pending.doneAt = (await answer).position;
    } catch (error) {
      this.#drop(pending);
      throw error;
    }
  }

  /** @param {Pending} gone */
  #drop(gone) {
    this.#pending = this.#pending.filter((pending) => pending !== gone);
    this.#onChange();
  }
}
