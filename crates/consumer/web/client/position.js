/**
 * Positions are opaque to everybody else; this file is shipped with the service that makes them.
 *
 * 44 characters of base64url: a version byte 1, the topic's id (16 bytes), the partition (i32), the
 * first offset that is not included (i64), big endian, and a CRC-32C, which is the server's to check.
 */

/**
 * @typedef {object} Place
 * @property {string} log Topic and partition; positions of different logs have no order.
 * @property {bigint} nextOffset
 */

/**
 * @param {string} position
 * @returns {Place | null} Null: it is no position.
 */
export function decodePosition(position) {
  if (!/^[\w-]{44}$/.test(position)) return null;
  const bytes = atob(position.replaceAll('-', '+').replaceAll('_', '/'));
  if (bytes.charCodeAt(0) !== 1) return null;
  const offset = new DataView(new ArrayBuffer(8));
  for (let i = 0; i < 8; i++) offset.setUint8(i, bytes.charCodeAt(21 + i));
  return { log: bytes.slice(1, 21), nextOffset: offset.getBigInt64(0) };
}

/**
 * @param {string} a
 * @param {string} b
 * @returns {number | null}
 */
export function comparePositions(a, b) {
  const [left, right] = [decodePosition(a), decodePosition(b)];
  if (!left || !right || left.log !== right.log) return null;
  return comparePlaces(left, right);
}

/**
 * Whether everything up to a position is also up to another.
 *
 * @param {string} position
 * @param {string} by
 */
export function isReached(position, by) {
  return isUpTo(decodePosition(position), decodePosition(by));
}

/**
 * Of one log.
 *
 * @param {Place} a
 * @param {Place} b
 */
export function comparePlaces(a, b) {
  return a.nextOffset < b.nextOffset ? -1 : a.nextOffset > b.nextOffset ? 1 : 0;
}

/**
 * Whether a notification at a place is among all up to another.
 *
 * @param {Place | null} place
 * @param {Place | null} before
 */
export function isUpTo(place, before) {
  return !!place && !!before && place.log === before.log && place.nextOffset <= before.nextOffset;
}
