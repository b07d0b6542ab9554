/** What `<notify-inbox>` shows, and what one can do with it. */
import { h, icon, setText } from './dom.js';
import { ListView, countNewer } from './list-view.js';
import { connectionText, emptyNotice, errorNotice, helpDialog, skeleton } from './notices.js';
import { keep, recall } from './storage.js';
import { Toast } from './toast.js';

/** @import * as Api from '../client.js' */
/** @import { Inbox } from './inbox.js' */
/** @import { Card, CardAction } from './card.js' */

/** @type {[Api.Status, string][]} */
const FILTERS = [['inbox', 'Inbox'], ['unread', 'Unread'], ['archived', 'Archived'], ['all', 'All']];

/** More often, and it costs; less, and "1 min ago" lies. */
const TICK_MS = 20_000;

/** Who opens the list has seen it after this long. */
const SEEN_MS = 800;

const SHORTCUTS = 'kafka-notify:shortcuts';

/** How far below the screen the next page is asked for. */
const AHEAD = '800px';

export class InboxView {
  #inbox;
  #life = new AbortController();
  #toast = new Toast();
  #list = new ListView((action, card) => this.#act(action, card));
  #badge = h('span', { class: 'badge', hidden: true });
  #filters;
  #connection = h('p', { class: 'connection', part: 'connection' }, h('span'));
  #readAll = h('button', { class: 'icon', type: 'button', title: 'Mark all as read', 'aria-label': 'Mark all as read',
    onclick: () => this.#markAllRead() }, icon('checks'));
  #pill = h('button', { class: 'pill', part: 'pill', type: 'button', hidden: true, onclick: () => this.#showHeld() },
    icon('up'), h('span'));
  #announcer = h('p', { class: 'sr', role: 'status', 'aria-live': 'polite' });
  #notice = h('div');
  #tail = h('div', { class: 'tail' });
  // Who speaks to the computer, or often hits a key by mistake, wants them off (WCAG 2.1.4).
  #hasShortcuts = recall(SHORTCUTS) !== 'off';
  #help = helpDialog(this.#hasShortcuts, (areOn) => {
    this.#hasShortcuts = areOn;
    keep(SHORTCUTS, areOn ? 'on' : 'off');
  });
  #unsubscribe = () => {};
  /** @type {Api.Snapshot} */
  #snapshot;
  /** @type {Api.Position | null} */
  #announced = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #seenTimer;
  #noticeKey = '';
  #isCut = false;

  /** @param {Inbox} inbox */
  constructor(inbox) {
    this.#inbox = inbox;
    this.#snapshot = inbox.snapshot;
    this.#filters = FILTERS.map(([status, text]) => h('button', {
      type: 'button', part: 'filter', 'data-status': status, 'aria-pressed': String(status === inbox.filter.status),
      onclick: () => this.#setStatus(status),
    }, text, status === 'unread' && this.#badge));
  }

  get signal() {
    return this.#life.signal;
  }

  get nodes() {
    const help = h('button', { class: 'icon help', type: 'button', title: 'Keyboard shortcuts (?)',
      'aria-label': 'Keyboard shortcuts', onclick: () => this.#help.showModal() }, '?');
    return [
      h('h2', { class: 'sr' }, 'Notifications'),
      h('div', { class: 'toolbar', part: 'toolbar' },
        h('div', { class: 'filters', role: 'group', 'aria-label': 'Show' }, ...this.#filters),
        this.#connection, this.#readAll, help),
      h('div', { class: 'float top' }, this.#pill),
      this.#list.node, this.#notice, this.#tail, this.#toast.node, this.#announcer, this.#help,
    ];
  }

  /** @param {(snapshot: Api.Snapshot) => void} onChange */
  start(onChange) {
    this.#unsubscribe = this.#inbox.subscribe((snapshot) => {
      this.#show(snapshot);
      onChange(snapshot);
    });
    this.#watchTail();
    const { signal } = this;
    const timer = setInterval(() => this.#list.tick(), TICK_MS);
    const countdown = setInterval(() => this.#showConnection(), 1_000);
    signal.addEventListener('abort', () => (clearInterval(timer), clearInterval(countdown)));
    document.addEventListener('scroll', () => this.#scrolled(), { signal, passive: true, capture: true });
    document.addEventListener('visibilitychange', () => this.#look(), { signal });
  }

  stop() {
    this.#life.abort();
    this.#unsubscribe();
    this.#toast.hide();
    this.#list.stop();
    clearTimeout(this.#seenTimer);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const card = this.#list.current;
    if (!this.#hasShortcuts && event.key.length === 1) return;
    const handled = this.#pressed(event.key, card, event.composedPath()[0] === card?.article);
    if (handled) event.preventDefault();
  }

  /**
   * @param {string} key
   * @param {Card | null} card
   * @param {boolean} isOnCard And not on a button or a link of it.
   */
  #pressed(key, card, isOnCard) {
    switch (key) {
      case 'j': return this.#list.move(1), true;
      case 'k': return this.#list.move(-1), true;
      case '?': return this.#help.showModal(), true;
      case 'e': return card && (this.#act('toggle-archived', card), true);
      case 'u': return card && (this.#act('toggle-read', card), true);
      case 'Enter': return card && isOnCard && (card.open(), true);
      case 'Escape': return this.#toast.hide(), card?.article.blur(), false;
      default: return false;
    }
  }

  /** @param {Api.Snapshot} snapshot */
  #show(snapshot) {
    this.#snapshot = snapshot;
    const { notifications, unreadCount } = snapshot;
    this.#list.update(notifications);
    this.#badge.hidden = unreadCount === 0;
    setText(this.#badge, unreadCount > 999 ? '999+' : String(unreadCount));
    this.#badge.setAttribute('aria-label', `${unreadCount} unread`);
    this.#readAll.disabled = unreadCount === 0;
    this.#showPill();
    this.#showNotice();
    this.#showTail();
    this.#showConnection();
    this.#announce(notifications);
    this.#look();
  }

  #showPill() {
    const { held } = this.#list;
    this.#pill.hidden = held === 0;
    setText(/** @type {Element} */ (this.#pill.lastElementChild), `${held} new`);
  }

  #showHeld() {
    this.#list.scrollToTop();
    this.#list.showAll();
    this.#showPill();
    this.#list.move(0);
  }

  #scrolled() {
    if (this.#list.held > 0 && this.#list.isAtTop && !this.#list.current) {
      this.#list.showAllAbove();
      this.#showPill();
    }
    this.#look();
  }

  /** What stands where no list is. */
  #showNotice() {
    const { notifications, isLoading, error, hasMore } = this.#snapshot;
    const status = this.#inbox.filter.status ?? 'inbox';
    const what = notifications.length > 0 ? 'list' : error ? 'error' : isLoading || hasMore ? 'loading' : 'empty';
    const key = `${what} ${status} ${error?.message}`;
    if (key === this.#noticeKey) return;
    this.#noticeKey = key;
    const retry = () => void this.#inbox.refresh();
    this.#notice.replaceChildren(...(
      what === 'error' ? [errorNotice(/** @type {Error} */ (error), retry)]
      : what === 'loading' ? skeleton(6)
      : what === 'empty' ? [emptyNotice(status)] : []));
    this.#notice.ariaBusy = String(what === 'loading');
  }

  #showTail() {
    const { notifications, hasMore, isLoading, error } = this.#snapshot;
    this.#tail.hidden = notifications.length === 0 || !hasMore;
    if (error && !isLoading) {
      const again = h('button', { class: 'button', type: 'button', onclick: () => void this.#inbox.loadMore() }, 'Try again');
      this.#tail.replaceChildren('More could not be loaded.', again);
    } else if (!this.#tail.firstElementChild?.matches('.skeleton')) {
      this.#tail.replaceChildren(...skeleton(1));
    }
  }

  #showConnection() {
    const { connection } = this.#snapshot;
    this.#connection.className = `connection ${connection.state}`;
    setText(/** @type {Element} */ (this.#connection.firstElementChild), connectionText(connection));
    this.#connection.title = connection.reason ?? '';
    const { state } = connection;
    // Said once each: the seconds that count down are only for the eye.
    if (!this.#isCut && (state === 'waiting' || state === 'offline')) setText(this.#announcer, 'Connection lost');
    if (this.#isCut && state === 'live') setText(this.#announcer, 'Connected again');
    this.#isCut = state !== 'live' && (this.#isCut || state !== 'connecting');
  }

  /**
   * Says what has arrived, in few words.
   *
   * @param {readonly Api.Notification[]} notifications
   */
  #announce(notifications) {
    const before = this.#announced;
    this.#announced = this.#inbox.position ?? before;
    const fresh = before === null || this.#snapshot.isLoading ? []
      : notifications.slice(0, countNewer(notifications, before));
    if (fresh.length === 1) {
      const [{ from, title, message }] = fresh;
      setText(this.#announcer, `New notification from ${from.name || 'unknown'}: ${title ?? message.slice(0, 120)}`);
    } else if (fresh.length > 1) {
      setText(this.#announcer, `${fresh.length} new notifications`);
    }
  }

  /** Once the top of the list was on the screen for a moment, the user has seen it. */
  #look() {
    const isSeen = document.visibilityState === 'visible' && this.#list.isAtTop && this.#list.held === 0;
    if (!isSeen || this.#snapshot.unseenCount === 0 || this.#snapshot.isLoading) {
      clearTimeout(this.#seenTimer);
      this.#seenTimer = undefined;
      return;
    }
    this.#seenTimer ??= setTimeout(() => {
      this.#seenTimer = undefined;
      // It is said again with the next change.
      this.#inbox.seen().catch(() => {});
    }, SEEN_MS);
  }

  #watchTail() {
    const observer = new IntersectionObserver(([entry]) => {
      if (entry.isIntersecting && !this.#snapshot.error) void this.#loadMore(observer);
    }, { root: this.#list.scrollRoot, rootMargin: AHEAD });
    observer.observe(this.#tail);
    this.signal.addEventListener('abort', () => observer.disconnect());
  }

  /** @param {IntersectionObserver} observer */
  async #loadMore(observer) {
    await this.#inbox.loadMore();
    // It tells only when something changes: asked anew, it also tells that the tail is still in view.
    observer.unobserve(this.#tail);
    if (!this.signal.aborted) observer.observe(this.#tail);
  }

  /** @param {Api.Status} status */
  #setStatus(status) {
    for (const button of this.#filters) button.ariaPressed = String(button.dataset.status === status);
    this.#announced = null;
    this.#list.reset();
    this.#inbox.setFilter({ ...this.#inbox.filter, status });
    this.#list.scrollToTop();
  }

  #markAllRead() {
    const { position } = this.#inbox;
    if (!position) return;
    const done = this.#try(this.#inbox.read({ before: position }));
    void done.then((isDone) => isDone && this.#toast.show('All marked as read'));
  }

  /**
   * @param {CardAction} action
   * @param {Card} card
   */
  #act(action, { notification: { id, read_at, archived_at } }) {
    const inbox = this.#inbox;
    switch (action) {
      case 'open': return void (read_at || this.#try(inbox.read(id)));
      case 'toggle-read': return void this.#try(read_at ? inbox.unread(id) : inbox.read(id));
      case 'toggle-archived': return this.#toggleArchived(id, !!archived_at);
      case 'delete': return this.#delete(id);
    }
  }

  /**
   * @param {string} id
   * @param {boolean} isArchived
   */
  #toggleArchived(id, isArchived) {
    const inbox = this.#inbox;
    void this.#try(isArchived ? inbox.unarchive(id) : inbox.archive(id));
    this.#toast.show(isArchived ? 'Moved to inbox' : 'Archived', () => {
      void this.#try(isArchived ? inbox.archive(id) : inbox.unarchive(id));
    });
  }

  /** @param {string} id */
  #delete(id) {
    const pending = this.#inbox.delete(id);
    void this.#try(pending.done);
    this.#toast.show('Deleted', () => pending.undo());
  }

  /**
   * @param {Promise<unknown>} command
   * @returns {Promise<boolean>}
   */
  async #try(command) {
    try {
      await command;
      return true;
    } catch (error) {
      this.#toast.show(`That did not work: ${/** @type {Error} */ (error).message}`);
      return false;
    }
  }
}

/** @param {KeyboardEvent} event */
function isTyping(event) {
  const [target] = event.composedPath();
  return target instanceof Element && target.closest('input, textarea, select, dialog, [contenteditable]') !== null;
}
