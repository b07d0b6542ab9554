/** The web inbox: who is asked for, the list, and what there is around it. */
import './client.js';
import { Composer } from './app/composer.js';
import { keep, recall } from './client/storage.js';

/** @import { NotifyInboxElement, Snapshot } from './client.js' */

const LAST_USER = 'kafka-notify:user';

/**
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @returns {T}
 */
const $ = (selector) => /** @type {T} */ (document.querySelector(selector));

/** @param {string} userId */
function showInbox(userId) {
  keep(LAST_USER, userId);
  const inbox = /** @type {NotifyInboxElement} */ (document.createElement('notify-inbox'));
  inbox.setAttribute('user-id', userId);
  inbox.setAttribute('shortcuts', 'page');
  inbox.addEventListener('notify-change', (event) => {
    showTitle(/** @type {CustomEvent<Snapshot>} */ (event).detail);
  });
  showUser(/^\d+$/.test(userId) ? `User ${userId}` : userId);
  $('#user').hidden = $('#compose').hidden = false;
  $('main').append(inbox);
  const composer = new Composer($('#composer'), () => inbox.client, (text) => ($('#sent').textContent = text));
  $('#compose').addEventListener('click', () => composer.open());
}

/** @param {string} name */
function showUser(name) {
  $('#user .name').textContent = name;
  $('#user .avatar').textContent = (/\p{L}/u.exec(name)?.[0] ?? '#').toUpperCase();
}

/**
 * The unread count where it is seen in the tab, and the name once a notification tells it.
 *
 * @param {Snapshot} snapshot
 */
function showTitle({ unreadCount, notifications }) {
  const name = notifications[0]?.to.name;
  if (name) showUser(name);
  const title = `Inbox · ${$('#user .name').textContent}`;
  document.title = unreadCount > 0 ? `(${unreadCount}) ${title}` : title;
}

function askWho() {
  const form = $('#who');
  const input = /** @type {HTMLInputElement} */ ($('#who-id'));
  input.value = recall(LAST_USER) ?? '';
  form.hidden = false;
  input.select();
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    location.search = new URLSearchParams({ user: input.value }).toString();
  });
}

const asked = new URLSearchParams(location.search).get('user') ?? '';
if (/^(?!\.{1,2}$)[\w.:@-]{1,128}$/.test(asked)) showInbox(asked);
else askWho();
