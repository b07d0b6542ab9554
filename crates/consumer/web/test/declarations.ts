// What `client.d.ts` declares is what the modules are. Checked by the compiler alone.
import type * as declared from '../client.js';
import { NotifyError } from '../client/error.js';
import { NotifyInboxElement } from '../client/inbox-element.js';
import { Inbox } from '../client/inbox.js';
import { NotifyClient } from '../client/notify-client.js';
import { comparePositions } from '../client/position.js';

({ NotifyClient, NotifyError, Inbox, NotifyInboxElement, comparePositions }) satisfies {
  NotifyClient: new (...options: ConstructorParameters<typeof declared.NotifyClient>) => declared.NotifyClient;
  NotifyError: typeof declared.NotifyError;
  Inbox: new (...options: ConstructorParameters<typeof declared.Inbox>) => declared.Inbox;
  NotifyInboxElement: new () => declared.NotifyInboxElement;
  comparePositions: typeof declared.comparePositions;
};
