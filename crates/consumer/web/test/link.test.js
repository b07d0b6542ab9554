import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leadsSomewhereSafe } from '../client/card.js';

test('only http(s) and paths of the site are links', () => {
  for (const url of ['https://example.org', 'HTTP://example.org/a?b#c', '/invoices/1', '/']) {
    assert.equal(leadsSomewhereSafe(url), true, url);
  }
  for (const url of [
    'javascript:alert(1)', 'JaVaScRiPt:alert(1)', ' javascript:alert(1)', 'java\tscript:alert(1)', 'data:text/html,x',
    '//example.org', '/\\example.org', '\\\\example.org', '/ /example.org', '/\t/example.org', 'https://', 'https:///x',
    'ftp://example.org', 'example.org', '', 'mailto:a@example.org', 'blob:https://example.org/1',
  ]) {
    assert.equal(leadsSomewhereSafe(url), false, url);
  }
});
