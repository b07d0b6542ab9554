/**
 * The list on the screen: days, cards, and where one looks. What is being read is never moved:
 * arrivals wait until they can be shown without that, and what changes above is made up for by
 * scrolling.
 */
import { Card } from './card.js';
import { h, setChildren, setText } from './dom.js';
import { comparePositions } from './position.js';
import { dayLabel } from './time.js';

/** @import * as Api from '../client.js' */
/** @import { CardAction } from './card.js' */

/** So far may one have scrolled and still see arrivals come in. */
const TOP_PX = 40;

export class ListView {
  node = h('div', { class: 'days', part: 'list' });
  /** How many arrivals wait. */
  held = 0;
  /** @type {Map<string, Card>} */
  #cards = new Map();
  /** @type {Map<string, {node: HTMLElement, heading: HTMLElement, list: HTMLElement}>} */
  #days = new Map();
  /** @type {readonly Api.Notification[]} */
  #notifications = [];
  /** The newest that is not held back. @type {Api.Position | null} */
  #newest = null;
  #onAction;
  #resized = new ResizeObserver(() => this.#measure(this.#cards.values()));

  /** @param {(action: CardAction, card: Card) => void} onAction */
  constructor(onAction) {
    this.#onAction = onAction;
    this.#resized.observe(this.node);
  }

  /** Another list: nothing of it is being read. */
  reset() {
    this.#newest = null;
  }

  /** @param {readonly Api.Notification[]} notifications Newest first. */
  update(notifications) {
    this.#notifications = notifications;
    const isRead = this.#newest !== null && (!this.isAtTop || this.#hasFocus);
    if (isRead) this.#keepingPlace(() => this.#render());
    else this.showAll();
  }

  /** Shows what was held back, too. */
  showAll() {
    this.#newest = this.#notifications[0]?.position ?? null;
    this.#render();
  }

  /** The same, for somebody who came back to the top and goes on reading. */
  showAllAbove() {
    this.#keepingPlace(() => this.showAll());
  }

  get isAtTop() {
    return this.node.getBoundingClientRect().top >= viewTop(this.scroller) - TOP_PX;
  }

  scrollToTop() {
    const { scroller } = this;
    const above = this.node.getBoundingClientRect().top - viewTop(scroller);
    if (above < 0) scroller.scrollTop += above - TOP_PX - 16;
  }

  stop() {
    this.#resized.disconnect();
  }

  /** For whom the window is what scrolls, that is null. */
  get scrollRoot() {
    const { scroller } = this;
    return scroller === document.scrollingElement ? null : scroller;
  }

  /** What scrolls. */
  get scroller() {
    for (let node = parentOf(this.node); node instanceof Element; node = parentOf(node)) {
      if (/auto|scroll/.test(getComputedStyle(node).overflowY) && node !== document.body) return node;
    }
    return document.scrollingElement ?? document.documentElement;
  }

  /** Times pass, and days. */
  tick() {
    this.#render();
  }

  /** The card that has the focus, or something in it. */
  get current() {
    const active = /** @type {ShadowRoot} */ (this.node.getRootNode()).activeElement;
    return this.#shown.find(({ article }) => article.contains(active)) ?? null;
  }

  /** @param {number} step 1 is down. */
  move(step) {
    const shown = this.#shown;
    const at = this.current ? shown.indexOf(this.current) : -1;
    const next = shown[at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + step))];
    if (next) focus(next);
  }

  get #hasFocus() {
    return this.current !== null;
  }

  /** In the order of the screen. */
  get #shown() {
    return [...this.#cards.values()];
  }

  #render() {
    const shown = this.#withoutHeld();
    const next = this.#focusAfter(shown);
    const fresh = this.#updateCards(shown);
    const now = new Date();
    const days = this.#daysOf(shown, now);
    setChildren(this.node, days.map(({ day }) => day.node));
    for (const { day, cards } of days) {
      setChildren(day.list, cards.map(({ node }) => node));
      for (const card of cards) card.tick(now);
    }
    this.#measure(fresh);
    this.#setTabStop(shown);
    if (next) focus(next);
  }

  #withoutHeld() {
    this.held = this.#newest === null ? 0 : countNewer(this.#notifications, this.#newest);
    return this.#notifications.slice(this.held);
  }

  /**
   * Where the focus goes if its card is about to go: to the one below, or above.
   *
   * @param {readonly Api.Notification[]} shown
   */
  #focusAfter(shown) {
    const { current } = this;
    const ids = new Set(shown.map(({ id }) => id));
    if (!current || ids.has(current.notification.id)) return null;
    const before = this.#shown;
    const at = before.indexOf(current);
    const stays = (/** @type {Card} */ { notification }) => ids.has(notification.id);
    return before.slice(at).find(stays) ?? before.slice(0, at).findLast(stays) ?? null;
  }

  /**
   * @param {readonly Api.Notification[]} shown
   * @returns {Card[]} Those that were not there before.
   */
  #updateCards(shown) {
    const fresh = [];
    const before = this.#cards;
    this.#cards = new Map();
    for (const notification of shown) {
      let card = before.get(notification.id);
      if (card) {
        if (card.notification !== notification) card.update(notification);
      } else {
        card = new Card(notification, this.#onAction);
        fresh.push(card);
      }
      this.#cards.set(notification.id, card);
    }
    return fresh;
  }

  /**
   * The log's order is the list's; where the days go back and forth in it, so do their headings.
   *
   * @param {readonly Api.Notification[]} shown
   * @param {Date} now
   */
  #daysOf(shown, now) {
    /** @type {{label: string, day: {node: HTMLElement, list: HTMLElement}, cards: Card[]}[]} */
    const days = [];
    /** @type {Map<string, number>} */
    const times = new Map();
    for (const { id, created_at } of shown) {
      const card = /** @type {Card} */ (this.#cards.get(id));
      const label = dayLabel(new Date(created_at), now);
      if (days.at(-1)?.label !== label) {
        const time = times.get(label) ?? 0;
        times.set(label, time + 1);
        days.push({ label, day: this.#day(label, `${label} ${time}`), cards: [] });
      }
      days.at(-1)?.cards.push(card);
    }
    return days;
  }

  /**
   * @param {string} label
   * @param {string} key
   */
  #day(label, key) {
    let day = this.#days.get(key);
    if (!day) {
      const heading = h('h3', { class: 'day', part: 'day' });
      const list = h('ul', { class: 'cards', role: 'list' });
      day = { node: h('section', {}, heading, list), heading, list };
      this.#days.set(key, day);
    }
    setText(day.heading, label);
    return day;
  }

  /** @param {Iterable<Card>} cards */
  #measure(cards) {
    for (const card of cards) card.measure();
  }

  /**
   * The list is one stop of the tab key: the card that had the focus last, or the first.
   *
   * @param {readonly Api.Notification[]} shown
   */
  #setTabStop(shown) {
    const cards = shown.map(({ id }) => /** @type {Card} */ (this.#cards.get(id)));
    if (cards.some(({ article }) => article.tabIndex === 0)) return;
    if (cards[0]) cards[0].article.tabIndex = 0;
  }

  /** @param {() => void} change */
  #keepingPlace(change) {
    const { scroller } = this;
    const top = viewTop(scroller);
    const seen = this.#shown.filter(({ article }) => article.getBoundingClientRect().bottom > top)
      .map((card) => ({ card, y: card.article.getBoundingClientRect().top }));
    change();
    const anchor = seen.find(({ card }) => card.article.isConnected);
    if (anchor) scroller.scrollTop += anchor.card.article.getBoundingClientRect().top - anchor.y;
  }
}

/**
 * @param {readonly Api.Notification[]} notifications Newest first.
 * @param {Api.Position} position
 */
export function countNewer(notifications, position) {
  const first = notifications.findIndex((one) => comparePositions(one.position, position) !== 1);
  return first < 0 ? notifications.length : first;
}

/** @param {Card} card */
function focus({ article }) {
  for (const other of article.closest('.days')?.querySelectorAll('article') ?? []) other.tabIndex = -1;
  article.tabIndex = 0;
  article.focus();
}

/** @param {Element} scroller */
function viewTop(scroller) {
  return scroller === document.scrollingElement ? 0 : scroller.getBoundingClientRect().top;
}

/**
 * @param {Node} node
 * @returns {Node | null}
 */
function parentOf(node) {
  const parent = /** @type {Element} */ (node).assignedSlot ?? node.parentNode;
  return parent instanceof ShadowRoot ? parent.host : parent;
}
