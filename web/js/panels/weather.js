// The weather of the charge points' cities: temperature, frost alert, and how old a report is.

import { byId, foreign, h, icon, setAttr, setChildren, setData, setText } from '../dom.js';
import * as format from '../format.js';
import { plural, staleSince } from '../words.js';

export function mountWeather(store) {
    const list = byId('weather-list');
    const note = byId('weather-note');
    const cells = new Map();

    function makeCell() {
        const city = foreign('', { class: 'weather-city' });
        const temperature = h('span', { class: 'weather-degrees' });
        const word = h('span', { class: 'weather-word' });
        const node = h('li', { class: 'weather-cell' }, city, temperature, h('span', { class: 'weather-status' }, icon('snow'), word));
        return { node, city, temperature, word };
    }

    function update(cell, report) {
        setText(cell.city, report.city);
        setAttr(cell.city, 'title', report.city);
        setText(cell.temperature, format.degrees(report.temperature_c));
        const since = report.stale ? ` since ${format.time(staleSince(report))}` : '';
        const words = [report.alert ? 'frost: halted' : '', report.stale ? `stale${since}` : ''].filter(Boolean);
        setText(cell.word, words.join(', '));
        setData(cell.node, 'alert', String(Boolean(report.alert)));
        setData(cell.node, 'stale', String(Boolean(report.stale)));
        setAttr(cell.node, 'title', report.observed_at ? `Observed ${format.exact(report.observed_at)}` : null);
    }

    store.subscribe(['weather', 'loaded'], (changes) => {
        for (const city of changes.get('weather') ?? []) {
            const report = store.weather.get(city);
            if (!report) {
                cells.delete(city);
                continue;
            }
            if (!cells.has(city)) {
                cells.set(city, makeCell());
            }
            update(cells.get(city), report);
        }
        const cities = [...store.weather.keys()].sort((a, b) => a.localeCompare(b));
        setChildren(list, cities.map((city) => cells.get(city).node));
        setText(note, noteOf(store));
    });
}

function noteOf(store) {
    const reports = [...store.weather.values()];
    if (!store.loaded) {
        return '';
    }
    if (reports.length === 0) {
        return 'No reports yet';
    }
    const frost = reports.filter((report) => report.alert).length;
    const stale = reports.filter((report) => report.stale);
    const parts = [frost ? `frost in ${plural(frost, 'city', 'cities')}` : 'no frost'];
    if (stale.length) {
        const since = stale.map(staleSince).filter(Boolean).sort()[0];
        parts.push(stale.length === reports.length ? `stale${since ? ` since ${format.time(since)}` : ''}` : `${stale.length} stale`);
    }
    return parts.join(', ');
}
