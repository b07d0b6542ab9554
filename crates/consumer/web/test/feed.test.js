import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Inbox, NotifyClient } from '../client.js';
import { EventLog } from '../client/event-log.js';
import { Feed } from '../client/feed.js';
import { FreezableChannel } from './support/channel.js';
import { installLocks } from './support/locks.js';
import { positionOf } from './support/positions.js';
import { Service } from './support/service.js';
import { eventually, randomOf } from './support/time.js';

const USER = '1';
let service;
let tabs = [];
let removeLocks;

before(() => {
  removeLocks = installLocks();
  globalThis.BroadcastChannel = FreezableChannel;
});

after(() => {
  removeLocks();
  globalThis.BroadcastChannel = Object.getPrototypeOf(FreezableChannel);
});

beforeEach(async () => {
  service = await Service.start();
});

afterEach(async () => {
  for (const tab of tabs.splice(0)) tab.close();
  await service.stop();
});

/** A tab that follows from a position on. */
class Tab {
  events = [];
  states = [];

  constructor(position = service.ledger.position()) {
    const client = new NotifyClient({ baseUrl: service.url, userId: USER });
    this.feed = new Feed(client, (event) => this.events.push(event), ({ state }) => this.states.push(state));
    this.feed.join();
    this.channel = FreezableChannel.last;
    if (position) this.feed.follow(position);
    tabs.push(this);
  }

  get ids() {
    return this.events.filter(({ type }) => type === 'notification').map(({ data }) => data.id);
  }

  get isLive() {
    return this.states.at(-1) === 'live';
  }

  close() {
    this.feed.leave();
  }
}

const send = (count = 1) => Array.from({ length: count }, () => service.ledger.send(USER).id);
const streams = () => service.requests.filter((request) => request.includes('stream')).length;
const allHave = (these, ids) => eventually(() => {
  for (const tab of these) assert.deepEqual(tab.ids, ids);
  return true;
});

test('tabs share one stream', async () => {
  const these = [new Tab(), new Tab(), new Tab()];
  await eventually(() => these.every((tab) => tab.isLive));
  const ids = send(5);
  await allHave(these, ids);
  assert.equal(service.streams, 1);
});

test('a tab that joins is told what came since its page', async () => {
  const first = new Tab();
  const position = service.ledger.position();
  await eventually(() => first.isLive);
  const ids = send(3);
  await allHave([first], ids);
  const second = new Tab(position);
  await allHave([second], ids);
  ids.push(...send());
  await allHave([first, second], ids);
  assert.equal(streams(), 1);
});

test('a tab whose page is newer than what the leader has is told nothing twice', async () => {
  const first = new Tab();
  await eventually(() => first.isLive);
  const [id] = send();
  service.ledger.skip(5);
  await allHave([first], [id]);
  const second = new Tab(service.ledger.position());
  await eventually(() => second.isLive);
  const [next] = send();
  await allHave([second], [next]);
});

test('a tab that missed more than is kept is told that there is a gap', async () => {
  const position = service.ledger.position();
  service.ledger.skip(10);
  const first = new Tab();
  await eventually(() => first.isLive);
  const second = new Tab(position);
  const gap = await eventually(() => second.events.find(({ type }) => type === 'gap'));
  assert.equal(gap.data.reason, 'behind');
  const ids = send();
  await allHave([second], ids);
});

test('the next tab takes over, and goes on where it is itself', async () => {
  const [first, second, third] = [new Tab(), new Tab(), new Tab()];
  await eventually(() => third.isLive);
  const ids = send(3);
  await allHave([first, second, third], ids);
  first.close();
  ids.push(...send(3));
  await allHave([second, third], ids);
  second.close();
  ids.push(...send(3));
  await allHave([third], ids);
  assert.equal(streams(), 3);
});

test('a frozen leader loses the stream to a tab that is looked at, and catches up later', async (t) => {
  const [first, second] = [new Tab(), new Tab()];
  await eventually(() => first.isLive && second.isLive);
  first.channel.isFrozen = true;
  const ids = send();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  second.feed.poke();
  t.mock.timers.tick(3_000);
  t.mock.timers.reset();
  ids.push(...send());
  await allHave([second], ids);
  first.channel.thaw();
  await eventually(() => service.streams === 1);
  ids.push(...send());
  await allHave([first, second], ids);
});

test('a tab that was away joins again and has what it missed', async () => {
  const [first, second] = [new Tab(), new Tab()];
  await eventually(() => first.isLive && second.isLive);
  for (const away of [second, first]) {
    away.close();
    const ids = [...first.ids, ...second.ids].filter((id, i, all) => all.indexOf(id) === i);
    ids.push(...send(2));
    await allHave([away === first ? second : first], ids);
    away.feed.join();
    await allHave([first, second], ids);
  }
});

test('what the leader is told of another log, all are', async () => {
  const these = [new Tab(), new Tab()];
  await eventually(() => these.every((tab) => tab.isLive));
  service.reset();
  await eventually(() => these.every((tab) => tab.events.some(({ data }) => data.reason === 'reset')));
  const ids = send(2);
  await allHave(these, ids);
});

test('without locks each tab streams for itself', async () => {
  removeLocks();
  try {
    const these = [new Tab(), new Tab()];
    await eventually(() => these.every((tab) => tab.isLive));
    await allHave(these, send(2));
    assert.equal(service.streams, 2);
  } finally {
    removeLocks = installLocks();
  }
});

test('inboxes of many tabs that open, close and act are all what the service has', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = randomOf(seed);
    const open = () => {
      const inbox = new Inbox(new NotifyClient({ baseUrl: service.url, userId: USER }), { pageSize: 5 });
      inbox.start();
      return inbox;
    };
    const these = [open(), open()];
    const commands = [];
    for (let i = 0; i < 40; i++) {
      const one = random(these.length);
      const id = these[one].snapshot.notifications[0]?.id;
      const what = random(10);
      if (what < 4) send(1 + random(2));
      else if (what < 6 && id) commands.push(these[one][['read', 'unread', 'archive'][random(3)]](id));
      else if (what === 6 && these.length < 4) these.push(open());
      else if (what === 7 && these.length > 1) these.splice(one, 1)[0].stop();
      else if (what === 8) service.cut();
      if (random(2)) await new Promise((resolve) => setTimeout(resolve, random(15)));
    }
    await Promise.allSettled(commands);
    await eventually(() => {
      const page = service.ledger.page(USER, { limit: 1e6 });
      for (const { snapshot } of these) {
        const { notifications, unreadCount } = snapshot;
        assert.equal(snapshot.isLoading, false);
        assert.deepEqual(notifications, page.notifications.slice(0, notifications.length));
        assert.equal(snapshot.hasMore, notifications.length < page.notifications.length);
        assert.equal(unreadCount, page.unread_count, `seed ${seed}`);
      }
      return true;
    }, 20_000);
    assert.equal(service.streams, 1);
    for (const inbox of these) inbox.stop();
    await eventually(() => service.streams === 0);
  }
});

test('a tab begins where it was told that nothing happened up to', async () => {
  const [first, second] = [new Tab(), new Tab()];
  await eventually(() => first.isLive && second.isLive);
  service.ledger.skip(50);
  service.keepAlive();
  await eventually(() => second.events.some(({ type }) => type === 'position'));
  first.close();
  await eventually(() => service.lastEventId === service.ledger.position());
});

test('what retention has cut is told to all, and moves no position back', () => {
  const log = new EventLog(positionOf(9));
  const cut = { type: 'changed', id: positionOf(9), data: { before: positionOf(5), deleted: true, reason: 'retention' } };
  assert.equal(log.add(cut), true);
  assert.equal(log.position, positionOf(9));
  assert.deepEqual(log.since(positionOf(9)), [cut]);
});

test('the log answers with what came since, as long as it has that', () => {
  const log = new EventLog(positionOf(0));
  const event = (n, size = 1) => ({ type: 'notification', id: positionOf(n), data: { message: 'x'.repeat(size) } });
  for (let n = 1; n <= 5; n++) assert.equal(log.add(event(n)), true);
  assert.equal(log.add(event(5)), false);
  assert.equal(log.add(event(2)), false);
  assert.deepEqual(log.since(positionOf(3)), [event(4), event(5)]);
  assert.deepEqual(log.since(positionOf(9)), []);
  log.add(event(6, 1_048_000));
  log.add(event(7, 1_000));
  assert.equal(log.since(positionOf(5))[0].type, 'gap');
  assert.deepEqual(log.since(positionOf(6)), [event(7, 1_000)]);
  for (let n = 8; n <= 600; n++) log.add(event(n));
  assert.equal(log.since(positionOf(99))[0].type, 'gap');
  assert.equal(log.since(positionOf(100)).length, 500);
});
