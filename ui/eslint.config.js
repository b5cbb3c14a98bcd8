import js from '@eslint/js';
import reactHooks from 'eslint-plugin-react-hooks';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const node = { console: 'readonly', process: 'readonly', URL: 'readonly', URLSearchParams: 'readonly', fetch: 'readonly', Buffer: 'readonly' };
const browser = { document: 'readonly', window: 'readonly', localStorage: 'readonly' };
const timers = { setTimeout: 'readonly', setInterval: 'readonly', clearInterval: 'readonly' };

export default defineConfig(
  globalIgnores(['node_modules', 'src/api/types.gen.ts']),
  js.configs.recommended,
  {
    languageOptions: { globals: { ...node, ...timers } },
    rules: { 'no-unused-vars': ['error', { ignoreRestSiblings: true }] },
  },
  { files: ['public/*.js', 'dev/*.mjs'], languageOptions: { globals: { ...browser } } },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, reactHooks.configs.flat['recommended-latest']],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // A layout effect that measures must set state; the rest of the rule's cases are not ours.
      'react-hooks/set-state-in-effect': 'off',
      'react-hooks/incompatible-library': 'off',
    },
  },
  {
    // One module fetches; everything else asks it.
    files: ['src/**/*.{ts,tsx}'],
    ignores: ['src/api/client.ts'],
    rules: { 'no-restricted-globals': ['error', 'fetch', 'XMLHttpRequest'] },
  },
  {
    // Hostile text reaches the page as text only.
    files: ['src/**/*.tsx'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
          message: 'Text from the cluster is shown with <Text>, never as markup.',
        },
      ],
    },
  },
);
