import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

import { cutFonts } from './scripts/fonts.ts';
import { licences } from './scripts/licences.ts';
import { preloadFont } from './scripts/preload.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

// The console that `npm run dev` talks to: a running one, or `npm run mock`.
const backend = process.env.CELERYSCOPE_URL ?? 'http://127.0.0.1:6200';

await cutFonts();

export default defineConfig({
  // Relative addresses: the server writes <base href> into index.html at run time, so that one
  // build works under every --url-prefix.
  base: '',
  resolve: { alias: { '~': path('src') } },
  plugins: [react(), licences(), preloadFont()],
  build: {
    outDir: process.env.CELERYSCOPE_UI_OUT ?? path('../src/celeryscope/web/dist'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    reportCompressedSize: false,
    manifest: 'manifest.json', // for scripts/finish.mjs, which removes it
    modulePreload: { polyfill: false },
    // The page, and the one to log in, which has no script of its own.
    rolldownOptions: { input: [path('index.html'), path('login.html')] },
  },
  worker: { format: 'es' },
  server: {
    host: '127.0.0.1',
    port: 6201,
    strictPort: true,
    proxy: { '/api': { target: backend }, '/mock': { target: backend } },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
