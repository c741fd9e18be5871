// Building and updating elements. Every string reaches the page as text: there is no way here to
// write markup, so that nothing a peer sends can become some.

const SVG = 'http://www.w3.org/2000/svg';

// Characters that show nothing but change how what follows reads (controls, bidi overrides,
// zero-width marks, tags). They are spelled out, so that a hostile name cannot pass for another.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

// Any value from outside, as one line of harmless text.
export function clean(value) {
    if (value === null || value === undefined) {
        return '';
    }
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
    return text.replace(/[\t\n\r]+/g, ' ').replace(UNSEEN, (c) =>
        `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`);
}

// h('p', {class: 'x', text: '...', on: {click: f}, 'aria-label': '...'}, child, ...)
export function h(tag, props = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
        if (value === undefined || value === null || value === false) {
            continue;
        }
        if (name === 'text') {
            node.textContent = clean(value);
        } else if (name === 'on') {
            for (const [event, listener] of Object.entries(value)) {
                node.addEventListener(event, listener);
            }
        } else if (name === 'data') {
            Object.assign(node.dataset, value);
        } else if (name === 'style' || name.startsWith('on')) {
            throw new TypeError(`${name} is not allowed here`);
        } else {
            node.setAttribute(name, value === true ? '' : clean(value));
        }
    }
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return node;
}

// Text of foreign origin, isolated: its direction cannot spill into its surroundings.
export function foreign(value, props = {}) {
    return h('bdi', { ...props, text: value });
}

// Writes only what differs, so that a live figure costs nothing while it stays.
export function setText(node, value) {
    const text = clean(value);
    if (node.textContent !== text) {
        node.textContent = text;
    }
}

export function setAttr(node, name, value) {
    if (value === null || value === undefined || value === false) {
        node.removeAttribute(name);
        return;
    }
    const text = value === true ? '' : clean(value);
    if (node.getAttribute(name) !== text) {
        node.setAttribute(name, text);
    }
}

export function setData(node, name, value) {
    if (node.dataset[name] !== value) {
        node.dataset[name] = value;
    }
}

// Makes the children of parent exactly `wanted`, in that order, moving as few nodes as it can:
// moving a node would drop the focus inside it.
export function setChildren(parent, wanted) {
    const keep = new Set(wanted);
    for (const child of [...parent.children]) {
        if (!keep.has(child)) {
            child.remove();
        }
    }
    let at = parent.firstElementChild;
    for (const node of wanted) {
        if (node === at) {
            at = at.nextElementSibling;
        } else {
            parent.insertBefore(node, at);
        }
    }
}

const ICONS = {
    bolt: 'M13.2 1.5 4 13.6h6.1L8.8 22.5 20 9.6h-7z',
    check: 'm9.6 18.6-6-6 2-2 4 4 9-9.2 2 2z',
    alert: 'M12 2.2 23 21.4H1zm-1.3 6.6.3 6.6h2l.3-6.6zm0 8.2v2.3h2.6V17z',
    cone: 'M4 10.2h16v3.6H4z M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22m0 2.6a8.4 8.4 0 1 1 0 16.8 8.4 8.4 0 0 1 0-16.8',
    plug: 'M7 2h2.6v5h4.8V2H17v5h2v4.2a7 7 0 0 1-5.6 6.8V22h-2.8v-4A7 7 0 0 1 5 11.2V7h2z',
    clock: 'M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22m0 2.7a8.3 8.3 0 1 1 0 16.6 8.3 8.3 0 0 1 0-16.6M10.8 6h2.5v5.5l4 3.2-1.6 2-4.9-4z',
    cut: 'M3.9 2.1 21.9 20l-1.9 1.9-3.2-3.2H6.4A5.4 5.4 0 0 1 5 8.1l.6-.7L2 4zM9.2 5.4A6.9 6.9 0 0 1 18.9 10a4.4 4.4 0 0 1 2.6 6.8z',
    snow: 'M10.9 1h2.2v3.3L15.6 3l1 2-3.5 1.9v3.2l2.8-1.6.1-4 2.2.1-.1 2.8L21 5.8l1.1 1.9-2.8 1.6 2.4 1.5-1.2 1.9-3.4-2.1-2.8 1.6 2.8 1.6 3.4-2.1 1.2 1.9-2.4 1.5 2.8 1.6-1.1 1.9-2.9-1.7.1 2.8-2.2.1-.1-4-2.8-1.6v3.2l3.5 1.9-1 2-2.5-1.3V23h-2.2v-3.3L8.4 21l-1-2 3.5-1.9v-3.2l-2.8 1.6-.1 4-2.2-.1.1-2.8L3 18.2l-1.1-1.9 2.8-1.6-2.4-1.5 1.2-1.9 3.4 2.1L9.7 12l-2.8-1.6-3.4 2.1-1.2-1.9 2.4-1.5-2.8-1.6L3 5.8l2.9 1.7-.1-2.8 2.2-.1.1 4 2.8 1.6V6.9L7.4 5l1-2 2.5 1.3z',
    question: 'M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22m-1.4 15.6h2.7v2.6h-2.7zM12 4.8c2.5 0 4.3 1.5 4.3 3.7 0 3-3 3.2-3 5.4h-2.6c0-3.4 2.9-3.6 2.9-5.3 0-.8-.7-1.4-1.7-1.4-1.2 0-2 .8-2.1 2H7.2c.1-2.7 2-4.4 4.8-4.4',
    cross: 'm5.9 3.9 6.1 6.2 6.1-6.2 2 2-6.2 6.1 6.2 6.1-2 2-6.1-6.2-6.1 6.2-2-2 6.2-6.1-6.2-6.1z',
    person: 'M12 2.5a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6M2.8 21.5c.4-4.9 4.3-7.6 9.2-7.6s8.8 2.7 9.2 7.6z',
    dot: 'M12 6.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11',
};

export function icon(name) {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('class', 'icon');
    svg.setAttribute('aria-hidden', 'true');
    svg.setAttribute('focusable', 'false');
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('fill', 'currentColor');
    path.setAttribute('d', ICONS[name] ?? ICONS.question);
    svg.append(path);
    return svg;
}

export function setIcon(svg, name) {
    const d = ICONS[name] ?? ICONS.question;
    const path = svg.firstElementChild;
    if (path.getAttribute('d') !== d) {
        path.setAttribute('d', d);
    }
}

export const byId = (id) => document.getElementById(id);
