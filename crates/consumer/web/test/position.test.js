import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePositions, decodePosition, isReached } from '../client/position.js';
import { positionOf } from './support/positions.js';

test('positions of one log are in the order of their offsets', () => {
  const offsets = [0n, 1n, 255n, 256n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n];
  for (const a of offsets) {
    for (const b of offsets) {
      const order = a < b ? -1 : a > b ? 1 : 0;
      assert.equal(comparePositions(positionOf(a), positionOf(b)), order, `${a} ${b}`);
      assert.equal(isReached(positionOf(a), positionOf(b)), order <= 0, `${a} ${b}`);
    }
  }
});

test('positions of other partitions and other topics have no order', () => {
  const other = [{ partition: 4 }, { topic: new Uint8Array(16) }];
  for (const log of other) {
    assert.equal(comparePositions(positionOf(1), positionOf(2, log)), null);
    assert.equal(isReached(positionOf(1), positionOf(2, log)), false);
  }
});

test('what is no position is none', () => {
  const position = positionOf(42);
  assert.equal(position.length, 44);
  assert.equal(decodePosition(position)?.nextOffset, 42n);
  for (const bad of ['', 'x', `${position}=`, position.slice(1), `+${position.slice(1)}`, 'Ag' + position.slice(2)]) {
    assert.equal(decodePosition(bad), null, bad);
  }
});
