import './styles';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App';
import { live } from './api/live';
import { loadAllPages } from './router';

const IDLE_BY_MS = 3_000;

live.start();
window.setTimeout(() => loadAllPages(), IDLE_BY_MS);

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
