import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameChange, patchOf } from '../client/changes.js';
import { FoldedList } from '../client/folded-list.js';
import { Ledger } from './support/ledger.js';
import { randomOf } from './support/time.js';

const USER = '1';
const FILTERS = [
  {}, { status: 'unread' }, { status: 'read' }, { status: 'archived' }, { status: 'all' },
  { tag: 'a' }, { status: 'unread', from: '2' },
  { since: new Date(4_000).toISOString(), until: new Date(9_000).toISOString() },
];

/** A list beside the inbox it follows, with the events that are still on their way to it. */
class Scene {
  ledger = new Ledger();
  wire = [];
  clock = 0;

  constructor(filter, random) {
    Object.assign(this, { filter, random });
    this.ledger.watch(USER, (event) => event && this.wire.push(event));
  }

  step() {
    const { random, ledger } = this;
    const items = ledger.user(USER).items;
    const some = () => [...new Set(Array.from({ length: 1 + random(3) }, () => random(items.length || 1)))]
      .map((i) => items[i]?.notification.id).filter(Boolean);
    ledger.skip(random(2));
    const what = random(10);
    if (what < 4) {
      const created_at = new Date((this.clock += 500)).toISOString();
      const from = { id: String(2 + random(2)), name: '' };
      return ledger.send(USER, { created_at, from, tags: random(2) ? ['a'] : [] });
    }
    const action = ['read', 'unread', 'archive', 'unarchive', 'delete'][random(what < 9 ? 5 : 4)];
    const ids = some();
    if (what < 9) return ids.length > 0 && ledger.act(USER, action, { ids });
    ledger.act(USER, action, { before: ledger.position(random(ledger.nextOffset + 1)) });
  }

  load() {
    this.list = new FoldedList(this.filter);
    this.list.fill([this.page()]);
  }

  /** Of now, so it may be ahead of the events. */
  page(cursor) {
    return this.ledger.page(USER, { ...this.filter, limit: 3, cursor });
  }

  loadMore() {
    if (this.list.nextCursor) this.list.append(this.page(this.list.nextCursor));
  }

  deliver() {
    const { type, offset, data } = this.wire.shift();
    const event = { type, id: this.ledger.position(offset + 1), data };
    if (!this.list.isNew(event)) return;
    const missing = this.list.missing(event);
    if (missing?.reload) return this.load();
    for (const id of missing?.ids ?? []) {
      const found = this.ledger.one(USER, id);
      if (found) this.list.put(found, event.id);
    }
    this.list.apply(event);
  }

  /** The stream is cut and resumes: what is told again is as it is by now. */
  reconnect() {
    this.wire = this.ledger.replay(USER, this.ledger.offsetOf(this.list.position));
  }

  settle() {
    while (this.wire.length > 0) this.deliver();
  }

  check(seed) {
    const { notifications } = this.list.view([]);
    const all = this.ledger.page(USER, { ...this.filter, limit: 1e6 }).notifications;
    const expected = this.list.nextCursor ? all.slice(0, notifications.length) : all;
    assert.deepEqual(notifications, expected, `seed ${seed}, filter ${JSON.stringify(this.filter)}`);
  }
}

test('a list is what the inbox is, whatever happened and however it was told', () => {
  for (let seed = 0; seed < 800; seed++) {
    const random = randomOf(seed);
    const scene = new Scene(FILTERS[seed % FILTERS.length], random);
    for (let i = random(15); i > 0; i--) scene.step();
    scene.wire = [];
    scene.load();
    for (let i = 0; i < 60; i++) {
      const what = random(12);
      if (what < 5) scene.step();
      else if (what < 9) scene.wire.length > 0 && scene.deliver();
      else if (what === 9) scene.loadMore();
      else if (what === 10) scene.reconnect();
      else if (scene.wire.length === 0) scene.check(seed);
    }
    scene.settle();
    scene.check(seed);
    while (scene.list.nextCursor) scene.loadMore();
    scene.check(seed);
  }
});

test('an event that was applied changes nothing a second time', () => {
  for (let seed = 0; seed < 100; seed++) {
    const scene = new Scene({}, randomOf(seed));
    scene.step();
    scene.load();
    for (let i = 0; i < 20; i++) scene.step();
    const events = scene.wire.flatMap((event) => [event, event]);
    scene.wire = [...events, ...events];
    scene.settle();
    scene.check(seed);
  }
});

test('a page that is ahead of the events is not set back by them', () => {
  const ledger = new Ledger();
  const ids = Array.from({ length: 4 }, () => ledger.send(USER).id);
  const list = new FoldedList({});
  const first = ledger.page(USER, { limit: 2 });
  list.fill([first]);
  ledger.act(USER, 'read', { ids: [ids[0]] });
  ledger.act(USER, 'unread', { ids: [ids[0]] });
  ledger.send(USER, { id: 'new' });
  ledger.act(USER, 'read', { ids: ['new'] });
  list.append(ledger.page(USER, { cursor: first.next_cursor }));
  list.put(ledger.one(USER, 'new'), ledger.position());
  const wanted = list.view([]).notifications;
  for (const { type, offset, data } of ledger.replay(USER, ledger.offsetOf(list.position))) {
    const before = type === 'notification' ? { ...data, read_at: null } : data;
    list.apply({ type, id: ledger.position(offset + 1), data: before });
    assert.deepEqual(list.view([]).notifications, wanted);
  }
});

test('what is read or archived already stays so since then', () => {
  const { ledger, list, tell } = sceneOf(1);
  const [{ id }] = list.view([]).notifications;
  tell('changed', { ids: [id], read_at: '2026-01-01T00:00:00.000Z' });
  tell('changed', { ids: [id], read_at: '2026-02-02T00:00:00.000Z' });
  assert.equal(list.view([]).notifications[0].read_at, '2026-01-01T00:00:00.000Z');
  tell('changed', { ids: [id], read_at: null });
  tell('changed', { before: ledger.position(), read_at: '2026-03-03T00:00:00.000Z' });
  assert.equal(list.view([]).notifications[0].read_at, '2026-03-03T00:00:00.000Z');
});

test('before reaches what lies up to it, and nothing behind it', () => {
  const { list, tell } = sceneOf(5);
  const third = list.view([]).notifications[2];
  tell('changed', { before: third.position, deleted: true, reason: 'user' });
  assert.equal(list.view([]).notifications.length, 2);
});

test('what retention has cut is gone, also where the list is there already', () => {
  const { list } = sceneOf(5);
  const { position } = list;
  const third = list.view([]).notifications[2];
  const event = { type: 'changed', id: position, data: { before: third.position, deleted: true, reason: 'retention' } };
  assert.equal(list.isNew(event), true);
  list.apply(event);
  assert.equal(list.view([]).notifications.length, 2);
  assert.equal(list.position, position);
});

test('commands show at once, with their counts, and leave no trace when they are taken back', () => {
  const { list } = sceneOf(5);
  const ids = list.view([]).notifications.map(({ id }) => id);
  const at = new Date().toISOString();
  const shown = (changes) => {
    const { notifications, unreadCount } = list.view(changes.map(patchOf));
    return [notifications.length, unreadCount];
  };
  const third = list.view([]).notifications[2].position;
  assert.deepEqual(shown([{ ids: ids.slice(0, 2), read_at: at }]), [5, 3]);
  assert.deepEqual(shown([{ ids: ids.slice(0, 2), archived_at: at }, { ids: [ids[0]], deleted: true }]), [3, 3]);
  assert.deepEqual(shown([{ ids: [ids[0]], read_at: at }, { ids: [ids[0]], read_at: null }]), [5, 5]);
  assert.deepEqual(shown([{ before: third, read_at: at }]), [5, 2]);
  assert.deepEqual(shown([]), [5, 5]);
});

test('an event of another log asks for the list to be read again', () => {
  const { list } = sceneOf(1);
  const other = new Ledger();
  const data = other.send(USER);
  const event = { type: 'notification', id: data.position, data };
  assert.equal(list.isNew(event), true);
  assert.deepEqual(list.missing(event), { reload: true });
});

test('changes are the same where they do the same to the same', () => {
  const at = '2026-01-01T00:00:00.000Z';
  for (const [a, b, same] of [
    [{ ids: ['1', '2'], read_at: at }, { ids: ['2', '1'], read_at: '2027-01-01T00:00:00.000Z' }, true],
    [{ ids: ['1'], read_at: at }, { ids: ['1'], read_at: null }, false],
    [{ ids: ['1'], read_at: at }, { ids: ['1'], archived_at: at }, false],
    [{ ids: ['1'], read_at: at }, { ids: ['1', '2'], read_at: at }, false],
    [{ ids: ['1'], deleted: true }, { ids: ['1'], deleted: true, reason: 'user' }, true],
    [{ before: 'p', read_at: at }, { before: 'p', read_at: at }, true],
    [{ before: 'p', read_at: at }, { before: 'q', read_at: at }, false],
  ]) {
    assert.equal(isSameChange(a, b), same, JSON.stringify([a, b]));
  }
});

/** A list of so many unread notifications, and a way to tell it what happened next. */
function sceneOf(count) {
  const ledger = new Ledger();
  for (let i = 0; i < count; i++) ledger.send(USER);
  const list = new FoldedList({});
  list.fill([ledger.page(USER, {})]);
  const tell = (type, data) => {
    ledger.skip();
    list.apply({ type, id: ledger.position(), data });
  };
  return { ledger, list, tell };
}
