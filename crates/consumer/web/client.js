/**
 * The browser side of kafka-notify: a client for the HTTP interface, an inbox that follows its
 * stream, and the element `<notify-inbox>`. No dependencies, no build step.
 */
export { NotifyClient } from './client/notify-client.js';
export { NotifyError } from './client/error.js';
export { Inbox } from './client/inbox.js';
export { comparePositions } from './client/position.js';
