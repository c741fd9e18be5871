// The health of Central itself, Kafka, Registry and Weather, each with a word and its detail.

import { byId, foreign, h, icon, setAttr, setData, setIcon, setText } from '../dom.js';
import * as format from '../format.js';

const NAMES = [['central', 'Central'], ['kafka', 'Kafka'], ['registry', 'Registry'], ['weather', 'Weather']];
const ICONS = { ok: 'check', bad: 'cross', unknown: 'question' };

export function mountServices(store) {
    const rows = new Map(NAMES.map(([key, name]) => {
        const sign = icon('question');
        const word = h('span', { class: 'service-word' });
        const detail = foreign('', { class: 'service-detail' });
        const node = h('li', { class: 'service', id: `service-${key}`, data: { health: 'unknown' } },
            sign, h('div', {}, h('p', { class: 'service-line' }, h('strong', { text: name }), ' ', word), detail));
        byId('services-list').append(node);
        return [key, { node, sign, word, detail }];
    }));

    function show(key, kind, word, detail) {
        const row = rows.get(key);
        setData(row.node, 'health', kind);
        setIcon(row.sign, ICONS[kind]);
        setText(row.word, word);
        setText(row.detail, detail);
        setAttr(row.detail, 'title', detail);
    }

    function central() {
        const { connection, readiness, summary } = store;
        if (connection.reachable === false) {
            return show('central', 'bad', 'unreachable', 'retrying');
        }
        if (!summary) {
            return show('central', 'unknown', 'unknown', '');
        }
        const version = summary.version ? `v${summary.version}` : '';
        const up = typeof summary.uptime_s === 'number' ? `up ${format.duration(summary.uptime_s * 1000)}` : '';
        const detail = [up, version].filter(Boolean).join(', ');
        if (readiness && !readiness.ok) {
            return show('central', 'bad', 'not ready', readiness.reasons.join('; '));
        }
        return show('central', 'ok', 'well', detail);
    }

    store.subscribe(['summary', 'readiness', 'connection', 'loaded'], () => {
        central();
        const unreachable = store.connection.reachable === false;
        for (const [key] of NAMES.slice(1)) {
            const health = store.summary?.health?.[key];
            if (!health || unreachable) {
                show(key, 'unknown', 'unknown', unreachable ? 'Central cannot say' : '');
            } else {
                show(key, health.ok ? 'ok' : 'bad', health.ok ? 'well' : 'not well', health.detail ?? '');
            }
        }
    });
}
