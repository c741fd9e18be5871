// Recent sessions and open requests, for administrators.

import * as actions from '../actions.js';
import { byId, foreign, h, setAttr, setChildren, setData, setText } from '../dom.js';
import * as format from '../format.js';
import { capital, reasonWords, stopReason } from '../words.js';
import { ask } from './confirm.js';

const SHOWN = 100;
const OPEN = new Set(['requested', 'preparing']);
const RUNNING = new Set(['charging', 'settling']);
const FILTERS = [['all', 'Recent'], ['open', 'Open requests'], ['running', 'Running']];
const COLUMNS = ['Asked', 'Charge point', 'Driver', 'State', 'Energy', 'Amount', 'Ended', ''];

const wanted = {
    all: () => true,
    open: (session) => OPEN.has(session.state),
    running: (session) => RUNNING.has(session.state),
};

// An id is a ULID, which sorts by time, and settles what happened in one millisecond.
const asked = (session) => `${session.requested_at ?? ''} ${session.id}`;
const newestFirst = (a, b) => (asked(a) < asked(b) ? 1 : -1);

export function mountSessions(store, { openSheet }) {
    const section = byId('sessions');
    const body = h('tbody');
    const empty = h('p', { class: 'empty', hidden: true });
    const rows = new Map();
    let filter = 'all';

    const chips = FILTERS.map(([key, label]) => {
        const n = h('span', { class: 'chip-count' });
        const node = h('button', { type: 'button', class: 'chip', data: { key }, on: { click: () => { filter = key; draw(); } } }, label, n);
        return { key, node, n };
    });
    byId('session-filter').append(...chips.map((chip) => chip.node));
    byId('sessions-table').append(
        h('table', {}, h('thead', {}, h('tr', {}, ...COLUMNS.map((name) => (name
            ? h('th', { scope: 'col', text: name }) : h('td', {}))))), body),
        empty);

    function makeRow(id) {
        const cell = (name) => h('td', { class: `session-${name}` });
        const row = { node: h('tr'), asked: cell('asked'), point: cell('point'), driver: cell('driver'), state: cell('state'),
            energy: cell('energy'), cost: cell('cost'), ended: cell('ended'), act: cell('act') };
        row.pointName = foreign('');
        row.driverName = foreign('');
        row.stateName = h('span', { class: 'session-chip' });
        row.point.append(h('button', { type: 'button', class: 'link-button', on: { click: () => openSheet(store.sessions.get(id)?.cp_id) } }, row.pointName));
        row.driver.append(row.driverName);
        row.state.append(row.stateName);
        row.stop = h('button', { type: 'button', class: 'button button-small', text: 'Stop', on: { click: () => stop(id) } });
        row.act.append(row.stop);
        row.node.append(row.asked, row.point, row.driver, row.state, row.energy, row.cost, row.ended, row.act);
        setAttr(row.asked, 'title', `Session ${id}`);
        return row;
    }

    async function stop(id) {
        const session = store.sessions.get(id);
        const sure = await ask({
            title: 'Stop this session?', yes: 'Stop session', danger: true,
            text: `The supply of ${session.driver_id} at ${session.cp_id} ends, and its ticket is issued.`,
        });
        if (sure) {
            await actions.stopSession(id);
        }
    }

    function update(row, session) {
        setText(row.asked, format.time(session.requested_at));
        setText(row.pointName, session.cp_id);
        setText(row.driverName, session.driver_id ?? '–');
        setText(row.stateName, session.state);
        setData(row.stateName, 'state', session.state);
        // Central has the meter of a running session on its charge point.
        const running = store.chargePoints.get(session.cp_id)?.session;
        const live = running?.id === session.id ? running : session;
        setText(row.energy, format.kwh(live.energy_wh ?? session.energy_wh));
        setText(row.cost, format.euros(live.cost_cents ?? session.cost_cents));
        setAttr(row.cost, 'title', `At ${format.price(session.price_cents_per_kwh)}`);
        const why = capital(stopReason(session.stop_reason) || reasonWords(session.reason));
        setText(row.ended, [session.ended_at ? format.time(session.ended_at) : '', why].filter(Boolean).join(' · '));
        row.stop.hidden = !(OPEN.has(session.state) || session.state === 'charging');
    }

    function draw() {
        const all = [...store.sessions.values()].sort(newestFirst);
        for (const { key, node, n } of chips) {
            setAttr(node, 'aria-pressed', String(key === filter));
            setText(n, key === 'all' ? '' : String(all.filter(wanted[key]).length));
        }
        const shown = all.filter(wanted[filter]).slice(0, SHOWN);
        for (const session of shown) {
            if (!rows.has(session.id)) {
                rows.set(session.id, makeRow(session.id));
            }
            update(rows.get(session.id), session);
        }
        setChildren(body, shown.map((session) => rows.get(session.id).node));
        empty.hidden = shown.length > 0;
        setText(empty, { all: 'No sessions yet.', open: 'No open requests.', running: 'Nothing is running.' }[filter]);
    }

    store.subscribe(['sessions', 'me', 'chargePoints'], (changes) => {
        section.hidden = !store.admin;
        if (!store.admin) {
            rows.clear();
            body.replaceChildren();
            return;
        }
        for (const id of changes.get('sessions') ?? []) {
            if (!store.sessions.has(id)) {
                rows.delete(id);
            }
        }
        draw();
    });
}
