// What is wrong, grouped by cause, worst first; every charge point named opens its sheet.

import { byId, foreign, h, icon } from '../dom.js';
import { assess } from '../verdict.js';

const SHOWN = 8;

export function mountAttention(store, { openSheet, showState }) {
    const list = byId('attention-list');
    let drawn = '';

    function row(item) {
        const ids = item.ids ?? [];
        const chips = ids.slice(0, SHOWN).map((id) => h('button', {
            type: 'button', class: 'id-chip', 'aria-label': `${id}: details`, on: { click: () => openSheet(id) },
        }, foreign(id)));
        if (ids.length > SHOWN) {
            chips.push(h('button', { type: 'button', class: 'id-chip', text: `${ids.length - SHOWN} more`, on: { click: () => showState(item.state) } }));
        }
        return h('li', { class: 'attention-item', data: { level: item.level } },
            icon(item.icon),
            h('div', { class: 'attention-body' },
                h('p', {}, h('strong', { text: item.title }), item.detail ? h('span', { class: 'attention-detail' }, ' ', foreign(item.detail)) : null),
                chips.length ? h('div', { class: 'id-chips' }, ...chips) : null));
    }

    store.subscribe(['chargePoints', 'summary', 'weather', 'readiness', 'loaded'], () => {
        const { items } = assess(store);
        const signature = JSON.stringify([store.loaded, store.chargePoints.size === 0, items]);
        if (signature === drawn) {
            return; // the buttons keep their focus
        }
        drawn = signature;
        if (!store.loaded) {
            list.replaceChildren();
        } else if (items.length === 0) {
            list.replaceChildren(h('li', { class: 'attention-none' }, icon('check'), h('p', { text: store.chargePoints.size ? 'Nothing. Every charge point is in service.' : 'Nothing.' })));
        } else {
            list.replaceChildren(...items.map(row));
        }
    });
}
