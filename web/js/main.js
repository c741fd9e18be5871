// Starts the dashboard: one store, kept true by one Live, drawn by one module a panel.

import { Live } from './live.js';
import { Store } from './store.js';
import { mountAccount } from './panels/account.js';
import { mountAttention } from './panels/attention.js';
import { mountAudit } from './panels/audit.js';
import { mountOverview } from './panels/overview.js';
import { mountServices } from './panels/services.js';
import { mountSessions } from './panels/sessions.js';
import { mountSheet } from './panels/sheet.js';
import { mountTiles } from './panels/tiles.js';
import { mountWeather } from './panels/weather.js';

const store = new Store();
const live = new Live(store);
const openSheet = mountSheet(store);

mountOverview(store);
const { showState } = mountTiles(store, { openSheet });
mountAttention(store, { openSheet, showState });
mountServices(store);
mountWeather(store);
mountAudit(store, live);
mountSessions(store, { openSheet });
mountAccount(store, live);
live.start();
