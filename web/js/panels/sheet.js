// One charge point in full, live, with what an administrator can do to it.

import * as actions from '../actions.js';
import { centralNow } from '../api.js';
import { byId, foreign, h, icon, setChildren, setData, setIcon, setText } from '../dom.js';
import * as format from '../format.js';
import { capital, holdWords, holdsOf, listOf, stateKey, stateNote, stateOf } from '../words.js';
import { ask } from './confirm.js';

const isNumber = (value) => typeof value === 'number';

const shown = (facts) => facts.filter(([, text]) => text !== '');

// The facts, in order: [label, text or '' to leave it out].
function factsOf(cp, now) {
    const holds = holdsOf(cp);
    return shown([
        ['Since', `${format.time(cp.since)} (${format.age(cp.since, now)})`],
        ['Held', holds.length ? capital(listOf(holds.map(holdWords))) : 'No'],
        ['Price', format.price(cp.price_cents_per_kwh)],
        ['Maximum power', format.kwRated(cp.max_power_w)],
        ['Monitor', cp.connected ? 'Connected' : 'Not connected'],
        ['Engine', cp.engine_ok ? 'Well' : 'Silent or faulty'],
        ['Temperature', isNumber(cp.temperature_c) ? format.degrees(cp.temperature_c) : ''],
        ['Place', isNumber(cp.lat) && isNumber(cp.lon) ? `${cp.lat.toFixed(2)}, ${cp.lon.toFixed(2)}` : ''],
        ['Telemetry key', isNumber(cp.key_epoch) ? `Epoch ${cp.key_epoch}` : ''],
    ]);
}

function sessionFactsOf({ session }, now) {
    return session ? shown([
        ['Power', format.kw(session.power_w)],
        ['Energy', format.kwh(session.energy_wh)],
        ['Amount', isNumber(session.cost_cents) ? format.euros(session.cost_cents) : ''],
        ['Battery', isNumber(session.soc_percent) ? format.percent(session.soc_percent) : ''],
        ['Driver', session.driver_id ?? ''],
        ['Started', session.started_at ? `${format.time(session.started_at)} (${format.age(session.started_at, now)})` : ''],
        ['Session', session.id ?? ''],
    ]) : [];
}

export function mountSheet(store) {
    const dialog = byId('sheet');
    let id = null;
    let parts = null;

    function open(wanted) {
        if (!store.chargePoints.has(wanted)) {
            return;
        }
        id = wanted;
        parts = build(dialog, id, store);
        draw();
        if (!dialog.open) {
            dialog.showModal();
        }
        dialog.scrollTop = 0;
        parts.title.focus();
    }

    function draw() {
        if (id === null || !parts) {
            return;
        }
        const cp = store.chargePoints.get(id);
        if (!cp) {
            dialog.close();
            return;
        }
        const state = stateOf(cp.state);
        setData(parts.state, 'state', stateKey(cp.state));
        setIcon(parts.stateIcon, state.icon);
        setText(parts.stateLabel, state.label);
        setText(parts.city, cp.city);
        setText(parts.note, stateNote(cp));
        const row = ([label, text]) => {
            if (!parts.facts.has(label)) {
                const value = foreign('');
                parts.facts.set(label, { node: h('div', { data: { fact: label } }, h('dt', { text: label }), h('dd', {}, value)), value });
            }
            const fact = parts.facts.get(label);
            setText(fact.value, text);
            return fact.node;
        };
        setChildren(parts.session, sessionFactsOf(cp, centralNow()).map(row));
        setChildren(parts.list, factsOf(cp, centralNow()).map(row));
        parts.admin.hidden = !store.admin;
        parts.guest.hidden = store.admin;
        parts.stopSession.hidden = !cp.session?.id || cp.state === 'Finishing';
        parts.resume.classList.toggle('button-main', holdsOf(cp).includes('admin'));
    }

    dialog.addEventListener('close', () => {
        byId('messages').append(...dialog.querySelectorAll('.message')); // an unread answer outlives the sheet
        id = null;
        parts = null;
    });
    dialog.addEventListener('click', (event) => {
        if (event.target === dialog) {
            dialog.close(); // the backdrop
        }
    });
    store.subscribe(['chargePoints', 'me'], draw);
    setInterval(draw, 1000);
    return open;
}

function build(dialog, id, store) {
    const parts = { facts: new Map() };
    parts.title = h('h2', { id: 'sheet-title', tabindex: '-1' }, foreign(id));
    parts.city = foreign('', { class: 'sheet-city' });
    parts.stateIcon = icon('question');
    parts.stateLabel = h('span');
    parts.state = h('p', { class: 'state-pill' }, parts.stateIcon, parts.stateLabel);
    parts.note = h('p', { class: 'sheet-note' });
    parts.session = h('dl', { class: 'facts' });
    parts.list = h('dl', { class: 'facts' });
    parts.guest = h('p', { class: 'muted', text: 'Sign in to stop, resume and manage this charge point.' });
    buildAdmin(parts, id, store);
    const close = h('button', { type: 'button', class: 'button icon-button', 'aria-label': 'Close', on: { click: () => dialog.close() } }, icon('cross'));
    dialog.replaceChildren(h('div', { class: 'sheet-inner' },
        h('div', { class: 'sheet-head' }, h('div', { class: 'sheet-names' }, parts.title, parts.city), close),
        parts.state, parts.note, parts.session, parts.admin, parts.guest, parts.list,
        h('div', { class: 'messages', role: 'status', 'aria-live': 'polite' })));
    return parts;
}

function buildAdmin(parts, id, store) {
    const button = (text, run, kind = '') => {
        const node = h('button', { type: 'button', class: `button ${kind}`.trim(), text, on: { click: async () => {
            node.disabled = true;
            await run();
            node.disabled = false;
            node.focus();
        } } });
        return node;
    };
    const sure = async (question, run) => ((await ask(question)) ? run() : undefined);
    const session = () => store.chargePoints.get(id)?.session?.id;

    parts.stop = button('Stop', () => actions.command(id, 'stop'));
    parts.resume = button('Resume', () => actions.command(id, 'resume'));
    parts.stopSession = button('Stop the session only', () => sure({
        title: `Stop the session at ${id}?`, yes: 'Stop session', danger: true,
        text: 'Its supply ends and its ticket is issued; the charge point stays in service.',
    }, () => actions.stopSession(session())));
    const rotate = button('Rotate key', () => actions.command(id, 'rotate-key'));
    const drop = button('Drop key', () => sure({
        title: `Drop the key of ${id}?`, yes: 'Drop key', danger: true,
        text: 'A running supply ends first. The charge point is out of service until somebody gives its monitor the connect command.',
    }, () => actions.command(id, 'drop-key')), 'button-danger-quiet');
    const revoke = button('Revoke…', () => sure({
        title: `Revoke ${id}?`, yes: 'Revoke for good', danger: true, type: id,
        text: 'Its certificate is revoked and its connection cut at once; a running session is billed on the last meter. Only a new registration with a new key brings it back.',
    }, () => actions.command(id, 'revoke')), 'button-danger-quiet');

    const price = h('input', { id: 'sheet-price', type: 'number', inputmode: 'numeric', min: '0', max: '100000', step: '1', required: true, value: store.chargePoints.get(id)?.price_cents_per_kwh });
    const save = h('button', { type: 'submit', class: 'button', text: 'Change price' });
    const form = h('form', { class: 'price-form', on: { submit: async (event) => {
        event.preventDefault();
        save.disabled = true;
        await actions.setPrice(id, Number(price.value));
        save.disabled = false;
    } } }, h('label', { for: 'sheet-price', text: 'Price, in cents per kWh' }), h('div', { class: 'price-row' }, price, save));

    parts.admin = h('div', { class: 'sheet-admin' },
        h('h3', { text: 'Service' }), h('div', { class: 'button-row' }, parts.stop, parts.resume, parts.stopSession),
        h('h3', { text: 'Price' }), form,
        h('h3', { text: 'Keys and credential' }), h('div', { class: 'button-row' }, rotate, drop, revoke));
}
