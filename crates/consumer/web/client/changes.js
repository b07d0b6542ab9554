/** What events and commands do to one notification, and which notifications a filter shows. */
import { decodePosition, isUpTo } from './position.js';

/** @import * as Api from '../client.js' */
/** @import { Place } from './position.js' */

/**
 * A change that is applied to many notifications: what it selects is looked up only once.
 *
 * @typedef {object} Patch
 * @property {Api.Change} change
 * @property {Set<string> | null} ids
 * @property {Place | null} before
 */

/**
 * @param {Api.Change} change
 * @returns {Patch}
 */
export function patchOf(change) {
  const { ids, before } = change;
  return { change, ids: ids ? new Set(ids) : null, before: before ? decodePosition(before) : null };
}

/**
 * @param {Api.Notification} notification
 * @param {Place} place The notification's.
 * @param {Patch} patch
 * @returns {Api.Notification | null} The same object where nothing is different; null: it is gone.
 */
export function patched(notification, place, { change, ids, before }) {
  if (ids ? !ids.has(notification.id) : !isUpTo(place, before)) return notification;
  if (change.deleted) return null;
  const { read_at, archived_at } = change;
  const after = {
    read_at: since(notification.read_at, read_at),
    archived_at: since(notification.archived_at, archived_at),
  };
  const isSame =
    after.read_at === notification.read_at && after.archived_at === notification.archived_at;
  return isSame ? notification : { ...notification, ...after };
}

/**
 * What is read or archived already stays so since then.
 *
 * @param {string | null} current
 * @param {string | null | undefined} wanted Undefined: it is about something else.
 */
function since(current, wanted) {
  return wanted === undefined ? current : wanted && (current ?? wanted);
}

/**
 * What retention has cut is told once more to whoever comes back, with an id that may be where they
 * are already.
 *
 * @param {Api.StreamEvent} event
 */
export function isRetention({ type, data }) {
  return type === 'changed' && data.reason === 'retention';
}

/** @param {Api.Notification | null} notification */
export function isUnread(notification) {
  return notification !== null && !notification.read_at && !notification.archived_at;
}

/** @type {Record<Api.Status, (notification: Api.Notification) => boolean>} */
const HAS_STATUS = {
  inbox: (notification) => !notification.archived_at,
  unread: isUnread,
  read: (notification) => !notification.archived_at && !!notification.read_at,
  archived: (notification) => !!notification.archived_at,
  all: () => true,
};

/**
 * @param {Api.Notification} notification
 * @param {Api.Filter} filter
 */
export function matches(notification, { status = 'inbox', tag, from, since, until }) {
  const createdAt = Date.parse(notification.created_at);
  return HAS_STATUS[status](notification) &&
    (tag === undefined || notification.tags.includes(tag)) &&
    (from === undefined || notification.from.id === from) &&
    (since === undefined || createdAt >= new Date(since).getTime()) &&
    (until === undefined || createdAt < new Date(until).getTime());
}

/**
 * Whether notifications that a list of this status left out may belong into it now.
 *
 * @param {Api.Change} change
 * @param {Api.Status} [status]
 */
export function mayAdd({ read_at, archived_at }, status = 'inbox') {
  const isUnarchived = archived_at === null;
  switch (status) {
    case 'inbox': return isUnarchived;
    case 'unread': return isUnarchived || read_at === null;
    case 'read': return isUnarchived || !!read_at;
    case 'archived': return !!archived_at;
    default: return false;
  }
}

/**
 * Whether two changes do the same to the same notifications; only their times may differ.
 *
 * @param {Api.Change} a
 * @param {Api.Change} b
 */
export function isSameChange(a, b) {
  const does = (/** @type {Api.Change} */ { read_at, archived_at, deleted }) =>
    [read_at, archived_at].map((at) => at && true).concat(deleted).join();
  const selects = (/** @type {Api.Change} */ { ids, before }) =>
    before ?? [...new Set(ids)].sort().join();
  return does(a) === does(b) && selects(a) === selects(b);
}
