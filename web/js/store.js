// What the page knows of the network, keyed by id. Changes are gathered and told once a frame,
// with the set of keys that changed, so that a thousand events cost one pass over what they touched.

export const AUDIT_KEEP = 400;
export const SESSIONS_KEEP = 400;

const nextFrame = (run) => (globalThis.requestAnimationFrame ?? setTimeout)(run);

export class Store {
    constructor(schedule = nextFrame) {
        this.chargePoints = new Map(); // id -> charge point
        this.sessions = new Map(); // id -> session
        this.audit = new Map(); // seq -> entry
        this.weather = new Map(); // city -> report
        this.summary = null;
        this.readiness = null; // {ok, reasons} or null while unknown
        this.me = null; // {name, role} or null
        this.auditMore = false;
        this.auditRefused = null; // why the audit trail is not shown
        this.auditKeep = AUDIT_KEEP;
        this.loaded = false; // whether anything was ever loaded
        // status: connecting | live | reconnecting; reachable: whether a plain request was answered
        this.connection = { status: 'connecting', reachable: null, since: null, heardAt: null };

        this.schedule = schedule;
        this.scheduled = false;
        this.dirty = new Map(); // topic -> Set of keys
        this.listeners = []; // {topics, run}
    }

    get admin() {
        return this.me?.role === 'admin';
    }

    // run(changes) once a frame in which one of the topics changed; changes.get(topic) has the keys.
    subscribe(topics, run) {
        this.listeners.push({ topics, run });
    }

    touch(topic, key = '') {
        let keys = this.dirty.get(topic);
        if (!keys) {
            keys = new Set();
            this.dirty.set(topic, keys);
        }
        keys.add(key);
        if (!this.scheduled) {
            this.scheduled = true;
            this.schedule(() => this.flush());
        }
    }

    flush() {
        this.scheduled = false;
        const changes = this.dirty;
        this.dirty = new Map();
        for (const { topics, run } of this.listeners) {
            if (topics.some((topic) => changes.has(topic))) {
                run(changes);
            }
        }
    }

    set(name, value) {
        this[name] = value;
        this.touch(name);
    }

    setConnection(part) {
        this.connection = { ...this.connection, ...part };
        this.touch('connection');
    }

    // One event of the stream.
    apply(name, data) {
        switch (name) {
        case 'charge-point': this.putChargePoint(data); break;
        case 'session': this.putSession(data); break;
        case 'audit': this.putAudit(data); break;
        case 'weather': this.putWeather(data); break;
        case 'summary': this.set('summary', data); break;
        default: break;
        }
    }

    putChargePoint(cp) {
        if (typeof cp.id !== 'string') {
            return;
        }
        if (cp.removed === true) {
            this.chargePoints.delete(cp.id);
        } else {
            this.chargePoints.set(cp.id, cp);
        }
        this.touch('chargePoints', cp.id);
    }

    putSession(session) {
        if (typeof session.id !== 'string') {
            return;
        }
        this.sessions.set(session.id, session);
        trim(this.sessions, SESSIONS_KEEP);
        this.touch('sessions', session.id);
    }

    putAudit(entry) {
        if (!Number.isInteger(entry.seq)) {
            return;
        }
        this.audit.set(entry.seq, entry);
        trim(this.audit, this.auditKeep);
        this.touch('audit', entry.seq);
    }

    putWeather(report) {
        if (typeof report.city !== 'string') {
            return;
        }
        if (report.removed === true) {
            this.weather.delete(report.city);
        } else {
            this.weather.set(report.city, report);
        }
        this.touch('weather', report.city);
    }

    // The whole of one kind, as a GET gave it: what is not in it is gone.
    replace(topic, items, keyOf) {
        const old = this[topic];
        const fresh = new Map();
        for (const item of items) {
            const key = keyOf(item);
            if (key !== undefined && key !== null) {
                fresh.set(key, item);
                this.touch(topic, key);
            }
        }
        for (const key of old.keys()) {
            if (!fresh.has(key)) {
                this.touch(topic, key);
            }
        }
        this[topic] = fresh;
        this.touch(topic);
    }
}

// Drops the smallest keys: the oldest entries, since both kinds of key grow with time.
function trim(map, keep) {
    if (map.size <= keep + 50) {
        return;
    }
    const keys = [...map.keys()].sort((a, b) => (a < b ? -1 : 1));
    for (const key of keys.slice(0, map.size - keep)) {
        map.delete(key);
    }
}
