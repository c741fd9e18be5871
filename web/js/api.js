// Central's REST interface: one function for a call, one error for every way it can fail.

export const BASE = '/api/v1';
const TIMEOUT_MS = 10000;
const PAGE = 1000;
const MAX_PAGES = 50; // 50,000 charge points: more than one Central carries

// What went wrong, in words: a problem document (RFC 9457), or no answer at all (status 0).
export class Problem extends Error {
    constructor({ status = 0, title = '', detail = '', type = 'about:blank', retryAfter = null, reasons = [] }) {
        super(detail || title || `status ${status}`);
        this.name = 'Problem';
        Object.assign(this, { status, title, detail, type, retryAfter, reasons });
    }

    get unreachable() {
        return this.status === 0;
    }
}

// How far this computer's clock is behind Central's, in ms; ages are counted on Central's clock.
let clockOffset = 0;
export const centralNow = () => Date.now() + clockOffset;

function noteClock(response) {
    const there = Date.parse(response.headers.get('Date') ?? '');
    if (!Number.isNaN(there)) {
        const offset = there + 500 - Date.now(); // the header has whole seconds
        clockOffset = Math.abs(offset) < 2000 ? 0 : offset;
    }
}

async function problemOf(response) {
    let body = {};
    try {
        body = (await response.json()) ?? {};
    } catch {
        // Not JSON: the status has to do.
    }
    const text = (value) => (typeof value === 'string' ? value : '');
    return new Problem({
        status: response.status,
        title: text(body.title) || response.statusText || `Status ${response.status}`,
        detail: text(body.detail),
        type: text(body.type),
        reasons: Array.isArray(body.reasons) ? body.reasons : [],
        retryAfter: Number.parseInt(response.headers.get('Retry-After') ?? '', 10) || null,
    });
}

async function call(method, path, body) {
    const options = {
        method,
        headers: { Accept: 'application/json, application/problem+json' },
        credentials: 'same-origin',
        cache: method === 'GET' ? 'no-cache' : 'no-store',
        signal: AbortSignal.timeout(TIMEOUT_MS),
    };
    if (body !== undefined) {
        options.headers['Content-Type'] = 'application/json';
        options.body = JSON.stringify(body);
    }
    let response;
    try {
        response = await fetch(path, options);
    } catch (error) {
        throw new Problem({
            title: 'Central cannot be reached',
            detail: error?.name === 'TimeoutError' ? 'It gave no answer within 10 s.' : '',
        });
    }
    noteClock(response);
    if (!response.ok) {
        throw await problemOf(response);
    }
    if (response.status === 204) {
        return {};
    }
    try {
        return await response.json();
    } catch {
        throw new Problem({ status: response.status, title: 'An answer that is not JSON', detail: `${method} ${path}` });
    }
}

export const get = (path) => call('GET', BASE + path);
export const post = (path, body) => call('POST', BASE + path, body);
export const patch = (path, body) => call('PATCH', BASE + path, body);

const items = (list) => (Array.isArray(list?.items) ? list.items : []);
const segment = encodeURIComponent;

export async function chargePoints() {
    const all = [];
    let after = null;
    for (let page = 0; page < MAX_PAGES; page++) {
        const cursor = after === null ? '' : `&after=${segment(after)}`;
        const list = await get(`/charge-points?limit=${PAGE}${cursor}`);
        all.push(...items(list));
        if (list.next === null || list.next === undefined) {
            break;
        }
        after = String(list.next);
    }
    return all;
}

export const sessions = async (limit = 200) => items(await get(`/sessions?limit=${limit}`));
export const weather = async () => items(await get('/weather'));
export const summary = () => get('/summary');

export async function audit(limit = 100, before = null) {
    const list = await get(`/audit?limit=${limit}${before === null ? '' : `&before=${segment(before)}`}`);
    return { items: items(list), more: list.next !== null && list.next !== undefined };
}

// Who is signed in, or null.
export async function me() {
    try {
        const answer = await get('/me');
        return answer?.role ? answer : null;
    } catch (problem) {
        if ([401, 403, 404].includes(problem.status)) {
            return null;
        }
        throw problem;
    }
}

// Whether Central has all it needs, and if not, what it waits for.
export async function readiness() {
    try {
        await call('GET', '/readyz');
        return { ok: true, reasons: [] };
    } catch (problem) {
        if (problem.status !== 503) {
            return null;
        }
        return { ok: false, reasons: problem.reasons.length ? problem.reasons : [problem.message] };
    }
}

export const login = (name, password) => post('/login', { name, password });
export const logout = () => post('/logout');

// verb: stop | resume | rotate-key | drop-key | revoke
export const command = (id, verb) => post(`/charge-points/${segment(id)}/${verb}`);
// ids: an array, or null for all of them.
export const commandMany = (verb, ids) => post(`/charge-points/${verb}`, ids === null ? undefined : { ids });
export const setPrice = (id, cents) => patch(`/charge-points/${segment(id)}`, { price_cents_per_kwh: cents });
export const stopSession = (id) => post(`/sessions/${segment(id)}/stop`);
