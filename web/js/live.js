// Keeps the store true: loads everything by GET, then follows the stream. Events that arrive while
// a load is under way wait for its end, so that an older answer never covers a newer event.

import * as api from './api.js';
import { EventStream } from './events.js';
import { AUDIT_KEEP } from './store.js';

const WAIT_MAX = 20000; // events kept during one load; beyond it the load is repeated instead
const OPEN_PATIENCE_MS = 3000; // without a stream for so long, show at least what GET says
const LOST_GRACE_MS = 1200; // a stream that is back sooner was never worth a banner
const QUIET_MS = 20000; // no event for so long: ask whether Central is still there
const READY_AGAIN_MS = 10000;
const HINT = 'ev-signed-in';

export class Live {
    constructor(store) {
        this.store = store;
        this.loading = false;
        this.again = false;
        this.waiting = [];
        this.retryMs = 1000;
        this.retryTimer = null;
        this.lostTimer = null;
        this.readyTimer = null;
        this.heard = Date.now();
        this.stream = new EventStream(`${api.BASE}/events`, {
            open: (resumed) => this.onOpen(resumed),
            event: (name, data) => this.onEvent(name, data),
            reset: () => this.load(),
            lost: () => this.onLost(),
        });
    }

    start() {
        this.stream.open();
        setTimeout(() => this.store.loaded || this.load(), OPEN_PATIENCE_MS);
        setInterval(() => this.watch(), 5000);
        globalThis.addEventListener('online', () => this.restart());
    }

    // A new stream and a new load: after signing in or out, what may be seen has changed.
    restart() {
        this.stream.open();
        return this.load();
    }

    onOpen(resumed) {
        clearTimeout(this.lostTimer);
        this.lostTimer = null;
        this.heard = Date.now();
        this.store.setConnection({ status: 'live', reachable: true, since: null, heardAt: Date.now() });
        if (!resumed || !this.store.loaded) {
            this.load();
        } else {
            this.checkReady();
        }
    }

    onEvent(name, data) {
        this.heard = Date.now();
        this.store.connection.heardAt = this.heard;
        if (!this.loading) {
            this.applyEvent(name, data);
        } else if (this.waiting.length < WAIT_MAX) {
            this.waiting.push([name, data]);
        } else {
            this.waiting = [];
            this.again = true;
        }
    }

    applyEvent(name, data) {
        const kafkaWas = this.store.summary?.health?.kafka?.ok;
        this.store.apply(name, data);
        if (name === 'summary' && kafkaWas !== undefined && kafkaWas !== data.health?.kafka?.ok) {
            this.checkReady();
        }
    }

    onLost() {
        if (this.store.connection.status === 'live') {
            this.store.setConnection({ since: Date.now() });
        }
        this.lostTimer ??= setTimeout(() => this.showLost(), LOST_GRACE_MS);
    }

    async showLost() {
        this.store.setConnection({ status: 'reconnecting' });
        await this.probe();
    }

    // Whether Central answers at all.
    async probe() {
        try {
            const summary = await api.summary();
            if (!this.loading) {
                this.store.set('summary', summary);
            }
            this.store.setConnection({ reachable: true });
            return true;
        } catch (problem) {
            this.store.setConnection({ reachable: !problem.unreachable });
            return false;
        }
    }

    // A stream whose other end vanished without a word stays "open"; silence gives it away.
    async watch() {
        const { status } = this.store.connection;
        if (status === 'reconnecting' && !this.loading) {
            await this.probe();
        } else if (status === 'live' && Date.now() - this.heard > QUIET_MS) {
            this.heard = Date.now();
            if (!(await this.probe())) {
                this.store.setConnection({ status: 'reconnecting', since: this.store.connection.heardAt });
                this.stream.open();
            }
        }
    }

    async load() {
        if (this.loading) {
            this.again = true;
            return;
        }
        this.loading = true;
        clearTimeout(this.retryTimer);
        try {
            do {
                this.again = false;
                await this.loadOnce();
            } while (this.again);
            this.retryMs = 1000;
            this.store.setConnection({ reachable: true });
        } catch (problem) {
            this.store.setConnection({ reachable: !problem.unreachable });
            this.retryTimer = setTimeout(() => this.load(), this.retryMs);
            this.retryMs = Math.min(this.retryMs * 2, 10000);
        } finally {
            this.loading = false;
            const waiting = this.waiting;
            this.waiting = [];
            for (const [name, data] of waiting) {
                this.applyEvent(name, data);
            }
        }
    }

    async loadOnce() {
        const { store } = this;
        const me = signedInHint() ? await api.me() : null;
        setSignedInHint(me !== null);
        const [points, weather, summary, audit, sessions] = await Promise.all([
            api.chargePoints(), api.weather(), api.summary(), loadAudit(),
            me?.role === 'admin' ? api.sessions() : [],
        ]);
        store.set('me', me);
        store.replace('chargePoints', points, (cp) => cp.id);
        store.replace('weather', weather, (report) => report.city);
        store.replace('sessions', sessions, (session) => session.id);
        store.replace('audit', audit.items, (entry) => entry.seq);
        store.auditKeep = AUDIT_KEEP;
        store.set('auditMore', audit.more);
        store.set('auditRefused', audit.refused);
        store.set('summary', summary);
        store.set('loaded', true);
        this.checkReady();
    }

    async checkReady() {
        clearTimeout(this.readyTimer);
        const readiness = await api.readiness();
        this.store.set('readiness', readiness);
        if (readiness && !readiness.ok) {
            this.readyTimer = setTimeout(() => this.checkReady(), READY_AGAIN_MS);
        }
    }

    async loadOlderAudit() {
        const { store } = this;
        const before = Math.min(...store.audit.keys());
        const older = await api.audit(100, Number.isFinite(before) ? before : null);
        store.auditKeep = store.audit.size + older.items.length + AUDIT_KEEP;
        older.items.forEach((entry) => store.putAudit(entry));
        store.set('auditMore', older.more && older.items.length > 0);
    }
}

// --private-audit hides the trail from the public: that is an answer, not a failure.
async function loadAudit() {
    try {
        return { ...(await api.audit()), refused: null };
    } catch (problem) {
        if (problem.status === 401 || problem.status === 403) {
            return { items: [], more: false, refused: problem.detail || problem.title };
        }
        throw problem;
    }
}

// The cookie cannot be read here; this remembers only that there may be one, so that visitors who
// never signed in do not ask who they are.
export function signedInHint() {
    try {
        return localStorage.getItem(HINT) !== null;
    } catch {
        return true;
    }
}

export function setSignedInHint(on) {
    try {
        if (on) {
            localStorage.setItem(HINT, '1');
        } else if (localStorage.getItem(HINT) !== null) {
            localStorage.removeItem(HINT);
        }
    } catch {
        // Storage is off: asking costs one request a load.
    }
}
