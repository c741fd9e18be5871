// Is the network well, and if not, what is wrong: worked out from what the store holds, nothing kept.
// Levels, worst first: bad (broken), warn (needs a look), note (held on purpose), ok.

import { holdsOf, holdWords, listOf, plural, staleSince } from './words.js';
import * as format from './format.js';

const RANK = { bad: 3, warn: 2, note: 1, ok: 0 };

export function countStates(chargePoints) {
    const counts = {};
    for (const cp of chargePoints.values()) {
        counts[cp.state] = (counts[cp.state] ?? 0) + 1;
    }
    return counts;
}

function serviceProblems(store) {
    const found = [];
    const health = store.summary?.health ?? {};
    if (store.readiness && !store.readiness.ok) {
        found.push({ level: 'bad', icon: 'alert', title: 'Central is not ready', detail: store.readiness.reasons.join('; ') });
    }
    const says = [['kafka', 'Kafka', 'bad'], ['registry', 'Registry', 'warn'], ['weather', 'Weather', 'warn']];
    for (const [key, name, level] of says) {
        if (health[key] && health[key].ok === false) {
            found.push({ level, icon: 'alert', title: `${name} is not well`, detail: health[key].detail ?? '' });
        }
    }
    const stale = [...store.weather.values()].filter((report) => report.stale);
    if (stale.length && health.weather?.ok !== false) {
        const since = stale.map(staleSince).filter(Boolean).sort()[0];
        found.push({
            level: 'warn', icon: 'clock', title: 'The weather is stale',
            detail: `${plural(stale.length, 'city', 'cities')} without a report${since ? ` since ${format.time(since)}` : ''}`,
        });
    }
    return found;
}

// Charge points with the same trouble make one item.
function troubleOf(cp) {
    const holds = holdsOf(cp);
    if (cp.state === 'Faulted') {
        return { key: 'faulted', level: 'bad', icon: 'alert', title: 'Faulted', detail: 'engine silent or faulty' };
    }
    if (cp.state === 'Offline') {
        return holds.includes('key')
            ? { key: 'key', level: 'warn', icon: 'cut', title: 'Key dropped', detail: 'out of service until its monitor connects' }
            : { key: 'offline', level: 'warn', icon: 'cut', title: 'Offline', detail: 'no connection from the monitor' };
    }
    if (cp.state === 'Unavailable') {
        const detail = listOf(holds.map(holdWords)) || 'held';
        const icon = holds.length === 1 && holds[0] === 'weather' ? 'snow' : 'cone';
        return { key: `held:${holds.join()}`, level: 'note', icon, title: 'Out of order', detail };
    }
    return null;
}

function pointProblems(store) {
    const groups = new Map();
    for (const cp of store.chargePoints.values()) {
        const trouble = troubleOf(cp);
        if (!trouble) {
            continue;
        }
        if (!groups.has(trouble.key)) {
            groups.set(trouble.key, { ...trouble, state: cp.state, ids: [] });
        }
        groups.get(trouble.key).ids.push(cp.id);
    }
    for (const group of groups.values()) {
        group.ids.sort();
    }
    return [...groups.values()];
}

function headlineOf(store, level, items) {
    if (!store.loaded) {
        return store.connection.reachable === false ? 'Central cannot be reached' : 'Loading…';
    }
    if (store.connection.status === 'reconnecting') {
        return store.connection.reachable === false ? 'Central cannot be reached' : 'Live updates are interrupted';
    }
    if (store.chargePoints.size === 0 && level === 'ok') {
        return 'No charge points yet';
    }
    if (level === 'ok') {
        return 'All is well';
    }
    if (level === 'note') {
        const held = items.reduce((sum, item) => sum + item.ids.length, 0);
        return `Running well, ${held} out of order`;
    }
    const wrong = items.filter((item) => RANK[item.level] >= RANK.warn).length;
    return `${plural(wrong, 'thing')} ${wrong === 1 ? 'needs' : 'need'} attention`;
}

export function assess(store) {
    const items = [...serviceProblems(store), ...pointProblems(store)];
    items.sort((a, b) => RANK[b.level] - RANK[a.level]);
    let level = items[0]?.level ?? 'ok';
    if (level === 'ok' && store.chargePoints.size === 0) {
        level = 'unknown';
    }
    if (!store.loaded) {
        level = store.connection.reachable === false ? 'bad' : 'unknown';
    } else if (store.connection.status === 'reconnecting') {
        level = store.connection.reachable === false ? 'bad' : 'warn';
    }
    const counts = countStates(store.chargePoints);
    const parts = [plural(store.chargePoints.size, 'charge point')];
    if (store.chargePoints.size) {
        parts.push(`${counts.Charging ?? 0} charging`, `${counts.Available ?? 0} free`);
    }
    const headline = headlineOf(store, items[0]?.level ?? 'ok', items);
    return { level, headline, subline: store.loaded ? parts.join(', ') : '', items };
}
