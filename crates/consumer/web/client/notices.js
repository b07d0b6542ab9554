/** What `<notify-inbox>` says where there is nothing to list, and how the connection is. */
import { h, icon } from './dom.js';

/** @import * as Api from '../client.js' */
/** @import { IconName } from './dom.js' */

/** @type {Record<Api.Status, [IconName, string, string]>} */
const EMPTY = {
  inbox: ['bell', 'You’re all caught up', 'New notifications appear here by themselves.'],
  unread: ['checks', 'Nothing unread', 'You have read everything.'],
  read: ['read', 'Nothing read yet', 'What you have read is listed here.'],
  archived: ['archive', 'Nothing archived', 'What you archive is kept here.'],
  all: ['bell', 'No notifications yet', 'New ones appear here by themselves.'],
};

/** @type {[string[], string][]} */
const KEYS = [
  [['j', 'k'], 'Next, previous'],
  [['Enter'], 'Open'],
  [['e'], 'Archive, or back to the inbox'],
  [['u'], 'Mark as read or unread'],
  [['?'], 'This help'],
  [['Esc'], 'Leave the list'],
];

/** @param {Api.Status} status */
export function emptyNotice(status) {
  const [name, title, text] = EMPTY[status];
  return notice(name, title, text, { part: 'empty' });
}

/**
 * @param {Error} error
 * @param {() => void} retry
 */
export function errorNotice(error, retry) {
  const button = h('button', { class: 'button', type: 'button', onclick: retry }, 'Try again');
  const node = notice('cloud', 'Notifications could not be loaded', error.message, { part: 'error', role: 'alert' });
  node.append(button);
  return node;
}

/** @param {number} count */
export function skeleton(count) {
  return Array.from({ length: count }, () => {
    const lines = h('div', {}, h('i'), h('i'), h('i'));
    return h('div', { class: 'skeleton', 'aria-hidden': 'true' }, h('i'), lines);
  });
}

/**
 * @param {boolean} areOn
 * @param {(areOn: boolean) => void} onToggle
 */
export function helpDialog(areOn, onToggle) {
  const rows = KEYS.flatMap(([keys, text]) => [
    h('dt', {}, ...keys.map((key) => h('kbd', {}, key))),
    h('dd', {}, text),
  ]);
  const isOn = h('input', { type: 'checkbox', checked: areOn, onchange: () => onToggle(isOn.checked) });
  const close = h('button', { class: 'button', type: 'button', onclick: () => dialog.close() }, 'Close');
  const dialog = h('dialog', { 'aria-labelledby': 'help-title' },
    h('h2', { id: 'help-title' }, 'Keyboard shortcuts'), h('dl', {}, ...rows),
    h('label', {}, isOn, 'Use these shortcuts'), close);
  return dialog;
}

/** @param {Api.Connection} connection */
export function connectionText({ state, nextTryAt }) {
  if (state === 'live') return 'Live';
  if (state === 'offline') return 'Offline';
  if (state === 'stopped') return 'Stopped';
  const seconds = Math.ceil(((nextTryAt ?? 0) - Date.now()) / 1000);
  return state === 'waiting' && seconds > 0 ? `Reconnecting in ${seconds} s` : 'Connecting';
}

/**
 * @param {IconName} name
 * @param {string} title
 * @param {string} text
 * @param {Record<string, string>} attributes
 */
function notice(name, title, text, attributes) {
  return h('div', { class: 'notice', ...attributes },
    h('span', { class: 'emblem' }, icon(name)), h('strong', {}, title), h('p', {}, text));
}
