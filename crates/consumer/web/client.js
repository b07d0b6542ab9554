/**
 * The browser side of kafka-notify: a client for the HTTP interface, an inbox that follows its
 * stream, and the element `<notify-inbox>`. No dependencies, no build step.
 *
 *     <script type="module" src="https://notify.example.org/client.js"></script>
 *     <notify-inbox user-id="1" theme="auto"></notify-inbox>
 *
 *     const client = new NotifyClient({ baseUrl: 'https://notify.example.org', userId: 1 });
 *     const inbox = new Inbox(client, { filter: { status: 'unread' } });
 *     inbox.subscribe(({ notifications, unreadCount }) => render(notifications, unreadCount));
 *     inbox.start();
 */
export { NotifyClient } from './client/notify-client.js';
export { NotifyError } from './client/error.js';
export { Inbox } from './client/inbox.js';
export { comparePositions } from './client/position.js';
export { NotifyInboxElement } from './client/inbox-element.js';
