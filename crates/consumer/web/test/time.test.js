import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayLabel, timeLabel } from '../client/time.js';

// A Thursday, in the time zone of whoever runs this.
const now = new Date(2026, 2, 12, 14, 30);

test('days are called as people call them', () => {
  for (const [date, label] of [
    [new Date(2026, 2, 12, 0, 0), 'Today'],
    [new Date(2026, 2, 11, 23, 59), 'Yesterday'],
    [new Date(2026, 2, 10), 'Tuesday'],
    [new Date(2026, 2, 6), 'Friday'],
    [new Date(2026, 2, 5), '5 March'],
    [new Date(2026, 0, 1), '1 January'],
    [new Date(2025, 11, 31), '31 December 2025'],
    [new Date(2026, 2, 13), '13 March'],
  ]) {
    assert.equal(dayLabel(date, now), label);
  }
});

test('times of today are told from now, others by the clock', () => {
  const ago = (ms) => timeLabel(new Date(now.getTime() - ms), now);
  assert.equal(ago(0), 'now');
  // A clock that is a little behind.
  assert.equal(ago(-30_000), 'now');
  assert.equal(ago(59_999), 'now');
  assert.equal(ago(60_000), '1 min ago');
  assert.equal(ago(59 * 60_000), '59 min ago');
  assert.equal(ago(60 * 60_000), '1 h ago');
  assert.equal(ago(14 * 3_600_000), '14 h ago');
  assert.equal(timeLabel(new Date(2026, 2, 11, 9, 5), now), '09:05');
  assert.equal(timeLabel(new Date(2026, 2, 12, 15, 0), now), '15:00');
});
