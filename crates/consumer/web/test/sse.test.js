import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_LENGTH, SseParser } from '../client/sse.js';
import { randomOf } from './support/time.js';

const bytesOf = (text) => new TextEncoder().encode(text);

function parse(chunks) {
  const events = [];
  const parser = new SseParser((event) => events.push(event));
  for (const chunk of chunks) parser.push(typeof chunk === 'string' ? bytesOf(chunk) : chunk);
  return { events, parser };
}

const event = (data, { type = 'message', id = null } = {}) => ({ type, data, id });

test('each rule of the standard', () => {
  for (const [name, text, expected] of [
    ['a plain event', 'data: a\n\n', [event('a')]],
    ['several lines of data', 'data: a\ndata:\ndata: b\n\n', [event('a\n\nb')]],
    ['only one space is taken away', 'data:  a \n\n', [event(' a ')]],
    ['a field without a colon', 'data\n\n', [event('')]],
    ['comments', ': keep\ndata: a\n:\n\n: alone\n\n', [event('a')]],
    ['a type, which lasts for one event', 'event: x\ndata: a\n\ndata: b\n\n', [event('a', { type: 'x' }), event('b')]],
    ['an id', 'id: 7\ndata: a\n\ndata: b\n\n', [event('a', { id: '7' }), event('b')]],
    ['an id alone', 'id: 7\n\n', [event(null, { id: '7' })]],
    ['an empty id', 'id\ndata: a\n\n', [event('a', { id: '' })]],
    ['an id with NUL is ignored', 'id: a\0b\ndata: a\n\n', [event('a')]],
    ['an unknown field', 'colour: red\ndata: a\n\n', [event('a')]],
    ['no data, no event', 'event: x\n\ndata: a\n\n', [event('a')]],
    ['an event that was cut', 'id: 7\ndata: a\n', []],
    ['a byte order mark', '\uFEFFdata: a\n\n', [event('a')]],
    ['a second byte order mark is text', '\uFEFF\uFEFFdata: a\n\n', []],
    ['CR', 'data: a\rdata: b\r\r', [event('a\nb')]],
    ['CRLF', 'data: a\r\ndata: b\r\n\r\n', [event('a\nb')]],
    ['CR and then CRLF', 'data: a\r\r\ndata: b\n\n', [event('a'), event('b')]],
    ['LF and then CR', 'data: a\n\rdata: b\n\n', [event('a'), event('b')]],
  ]) {
    assert.deepEqual(parse([text]).events, expected, name);
  }
});

test('retry is digits and nothing else', () => {
  assert.equal(parse(['retry: 1500\n']).parser.retryMs, 1500);
  for (const bad of ['retry: 1.5\n', 'retry: -1\n', 'retry:\n', 'retry: 5s\n']) {
    assert.equal(parse([bad]).parser.retryMs, null, bad);
  }
});

test('chunks may end anywhere', () => {
  const random = randomOf(1);
  const pieces = ['data: ü€😀', 'data', 'id: 5', 'event: x', ': c', 'retry: 9', '', '', 'data: \u2028'];
  for (let round = 0; round < 2_000; round++) {
    let text = random(4) === 0 ? '\uFEFF' : '';
    for (let i = random(12); i >= 0; i--) {
      text += pieces[random(pieces.length)] + ['\n', '\r', '\r\n'][random(3)];
    }
    const bytes = bytesOf(text);
    const chunks = [];
    for (let from = 0; from < bytes.length; ) {
      const to = from + random(4);
      chunks.push(bytes.slice(from, to));
      from = to;
    }
    assert.deepEqual(parse(chunks).events, parse([bytes]).events, JSON.stringify(text));
  }
});

test('what is too long is an error, however it comes', () => {
  const long = 'x'.repeat(MAX_LENGTH);
  assert.throws(() => parse([`data: ${long}`]), RangeError);
  assert.throws(() => parse([`data: ${long}\n\n`]), RangeError);
  assert.throws(() => parse(Array(5).fill(`data: ${'x'.repeat(MAX_LENGTH / 4)}\n`)), RangeError);
  assert.equal(parse([`data:${'x'.repeat(MAX_LENGTH - 6)}\n\n`]).events.length, 1);
});
