// Numbers, money and times as people read them. Units come in as the API has them
// (W, Wh, cents, RFC 3339) and leave as kW, kWh, euros and the viewer's own clock.

const LOCALE = 'en-IE';
const NONE = '–';

const fixed = (digits) => new Intl.NumberFormat(LOCALE, {
    minimumFractionDigits: digits, maximumFractionDigits: digits,
});
const ZERO = fixed(0);
const ONE = fixed(1);
const TWO = fixed(2);
const EURO = new Intl.NumberFormat(LOCALE, { style: 'currency', currency: 'EUR' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

const finite = (value) => typeof value === 'number' && Number.isFinite(value);
const minus = (text) => text.replace(/^-/, '−');

export const count = (n) => (finite(n) ? ZERO.format(n) : NONE);
export const kwNumber = (w) => (finite(w) ? minus(ONE.format(w / 1000)) : NONE);
export const kw = (w) => (finite(w) ? `${kwNumber(w)} kW` : NONE);

// A maximum is a name plate: 7.4 kW, but 22 kW.
export function kwRated(w) {
    if (!finite(w)) {
        return NONE;
    }
    return `${(w % 1000 === 0 ? ZERO : ONE).format(w / 1000)} kW`;
}

export function kwhNumber(wh) {
    if (!finite(wh)) {
        return NONE;
    }
    return minus((Math.abs(wh) < 100000 ? TWO : ONE).format(wh / 1000));
}

export const kwh = (wh) => (finite(wh) ? `${kwhNumber(wh)} kWh` : NONE);
export const euros = (cents) => (finite(cents) ? minus(EURO.format(cents / 100)) : NONE);
export const price = (cents) => (finite(cents) ? `${euros(cents)}/kWh` : NONE);
export const degrees = (c) => (finite(c) ? `${minus(ONE.format(c).replace(/^-0\.0$/, '0.0'))} °C` : NONE);
export const percent = (p) => (finite(p) ? `${ZERO.format(Math.min(100, Math.max(0, Math.floor(p))))} %` : NONE);

const LAST_MS = 8.64e15; // what a Date can hold

// RFC 3339 text or milliseconds -> milliseconds; null for anything else.
export function parseTime(value) {
    const ms = typeof value === 'string' ? Date.parse(value) : value;
    return finite(ms) && Math.abs(ms) <= LAST_MS ? ms : null;
}

export function time(text, now = Date.now()) {
    const ms = parseTime(text);
    if (ms === null) {
        return NONE;
    }
    const day = new Date(ms);
    const clock = CLOCK.format(day);
    return day.toDateString() === new Date(now).toDateString() ? clock : `${DAY.format(day)}, ${clock}`;
}

// The exact moment, in UTC, for a tooltip.
export function exact(text) {
    const ms = parseTime(text);
    return ms === null ? '' : new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');
}

export function duration(ms) {
    if (!finite(ms)) {
        return NONE;
    }
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) {
        return `${s} s`;
    }
    const m = Math.floor(s / 60);
    if (m < 60) {
        return `${m} min`;
    }
    const hours = Math.floor(m / 60);
    if (hours < 24) {
        return `${hours} h ${String(m % 60).padStart(2, '0')} min`;
    }
    return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function age(text, now) {
    const ms = parseTime(text);
    return ms === null ? NONE : duration(now - ms);
}
