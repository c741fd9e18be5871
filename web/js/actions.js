// What an administrator can order, and Central's answers put into words.

import * as api from './api.js';
import { say } from './messages.js';
import { holdNames, holdsOf, listOf, plural } from './words.js';
import * as format from './format.js';

const VERBS = {
    stop: { done: 'stopped', wait: 'will stop as soon as its supply has ended', failed: 'was not stopped' },
    resume: { done: 'resumed', wait: 'will resume shortly', failed: 'was not resumed' },
    'rotate-key': { done: 'got a new telemetry key', wait: 'will get a new telemetry key', failed: 'keeps its telemetry key' },
    'drop-key': { done: 'lost its key: out of service until its monitor connects', wait: 'loses its key as soon as its supply has ended', failed: 'keeps its key' },
    revoke: { done: 'was revoked: only a new registration brings it back', wait: 'is being revoked', failed: 'was not revoked' },
};

let signedOut = () => {};
// run() when Central says that the sign-in has ended.
export function onSignedOut(run) {
    signedOut = run;
}

// A refusal, with its reason.
export function explain(problem, failed) {
    if (problem.unreachable) {
        return [`${failed}: Central cannot be reached`, problem.detail || 'Nothing is known to have changed. Try again when it is back.'];
    }
    if (problem.status === 401) {
        return [`${failed}: your sign-in has ended`, 'Sign in again.'];
    }
    const wait = problem.retryAfter ? ` Try again in ${format.duration(problem.retryAfter * 1000)}.` : '';
    return [`${failed}: ${problem.title}`, `${problem.detail}${wait}`.trim()];
}

function sayProblem(problem, failed) {
    if (!(problem instanceof api.Problem)) {
        throw problem;
    }
    say('bad', ...explain(problem, failed));
    if (problem.status === 401) {
        signedOut();
    }
}

const stillHeld = (item) => {
    const holds = holdsOf(item);
    return holds.length ? `Held by: ${holdNames(holds)}.` : '';
};

function sayOne(verb, id, answer) {
    const item = answer?.items?.[0] ?? { id, holds: [], done: true };
    const words = VERBS[verb];
    const held = verb === 'stop' || verb === 'resume' ? stillHeld(item) : '';
    const detail = verb === 'resume' && held ? `Still out of order. ${held}` : held;
    if (item.done === false) {
        say('wait', `${id} ${words.wait}`, detail);
    } else {
        say('ok', `${id} ${words.done}`, detail);
    }
}

export async function command(id, verb) {
    try {
        sayOne(verb, id, await api.command(id, verb));
        return true;
    } catch (problem) {
        sayProblem(problem, `${id} ${VERBS[verb].failed}`);
        return false;
    }
}

const SHOWN_IDS = 6;
const someOf = (ids) => (ids.length > SHOWN_IDS
    ? `${ids.slice(0, SHOWN_IDS).join(', ')} and ${ids.length - SHOWN_IDS} more` : listOf(ids));

// ids: an array, or null for all.
export async function commandMany(verb, ids) {
    const words = VERBS[verb];
    try {
        const answer = await api.commandMany(verb, ids);
        const items = Array.isArray(answer.items) ? answer.items : [];
        const done = items.filter((item) => item.done !== false);
        const waiting = items.filter((item) => item.done === false);
        const held = verb === 'resume' ? done.filter((item) => holdsOf(item).length) : [];
        const detail = [];
        if (waiting.length) {
            detail.push(`Accepted, not yet carried out: ${someOf(waiting.map((item) => String(item.id)))}.`);
        }
        if (held.length) {
            detail.push(`Still held otherwise: ${someOf(held.map((item) => `${item.id} (${holdNames(holdsOf(item))})`))}.`);
        }
        const title = items.length ? `${plural(done.length, 'charge point')} ${words.done}` : 'There was nothing to do';
        say(waiting.length ? 'wait' : 'ok', title, detail.join(' '));
        return true;
    } catch (problem) {
        sayProblem(problem, ids === null ? `Not all ${words.done}` : `${plural(ids.length, 'charge point')} not ${words.done}`);
        return false;
    }
}

export async function setPrice(id, cents) {
    try {
        await api.setPrice(id, cents);
        say('ok', `${id} now costs ${format.price(cents)}`, 'It takes effect with the next session.');
        return true;
    } catch (problem) {
        sayProblem(problem, `The price of ${id} stays`);
        return false;
    }
}

export async function stopSession(session) {
    try {
        await api.stopSession(session);
        say('wait', 'The session will end', 'Its ticket follows when the charge point has reported the final meter.');
        return true;
    } catch (problem) {
        sayProblem(problem, 'The session was not stopped');
        return false;
    }
}
