// What `client.js` offers. The service's JSON is passed on unchanged, so its fields keep their
// snake_case; what this module adds is in camelCase.

/** Everything of the user's partition below a certain point. Opaque; may be stored and sent back. */
export type Position = string;

export interface Notification {
  readonly id: string;
  /** `id` is null where the sender is a service and no user; `name` is empty where nobody is named. */
  readonly from: { readonly id: string | null; readonly name: string };
  readonly to: { readonly id: string; readonly name: string };
  readonly message: string;
  readonly title: string | null;
  /** http(s) or relative to the site. */
  readonly url: string | null;
  readonly tags: readonly string[];
  /** From 1 (lowest) to 5. */
  readonly priority: number;
  readonly data: unknown;
  /** RFC 3339 in UTC, as all times. */
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly read_at: string | null;
  readonly archived_at: string | null;
  readonly position: Position;
}

export interface Page {
  notifications: Notification[];
  unread_count: number;
  unseen_count: number;
  /** Null is the end; a short page is not. */
  next_cursor: string | null;
  position: Position;
}

export interface Counts {
  unread_count: number;
  unseen_count: number;
  total_count: number;
  position: Position;
}

export type Status = 'inbox' | 'unread' | 'read' | 'archived' | 'all';

export interface Filter {
  /** Default: `inbox`, what is not archived. */
  status?: Status;
  tag?: string;
  /** A sender's user id. */
  from?: string;
  /** Sent at this time or later. */
  since?: string | Date;
  /** Sent before this time. */
  until?: string | Date;
}

/** Which notifications a command is for: these ids, or all up to a position. */
export type Selection = string | readonly string[] | { before: Position };

export interface RequestOptions {
  signal?: AbortSignal;
  /** How long a call may take, its retries and their waits included. Default 30,000. */
  deadlineMs?: number;
  /** False: one try only. Default true. */
  retry?: boolean;
  /** Lets the request outlive the page. Such a request is not retried. */
  keepalive?: boolean;
}

export interface FreshOptions extends RequestOptions {
  /** Answer only once this position is applied. */
  minPosition?: Position;
  /** How long the server may wait for it, up to 30,000. */
  waitMs?: number;
}

export interface PageOptions extends Filter, FreshOptions {
  /** 1 to 200, default 20. */
  limit?: number;
  cursor?: string;
}

export interface SendBody {
  /** A user id, or `{ name }` for a service that is no user. */
  from?: string | number | { name: string };
  /** One user id or up to 1,000. */
  to: string | number | readonly (string | number)[];
  message: string;
  title?: string | null;
  url?: string | null;
  tags?: readonly string[];
  priority?: number;
  data?: unknown;
  expires_at?: string | null;
}

export interface SendOptions extends RequestOptions {
  /** Default: a new one for each call, kept over its retries. Pass one to repeat a call later. */
  idempotencyKey?: string;
}

/** `status` and `code` are there only where some recipients failed (207). */
export interface SendAnswer {
  notifications: { id: string; to: string; position?: Position; status?: number; code?: string }[];
}

export type ConnectionState = 'connecting' | 'live' | 'waiting' | 'offline' | 'stopped';

export interface Connection {
  readonly state: ConnectionState;
  /** Why it is not live: an error code, or the reason the server gave. */
  readonly reason: string | null;
  /** When the next try is, in milliseconds since 1970. */
  readonly nextTryAt: number | null;
}

export interface Change {
  ids?: string[];
  before?: Position;
  read_at?: string | null;
  archived_at?: string | null;
  deleted?: true;
  reason?: string;
}

export type StreamEvent =
  | { type: 'notification'; id: Position; data: Notification }
  | { type: 'changed'; id: Position; data: Change }
  | { type: 'counts'; id: null; data: { unread_count: number; unseen_count: number } }
  | { type: 'gap'; id: Position; data: { reason: string } }
  | { type: 'closing'; id: null; data: { reason: string } }
  /** Nothing else happened up to here: who goes on later begins there. */
  | { type: 'position'; id: Position; data: null };

export interface StreamOptions {
  /** Stream from exactly here; without it, only what is new. */
  lastEventId?: Position | null;
  onEvent(event: StreamEvent): void;
  onState?(connection: Connection): void;
  signal: AbortSignal;
}

export class NotifyError extends Error {
  constructor(fields: {
    status: number;
    code: string;
    detail: string;
    requestId?: string | null;
    retryAfterMs?: number | null;
    cause?: unknown;
  });
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** As the service names it; `network`, `timeout` or `bad_answer` where it did not. */
  readonly code: string;
  readonly detail: string;
  readonly requestId: string | null;
  readonly retryAfterMs: number | null;
}

export interface NotifyClientOptions {
  /** Where the service is: an origin, or a path below one. */
  baseUrl: string | URL;
  userId: string | number;
  /** Sent with every request; a function is asked each time, so that a token can be renewed. */
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  fetch?: typeof fetch;
}

export class NotifyClient {
  constructor(options: NotifyClientOptions);
  readonly baseUrl: string;
  readonly userId: string;
  page(options?: PageOptions): Promise<Page>;
  one(id: string, options?: FreshOptions): Promise<Notification>;
  counts(options?: FreshOptions): Promise<Counts>;
  read(selection: Selection, options?: RequestOptions): Promise<Counts>;
  unread(selection: Selection, options?: RequestOptions): Promise<Counts>;
  archive(selection: Selection, options?: RequestOptions): Promise<Counts>;
  unarchive(selection: Selection, options?: RequestOptions): Promise<Counts>;
  delete(selection: Selection, options?: RequestOptions): Promise<Counts>;
  /** The user has seen the list up to a position, by default up to now. */
  seen(before?: Position, options?: RequestOptions): Promise<Counts>;
  send(body: SendBody, options?: SendOptions): Promise<SendAnswer>;
  /** Streams, reconnecting, until the signal is aborted; then it resolves. */
  stream(options: StreamOptions): Promise<void>;
}

export interface Snapshot {
  /** Newest first. */
  readonly notifications: readonly Notification[];
  readonly unreadCount: number;
  readonly unseenCount: number;
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  /** Why the list could not be loaded. */
  readonly error: Error | null;
  readonly connection: Connection;
}

export interface PendingDelete {
  /** False: it was too late. */
  undo(): boolean;
  /** True once deleted, false if undone; rejects where deleting failed. */
  readonly done: Promise<boolean>;
}

export interface InboxOptions {
  filter?: Filter;
  /** Notifications of a page, 1 to 200. Default 30. */
  pageSize?: number;
}

/** A list that follows the service: a page, and the stream from exactly there. */
export class Inbox {
  constructor(client: NotifyClient, options?: InboxOptions);
  readonly client: NotifyClient;
  readonly filter: Filter;
  readonly snapshot: Snapshot;
  /** Everything up to here is in the list. */
  readonly position: Position | null;
  start(): void;
  stop(): void;
  /** Called at once and after every change, until the function it answers is called. */
  subscribe(listener: (snapshot: Snapshot) => void): () => void;
  setFilter(filter: Filter): void;
  /** Loads the list again, and tries to connect now. */
  refresh(): Promise<void>;
  loadMore(): Promise<void>;
  read(selection: Selection): Promise<void>;
  unread(selection: Selection): Promise<void>;
  archive(selection: Selection): Promise<void>;
  unarchive(selection: Selection): Promise<void>;
  /** Gone at once; told to the service after `undoMs` (default 5,000), or when the page is left. */
  delete(selection: Selection, options?: { undoMs?: number }): PendingDelete;
  /** The user has seen the list as it is now. */
  seen(): Promise<void>;
}

/** Which is newer; 0: the same; null: they are of different partitions or lives of the topic. */
export function comparePositions(a: Position, b: Position): number | null;

/** `<notify-inbox base-url user-id>`; its properties and events are described in its file. */
export class NotifyInboxElement extends HTMLElement {
  /** Sent with every request. Set it before the element is connected. */
  headers: NotifyClientOptions['headers'];
  readonly client: NotifyClient | null;
  readonly inbox: Inbox | null;
}

declare global {
  interface HTMLElementTagNameMap {
    'notify-inbox': NotifyInboxElement;
  }
}
