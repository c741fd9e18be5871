// The first glance: is the network well, how much is flowing, in what states are the charge points;
// and the line to Central itself.

import { byId, h, icon, setAttr, setChildren, setData, setIcon, setText } from '../dom.js';
import * as format from '../format.js';
import { announce } from '../messages.js';
import { assess, countStates } from '../verdict.js';
import { STATES, stateKey } from '../words.js';

const LEVEL_ICONS = { ok: 'check', note: 'check', warn: 'alert', bad: 'alert', unknown: 'clock' };
// Left to right: what earns, what is free, what is not to be had.
const BAR_ORDER = ['Charging', 'Finishing', 'Preparing', 'Available', 'Unavailable', 'Faulted', 'Offline', 'Unknown'];

export function mountOverview(store) {
    mountLink(store);
    mountVerdict(store);
    mountFigures(store);
    mountBar(store);
}

function mountLink(store) {
    const link = byId('link');
    const text = byId('link-text');
    const banner = byId('banner');
    const WORDS = { connecting: 'Connecting…', live: 'Live', reconnecting: 'Reconnecting…' };
    store.subscribe(['connection', 'loaded'], () => {
        const { status, reachable, since, heardAt } = store.connection;
        const never = !store.loaded && reachable === false;
        const lost = status === 'reconnecting' || never;
        setData(link, 'status', never ? 'reconnecting' : status);
        setText(text, never ? WORDS.reconnecting : WORDS[status]);
        let words = '';
        if (lost && reachable === false) {
            words = 'Central cannot be reached; retrying…';
        } else if (lost) {
            words = 'Live updates are interrupted; reconnecting…';
        }
        const at = since ?? heardAt;
        if (words && store.loaded && at) {
            words += ` What you see is from ${format.time(at)}.`;
        }
        banner.hidden = words === '';
        setText(banner, words);
        document.body.classList.toggle('dimmed', lost && store.loaded);
    });
}

function mountVerdict(store) {
    const sign = icon('clock');
    const headline = h('p', { class: 'verdict-headline', id: 'verdict-headline', text: 'Connecting…' });
    const subline = h('p', { class: 'verdict-subline' });
    const verdict = byId('verdict');
    verdict.append(h('span', { class: 'verdict-sign' }, sign), h('div', {}, headline, subline));
    let told = '';
    store.subscribe(['chargePoints', 'summary', 'weather', 'connection', 'readiness', 'loaded'], () => {
        const found = assess(store);
        setData(verdict, 'level', found.level);
        setIcon(sign, LEVEL_ICONS[found.level]);
        setText(headline, found.headline);
        setText(subline, found.subline);
        document.title = found.level === 'ok' || found.level === 'unknown' ? 'Charging network' : `${found.headline} · Charging network`;
        if (store.loaded && told !== found.headline) {
            told = found.headline;
            announce(found.headline);
        }
    });
}

function figure(label, name) {
    const value = h('span', { class: 'figure-value', id: `figure-${name}`, text: '–' });
    const unit = h('span', { class: 'figure-unit' });
    return { node: h('div', { class: 'figure' }, h('dt', { text: label }), h('dd', {}, value, unit)), value, unit };
}

function mountFigures(store) {
    const power = figure('Power now', 'power');
    const energy = figure('Energy today', 'energy');
    const income = figure('Income today', 'income');
    const open = figure('Open requests', 'requests');
    for (const each of [energy, income]) {
        setAttr(each.node, 'title', 'Today in UTC');
    }
    byId('figures').append(power.node, energy.node, income.node, open.node);
    store.subscribe(['summary'], () => {
        const s = store.summary ?? {};
        setText(power.value, format.kwNumber(s.power_w));
        setText(power.unit, 'kW');
        setText(energy.value, format.kwhNumber(s.energy_today_wh));
        setText(energy.unit, 'kWh');
        setText(income.value, format.euros(s.cost_today_cents));
        setText(open.value, format.count(s.open_requests));
    });
}

function mountBar(store) {
    const bar = byId('state-bar');
    const parts = new Map(BAR_ORDER.map((state) => [state, h('span', { class: 'state-part', data: { state } })]));
    store.subscribe(['chargePoints'], () => {
        const counts = {};
        for (const [state, n] of Object.entries(countStates(store.chargePoints))) {
            counts[stateKey(state)] = (counts[stateKey(state)] ?? 0) + n;
        }
        const shown = BAR_ORDER.filter((state) => counts[state]);
        for (const state of shown) {
            const part = parts.get(state);
            part.style.flexGrow = String(counts[state]);
            setAttr(part, 'title', `${counts[state]} ${STATES[state]?.label ?? 'Unknown'}`);
        }
        setChildren(bar, shown.map((state) => parts.get(state)));
    });
}
