import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { NotifyClient, NotifyError } from '../client.js';
import { retryAfterMs } from '../client/error.js';
import { backoffMs, sleep } from '../client/retry.js';

/** A client whose answers are given in their order; an error is thrown, the last is repeated. */
function clientOf(answers) {
  const calls = [];
  const fetch = async (url, init) => {
    calls.push({ url: String(url), ...init });
    const answer = answers[Math.min(calls.length, answers.length) - 1];
    if (answer instanceof Error) throw answer;
    return answer(init);
  };
  return { calls, client: new NotifyClient({ baseUrl: 'http://service', userId: 1, fetch }) };
}

const ok = (value = {}) => () => Response.json(value);
const problem = (status, { code = 'restoring', ...headers } = {}) => () =>
  new Response(JSON.stringify({ status, code, detail: 'why', request_id: 'r-7' }), {
    status, headers: { 'Content-Type': 'application/problem+json', ...headers },
  });
const network = new TypeError('fetch failed');
const hanging = ({ signal }) => new Promise((_, reject) => {
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
});

/** Lets mocked time pass until the promise is settled; answers how much did. */
async function timePasses(t, promise, stepMs = 50) {
  let settled = false;
  promise.then(() => (settled = true), () => (settled = true));
  for (let passedMs = 0; ; passedMs += stepMs) {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    await new Promise(setImmediate);
    if (settled) return passedMs;
    t.mock.timers.tick(stepMs);
  }
}

const mockTime = (t) => t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });

test('what may heal is tried again, what may not is not', async (t) => {
  mockTime(t);
  for (const [name, answers, call, calls] of [
    ['a read, network', [network, ok()], (c) => c.page(), 2],
    ['a read, 503 and 429', [problem(503), problem(429), ok()], (c) => c.counts(), 3],
    ['a read, not reached yet', [problem(412, { code: 'position_not_reached' }), ok()], (c) => c.page(), 2],
    ['a read, 500', [problem(500), ok()], (c) => c.page(), 1],
    ['a read, 404', [problem(404), ok()], (c) => c.one('x'), 1],
    ['a read, only once', [network, ok()], (c) => c.page({ retry: false }), 1],
    ['a send', [network, problem(503), ok()], (c) => c.send({ to: 1, message: 'm' }), 3],
    ['a command on ids', [network, ok()], (c) => c.read('x'), 2],
    ['seen up to now, network', [network, ok()], (c) => c.seen(), 1],
    ['seen up to now, 503', [problem(503), ok()], (c) => c.seen(), 1],
    ['seen up to now, 429', [problem(429), ok()], (c) => c.seen(), 2],
    ['when the page is left', [network, ok()], (c) => c.delete('x', { keepalive: true }), 1],
  ]) {
    const scene = clientOf(answers);
    const outcome = call(scene.client).catch(() => {});
    await timePasses(t, outcome);
    assert.equal(scene.calls.length, calls, name);
  }
});

test('a send keeps its key over its retries, and each send has its own', async (t) => {
  mockTime(t);
  const { client, calls } = clientOf([network, problem(503), ok(), ok()]);
  await timePasses(t, client.send({ to: 1, message: 'm' }));
  await client.send({ to: 1, message: 'm' });
  await client.send({ to: 1, message: 'm' }, { idempotencyKey: 'mine' });
  const keys = calls.map(({ headers }) => headers.get('Idempotency-Key'));
  assert.equal(new Set(keys.slice(0, 3)).size, 1);
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys.at(-1), 'mine');
});

test('Retry-After is honoured', async (t) => {
  mockTime(t);
  const { client } = clientOf([problem(503, { 'Retry-After': '7' }), ok()]);
  const waitedMs = await timePasses(t, client.page());
  assert.ok(waitedMs >= 7_000 && waitedMs <= 7_400, `${waitedMs}`);
});

test('a wait that would end behind the deadline is not begun', async (t) => {
  mockTime(t);
  const { client, calls } = clientOf([problem(429, { 'Retry-After': '60' })]);
  const outcome = client.page().catch((error) => error);
  assert.equal(await timePasses(t, outcome), 0);
  assert.equal((await outcome).retryAfterMs, 60_000);
  assert.equal(calls.length, 1);
});

test('the deadline bounds all tries together, and each try is bounded', async (t) => {
  mockTime(t);
  for (const [answers, code] of [[[network], 'network'], [[hanging], 'timeout']]) {
    const { client, calls } = clientOf(answers);
    const outcome = client.page({ deadlineMs: 25_000 }).catch((error) => error);
    const waitedMs = await timePasses(t, outcome);
    assert.ok(waitedMs <= 25_100, `${waitedMs}`);
    assert.ok(calls.length >= 3);
    assert.equal((await outcome).code, code);
  }
});

test('a signal ends requests and waits at once, with its reason', async (t) => {
  mockTime(t);
  for (const answers of [[hanging], [problem(503, { 'Retry-After': '9' })]]) {
    const { client } = clientOf(answers);
    const abort = new AbortController();
    const outcome = client.page({ signal: abort.signal }).catch((error) => error);
    await new Promise(setImmediate);
    abort.abort(new Error('enough'));
    assert.equal((await outcome).message, 'enough');
  }
  await assert.rejects(sleep(1_000, AbortSignal.abort(new Error('before'))), /before/);
});

test('errors say what the problem document says', async () => {
  const { client } = clientOf([problem(404, { code: 'user_not_found', 'Retry-After': '2' })]);
  const error = await client.page().catch((error) => error);
  assert.ok(error instanceof NotifyError);
  const { status, code, detail, requestId, message } = error;
  assert.deepEqual({ status, code, detail, requestId, message, retryAfterMs: error.retryAfterMs }, {
    status: 404, code: 'user_not_found', detail: 'why', requestId: 'r-7', message: 'why', retryAfterMs: 2_000,
  });
});

test('answers that are no problem documents are errors all the same', async () => {
  for (const [body, type] of [['<h1>Bad Gateway</h1>', 'text/html'], ['{', 'application/json'], ['7', 'application/json']]) {
    const answer = () => new Response(body, { status: 400, headers: { 'Content-Type': type } });
    const error = await clientOf([answer]).client.page().catch((error) => error);
    assert.equal(error.status, 400);
    assert.equal(error.code, 'bad_answer');
  }
});

test('Retry-After is seconds or a date', () => {
  assert.equal(retryAfterMs('3'), 3_000);
  assert.equal(retryAfterMs(null), null);
  assert.equal(retryAfterMs('soon'), null);
  mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-01-01T00:00:00Z') });
  assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:00:05 GMT'), 5_000);
  assert.equal(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT'), 0);
  mock.timers.reset();
});

test('the wait grows, is spread, and stays below its bound', () => {
  for (let attempt = 0; attempt < 40; attempt++) {
    const waits = Array.from({ length: 50 }, () => backoffMs(attempt));
    const bound = Math.min(15_000, 250 * 2 ** attempt);
    assert.ok(waits.every((wait) => wait >= 0 && wait <= bound));
    assert.ok(Math.max(...waits) - Math.min(...waits) > bound / 4);
  }
  assert.ok(backoffMs(0, 4_000) >= 4_000);
});

test('the query has what was asked for and nothing else', async () => {
  const { client, calls } = clientOf([ok()]);
  await client.page({ limit: 5, since: new Date(0), tag: 'a b', minPosition: 'p', waitMs: 10 });
  const path = 'http://service/v1/users/1/notifications';
  assert.equal(calls[0].url, `${path}?limit=5&since=1970-01-01T00%3A00%3A00.000Z&tag=a+b&min_position=p&wait_ms=10`);
});

test('ids that no URL can have are refused', () => {
  for (const userId of ['', '.', '..', 'a/b', 'a b', 'x'.repeat(129)]) {
    assert.throws(() => new NotifyClient({ baseUrl: 'http://service', userId }), TypeError, userId);
  }
});
