/** A word on what was just done, and a way back. One at a time: the newest. */
import { h } from './dom.js';

/** As long as a delete can be undone. */
const SHOWN_MS = 5_000;

export class Toast {
  node = h('div', { class: 'float bottom', role: 'status' });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {string} text
   * @param {(() => void) | null} [undo]
   */
  show(text, undo = null) {
    const button = undo && h('button', { type: 'button', onclick: () => this.#undo(undo) }, 'Undo');
    this.node.replaceChildren(h('div', { class: 'toast', part: 'toast' }, h('span', {}, text), button));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.hide(), SHOWN_MS);
  }

  hide() {
    clearTimeout(this.#timer);
    this.node.replaceChildren();
  }

  /** @param {() => void} undo */
  #undo(undo) {
    this.hide();
    undo();
  }
}
