import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { NotifyClient } from '../client.js';
import { Service } from './support/service.js';
import { eventually } from './support/time.js';

const USER = '1';
let service;
let stops = [];

beforeEach(async () => {
  service = await Service.start();
});

afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await service.stop();
});

function follow(options = {}) {
  const client = new NotifyClient({ baseUrl: service.url, userId: USER, ...options.client });
  const abort = new AbortController();
  stops.push(() => abort.abort());
  const seen = { events: [], states: [] };
  const done = client.stream({
    lastEventId: options.lastEventId,
    onEvent: (event) => seen.events.push(event),
    onState: (connection) => seen.states.push(connection),
    signal: abort.signal,
  });
  const ids = () => seen.events.filter(({ type }) => type === 'notification').map(({ data }) => data.id);
  return { ...seen, ids, done, abort };
}

const names = (states) => states.map(({ state }) => state);

test('begins at a position, and goes on where it was after a cut: nothing missing, nothing twice', async () => {
  service.ledger.send(USER);
  const from = service.ledger.position();
  const sent = [service.ledger.send(USER)];
  const stream = follow({ lastEventId: from });
  await eventually(() => stream.ids().length === 1);
  service.cut();
  for (let i = 0; i < 3; i++) sent.push(service.ledger.send(USER));
  await eventually(() => stream.ids().length === 4);
  assert.deepEqual(stream.ids(), sent.map(({ id }) => id));
  assert.deepEqual(names(stream.states), ['connecting', 'live', 'waiting', 'connecting', 'live']);
});

test('an event that was cut in the middle is told again', async () => {
  const stream = follow({ lastEventId: service.ledger.position() });
  await eventually(() => service.streams === 1);
  service.write(`id: ${service.ledger.position(99)}\nevent: notification\ndata: {`);
  service.cut();
  const { id } = service.ledger.send(USER);
  await eventually(() => stream.ids().length === 1);
  assert.deepEqual(stream.ids(), [id]);
});

test('goes on behind what it was told nothing happened up to', async () => {
  const stream = follow({ lastEventId: service.ledger.position() });
  await eventually(() => service.streams === 1);
  service.ledger.skip(50);
  const position = service.ledger.position();
  service.keepAlive();
  await eventually(() => stream.events.some(({ type, id }) => type === 'position' && id === position));
  service.cut();
  await eventually(() => service.lastEventId === position);
});

test('keeps trying where the answer is an error, and says why', async () => {
  service.fail({ on: /stream/, status: 429, code: 'too_many_requests', times: 1 });
  service.fail({ on: /stream/, status: 503, code: 'restoring', times: 1 });
  service.fail({ on: /stream/, status: 0, times: 1 });
  const { states } = follow();
  await eventually(() => names(states).includes('live'));
  const waits = states.filter(({ state }) => state === 'waiting');
  assert.deepEqual(waits.map(({ reason }) => reason), ['too_many_requests', 'restoring', 'network']);
  assert.ok(waits.every(({ nextTryAt }) => nextTryAt > 0));
});

test('honours Retry-After', async () => {
  service.fail({ on: /stream/, status: 503, retryAfter: 1 });
  const startedAt = Date.now();
  const { states } = follow();
  await eventually(() => names(states).includes('live'));
  assert.ok(Date.now() - startedAt >= 1_000);
});

test('waits as long as the server wishes before it closes', async () => {
  const { states, events } = follow();
  await eventually(() => service.streams === 1);
  service.write('retry: 400\nevent: closing\ndata: {"reason":"shutdown"}\n\n');
  await eventually(() => events.some(({ type }) => type === 'closing'));
  service.cut();
  const wait = await eventually(() => states.find(({ state }) => state === 'waiting'));
  assert.equal(wait.reason, 'shutdown');
  const waitMs = wait.nextTryAt - Date.now();
  assert.ok(waitMs > 350 && waitMs <= 400, `${waitMs}`);
  await eventually(() => names(states).filter((state) => state === 'live').length === 2);
});

test('what is no event stream is not read as one', async () => {
  const fetch = async () => new Response('<p>Hello</p>', { headers: { 'Content-Type': 'text/html' } });
  const { states } = follow({ client: { fetch } });
  const wait = await eventually(() => states.find(({ state }) => state === 'waiting'));
  assert.equal(wait.reason, 'bad_answer');
});

test('a network that is back ends the wait', async () => {
  const listeners = new EventTarget();
  globalThis.addEventListener = listeners.addEventListener.bind(listeners);
  globalThis.removeEventListener = listeners.removeEventListener.bind(listeners);
  stops.push(() => (delete globalThis.addEventListener, delete globalThis.removeEventListener));
  service.fail({ on: /stream/, status: 503, retryAfter: 600 });
  const { states } = follow();
  await eventually(() => names(states).includes('waiting'));
  listeners.dispatchEvent(new Event('online'));
  await eventually(() => names(states).includes('live'));
});

test('silence is taken for a dead connection', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  let connections = 0;
  const fetch = async (_, { signal }) => {
    connections += 1;
    const body = new ReadableStream({
      start: (controller) => signal.addEventListener('abort', () => controller.error(signal.reason)),
    });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  };
  const { states } = follow({ client: { fetch } });
  await turn();
  t.mock.timers.tick(59_000);
  await turn();
  assert.equal(connections, 1);
  t.mock.timers.tick(1_000);
  await turn();
  assert.equal(states.at(-1).reason, 'silent');
  t.mock.timers.tick(15_000);
  await turn();
  assert.equal(connections, 2);
});

test('failures make the waits longer, and none is longer than its bound', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(Math, 'random', () => 1);
  const fetch = async () => {
    throw new TypeError('fetch failed');
  };
  const { states } = follow({ client: { fetch } });
  const waits = [];
  for (let i = 0; i < 8; i++) {
    await turn();
    waits.push(states.at(-1).nextTryAt - Date.now());
    t.mock.timers.tick(waits.at(-1));
  }
  assert.deepEqual(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});

test('ends when it is told to, and says so', async () => {
  for (const isLive of [true, false]) {
    if (!isLive) service.fail({ on: /stream/, status: 503, retryAfter: 600 });
    const { states, done, abort } = follow();
    await eventually(() => names(states).includes(isLive ? 'live' : 'waiting'));
    abort.abort();
    await done;
    assert.equal(states.at(-1).state, 'stopped');
  }
});

/** Lets promises settle while time is mocked. */
async function turn() {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}
