/** One notification as an item of the list. */
import { isUnread } from './changes.js';
import { h, icon, setChildren, setText } from './dom.js';
import { fullLabel, timeLabel } from './time.js';

/** @import * as Api from '../client.js' */
/** @import { IconName } from './dom.js' */

/** @typedef {'open' | 'toggle-read' | 'toggle-archived' | 'delete'} CardAction */

/** @type {Record<number, string>} The others go without saying. */
const PRIORITIES = { 4: 'High priority', 5: 'Urgent' };

export class Card {
  /** @type {Api.Notification} */
  notification;
  #onAction;
  #sender = h('span', { class: 'sender', part: 'sender' });
  #unread = h('span', { class: 'sr' }, 'Unread. ');
  #time = h('time', { class: 'time' });
  #title = h('h4', { class: 'title', part: 'title', dir: 'auto' });
  #message = h('p', { class: 'message', part: 'message', dir: 'auto' });
  #more = h('button', { class: 'more', type: 'button', hidden: true, onclick: (/** @type {Event} */ event) => {
    event.stopPropagation();
    this.#toggleMore();
  } });
  #extras = h('div', { class: 'extras' });
  #toggleRead;
  #toggleArchived;
  #body;

  /**
   * @param {Api.Notification} notification
   * @param {(action: CardAction, card: Card) => void} onAction
   */
  constructor(notification, onAction) {
    this.notification = notification;
    this.#onAction = onAction;
    this.#toggleRead = this.#button('toggle-read');
    this.#toggleArchived = this.#button('toggle-archived');
    const remove = this.#button('delete');
    label(remove, 'delete', 'Delete');
    // Where nothing can hover, the actions are behind a button.
    const menu = h('button', { class: 'icon menu', type: 'button', 'aria-expanded': 'false', onclick: this.#toggleActions });
    label(menu, 'menu', 'Actions');
    this.#body = h('div', { class: 'body' },
      h('p', { class: 'head' }, this.#unread, this.#sender, this.#time),
      this.#title, this.#message, this.#more, this.#extras);
    this.article = h('article', { class: 'card', part: 'card', tabindex: -1, onclick: this.#clicked },
      h('span', { class: 'dot', 'aria-hidden': 'true' }),
      h('span', { class: 'avatar', part: 'avatar', 'aria-hidden': 'true' }),
      this.#body, menu,
      h('div', { class: 'actions', part: 'actions' }, this.#toggleRead, this.#toggleArchived, remove));
    this.node = h('li', {}, this.article);
    this.#fill(notification);
  }

  /** @param {Api.Notification} notification As it is now. */
  update(notification) {
    // What was sent never changes; only what became of it.
    this.notification = notification;
    const isNew = isUnread(notification);
    this.article.classList.toggle('unread', isNew);
    this.#unread.hidden = !isNew;
    const { read_at, archived_at } = notification;
    label(this.#toggleRead, read_at ? 'unread' : 'read', read_at ? 'Mark as unread' : 'Mark as read');
    label(this.#toggleArchived, archived_at ? 'unarchive' : 'archive', archived_at ? 'Move to inbox' : 'Archive');
  }

  /** @param {Date} now */
  tick(now) {
    setText(this.#time, timeLabel(new Date(this.notification.created_at), now));
  }

  /** Whether there is more than shows depends on the width. */
  measure() {
    if (this.article.classList.contains('expanded')) return;
    this.#more.hidden = this.#message.scrollHeight <= this.#message.clientHeight + 1;
  }

  open() {
    if (!this.#more.hidden && !this.article.classList.contains('expanded')) this.#toggleMore();
    const link = this.article.querySelector('a');
    // Its own click says that it was opened.
    if (link) link.click();
    else this.#onAction('open', this);
  }

  /** @param {Api.Notification} notification */
  #fill(notification) {
    const { from, created_at, title, message, url, tags, priority } = notification;
    const name = from.name || from.id || 'Unknown sender';
    setText(this.#sender, name);
    setText(/** @type {Element} */ (this.article.querySelector('.avatar')), initial(name));
    const date = new Date(created_at);
    this.#time.dateTime = created_at;
    this.#time.title = fullLabel(date);
    if (title) setText(this.#title, title);
    else this.#title.remove();
    setText(this.#message, message);
    setText(this.#more, 'Show more');
    this.#more.setAttribute('aria-expanded', 'false');
    this.article.setAttribute('aria-label', title ? `${name}: ${title}` : name);
    setChildren(this.#extras, [
      ...(PRIORITIES[priority] ? [h('span', { class: `priority p${priority}` }, PRIORITIES[priority])] : []),
      ...(url ? [this.#link(url)] : []),
      ...(tags.length > 0 ? [h('ul', { class: 'tags', 'aria-label': 'Tags' }, ...tags.map((tag) => h('li', { part: 'tag' }, tag)))] : []),
    ]);
    if (!this.#extras.hasChildNodes()) this.#extras.remove();
    this.update(notification);
    this.tick(new Date());
  }

  /** @param {string} url */
  #link(url) {
    if (!leadsSomewhereSafe(url)) return h('span', { class: 'url' }, url);
    return h('a', {
      class: 'url', part: 'link', href: url, target: '_blank', rel: 'noopener noreferrer', title: url,
      onclick: (/** @type {Event} */ event) => {
        event.stopPropagation();
        this.#onAction('open', this);
      },
    }, icon('link'), h('span', {}, url.replace(/^https?:\/\/(www\.)?/i, '').replace(/\/$/, '') || url));
  }

  /** @param {CardAction} action */
  #button(action) {
    return h('button', {
      class: 'icon', type: 'button', part: 'action',
      onclick: (/** @type {Event} */ event) => {
        event.stopPropagation();
        this.#onAction(action, this);
      },
    });
  }

  #clicked = () => {
    // Whoever marks text wants to copy it.
    if (document.getSelection()?.isCollapsed !== false) this.#onAction('open', this);
  };

  #toggleActions = (/** @type {MouseEvent} */ event) => {
    event.stopPropagation();
    const isActing = this.article.classList.toggle('acting');
    /** @type {Element} */ (event.currentTarget).setAttribute('aria-expanded', String(isActing));
  };

  #toggleMore() {
    const isExpanded = this.article.classList.toggle('expanded');
    this.#more.setAttribute('aria-expanded', String(isExpanded));
    setText(this.#more, isExpanded ? 'Show less' : 'Show more');
  }
}

/**
 * @param {HTMLButtonElement} button
 * @param {IconName} name
 * @param {string} text
 */
function label(button, name, text) {
  if (button.title === text) return;
  button.title = text;
  button.setAttribute('aria-label', text);
  button.replaceChildren(icon(name));
}

/** @param {string} name */
function initial(name) {
  return (/[\p{L}\p{N}]/u.exec(name)?.[0] ?? '?').toUpperCase();
}

/**
 * The service refuses other links; a record that somebody else wrote may have them. Browsers take
 * `//host` and `/\host` for another site, and skip white space.
 *
 * @param {string} url
 */
export function leadsSomewhereSafe(url) {
  if (/[\s\\]/.test(url)) return false;
  return /^https?:\/\/[^/]/i.test(url) || /^\/(?!\/)/.test(url);
}
