/** Reading the pages of a list. */
import { NotifyError } from './error.js';

/** @import * as Api from '../client.js' */

const MAX_PAGE_SIZE = 200;

/** Pages in a row that may have nothing to show before it is left to the next call. */
const MAX_EMPTY_PAGES = 10;

/**
 * The first pages, of so many notifications if there are as many.
 *
 * @param {Api.NotifyClient} client
 * @param {Api.Filter} filter
 * @param {number} count
 * @param {{minPosition?: Api.Position, signal: AbortSignal}} options
 * @returns {Promise<[Api.Page, ...Api.Page[]]>}
 */
export async function firstPages(client, filter, count, { minPosition, signal }) {
  const options = { ...filter, limit: Math.min(MAX_PAGE_SIZE, count), signal, retry: false };
  const first = await client.page({ ...options, minPosition }).catch((error) => {
    // Of a life of the topic that is over: any page is newer.
    if (error instanceof NotifyError && error.code === 'invalid_position') return client.page(options);
    throw error;
  });
  const rest = await nextPages(client, options, count - first.notifications.length, first);
  return [first, ...rest];
}

/**
 * The pages after one: until they have as many notifications, and more than none where there are.
 *
 * @param {Api.NotifyClient} client
 * @param {Api.PageOptions} options
 * @param {number} count
 * @param {{next_cursor: string | null, position: Api.Position}} after
 */
export async function nextPages(client, options, count, { next_cursor: cursor, position }) {
  const pages = [];
  let found = 0;
  for (let empty = 0; cursor && found < count && empty < MAX_EMPTY_PAGES; ) {
    const page = await client.page({ ...options, cursor, minPosition: position });
    pages.push(page);
    found += page.notifications.length;
    empty = page.notifications.length > 0 ? 0 : empty + 1;
    cursor = page.next_cursor;
  }
  return pages;
}
