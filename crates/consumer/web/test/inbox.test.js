import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Inbox, NotifyClient } from '../client.js';
import { Service } from './support/service.js';
import { eventually, randomOf } from './support/time.js';

const USER = '1';
let service;
let inboxes = [];

beforeEach(async () => {
  service = await Service.start();
});

afterEach(async () => {
  for (const inbox of inboxes.splice(0)) inbox.stop();
  await service.stop();
});

function open(options) {
  const inbox = new Inbox(new NotifyClient({ baseUrl: service.url, userId: USER }), options);
  inboxes.push(inbox);
  inbox.start();
  return inbox;
}

async function opened(options) {
  const inbox = open(options);
  await eventually(() => !inbox.snapshot.isLoading && inbox.snapshot.connection.state === 'live');
  return inbox;
}

const idsOf = (inbox) => inbox.snapshot.notifications.map(({ id }) => id);
const send = (count = 1) => Array.from({ length: count }, () => service.ledger.send(USER).id);

/** The list is what the service has, and the counts are. */
function isCurrent(inbox) {
  const page = service.ledger.page(USER, { ...inbox.filter, limit: 1e6 });
  const { notifications, unreadCount, unseenCount } = inbox.snapshot;
  assert.deepEqual(notifications, page.notifications.slice(0, notifications.length));
  assert.equal(inbox.snapshot.hasMore, notifications.length < page.notifications.length);
  assert.deepEqual([unreadCount, unseenCount], [page.unread_count, page.unseen_count]);
  return true;
}

test('begins with a page and goes on with the stream', async () => {
  send(3);
  const inbox = await opened();
  assert.equal(inbox.snapshot.unreadCount, 3);
  send(2);
  await eventually(() => inbox.snapshot.notifications.length === 5 && isCurrent(inbox));
});

test('what arrives between the page and the stream is there, once', async () => {
  send(3);
  service.fail({ on: /stream/, status: 503, times: 2 });
  const inbox = open();
  await eventually(() => inbox.snapshot.notifications.length === 3);
  send(2);
  await eventually(() => inbox.snapshot.notifications.length === 5 && isCurrent(inbox));
});

test('pages on, without what it has already, while more arrives', async () => {
  send(25);
  const inbox = await opened({ pageSize: 10 });
  assert.equal(inbox.snapshot.hasMore, true);
  send(3);
  await inbox.loadMore();
  await eventually(() => inbox.snapshot.notifications.length === 23);
  await Promise.all([inbox.loadMore(), inbox.loadMore()]);
  await eventually(() => inbox.snapshot.notifications.length === 28 && isCurrent(inbox));
  assert.equal(inbox.snapshot.hasMore, false);
});

test('commands show before they are answered, and stay', async () => {
  const [id] = send(2);
  const inbox = await opened();
  service.fail({ on: /actions/, delayMs: 50 });
  const answer = inbox.read(id);
  assert.equal(inbox.snapshot.unreadCount, 1);
  assert.ok(inbox.snapshot.notifications[1].read_at);
  await answer;
  await eventually(() => isCurrent(inbox));
});

test('no snapshot jumps back while a command goes its way', async () => {
  const [id] = send(3);
  const inbox = await opened();
  service.countsDelayMs = 20;
  const counts = [];
  inbox.subscribe(({ unreadCount }) => counts.push(unreadCount));
  await inbox.read(id);
  await eventually(() => isCurrent(inbox));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual([...new Set(counts)], [3, 2]);
  assert.deepEqual(counts, counts.toSorted((a, b) => b - a));
});

test('a command that fails is taken back, and its error is told', async () => {
  const [id] = send(2);
  const inbox = await opened();
  service.fail({ on: /actions/, status: 500, code: 'internal' });
  await assert.rejects(inbox.archive(id), { code: 'internal' });
  assert.equal(inbox.snapshot.notifications.length, 2);
  assert.ok(isCurrent(inbox));
});

test('commands reach the service in their order', async () => {
  const [id] = send();
  const inbox = await opened();
  service.fail({ on: /actions/, delayMs: 40 });
  await Promise.all([inbox.read(id), inbox.unread(id), inbox.read(id), inbox.unread(id)]);
  assert.equal(service.ledger.one(USER, id).read_at, null);
  await eventually(() => isCurrent(inbox));
});

test('all read means all that is in the list, and not what has just arrived', async () => {
  send(3);
  const inbox = await opened();
  const { position } = inbox;
  send();
  await inbox.read({ before: position });
  assert.equal(service.ledger.counts(USER).unread_count, 1);
  await eventually(() => inbox.snapshot.unreadCount === 1 && isCurrent(inbox));
});

test('a delete can be undone for a while', async () => {
  const [id] = send(2);
  const inbox = await opened();
  const undone = inbox.delete(id);
  assert.equal(inbox.snapshot.notifications.length, 1);
  assert.equal(undone.undo(), true);
  assert.equal(await undone.done, false);
  assert.equal(inbox.snapshot.notifications.length, 2);
  const done = inbox.delete(id, { undoMs: 10 });
  assert.equal(await done.done, true);
  assert.equal(done.undo(), false);
  await eventually(() => !service.ledger.one(USER, id) && isCurrent(inbox));
});

test('a delete that waits is sent when the inbox is closed', async () => {
  const [id] = send();
  const inbox = await opened();
  const { done } = inbox.delete(id, { undoMs: 60_000 });
  inbox.stop();
  await done;
  assert.equal(service.ledger.one(USER, id), undefined);
});

test('a gap reads the list again and goes on behind it', async () => {
  send(3);
  const inbox = await opened();
  service.cut();
  const ids = send(2);
  service.ledger.act(USER, 'read', { ids });
  service.ledger.changesFrom = service.ledger.nextOffset;
  await eventually(() => inbox.snapshot.notifications.length === 5 && isCurrent(inbox));
  send();
  await eventually(() => inbox.snapshot.notifications.length === 6 && isCurrent(inbox));
});

test('another life of the topic is another list', async () => {
  send(3);
  const inbox = await opened();
  service.reset();
  service.ledger.skip(100);
  send(2);
  await eventually(() => inbox.snapshot.notifications.length === 2 && isCurrent(inbox));
  send();
  await eventually(() => inbox.snapshot.notifications.length === 3 && isCurrent(inbox));
});

test('a log that lost its end is another list, too', async () => {
  send(3);
  const inbox = await opened();
  service.ledger.user(USER).items.pop();
  service.ledger.nextOffset -= 1;
  service.write(`id: ${service.ledger.position(0)}\nevent: gap\ndata: {"reason":"reset"}\n\n`);
  await eventually(() => inbox.snapshot.notifications.length === 2);
  send();
  await eventually(() => inbox.snapshot.notifications.length === 3 && isCurrent(inbox));
});

test('a filtered list takes in what comes to belong into it', async () => {
  const ids = send(4);
  service.ledger.act(USER, 'archive', { ids: ids.slice(0, 2) });
  const inbox = await opened();
  service.ledger.act(USER, 'unarchive', { ids: [ids[0]] });
  await eventually(() => idsOf(inbox).includes(ids[0]) && isCurrent(inbox));
  service.ledger.act(USER, 'unarchive', { before: service.ledger.position() });
  await eventually(() => inbox.snapshot.notifications.length === 4 && isCurrent(inbox));
});

test('another filter is another list over the same stream', async () => {
  const ids = send(4);
  const inbox = await opened();
  service.ledger.act(USER, 'archive', { ids: [ids[1]] });
  inbox.setFilter({ status: 'archived' });
  assert.equal(inbox.snapshot.isLoading, true);
  await eventually(() => inbox.snapshot.notifications.length === 1 && isCurrent(inbox));
  service.ledger.act(USER, 'archive', { ids: [ids[2]] });
  await eventually(() => inbox.snapshot.notifications.length === 2 && isCurrent(inbox));
  assert.equal(service.requests.filter((request) => request.includes('stream')).length, 1);
});

test('a service that is away is waited for, and said', async () => {
  send(2);
  service.fail({ on: /notifications/, status: 503, code: 'restoring', times: 4 });
  const inbox = open();
  await eventually(() => inbox.snapshot.connection.state === 'waiting');
  await eventually(() => inbox.snapshot.error?.code === 'restoring');
  await eventually(() => inbox.snapshot.notifications.length === 2);
  assert.equal(inbox.snapshot.error, null);
});

test('an error that waiting does not heal is said at once, and can be tried again', async () => {
  send();
  service.fail({ on: /notifications/, status: 403, code: 'forbidden' });
  const inbox = open();
  await eventually(() => inbox.snapshot.error?.code === 'forbidden');
  await inbox.refresh();
  assert.equal(inbox.snapshot.notifications.length, 1);
  assert.equal(inbox.snapshot.error, null);
});

test('through random troubles the list comes to be what the service has', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = randomOf(seed);
    send(5);
    const filter = [{}, { status: 'unread' }, { status: 'archived' }, { status: 'all' }][seed % 4];
    const inbox = await opened({ filter, pageSize: 4 });
    const commands = [];
    for (let i = 0; i < 40; i++) {
      const ids = service.ledger.user(USER).items.map(({ notification }) => notification.id);
      const id = ids[random(ids.length)];
      const what = random(12);
      const action = ['read', 'unread', 'archive', 'unarchive', 'delete'][random(5)];
      if (what < 4) send(1 + random(3));
      else if (what < 6 && id) service.ledger.act(USER, action, { ids: [id] });
      else if (what < 8 && id) commands.push(inbox[['read', 'unread', 'archive', 'unarchive'][random(4)]](id));
      else if (what === 8) service.cut();
      else if (what === 9) void inbox.loadMore();
      else if (what === 10) service.fail({ on: [/stream/, /notifications$/, /actions/][random(3)], status: 503, times: 1 });
      else if (random(3) === 0) service.ledger.changesFrom = service.ledger.nextOffset;
      if (random(3) === 0) await new Promise((resolve) => setTimeout(resolve, random(20)));
    }
    await Promise.allSettled(commands);
    await eventually(() => !inbox.snapshot.isLoading && isCurrent(inbox), 20_000);
    inbox.stop();
  }
});
