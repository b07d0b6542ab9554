/**
 * How `<notify-inbox>` looks. Set these on the element, or above it:
 *
 *   --notify-accent       links, the unread dot, the focus; dark enough to be read on the background
 *   --notify-on-accent    text on the accent
 *   --notify-background   behind everything
 *   --notify-surface      buttons that are chosen, what floats, what the pointer is on
 *   --notify-text         names, titles, unread messages
 *   --notify-muted        times, read messages, hints; at least 4.5:1 on background and surface
 *   --notify-line         hairlines and borders
 *   --notify-danger       errors and what is urgent
 *   --notify-radius       of corners
 *   --notify-font         the font family
 *   --notify-font-size    of messages
 *   --notify-avatar-size  0px: no avatars
 *
 * A value that is to differ in the dark can be `light-dark(#333, #ddd)`. Parts for `::part()`:
 * toolbar, filter, connection, list, day, card, avatar, sender, title, message, link, tag, actions,
 * action, pill, toast, empty, error.
 */
const CSS = `
:host {
  --_accent: var(--notify-accent, light-dark(#3355d1, #9db2ff));
  --_on-accent: var(--notify-on-accent, light-dark(#ffffff, #10173a));
  --_background: var(--notify-background, light-dark(#ffffff, #16171b));
  --_surface: var(--notify-surface, light-dark(#f3f4f7, #212329));
  --_text: var(--notify-text, light-dark(#17181c, #eceef2));
  --_muted: var(--notify-muted, light-dark(#5d626d, #a0a6b2));
  --_line: var(--notify-line, light-dark(#e6e8ed, #2b2d35));
  --_danger: var(--notify-danger, light-dark(#b3261e, #ffa198));
  --_radius: var(--notify-radius, 10px);
  --_avatar: var(--notify-avatar-size, 36px);
  display: block;
  position: relative;
  color-scheme: light dark;
  color: var(--_text);
  background: var(--_background);
  font: 15px/1.5 var(--notify-font, system-ui, sans-serif);
  font-size: var(--notify-font-size, 15px);
  overflow-wrap: anywhere;
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
.root { container-type: inline-size; }
* { box-sizing: border-box; margin: 0; }
ul { list-style: none; padding: 0; }
svg { width: 20px; height: 20px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.6;
  stroke-linecap: round; stroke-linejoin: round; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

button { font: inherit; font-size: 14px; color: inherit; background: none; border: 0; cursor: pointer;
  border-radius: calc(var(--_radius) * .8); }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.button { padding: 7px 14px; border: 1px solid var(--_line); font-weight: 550; }
.button:hover { background: var(--_surface); }
.icon { display: grid; place-items: center; width: 34px; height: 34px; color: var(--_muted); }
.icon:disabled { opacity: .4; cursor: default; }

.toolbar { position: sticky; top: 0; z-index: 2; display: flex; align-items: center; gap: 4px;
  padding: 8px 12px; background: var(--_background); border-bottom: 1px solid var(--_line); }
.filters { display: flex; gap: 2px; min-width: 0; margin-inline-end: auto; }
.filters button { padding: 5px 11px; color: var(--_muted); white-space: nowrap; }
.filters button:hover { color: var(--_text); }
.filters button[aria-pressed="true"] { color: var(--_text); background: var(--_surface); font-weight: 600; }
.badge { margin-inline-start: 6px; padding: 1px 6px; border-radius: 9px; font-size: 12px; font-weight: 650;
  font-variant-numeric: tabular-nums; color: var(--_on-accent); background: var(--_accent); }
.connection { display: flex; align-items: center; gap: 7px; padding-inline: 6px;
  font-size: 13px; color: var(--_muted); white-space: nowrap; font-variant-numeric: tabular-nums; }
.connection::before { content: ""; width: 7px; height: 7px; border-radius: 50%; background: var(--_accent); }
.connection:not(.live)::before { background: none; box-shadow: inset 0 0 0 1.5px var(--_muted); }
.connection.connecting::before { animation: breathe 1.6s ease-in-out infinite; }

.float { position: sticky; z-index: 1; display: grid; justify-items: center; height: 0; pointer-events: none; }
.float.top { top: 52px; }
.pill, .toast { pointer-events: auto; display: flex; align-items: center; border-radius: 999px;
  box-shadow: 0 4px 18px light-dark(rgb(20 24 40 / .16), rgb(0 0 0 / .5)); }
.pill { gap: 6px; height: 34px; margin-top: 10px; padding: 0 16px 0 12px; color: var(--_on-accent);
  background: var(--_accent); font-weight: 600; animation: drop .2s ease-out; }
.pill svg { width: 16px; height: 16px; stroke-width: 2.2; }
.float.bottom { bottom: 0; align-items: end; z-index: 3; }
.toast { position: absolute; bottom: 16px; gap: 4px; min-height: 44px; max-width: calc(100% - 24px);
  padding: 4px 8px 4px 18px; color: var(--_background); background: var(--_text); font-size: 14px; animation: rise .2s ease-out; }
.toast button { padding: 7px 12px; border-radius: 999px; font-weight: 650; }
.toast button:hover { background: color-mix(in srgb, var(--_background) 18%, transparent); }
.toast :focus-visible { outline-color: var(--_background); outline-offset: -2px; }

.days { overflow-anchor: none; }
.day { padding: 22px 24px 6px; font-size: 13px; font-weight: 600; color: var(--_muted); }
.card { position: relative; display: grid; grid-template-columns: var(--_avatar) minmax(0, 1fr); gap: 12px;
  padding: 13px 16px 14px 24px; border-radius: var(--_radius); cursor: default; scroll-margin: 64px 0 16px; }
.cards > li + li::before { content: ""; display: block; height: 1px; margin: 0 16px 0 calc(var(--_avatar) + 36px);
  background: var(--_line); }
.card:hover { background: var(--_surface); }
.card:focus-visible { outline-offset: -2px; }
.dot { position: absolute; left: 9px; top: 28px; width: 7px; height: 7px; border-radius: 50%; }
.unread .dot { background: var(--_accent); }
.avatar { display: grid; place-items: center; width: var(--_avatar); height: var(--_avatar); overflow: hidden;
  border-radius: 50%; font-weight: 600; font-size: 14px; color: var(--_muted);
  background: color-mix(in srgb, var(--_text) 8%, transparent); }
.unread .avatar { color: var(--_accent); background: color-mix(in srgb, var(--_accent) 13%, transparent); }
.head { display: flex; align-items: baseline; gap: 10px; }
.sender { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--_muted); }
.unread .sender { font-weight: 600; color: var(--_text); }
.time { flex: none; margin-inline-start: auto; font-size: 13px; color: var(--_muted); font-variant-numeric: tabular-nums; }
.title { font-size: inherit; font-weight: 500; }
.unread .title { font-weight: 650; }
.message { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 6; line-clamp: 6; overflow: hidden;
  white-space: pre-wrap; color: var(--_muted); }
.unread .message { color: var(--_text); }
.expanded .message { display: block; }
.more { margin: 2px 0 0 -8px; padding: 3px 8px; color: var(--_accent); font-weight: 550; }
.more:hover { text-decoration: underline; }
.extras { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; margin-top: 7px; font-size: 13px; }
.url { display: inline-flex; align-items: center; gap: 5px; min-width: 0; max-width: 100%; color: var(--_muted); }
a.url { color: var(--_accent); text-decoration: none; }
a.url:hover { text-decoration: underline; text-underline-offset: 3px; }
a.url span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.url svg { width: 15px; height: 15px; }
.tags { display: flex; flex-wrap: wrap; gap: 5px; }
.tags li { padding: 1px 8px; border: 1px solid var(--_line); border-radius: 999px; font-size: 12px; color: var(--_muted); }
.card:hover .tags li { border-color: color-mix(in srgb, var(--_text) 20%, transparent); }
.priority { font-weight: 600; color: var(--_muted); }
.priority::before { content: "↑ "; }
.priority.p5 { color: var(--_danger); }
.actions { position: absolute; top: 8px; right: 10px; display: flex; border-radius: var(--_radius); background: var(--_surface); }
@media (hover: hover) {
  .icon:enabled:hover { color: var(--_text); background: color-mix(in srgb, var(--_text) 9%, transparent); }
  .actions { opacity: 0; }
  .card:hover .actions, .card:focus-within .actions { opacity: 1; }
}
.menu { display: none; }
.menu svg { stroke-width: 2.6; }
@media (hover: none) {
  .card:hover { background: none; }
  .head { padding-inline-end: 34px; }
  .menu { display: grid; position: absolute; top: 2px; right: 2px; }
  .actions { display: none; grid-column: 2; position: static; justify-self: end; margin: -6px -10px -8px 0; background: none; }
  .acting .actions { display: flex; }
  .icon { width: 44px; height: 44px; }
}

.notice { display: grid; justify-items: center; gap: 4px; padding: 72px 24px 88px; text-align: center; color: var(--_muted); }
.notice .emblem { display: grid; place-items: center; width: 64px; height: 64px; margin-bottom: 12px; border-radius: 50%;
  background: var(--_surface); }
.notice .emblem svg { width: 28px; height: 28px; stroke-width: 1.4; }
.notice strong { font-size: 17px; font-weight: 600; color: var(--_text); }
.notice .button { margin-top: 16px; color: var(--_text); }
.tail { display: grid; justify-items: center; gap: 8px; min-height: 56px; padding: 16px; color: var(--_muted); font-size: 14px; }
.skeleton { display: grid; grid-template-columns: var(--_avatar) 1fr; gap: 12px; padding: 15px 16px 17px 24px; }
.skeleton i { display: block; border-radius: 6px; background: var(--_surface); animation: breathe 1.6s ease-in-out infinite; }
.skeleton > i { height: var(--_avatar); border-radius: 50%; }
.skeleton div { display: grid; gap: 9px; padding-top: 4px; }
.skeleton div i { height: 11px; }
.skeleton div i:nth-child(1) { width: 32%; }
.skeleton div i:nth-child(2) { width: 88%; }
.skeleton div i:nth-child(3) { width: 61%; }

dialog { width: min(400px, calc(100vw - 32px)); margin: auto; padding: 22px 24px; border: 1px solid var(--_line);
  border-radius: calc(var(--_radius) * 1.4); color: var(--_text); background: var(--_background);
  box-shadow: 0 16px 60px rgb(10 12 24 / .3); }
dialog::backdrop { background: rgb(10 12 24 / .4); }
dialog h2 { margin-bottom: 12px; font-size: 17px; }
dialog dl { display: grid; grid-template-columns: auto 1fr; gap: 9px 16px; align-items: center; margin-bottom: 18px; font-size: 14px; }
dialog label { display: flex; align-items: center; gap: 9px; margin-bottom: 18px; font-size: 14px; }
dialog input { width: 16px; height: 16px; accent-color: var(--_accent); }
dialog dt { display: flex; gap: 4px; }
kbd { min-width: 26px; padding: 2px 7px; border: 1px solid var(--_line); border-radius: 6px; background: var(--_surface);
  font: 600 12px/1.5 ui-monospace, monospace; text-align: center; }
.help { display: none; }
@media (hover: hover) { .help { display: grid; } }

@container (max-width: 480px) {
  .toolbar { padding: 6px; gap: 0; }
  .filters { gap: 0; }
  .filters button { padding: 7px 8px; }
  .help { display: none; }
  .connection.live span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .connection.connecting span { display: none; }
  .connection:is(.waiting, .offline, .stopped) { position: absolute; inset: 100% 0 auto; justify-content: center;
    padding: 3px; background: var(--_surface); }
  .card { padding-right: 12px; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before { animation: none !important; }
}
@keyframes breathe { 50% { opacity: .4; } }
@keyframes drop { from { opacity: 0; transform: translateY(-8px); } }
@keyframes rise { from { opacity: 0; transform: translateY(8px); } }
`;

/** @type {CSSStyleSheet | null} */
let sheet = null;

/** One for all elements. A constructed sheet needs no leave from a content security policy. */
export function styleSheet() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
