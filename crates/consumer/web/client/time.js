/** Times as people say them. The interface speaks English, and so do its dates. */

const LOCALE = 'en-GB';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const clock = new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(LOCALE, { weekday: 'long' });
const dayOfYear = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'long' });
const day = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'long', year: 'numeric' });
const full = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'full', timeStyle: 'short' });

/**
 * The heading of a day: Today, Yesterday, Monday, 12 March, 12 March 2024.
 *
 * @param {Date} date
 * @param {Date} now
 */
export function dayLabel(date, now) {
  // Rounded: days of 23 and 25 hours are days.
  const days = Math.round((midnight(now) - midnight(date)) / DAY_MS);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days > 1 && days < 7) return weekday.format(date);
  return (date.getFullYear() === now.getFullYear() ? dayOfYear : day).format(date);
}

/**
 * The time on a card, below the heading of its day.
 *
 * @param {Date} date
 * @param {Date} now
 */
export function timeLabel(date, now) {
  const ago = now.getTime() - date.getTime();
  if (midnight(date) !== midnight(now) || ago < -MINUTE_MS) return clock.format(date);
  if (ago < MINUTE_MS) return 'now';
  if (ago < HOUR_MS) return `${Math.floor(ago / MINUTE_MS)} min ago`;
  return `${Math.floor(ago / HOUR_MS)} h ago`;
}

/** @param {Date} date */
export function fullLabel(date) {
  return full.format(date);
}

/** @param {Date} date */
function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
