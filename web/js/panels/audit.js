// What just happened: the audit trail, newest first.

import { explain } from '../actions.js';
import { byId, foreign, h, icon, setChildren, setText } from '../dom.js';
import * as format from '../format.js';
import { say } from '../messages.js';
import { outcomeKind } from '../words.js';

const ICONS = { ok: 'check', bad: 'cross', other: 'dot' };

export function mountAudit(store, live) {
    const list = byId('audit-list');
    const note = byId('audit-note');
    const more = byId('audit-more');
    const rows = new Map(); // seq -> {entry, node}; an entry never changes, but signing in shows more of it
    let filter = 'all';
    let quiet = true; // entries of a load are not news

    const filters = [['all', 'All'], ['bad', 'Refused']].map(([key, label]) => h('button', {
        type: 'button', class: 'chip', 'aria-pressed': String(key === filter), text: label, data: { key },
        on: { click: () => { filter = key; draw(); } },
    }));
    byId('audit-filter').append(...filters);

    function makeRow(entry) {
        const kind = outcomeKind(entry.outcome);
        const who = [entry.who, entry.address].filter(Boolean);
        const row = h('li', { class: 'audit-row', data: { outcome: kind, seq: String(entry.seq) } },
            h('time', { class: 'audit-time', datetime: entry.at, title: `${format.exact(entry.at)}, entry ${entry.seq}`, text: format.time(entry.at) }),
            h('div', { class: 'audit-body' },
                h('p', { class: 'audit-line' },
                    foreign(entry.action, { class: 'audit-action' }),
                    entry.target ? foreign(entry.target, { class: 'audit-target' }) : null,
                    h('span', { class: 'audit-outcome' }, icon(ICONS[kind]), foreign(entry.outcome))),
                h('p', { class: 'audit-detail' },
                    entry.detail ? foreign(entry.detail, { class: 'audit-text' }) : null, entry.detail ? ' ' : null,
                    who.length ? h('span', { class: 'audit-who' }, 'by ', foreign(who[0]), who[1] ? ' from ' : null, who[1] ? foreign(who[1]) : null) : null)));
        if (!quiet) {
            row.classList.add('fresh');
        }
        return row;
    }

    function draw() {
        for (const button of filters) {
            button.setAttribute('aria-pressed', String(button.dataset.key === filter));
        }
        const seqs = [...store.audit.keys()].sort((a, b) => b - a);
        const shown = [];
        for (const seq of seqs) {
            const entry = store.audit.get(seq);
            if (rows.get(seq)?.entry !== entry) {
                rows.set(seq, { entry, node: makeRow(entry) });
            }
            const { node } = rows.get(seq);
            if (filter === 'all' || node.dataset.outcome === filter) {
                shown.push(node);
            }
        }
        setChildren(list, shown);
        let words = '';
        if (store.auditRefused !== null) {
            words = `The audit trail is private: ${store.auditRefused}`;
        } else if (store.loaded && shown.length === 0) {
            words = filter === 'all' ? 'Nothing yet.' : 'Nothing was refused.';
        }
        note.hidden = words === '';
        setText(note, words);
        more.hidden = !store.auditMore;
    }

    more.addEventListener('click', async () => {
        more.disabled = true;
        quiet = true;
        try {
            await live.loadOlderAudit();
        } catch (problem) {
            say('bad', ...explain(problem, 'Older entries were not loaded'));
        } finally {
            more.disabled = false;
        }
    });

    store.subscribe(['audit', 'auditMore', 'auditRefused', 'loaded'], (changes) => {
        if (changes.has('loaded')) {
            quiet = true;
        }
        for (const seq of [...rows.keys()]) {
            if (!store.audit.has(seq)) {
                rows.delete(seq);
            }
        }
        draw();
        quiet = !store.loaded;
    });
}
