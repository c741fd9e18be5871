// Signing in and out.

import * as api from '../api.js';
import { explain, onSignedOut } from '../actions.js';
import { setSignedInHint } from '../live.js';
import { byId, foreign, h } from '../dom.js';
import { say } from '../messages.js';

export function mountAccount(store, live) {
    const place = byId('account');
    const dialog = byId('sign-in');

    async function signOut() {
        try {
            await api.logout();
        } catch (problem) {
            if (problem.status !== 401) {
                say('bad', ...explain(problem, 'You are still signed in'));
                return;
            }
        }
        left();
    }

    // Nothing that only an administrator may see stays behind.
    function left() {
        setSignedInHint(false);
        store.set('me', null);
        store.replace('sessions', [], (session) => session.id);
        live.restart();
    }

    function openSignIn(notice = '') {
        const error = h('p', { class: 'form-error', role: 'alert', text: notice });
        const name = h('input', { id: 'sign-in-name', name: 'username', type: 'text', value: 'admin', autocomplete: 'username', autocapitalize: 'off', spellcheck: 'false', required: true });
        const password = h('input', { id: 'sign-in-password', name: 'password', type: 'password', autocomplete: 'current-password', required: true });
        const go = h('button', { type: 'submit', class: 'button button-main', text: 'Sign in' });
        const form = h('form', { class: 'form', method: 'post', on: { submit: async (event) => {
            event.preventDefault();
            error.textContent = '';
            go.disabled = true;
            try {
                await api.login(name.value, password.value);
                setSignedInHint(true);
                password.value = '';
                dialog.close();
                store.set('me', { name: name.value, role: 'admin' });
                live.restart();
            } catch (problem) {
                error.textContent = wordsOf(problem);
                password.select();
            } finally {
                go.disabled = false;
            }
        } } },
        h('h2', { id: 'sign-in-title', text: 'Sign in as administrator' }),
        h('p', { class: 'muted', text: 'Stop and resume charge points, see drivers, sessions and amounts.' }),
        h('label', { for: 'sign-in-name', text: 'Name' }), name,
        h('label', { for: 'sign-in-password', text: 'Password' }), password,
        error,
        h('div', { class: 'form-actions' },
            h('button', { type: 'button', class: 'button', text: 'Cancel', on: { click: () => dialog.close() } }), go));
        dialog.replaceChildren(form);
        if (!dialog.open) {
            dialog.showModal();
        }
        password.focus();
    }

    let drawn = null;

    function render() {
        const who = store.me ? `${store.me.role} ${store.me.name}` : '';
        if (who === drawn) {
            return; // a reload must not take the focus from a button
        }
        drawn = who;
        if (store.me) {
            place.replaceChildren(
                h('span', { class: 'account-name' }, h('span', { class: 'account-prefix', text: 'Signed in as ' }), foreign(store.me.name ?? store.me.role)),
                h('button', { type: 'button', id: 'sign-out', class: 'button', text: 'Sign out', on: { click: signOut } }));
        } else {
            place.replaceChildren(h('button', { type: 'button', id: 'open-sign-in', class: 'button', text: 'Sign in', on: { click: () => openSignIn() } }));
        }
    }

    onSignedOut(() => {
        left();
        openSignIn('Your sign-in has ended. Sign in again to go on.');
    });
    // Signing in or out in one tab does so in all of them.
    globalThis.addEventListener('storage', (event) => {
        if (event.key === 'ev-signed-in') {
            live.restart();
        }
    });
    store.subscribe(['me'], render);
    render();
}

function wordsOf(problem) {
    if (problem.status === 401) {
        return problem.detail || 'Name or password is wrong.';
    }
    return explain(problem, 'Not signed in').filter(Boolean).join('. ').replace('..', '.');
}
