/**
 * `<notify-inbox base-url="https://notify.example.org" user-id="1">`
 *
 * Attributes: `base-url` (default: where this script comes from), `user-id`, `theme` (`light`,
 * `dark`, `auto`), `status` (the filter it begins with), `page-size`, `shortcuts="page"` (keys work
 * wherever the focus is, not only inside). Property: `headers`. Event: `notify-change`, with the
 * snapshot as its `detail`, after every change. How to style it is described in `styles.js`.
 */
import { Inbox } from './inbox.js';
import { NotifyClient } from './notify-client.js';
import { h } from './dom.js';
import { InboxView } from './inbox-view.js';
import { styleSheet } from './styles.js';

/** @import * as Api from '../client.js' */

/** What there is outside of a browser, where this file may be imported, too. */
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {});

export class NotifyInboxElement extends Base {
  static observedAttributes = ['base-url', 'user-id'];

  /** @type {Api.NotifyClientOptions['headers']} */
  headers;
  /** @type {NotifyClient | null} */
  client = null;
  /** @type {Inbox | null} */
  inbox = null;
  /** @type {InboxView | null} */
  #view = null;

  connectedCallback() {
    if (!this.shadowRoot) this.attachShadow({ mode: 'open' }).adoptedStyleSheets = [styleSheet()];
    this.#open();
  }

  disconnectedCallback() {
    this.#close();
  }

  attributeChangedCallback() {
    if (!this.isConnected || !this.shadowRoot) return;
    this.#close();
    this.#open();
  }

  #open() {
    const userId = this.getAttribute('user-id');
    if (!userId || this.inbox) return;
    const baseUrl = this.getAttribute('base-url') ?? new URL('..', import.meta.url).href;
    this.client = new NotifyClient({ baseUrl, userId, headers: this.headers });
    const status = /** @type {Api.Status} */ (this.getAttribute('status') ?? 'inbox');
    const pageSize = Number(this.getAttribute('page-size')) || undefined;
    this.inbox = new Inbox(this.client, { filter: { status }, pageSize });
    this.#view = new InboxView(this.inbox);
    const root = /** @type {ShadowRoot} */ (this.shadowRoot);
    root.replaceChildren(h('div', { class: 'root' }, ...this.#view.nodes));
    const { signal } = this.#view;
    const keys = this.getAttribute('shortcuts') === 'page' ? document : root;
    keys.addEventListener('keydown', (event) => this.#view?.press(/** @type {KeyboardEvent} */ (event)), { signal });
    this.#view.start((detail) => {
      this.dispatchEvent(new CustomEvent('notify-change', { detail, bubbles: true, composed: true }));
    });
    this.inbox.start();
  }

  #close() {
    this.#view?.stop();
    this.inbox?.stop();
    this.shadowRoot?.replaceChildren();
    this.#view = this.inbox = this.client = null;
  }
}

if (globalThis.customElements && !customElements.get('notify-inbox')) {
  customElements.define('notify-inbox', NotifyInboxElement);
}
