import type { Plugin } from 'vite';

/** A Vite plugin that has the browser fetch the text's font with the scripts, not after them. */
export function preloadFont(): Plugin {
  return {
    name: 'preload-font',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_, { bundle }) {
        const font = Object.keys(bundle ?? {}).find((name) => /^assets\/geist-[\w-]{8}\.woff2$/.test(name));
        if (!font) throw new Error('the font of the text is not in the bundle');
        const attrs = { rel: 'preload', as: 'font', crossorigin: true, href: `./${font}` };
        return [{ tag: 'link', injectTo: 'head', attrs }];
      },
    },
  };
}
