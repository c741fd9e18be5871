// What the page says in answer to something the user did. A message stays until it is read: good
// news leaves by itself, a refusal only when it is closed.

import { byId, h, icon } from './dom.js';

const GOOD_MS = 8000;
const KEEP = 4;
const ICONS = { ok: 'check', bad: 'cross', wait: 'clock' };

// A modal dialog covers the page, so the topmost one shows the message itself.
function place() {
    const open = [...document.querySelectorAll('dialog[open] .messages')];
    return open.at(-1) ?? byId('messages');
}

// kind: ok | bad | wait (accepted, not yet carried out)
export function say(kind, title, detail = '') {
    const box = place();
    const note = h('div', { class: 'message', data: { kind } },
        icon(ICONS[kind]),
        h('p', {}, h('strong', { text: title }), detail ? h('span', { text: detail }) : null),
        h('button', { type: 'button', class: 'message-close', 'aria-label': 'Dismiss', on: { click: () => note.remove() } }, icon('cross')));
    while (box.children.length >= KEEP) {
        box.firstElementChild.remove();
    }
    box.append(note);
    note.scrollIntoView({ block: 'nearest' });
    if (kind === 'ok') {
        setTimeout(() => note.remove(), GOOD_MS);
    }
}

// A sentence for screen readers alone.
export function announce(text) {
    byId('announcer').textContent = text;
}
