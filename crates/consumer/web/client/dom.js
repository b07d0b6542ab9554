/** Making elements. Text only ever becomes text. */

const SVG = 'http://www.w3.org/2000/svg';

/** Strokes on a grid of 24. */
const ICONS = {
  archive: 'M4 4.5h16v4H4zM5.5 8.5v11h13v-11M10 12.5h4',
  unarchive: 'M4 4.5h16v4H4zM5.5 8.5v11h13v-11M12 17v-5M9.5 14l2.5-2.5 2.5 2.5',
  bell: 'M6.5 16.5v-6a5.5 5.5 0 0 1 11 0v6l1.5 2H5zM10 20.5h4',
  checks: 'M2.5 12.5l4 4 8-9M11.5 15.5l1 1 8-9',
  cloud: 'M4 4l16 16M9 6.2A6 6 0 0 1 17.4 10 4.5 4.5 0 0 1 20 17M6.5 9.5a4.5 4.5 0 0 0 .5 9h10',
  delete: 'M4.5 6.5h15M9 6.5v-2.5h6v2.5M6.5 6.5l.8 13.5h9.4l.8-13.5M10 10.5v6M14 10.5v6',
  link: 'M14 4.5h5.5V10M19.5 4.5l-8.5 8.5M17.5 14v5.5h-13v-13H10',
  menu: 'M5.5 12h.01M12 12h.01M18.5 12h.01',
  read: 'M4 9.5v10h16v-10M4 9.5l8-5.5 8 5.5M4 9.5l8 5.5 8-5.5',
  unread: 'M4 6h16v12.5H4zM4 6.5l8 6.5 8-6.5',
  up: 'M12 19.5v-15M5.5 11l6.5-6.5 6.5 6.5',
};

/** @typedef {keyof typeof ICONS} IconName */

/**
 * An element with attributes (`false` and null leave one out), listeners (`onclick`) and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string | null | false)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') {
      node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (value !== false && value !== null) {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
  node.append(...children.filter((child) => child !== null && child !== false));
  return node;
}

/** @param {IconName} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Makes these the children of a parent. Those that stay are not moved: a moved element loses the
 * focus.
 *
 * @param {Element} parent
 * @param {Element[]} children
 */
export function setChildren(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
}

/**
 * Writes only what is different: an assistive technology reads again what was written again.
 *
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
