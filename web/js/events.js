// Central's event stream. The browser reconnects by itself and sends Last-Event-ID; this module
// says in what condition the stream is, and starts a new one where the browser has given up.

const NAMES = ['charge-point', 'session', 'audit', 'weather', 'summary'];
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 10000;

export class EventStream {
    // on.event(name, data)   one change
    // on.open(resumed)       connected; resumed: Central continues where this stream was cut
    // on.reset()             Central cannot continue: load everything again
    // on.lost()              cut; somebody is trying again
    constructor(url, on) {
        this.url = url;
        this.on = on;
        this.source = null;
        this.timer = null;
        this.retryMs = RETRY_MIN_MS;
        this.sawId = false;
    }

    open() {
        this.close();
        this.sawId = false;
        const source = new EventSource(this.url);
        this.source = source;
        const own = (listener) => (event) => {
            if (this.source === source) {
                listener(event);
            }
        };
        source.addEventListener('open', own(() => {
            this.retryMs = RETRY_MIN_MS;
            this.on.open(this.sawId);
        }));
        source.addEventListener('error', own(() => {
            this.on.lost();
            if (source.readyState === EventSource.CLOSED) {
                this.retryLater();
            }
        }));
        source.addEventListener('reset', own((event) => {
            this.sawId ||= event.lastEventId !== '';
            this.on.reset();
        }));
        for (const name of NAMES) {
            source.addEventListener(name, own((event) => this.take(name, event)));
        }
    }

    take(name, event) {
        this.sawId ||= event.lastEventId !== '';
        let data = null;
        try {
            data = JSON.parse(event.data);
        } catch {
            data = null;
        }
        if (data === null || typeof data !== 'object') {
            console.warn(`event ${name} is not a JSON object and was skipped`);
            return;
        }
        this.on.event(name, data);
    }

    // An answer other than 200 ends an EventSource for good.
    retryLater() {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.open(), this.retryMs * (0.75 + Math.random() / 2));
        this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
    }

    close() {
        clearTimeout(this.timer);
        this.timer = null;
        this.source?.close();
        this.source = null;
    }
}
