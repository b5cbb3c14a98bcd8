// Makes src/api/types.gen.ts from openapi.json, and openapi.json from the server's own document.
//   npm run types          writes both
//   npm run types:check    fails when one of them is not what would be written
// PYTHON names the interpreter that has celeryscope; without one, openapi.json is taken as it is.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import openapiTS, { astToString } from 'openapi-typescript';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const DOCUMENT = path('../openapi.json');
const TYPES = path('../src/api/types.gen.ts');
const HEADER = '// Made from openapi.json by `npm run types`. Do not edit.\n\n';
// The version and the address are a running server's; the shapes are not.
const ASK = `
import json
from celeryscope.web.api import openapi
from celeryscope.web.app import CHANGES, OPERATIONS
print(json.dumps(openapi.document(OPERATIONS, CHANGES, version="0", base="/api/v1")))
`;
const check = process.argv.includes('--check');

const python = process.env.PYTHON ?? [path('../../.venv/bin/python')].find(existsSync);
if (python) settle(DOCUMENT, document(python));
settle(TYPES, HEADER + astToString(await openapiTS(JSON.parse(readFileSync(DOCUMENT, 'utf8')))));

function document(python) {
  const run = spawnSync(python, ['-c', ASK], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`the server's document could not be made:\n${run.stderr}`);
  return `${JSON.stringify(JSON.parse(run.stdout), null, 2)}\n`;
}

function settle(file, content) {
  const current = existsSync(file) && readFileSync(file, 'utf8') === content;
  if (current) return;
  if (check) {
    console.error(`${file} is not current: run \`npm run types\` and commit it.`);
    process.exitCode = 1;
    return;
  }
  writeFileSync(file, content);
  console.log(`wrote ${file}`);
}
