// One question before what cannot be taken back; for the gravest, the id has to be typed.

import { byId, foreign, h } from '../dom.js';

// ask({title, text, yes, danger, type}) -> promise of true or false; type: what must be typed
export function ask({ title, text, yes, danger = false, type = null }) {
    const dialog = byId('confirm');
    return new Promise((resolve) => {
        const go = h('button', { type: 'submit', class: danger ? 'button button-danger' : 'button button-main', text: yes });
        const input = type === null ? null : h('input', {
            id: 'confirm-typed', type: 'text', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
            on: { input: () => { go.disabled = input.value !== type; } },
        });
        go.disabled = input !== null;
        let answer = false;
        const form = h('form', { class: 'form', on: { submit: (event) => {
            event.preventDefault();
            answer = !go.disabled;
            dialog.close();
        } } },
        h('h2', { id: 'confirm-title', text: title }),
        h('p', { text }),
        input && h('label', { for: 'confirm-typed' }, 'Type ', foreign(type, { class: 'typed' }), ' to confirm'),
        input,
        h('div', { class: 'form-actions' },
            h('button', { type: 'button', class: 'button', text: 'Cancel', on: { click: () => dialog.close() } }), go));
        dialog.replaceChildren(form);
        dialog.addEventListener('close', () => resolve(answer), { once: true });
        dialog.showModal();
        (input ?? go).focus();
    });
}
