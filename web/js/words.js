// The words for what the API says in codes. Everything a translation would change about states,
// holds and reasons is here.

import { kwRated } from './format.js';

// In the order in which the contract derives them; icon and words beside the colour.
export const STATES = {
    Available: { label: 'Available', icon: 'check' },
    Preparing: { label: 'Preparing', icon: 'clock' },
    Charging: { label: 'Charging', icon: 'bolt' },
    Finishing: { label: 'Finishing', icon: 'plug' },
    Unavailable: { label: 'Out of order', icon: 'cone' },
    Faulted: { label: 'Faulted', icon: 'alert' },
    Offline: { label: 'Offline', icon: 'cut' },
};
const UNKNOWN = { label: 'Unknown', icon: 'question' };

export const stateKey = (state) => (Object.hasOwn(STATES, state) ? state : 'Unknown');
export const stateOf = (state) => (Object.hasOwn(STATES, state) ? STATES[state] : UNKNOWN);

const HOLDS = {
    admin: 'stopped by an administrator',
    weather: 'halted for frost',
    maintenance: 'under maintenance',
    key: 'key dropped',
};
const HOLD_NAMES = { admin: 'administrator', weather: 'weather', maintenance: 'maintenance', key: 'dropped key' };

const STOP_REASONS = {
    unplugged: 'unplugged',
    target: 'target reached',
    battery_full: 'battery full',
    driver: 'stopped by the driver',
    admin: 'stopped by an administrator',
    weather: 'halted for frost',
    maintenance: 'maintenance',
    fault: 'fault',
    revoked: 'credential revoked',
    key_dropped: 'key dropped',
    deregistered: 'deregistered',
    monitor_lost: 'monitor lost',
    engine_lost: 'engine lost',
};

const pick = (table, code) => (Object.hasOwn(table, code) ? table[code] : String(code));

export const holdWords = (hold) => pick(HOLDS, hold);
export const holdNames = (holds) => listOf(holds.map((hold) => pick(HOLD_NAMES, hold)));
export const stopReason = (code) => (code ? pick(STOP_REASONS, code) : '');
export const reasonWords = (code) => (code ? String(code).replace(/^cp_/, 'charge point ').replaceAll('_', ' ') : '');

export const holdsOf = (cp) => (Array.isArray(cp.holds) ? cp.holds.map(String) : []);
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function listOf(words) {
    return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

// Since when a city has had no report: what Central says, else its last observation.
export const staleSince = (report) => report.stale_since ?? report.observed_at;

// Why a charge point is as it is, in one line.
export function stateNote(cp) {
    const holds = holdsOf(cp);
    const held = holds.map(holdWords);
    switch (cp.state) {
    case 'Available':
        return cp.max_power_w ? `Free, up to ${kwRated(cp.max_power_w)}` : 'Free';
    case 'Preparing':
        return 'Reserved, waiting for the plug';
    case 'Finishing':
        return 'Ended, still plugged in';
    case 'Charging':
        return held.length ? `Supply is ending: ${listOf(held)}` : '';
    case 'Unavailable':
        return held.length ? capital(listOf(held)) : 'Held';
    case 'Faulted':
        return `${cp.fault ? `Fault: ${cp.fault}` : 'Its engine is silent or faulty'}${held.length ? `; also ${listOf(held)}` : ''}`;
    case 'Offline':
        if (holds.includes('key')) {
            return 'Key dropped: waits for the monitor’s connect command';
        }
        return `No connection from its monitor${held.length ? `; also ${listOf(held)}` : ''}`;
    default:
        return '';
    }
}

// ok | bad | other: for a sign beside the outcome's own word.
export function outcomeKind(outcome) {
    const word = String(outcome ?? '').toLowerCase();
    if (/^(ok|done|success|succeeded|accepted|allowed|granted)$/.test(word)) {
        return 'ok';
    }
    return /refus|den|fail|error|reject|bad|drop|invalid|forbid|unauthor/.test(word) ? 'bad' : 'other';
}
