import './styles';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App';
import { live } from './api/live';
import { loadAllPages } from './router';

const IDLE_BY_MS = 3_000;
const AGAIN_MS = 3_000;

// A style that did not come is asked for again; what needs it is shown without until then.
window.addEventListener('vite:preloadError', (event) => event.payload.message.includes('CSS') && event.preventDefault());
window.addEventListener(
  'error',
  ({ target }) => {
    if (!(target instanceof HTMLLinkElement) || target.rel !== 'stylesheet') return;
    window.setTimeout(() => target.replaceWith(target.cloneNode()), AGAIN_MS);
  },
  true,
);

live.start();
window.setTimeout(() => loadAllPages(), IDLE_BY_MS);

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
