/** Server-sent events, as the HTML standard parses them (section 9.2.6). */

/**
 * The longest line, and the most data of an event. Larger, and a broken server fills the memory of
 * the page; smaller, and the largest notification no longer fits.
 */
export const MAX_LENGTH = 2 * 1024 * 1024;

/**
 * @typedef {object} SseEvent
 * @property {string} type
 * @property {string | null} data Null: it had none, and only says where the next connection begins.
 * @property {string | null} id Its own; null: it had none, and that of an earlier one still counts.
 */

export class SseParser {
  /** The server's wish how long to wait before the next connection. @type {number | null} */
  retryMs = null;

  #onEvent;
  // Takes a byte order mark away, as the standard wants.
  #decoder = new TextDecoder();
  #endedWithCr = false;
  #line = '';
  #type = '';
  /** @type {string[]} */
  #data = [];
  #dataLength = 0;
  /** Counts only once its event is whole. @type {string | null} */
  #id = null;

  /** @param {(event: SseEvent) => void} onEvent */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /**
   * @param {Uint8Array} bytes They may end anywhere, also within a character or between CR and LF.
   */
  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return;
    if (this.#endedWithCr && text[0] === '\n') text = text.slice(1);
    this.#endedWithCr = text.endsWith('\r');
    const ends = /\r\n|\n|\r/g;
    let from = 0;
    for (let end = ends.exec(text); end; end = ends.exec(text)) {
      this.#takeLine(this.#line + text.slice(from, end.index));
      this.#line = '';
      from = ends.lastIndex;
    }
    this.#line += text.slice(from);
    this.#bound(this.#line.length);
  }

  /** @param {string} line */
  #takeLine(line) {
    this.#bound(line.length);
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    this.#takeField(field, value);
  }

  /**
   * @param {string} field
   * @param {string} value
   */
  #takeField(field, value) {
    if (field === 'data') {
      this.#data.push(value);
      this.#dataLength += value.length + 1;
      this.#bound(this.#dataLength);
    } else if (field === 'event') {
      this.#type = value;
    } else if (field === 'id' && !value.includes('\0')) {
      this.#id = value;
    } else if (field === 'retry' && /^\d+$/.test(value)) {
      this.retryMs = Number(value);
    }
  }

  #dispatch() {
    const [type, data, id] = [this.#type || 'message', this.#data, this.#id];
    this.#type = '';
    this.#data = [];
    this.#dataLength = 0;
    this.#id = null;
    if (id === null && data.length === 0) return;
    this.#onEvent({ type, data: data.length > 0 ? data.join('\n') : null, id });
  }

  /** @param {number} length */
  #bound(length) {
    if (length > MAX_LENGTH) throw new RangeError('a line or an event of the stream is too long');
  }
}
