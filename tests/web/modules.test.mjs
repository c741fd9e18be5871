// The dashboard's modules that need no page:  node --test tests/web/

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clean } from '../../web/js/dom.js';
import * as format from '../../web/js/format.js';
import { AUDIT_KEEP, Store } from '../../web/js/store.js';
import { assess } from '../../web/js/verdict.js';
import { outcomeKind, stateKey, stateNote, stopReason } from '../../web/js/words.js';

// A store whose frames the test draws itself.
function stored() {
    const frames = [];
    return { store: new Store((run) => frames.push(run)), draw: () => frames.splice(0).forEach((run) => run()), frames };
}

test('a thousand events are told once, with what they touched', () => {
    const { store, draw, frames } = stored();
    const told = [];
    store.subscribe(['chargePoints'], (changes) => told.push([...changes.get('chargePoints')]));
    for (let i = 0; i < 1000; i++) {
        store.apply('charge-point', { id: i % 2 ? 'MAD' : 'BCN', state: 'Charging' });
    }
    assert.equal(frames.length, 1);
    draw();
    assert.deepEqual(told, [['BCN', 'MAD']]);
    store.apply('audit', { seq: 1 });
    draw();
    assert.equal(told.length, 1, 'other topics stay asleep');
});

test('a deregistered charge point goes, and a reload drops what is no longer there', () => {
    const { store } = stored();
    store.replace('chargePoints', [{ id: 'A' }, { id: 'B' }, { id: 'C' }], (cp) => cp.id);
    store.apply('charge-point', { id: 'A', removed: true });
    assert.deepEqual([...store.chargePoints.keys()], ['B', 'C']);
    store.replace('chargePoints', [{ id: 'C' }], (cp) => cp.id);
    assert.deepEqual([...store.chargePoints.keys()], ['C']);
    assert.ok(store.dirty.get('chargePoints').has('B'), 'told as changed');
});

test('events without a key are ignored, and the audit trail is kept short', () => {
    const { store } = stored();
    for (const name of ['charge-point', 'session', 'audit', 'weather']) {
        store.apply(name, { id: 7, seq: 'x', city: null });
    }
    assert.equal(store.chargePoints.size + store.sessions.size + store.audit.size + store.weather.size, 0);
    for (let seq = 1; seq <= AUDIT_KEEP + 200; seq++) {
        store.apply('audit', { seq });
    }
    assert.ok(store.audit.size <= AUDIT_KEEP + 50);
    assert.ok(store.audit.has(AUDIT_KEEP + 200) && !store.audit.has(1), 'the newest stay');
});

test('units become what people read', () => {
    assert.equal(format.kw(7400), '7.4 kW');
    assert.equal(format.kwRated(22000), '22 kW');
    assert.equal(format.kwh(12345), '12.35 kWh');
    assert.equal(format.kwh(1234567), '1,234.6 kWh');
    assert.equal(format.euros(187), '€1.87');
    assert.equal(format.price(54), '€0.54/kWh');
    assert.equal(format.degrees(-0.04), '0.0 °C');
    assert.equal(format.degrees(-18.4), '−18.4 °C');
    assert.equal(format.percent(99.9), '99 %');
    assert.equal(format.duration(59999), '59 s');
    assert.equal(format.duration(3900000), '1 h 05 min');
    for (const junk of [null, undefined, 'x', NaN, {}, Infinity]) {
        assert.equal(format.kw(junk), '–');
        assert.equal(format.euros(junk), '–');
        assert.equal(format.time(junk), '–');
    }
});

test('what shows nothing but changes the reading is spelled out', () => {
    assert.equal(clean('a\u202eb\u0000\u{e0041}'), 'a⟨U+202E⟩b⟨U+0000⟩⟨U+E0041⟩');
    assert.equal(clean('two\nlines'), 'two lines');
    assert.equal(clean({ a: '<b>' }), '{"a":"<b>"}');
    assert.equal(clean(null), '');
});

test('codes of no table are shown as they are, never looked up in a prototype', () => {
    assert.equal(stateKey('constructor'), 'Unknown');
    assert.equal(stopReason('__proto__'), '__proto__');
    assert.match(stateNote({ state: 'Unavailable', holds: ['toString'] }), /toString/i);
    assert.equal(stateNote({ state: 'Unavailable', holds: ['weather', 'admin'] }), 'Halted for frost and stopped by an administrator');
    assert.deepEqual(['ok', 'refused', 'error', ''].map(outcomeKind), ['ok', 'bad', 'bad', 'other']);
});

function network(...points) {
    const { store } = stored();
    points.forEach((cp) => store.apply('charge-point', { holds: [], ...cp }));
    store.loaded = true;
    store.connection = { status: 'live', reachable: true };
    return store;
}

test('the verdict names the worst first', () => {
    assert.equal(assess(network({ id: 'A', state: 'Available' })).headline, 'All is well');
    const held = assess(network({ id: 'A', state: 'Available' }, { id: 'B', state: 'Unavailable', holds: ['admin'] }));
    assert.deepEqual([held.level, held.headline], ['note', 'Running well, 1 out of order']);
    const store = network({ id: 'B', state: 'Offline' }, { id: 'A', state: 'Offline' }, { id: 'C', state: 'Faulted' }, { id: 'K', state: 'Offline', holds: ['key'] });
    store.summary = { health: { kafka: { ok: true }, registry: { ok: false, detail: 'no answer' } } };
    const bad = assess(store);
    assert.equal(bad.headline, '4 things need attention');
    assert.deepEqual(bad.items[0].ids, ['C']);
    assert.deepEqual(bad.items.find((item) => item.title === 'Offline').ids, ['A', 'B']);
    store.connection = { status: 'reconnecting', reachable: false };
    assert.deepEqual([assess(store).level, assess(store).headline], ['bad', 'Central cannot be reached']);
    store.loaded = false;
    store.connection = { status: 'connecting', reachable: null };
    assert.equal(assess(store).headline, 'Loading…');
});
