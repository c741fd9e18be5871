// The charge points: a tile each, in order of id, with state in words, sign and colour.

import * as actions from '../actions.js';
import { centralNow } from '../api.js';
import { byId, foreign, h, icon, setAttr, setChildren, setData, setIcon, setText } from '../dom.js';
import * as format from '../format.js';
import { countStates } from '../verdict.js';
import { STATES, holdsOf, plural, stateKey, stateNote, stateOf } from '../words.js';
import { ask } from './confirm.js';

const SHOWN_AT_FIRST = 300;
const LIGHT_FROM = 150; // from so many tiles on, those out of sight are not laid out
const FILTER_ORDER = ['Charging', 'Available', 'Preparing', 'Finishing', 'Unavailable', 'Faulted', 'Offline'];

export function mountTiles(store, { openSheet }) {
    const list = byId('tiles');
    const note = byId('tiles-note');
    const more = byId('tiles-more');
    const search = byId('search');
    const tiles = new Map();
    const selected = new Set();
    const view = { state: null, text: '', limit: SHOWN_AT_FIRST, ids: [] };

    const bulk = mountBulk(store, selected, drawSelection, () => view.ids);
    const filter = mountFilter((state) => { view.state = view.state === state ? null : state; arrange(); });
    search.addEventListener('input', () => { view.text = search.value.trim().toLowerCase(); arrange(); });
    more.addEventListener('click', () => { view.limit += SHOWN_AT_FIRST; arrange(); });

    const visible = (cp) => (view.state === null || stateKey(cp.state) === view.state)
        && (view.text === '' || `${cp.id}\n${cp.city ?? ''}`.toLowerCase().includes(view.text));

    function tileOf(cp) {
        if (!tiles.has(cp.id)) {
            const tile = makeTile(cp.id, store, selected, openSheet, drawSelection);
            tiles.set(cp.id, tile);
            updateTile(tile, cp, store);
        }
        return tiles.get(cp.id);
    }

    function arrange() {
        const found = [...store.chargePoints.values()].filter(visible);
        found.sort((a, b) => (a.id < b.id ? -1 : 1));
        const shown = found.slice(0, view.limit);
        view.ids = found.map((cp) => cp.id);
        setChildren(list, shown.map((cp) => tileOf(cp).node));
        list.classList.toggle('many', shown.length > LIGHT_FROM);
        setAttr(list, 'aria-busy', store.loaded ? null : 'true');
        filter.update(countStates(store.chargePoints), store.chargePoints.size, view.state);
        more.hidden = found.length <= view.limit;
        setText(more, `Show ${Math.min(SHOWN_AT_FIRST, found.length - view.limit)} more of ${found.length}`);
        note.hidden = !store.loaded || found.length > 0;
        setText(note, store.chargePoints.size === 0
            ? 'No charge point has registered yet. Start a monitor with an invitation, and it appears here.'
            : 'No charge point matches.');
        bulk.update();
    }

    function drawSelection() {
        for (const id of [...selected]) {
            if (!store.chargePoints.has(id)) {
                selected.delete(id);
            }
        }
        for (const [id, tile] of tiles) {
            tile.pick.checked = selected.has(id);
            tile.node.classList.toggle('picked', selected.has(id));
        }
        bulk.update();
    }

    store.subscribe(['chargePoints', 'weather', 'me', 'loaded'], (changes) => {
        const all = changes.has('me') || changes.has('weather');
        const touched = all ? tiles.keys() : changes.get('chargePoints') ?? [];
        for (const id of [...touched]) {
            const cp = store.chargePoints.get(id);
            if (!cp) {
                tiles.delete(id);
                selected.delete(id);
            } else if (tiles.has(id)) {
                updateTile(tiles.get(id), cp, store);
            }
        }
        if (!store.admin && selected.size) {
            selected.clear();
            drawSelection();
        }
        arrange();
    });
    setInterval(() => {
        for (const tile of tiles.values()) {
            updateAge(tile);
        }
    }, 1000);
    list.append(...Array.from({ length: 8 }, () => h('li', { class: 'tile skeleton', 'aria-hidden': 'true' })));

    return {
        showState(state) {
            view.state = stateKey(state);
            arrange();
            byId('charge-points').focus();
        },
    };
}

function mountFilter(choose) {
    const chip = (key, label, name) => {
        const n = h('span', { class: 'chip-count', text: '0' });
        const node = h('button', { type: 'button', class: 'chip', data: { state: key }, on: { click: () => choose(name) } },
            name ? icon(STATES[name].icon) : null, label, n);
        return { node, n, name };
    };
    const chips = [chip('all', 'All', null), ...FILTER_ORDER.map((state) => chip(state, STATES[state].label, state))];
    byId('state-filter').append(...chips.map(({ node }) => node));
    return {
        update(counts, total, current) {
            for (const { node, n, name } of chips) {
                const number = name ? counts[name] ?? 0 : total;
                setText(n, format.count(number));
                setAttr(node, 'aria-pressed', String(current === name));
                node.hidden = name !== null && number === 0 && current !== name;
            }
        },
    };
}

function makeTile(id, store, selected, openSheet, onPick) {
    const tile = { id, note: h('p', { class: 'tile-note' }) };
    tile.icon = icon('question');
    tile.label = h('span', { class: 'tile-state-label' });
    tile.age = h('span', { class: 'tile-age' });
    tile.pick = h('input', { type: 'checkbox', class: 'tile-pick', 'aria-label': `Select ${id}`, on: { change: () => {
        selected[tile.pick.checked ? 'add' : 'delete'](id);
        onPick();
    } } });
    tile.city = foreign('', { class: 'tile-city' });
    tile.temperature = h('span', { class: 'tile-temperature' });
    tile.power = h('span', { class: 'tile-power-value' });
    tile.energy = h('dd', { class: 'tile-energy' });
    tile.cost = h('dd', { class: 'tile-cost' });
    tile.costPair = h('div', {}, h('dt', { class: 'visually-hidden', text: 'Amount' }), tile.cost);
    tile.driver = foreign('', { class: 'tile-driver' });
    tile.driverPart = h('span', { class: 'tile-driver-part' }, icon('person'), h('span', { class: 'visually-hidden', text: 'Driver ' }), tile.driver);
    tile.fill = h('span', { class: 'soc-fill' });
    tile.soc = h('span', { class: 'soc-text' });
    tile.socTrack = h('span', { class: 'soc-track', 'aria-hidden': 'true' }, tile.fill);
    tile.socBar = h('div', { class: 'soc' }, tile.driverPart, tile.socTrack, tile.soc);
    tile.live = h('dl', { class: 'tile-figures' },
        h('div', { class: 'tile-power' }, h('dt', { class: 'visually-hidden', text: 'Power' }), h('dd', {}, tile.power, h('span', { class: 'tile-unit', text: ' kW' }))),
        h('div', { class: 'tile-sums' },
            h('div', {}, h('dt', { class: 'visually-hidden', text: 'Energy' }), tile.energy),
            tile.costPair));
    tile.price = h('span', { class: 'tile-price' });
    tile.act = h('button', { type: 'button', class: 'button button-small tile-act', on: { click: () => stopOrResume(id, store, tile.act) } });
    tile.node = h('li', { class: 'tile' },
        h('div', { class: 'tile-state' }, tile.pick, tile.icon, tile.label, tile.age),
        h('div', { class: 'tile-body' },
            h('div', { class: 'tile-name' },
                h('h3', {}, h('button', { type: 'button', class: 'tile-open', title: id, 'aria-label': `${id}: details`, on: { click: () => openSheet(id) } }, foreign(id))),
                h('p', { class: 'tile-place' }, tile.city, tile.temperature)),
            tile.live, tile.note, tile.socBar,
            h('div', { class: 'tile-foot' }, tile.price, tile.act)));
    return tile;
}

function updateTile(tile, cp, store) {
    const state = stateOf(cp.state);
    setData(tile.node, 'state', stateKey(cp.state));
    setIcon(tile.icon, state.icon);
    setText(tile.label, stateKey(cp.state) === 'Unknown' ? String(cp.state) : state.label);
    setText(tile.city, cp.city);
    setAttr(tile.city, 'title', cp.city);
    const degrees = cp.temperature_c ?? store.weather.get(cp.city)?.temperature_c;
    setText(tile.temperature, typeof degrees === 'number' ? format.degrees(degrees) : '');
    setText(tile.price, format.price(cp.price_cents_per_kwh));

    updateLive(tile, cp);
    const note = stateNote(cp);
    tile.note.hidden = note === '';
    setText(tile.note, note);

    tile.since = format.parseTime(cp.state === 'Charging' && cp.session?.started_at ? cp.session.started_at : cp.since);
    setAttr(tile.age, 'title', tile.since === null ? null : `Since ${format.exact(tile.since)}`);
    updateAge(tile);

    tile.pick.hidden = !store.admin;
    tile.act.hidden = !store.admin;
    const verb = holdsOf(cp).includes('admin') ? 'resume' : 'stop';
    setData(tile.act, 'verb', verb);
    setText(tile.act, verb === 'resume' ? 'Resume' : 'Stop');
    setAttr(tile.act, 'aria-label', `${verb === 'resume' ? 'Resume' : 'Stop'} ${tile.id}`);
}

// The running session: power, energy, amount, battery, driver.
function updateLive(tile, cp) {
    const { session } = cp;
    const supplied = Boolean(session && (cp.state === 'Charging' || cp.state === 'Finishing' || session.energy_wh > 0));
    const battery = supplied && typeof session.soc_percent === 'number';
    tile.live.hidden = !supplied;
    if (supplied) {
        setText(tile.power, format.kwNumber(session.power_w));
        setText(tile.energy, format.kwh(session.energy_wh));
        tile.costPair.hidden = typeof session.cost_cents !== 'number';
        setText(tile.cost, format.euros(session.cost_cents));
        setText(tile.soc, format.percent(session.soc_percent));
        tile.fill.style.transform = `scaleX(${Math.min(100, Math.max(0, session.soc_percent ?? 0)) / 100})`;
    }
    tile.socTrack.hidden = !battery;
    tile.soc.hidden = !battery;
    tile.driverPart.hidden = !session?.driver_id;
    setText(tile.driver, session?.driver_id);
    setAttr(tile.driverPart, 'title', session?.driver_id ? `Driver ${session.driver_id}` : null);
    tile.socBar.hidden = !battery && !session?.driver_id;
}

function updateAge(tile) {
    setText(tile.age, tile.since === null || tile.since === undefined ? '' : format.duration(centralNow() - tile.since));
}

async function stopOrResume(id, store, button) {
    button.disabled = true;
    await actions.command(id, button.dataset.verb);
    button.disabled = false;
    if (document.activeElement === document.body) {
        button.focus();
    }
}

function mountBulk(store, selected, redraw, shownIds) {
    const bar = byId('bulk');
    const all = h('input', { type: 'checkbox', id: 'pick-all', on: { change: () => {
        const ids = shownIds();
        ids.forEach((id) => selected[all.checked ? 'add' : 'delete'](id));
        redraw();
    } } });
    const words = h('span', { class: 'bulk-count' });
    const button = (verb, every) => h('button', { type: 'button', class: 'button button-small', data: { verb, every: String(every) }, on: { click: () => run(verb, every) } });
    const stopSome = button('stop', false);
    const resumeSome = button('resume', false);
    const stopAll = button('stop', true);
    const resumeAll = button('resume', true);
    stopAll.textContent = 'Stop all';
    resumeAll.textContent = 'Resume all';
    bar.append(h('label', { class: 'bulk-pick', for: 'pick-all' }, all, words), stopSome, resumeSome, stopAll, resumeAll);

    async function run(verb, every) {
        const ids = every ? null : [...selected].sort();
        const count = every ? store.chargePoints.size : ids.length;
        const which = every ? 'all charge points' : plural(count, 'charge point');
        const charging = [...store.chargePoints.values()].filter((cp) => cp.state === 'Charging' && (every || selected.has(cp.id))).length;
        if (verb === 'stop' && (every || count > 1)) {
            const sure = await ask({
                title: `Stop ${which}?`, yes: `Stop ${every ? 'all' : count}`, danger: true,
                text: `${charging ? `${plural(charging, 'running supply', 'running supplies')} will end and be billed.` : 'No supply is running.'} They stay out of order until they are resumed.`,
            });
            if (!sure) {
                return;
            }
        }
        if (await actions.commandMany(verb, ids) && !every) {
            selected.clear();
            redraw();
        }
    }

    return {
        update() {
            bar.hidden = !store.admin;
            const n = selected.size;
            const ids = shownIds();
            const picked = ids.filter((id) => selected.has(id)).length;
            all.checked = ids.length > 0 && picked === ids.length;
            all.indeterminate = picked > 0 && picked < ids.length;
            setText(words, n ? `${n} selected` : 'Select all');
            setText(stopSome, n ? `Stop ${n} selected` : 'Stop selected');
            setText(resumeSome, n ? `Resume ${n} selected` : 'Resume selected');
            stopSome.disabled = n === 0;
            resumeSome.disabled = n === 0;
        },
    };
}
