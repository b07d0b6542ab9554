/** Errors of requests: RFC 9457 problem documents, and answers that never came. */
export class NotifyError extends Error {
  /**
   * @param {{status: number, code: string, detail: string, requestId?: string | null,
   *   retryAfterMs?: number | null, cause?: unknown}} fields
   */
  constructor({ status, code, detail, requestId = null, retryAfterMs = null, cause }) {
    super(detail, { cause });
    this.name = 'NotifyError';
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * @param {Response} response One that is not ok.
 * @returns {Promise<NotifyError>}
 */
export async function errorOf(response) {
  const problem = await problemOf(response);
  /** @param {string} field */
  const text = (field) => (typeof problem[field] === 'string' ? problem[field] : null);
  return new NotifyError({
    status: response.status,
    code: text('code') ?? 'bad_answer',
    detail: text('detail') ?? text('title') ?? `The service answered ${response.status}.`,
    requestId: text('request_id') ?? response.headers.get('X-Request-Id'),
    retryAfterMs: retryAfterMs(response.headers.get('Retry-After')),
  });
}

/**
 * @param {Response} response
 * @returns {Promise<Record<string, any>>} Empty where a proxy answered in words of its own.
 */
async function problemOf(response) {
  if (!/^application\/(problem\+)?json\b/i.test(response.headers.get('Content-Type') ?? '')) {
    // A connection is free for the next request only once the body is read or given up.
    await response.body?.cancel();
    return {};
  }
  const problem = await response.json().catch(() => null);
  return problem && typeof problem === 'object' ? problem : {};
}

/**
 * @param {string | null} header Seconds or a date, RFC 9110 section 10.2.3.
 * @returns {number | null}
 */
export function retryAfterMs(header) {
  if (header === null) return null;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}
