// The inboxes behind the stand-in for the service: a log of one partition, folded the plain way.
import { randomUUID } from 'node:crypto';
import { positionOf } from './positions.js';

const ALL = Number.MAX_SAFE_INTEGER;

export class Ledger {
  topic = crypto.getRandomValues(new Uint8Array(16));
  nextOffset = 0;
  /** Changes below it are forgotten: who streams from there gets a gap. */
  changesFrom = 0;
  #users = new Map();
  #watchers = new Set();

  user(id) {
    if (!this.#users.has(id)) this.#users.set(id, { items: [], changes: [], seenTo: 0 });
    return this.#users.get(id);
  }

  position(nextOffset = this.nextOffset) {
    return positionOf(nextOffset, { topic: this.topic });
  }

  /** The offset that a position names; null: it is of another log. */
  offsetOf(position) {
    const bytes = Buffer.from(position, 'base64url');
    if (bytes.length !== 33 || !bytes.subarray(1, 17).equals(Buffer.from(this.topic))) return null;
    return Number(bytes.readBigInt64BE(21));
  }

  /** Records of other users of the partition. */
  skip(count = 1) {
    this.nextOffset += count;
  }

  send(to, fields = {}) {
    const offset = this.nextOffset++;
    const notification = {
      id: fields.id ?? randomUUID(),
      from: { id: '2', name: 'Bruno' },
      to: { id: to, name: 'Emma' },
      message: `message ${offset}`,
      title: null, url: null, tags: [], priority: 3, data: null,
      created_at: new Date().toISOString(), expires_at: null,
      read_at: null, archived_at: null,
      ...fields,
      position: this.position(offset + 1),
    };
    this.user(to).items.push({ offset, notification });
    this.#tell(to, { type: 'notification', offset, data: notification });
    return notification;
  }

  act(userId, action, { ids, before }) {
    const user = this.user(userId);
    const offset = this.nextOffset++;
    const below = ids ? ALL : Math.min(offset, before === undefined ? ALL : this.offsetOf(before));
    if (action === 'seen') {
      user.seenTo = Math.max(user.seenTo, below);
      return this.#tell(userId, null);
    }
    const at = new Date().toISOString();
    const [field, value] = {
      read: ['read_at', at], unread: ['read_at', null],
      archive: ['archived_at', at], unarchive: ['archived_at', null],
      delete: ['deleted', true],
    }[action];
    const isSelected = (item) => (ids ? ids.includes(item.notification.id) : item.offset < below);
    if (field === 'deleted') {
      user.items = user.items.filter((item) => !isSelected(item));
    } else {
      for (const item of user.items.filter(isSelected)) {
        item.notification = { ...item.notification, [field]: value && (item.notification[field] ?? value) };
      }
    }
    const data = { ...(ids ? { ids } : { before: this.position(below) }), [field]: value };
    if (field === 'deleted') data.reason = 'user';
    user.changes.push({ type: 'changed', offset, data });
    this.#tell(userId, user.changes.at(-1));
  }

  counts(userId) {
    const { items, seenTo } = this.user(userId);
    const isUnread = ({ notification: { read_at, archived_at } }) => !read_at && !archived_at;
    return {
      unread_count: items.filter(isUnread).length,
      unseen_count: items.filter(({ offset }) => offset >= seenTo).length,
      total_count: items.length,
      position: this.position(),
    };
  }

  page(userId, { status = 'inbox', tag, from, since, until, limit = 20, cursor }) {
    const below = cursor === undefined ? ALL : Number(cursor);
    const isWanted = ({ offset, notification: { read_at, archived_at, tags, from: sender, created_at } }) =>
      offset < below &&
      { inbox: !archived_at, unread: !archived_at && !read_at, read: !archived_at && !!read_at,
        archived: !!archived_at, all: true }[status] &&
      (!tag || tags.includes(tag)) && (!from || sender.id === from) &&
      (!since || created_at >= since) && (!until || created_at < until);
    const found = this.user(userId).items.filter(isWanted).reverse();
    const { total_count: _, ...counts } = this.counts(userId);
    const shown = found.slice(0, Number(limit));
    const next_cursor = found.length > shown.length ? String(shown.at(-1).offset) : null;
    return { notifications: shown.map((item) => item.notification), ...counts, next_cursor };
  }

  one(userId, id) {
    return this.user(userId).items.find((item) => item.notification.id === id)?.notification;
  }

  /** What a stream from a position begins with, as events; `first` null: only what is new. */
  replay(userId, first) {
    if (first === null) return [];
    const { items, changes } = this.user(userId);
    const sent = items.map(({ offset, notification }) => ({ type: 'notification', offset, data: notification }));
    return [...sent, ...changes].filter(({ offset }) => offset >= first).sort((a, b) => a.offset - b.offset);
  }

  watch(userId, tell) {
    const watcher = { userId, tell };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #tell(userId, event) {
    for (const watcher of this.#watchers) if (watcher.userId === userId) watcher.tell(event);
  }
}
