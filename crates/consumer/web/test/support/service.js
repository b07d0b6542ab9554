// A stand-in for the service that speaks its contract, with switches for what goes wrong.
import { createServer } from 'node:http';
import { Ledger } from './ledger.js';

export class Service {
  ledger = new Ledger();
  /** Requests so far, as `METHOD path`. */
  requests = [];
  /** Answered to the next requests whose `METHOD path` fits, instead of what they ask for. */
  #faults = [];
  #streams = new Set();
  /** How much later than a change its counts are told. */
  countsDelayMs = 0;
  #keys = new Map();
  #server = createServer((request, response) => {
    this.#answer(request, response).catch((error) => this.#problem(response, 500, 'internal', String(error)));
  });

  /** @param {(request, response) => boolean} [other] Takes requests that are not the API's. */
  static async start(port = 0, other = () => false) {
    const service = new Service();
    service.other = other;
    await new Promise((resolve) => service.#server.listen(port, '127.0.0.1', resolve));
    service.url = `http://127.0.0.1:${service.#server.address().port}`;
    return service;
  }

  get streams() {
    return this.#streams.size;
  }

  async stop() {
    this.cut();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** @param {{on: RegExp, status: number, code?: string, retryAfter?: number, times?: number, delayMs?: number}} fault */
  fail(fault) {
    this.#faults.push({ times: 1, ...fault });
  }

  heal() {
    this.#faults = [];
  }

  /** Ends all streams, as a proxy does. */
  cut() {
    for (const stream of this.#streams) stream.destroy();
  }

  /** Another life of the topic: all inboxes are empty, and no position of before holds. */
  reset() {
    this.ledger = new Ledger();
    this.cut();
  }

  /** Says that nothing happened up to here, as the service does now and then. */
  keepAlive() {
    this.write(`:\nid: ${this.ledger.position()}\n\n`);
  }

  write(text) {
    for (const stream of this.#streams) stream.write(text);
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.url ?? 'http://localhost');
    const name = `${request.method} ${url.pathname}`;
    this.requests.push(name);
    this.lastEventId = request.headers['last-event-id'] ?? this.lastEventId;
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Access-Control-Allow-Headers', '*, Authorization');
    response.setHeader('Access-Control-Allow-Methods', 'GET, POST, PATCH, DELETE');
    if (request.method === 'OPTIONS') return response.writeHead(204).end();
    const fault = this.#faults.find(({ on, times }) => times > 0 && on.test(name));
    if (fault) {
      fault.times -= 1;
      if (fault.delayMs) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
      if (fault.retryAfter !== undefined) response.setHeader('Retry-After', fault.retryAfter);
      if (fault.status === 0) return request.socket.destroy();
      if (fault.status) return this.#problem(response, fault.status, fault.code ?? 'restoring', 'as told');
    }
    const user = /^\/v1\/users\/([^/]+)\/(\w+)(?:\/([\w-]+))?$/.exec(url.pathname);
    if (name === 'POST /v1/notifications') return this.#send(request, response);
    if (!user) return this.other(request, response) || this.#problem(response, 404, 'not_found', 'no route');
    const [, id, what, nid] = user;
    await this.#ofUser({ request, response, query: url.searchParams, user: decodeURIComponent(id), what, nid });
  }

  async #ofUser({ request, response, query, user, what, nid }) {
    const minimum = query.get('min_position');
    if (minimum && this.ledger.offsetOf(minimum) === null) {
      return this.#problem(response, 400, 'invalid_position', 'of another log');
    }
    if (minimum && this.ledger.offsetOf(minimum) > this.ledger.nextOffset) {
      return this.#problem(response, 412, 'position_not_reached', 'try again');
    }
    if (what === 'counts') return json(response, 200, this.ledger.counts(user));
    if (what === 'stream') return this.#stream(request, response, user);
    if (nid === 'actions') return this.#act(request, response, user);
    if (nid) {
      const found = this.ledger.one(user, nid);
      return found ? json(response, 200, found) : this.#problem(response, 404, 'notification_not_found', nid);
    }
    json(response, 200, this.ledger.page(user, Object.fromEntries(query)));
  }

  async #act(request, response, user) {
    const { action, ids, before } = await body(request);
    this.ledger.act(user, action, { ids, before });
    json(response, 200, this.ledger.counts(user));
  }

  async #send(request, response) {
    const key = request.headers['idempotency-key'];
    const { to, from, ...fields } = await body(request);
    const known = this.#keys.get(key);
    if (known) return json(response, 201, known);
    const sender = typeof from === 'object' ? { id: null, ...from } : { id: String(from), name: `User ${from}` };
    const notifications = [to].flat().map(String).map((id) => {
      const sent = this.ledger.send(id, { ...fields, from: sender });
      return { id: sent.id, to: id, position: sent.position };
    });
    this.#keys.set(key, { notifications });
    json(response, 201, { notifications });
  }

  #stream(request, response, user) {
    const { ledger } = this;
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const write = (type, data, id) =>
      response.write(`${id ? `id: ${id}\n` : ''}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
    const counts = () => {
      const { unread_count, unseen_count } = ledger.counts(user);
      write('counts', { unread_count, unseen_count });
    };
    const tell = (event) => {
      if (event) write(event.type, event.data, ledger.position(event.offset + 1));
    };
    counts();
    const last = request.headers['last-event-id'];
    const first = last ? ledger.offsetOf(last) : null;
    if (last && (first === null || first < ledger.changesFrom)) {
      write('gap', { reason: first === null ? 'reset' : 'too_old' }, ledger.position());
    } else {
      ledger.replay(user, first).forEach(tell);
    }
    const unwatch = ledger.watch(user, (event) => {
      tell(event);
      if (this.countsDelayMs) setTimeout(counts, this.countsDelayMs);
      else counts();
    });
    this.#streams.add(response);
    response.on('close', () => {
      unwatch();
      this.#streams.delete(response);
    });
  }

  #problem(response, status, code, detail) {
    json(response, status, { type: 'about:blank', title: code, status, detail, code, request_id: 'r-1' },
      'application/problem+json');
  }
}

function json(response, status, value, type = 'application/json') {
  response.writeHead(status, { 'Content-Type': type }).end(JSON.stringify(value));
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
